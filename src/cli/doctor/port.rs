//! Is the port free, or is a Tandem answering on it?

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Check;

const NAME: &str = "port";

/// How long whoever holds the port may take to say who it is. A Tandem answers within milliseconds.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// How much of the answer is read. That of a Tandem has below 2 KiB.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// What `/health` says of itself, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Health {
    service: String,
    version: String,
}

pub(super) async fn check(address: SocketAddr) -> Check {
    let taken = match TcpListener::bind(address) {
        Ok(_) if address.port() == 0 => return Check::ok(NAME, "any that is free"),
        Ok(_) => return Check::ok(NAME, format!("{address} is free")),
        Err(error) => error,
    };
    match taken.kind() {
        io::ErrorKind::AddrInUse => match tandem_version(reachable(address)).await {
            Some(version) => Check::ok(NAME, format!("a Tandem {version} is running on {address}")),
            None => Check::fail(
                NAME,
                format!("another program listens on {address}"),
                "stop it, or choose another port with --port or TANDEM_PORT",
            ),
        },
        io::ErrorKind::PermissionDenied => Check::fail(
            NAME,
            format!("this user may not listen on {address}"),
            "choose a port above 1023 with --port or TANDEM_PORT",
        ),
        io::ErrorKind::AddrNotAvailable => Check::fail(
            NAME,
            format!("{} is no address of this machine", address.ip()),
            "choose one of its own with --bind or TANDEM_BIND, such as 127.0.0.1",
        ),
        _ => Check::fail(
            NAME,
            format!("cannot listen on {address}: {taken}"),
            "choose another with --bind and --port",
        ),
    }
}

/// The address under which a listener can be reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn tandem_version(address: SocketAddr) -> Option<String> {
    let answer = timeout(ANSWER_DEADLINE, ask_health(address)).await.ok()?.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let health: Health = serde_json::from_str(body).ok()?;
    (health.service == "tandem").then_some(health.version)
}

/// HTTP/1.0, so that the body ends with the connection and comes in one piece.
async fn ask_health(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /health HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use super::super::Status;
    use super::*;

    /// Answers one request with these bytes, on a port of its own.
    fn answering(answer: &'static str) -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        (address, server)
    }

    #[actix_web::test]
    async fn a_running_tandem_is_recognised() {
        let (address, server) = answering(
            "HTTP/1.0 200 OK\r\n\r\n{\"service\":\"tandem\",\"version\":\"9.8.7\",\"uptimeSeconds\":1}",
        );
        let check = check(address).await;
        assert_eq!(check.status, Status::Ok);
        assert!(check.message.contains("Tandem 9.8.7"), "{}", check.message);
        server.join().unwrap();
    }

    #[actix_web::test]
    async fn another_program_on_the_port_fails() {
        for answer in ["", "SSH-2.0-x\r\n", "HTTP/1.0 200 OK\r\n\r\n{\"service\":\"x\",\"version\":\"1\"}"] {
            let (address, server) = answering(answer);
            assert_eq!(check(address).await.status, Status::Fail, "{answer:?}");
            server.join().unwrap();
        }
    }

    #[actix_web::test]
    async fn a_free_port_is_ok() {
        assert_eq!(check("127.0.0.1:0".parse().unwrap()).await.status, Status::Ok);
    }

    #[actix_web::test]
    async fn an_address_of_another_machine_fails() {
        let check = check("192.0.2.1:4870".parse().unwrap()).await;
        assert_eq!(check.status, Status::Fail);
        assert!(check.remedy.unwrap().contains("--bind"));
    }
}
