//! `tandem link`: the address that opens the page with its token, for this machine and for others in its network.
//!
//! The token is in the fragment, which browsers send to nobody: no server, no proxy and no log sees it. The page takes it
//! into its storage and out of the address.

mod network;
mod qr;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;

use crate::auth::{Token, read_token};
use crate::config::Loaded;

/// Arguments of `link`.
#[derive(Debug, Clone, Copy, Args)]
pub struct LinkArgs {}

/// The ways to open the page of one server.
#[derive(Debug, PartialEq, Eq)]
pub struct Links {
    /// For a browser on this machine.
    pub here: String,
    /// For a phone in the same network; `None` where the server listens for this machine alone, or has no network.
    pub network: Option<String>,
}

impl Links {
    /// The links to a server that listens at `address`.
    #[must_use]
    pub fn new(address: SocketAddr, token: &Token) -> Self {
        let link = |address: SocketAddr| format!("http://{address}/#token={}", token.as_str());
        let from_network = seen_from_network(address, network::own_address);
        Self { here: link(seen_from_here(address)), network: from_network.map(link) }
    }

    /// The link for others where it is not the one for this machine.
    #[must_use]
    pub fn apart(&self) -> Option<&str> {
        self.network.as_deref().filter(|link| *link != self.here)
    }
}

/// Prints the links, one a line, and to a terminal the QR code too. Unlike `serve`, also into a pipe: it was asked for them.
///
/// # Errors
/// When there is no token, when the settings do not say the port, when it cannot be printed.
pub fn run(loaded: &Loaded, _args: &LinkArgs) -> anyhow::Result<()> {
    let address = loaded.config.server.address();
    anyhow::ensure!(
        address.port() != 0,
        "the settings leave the port to the system (port 0); the server prints its link when it starts in a terminal"
    );
    let links = Links::new(address, &read_token(&loaded.config.data.dir)?);
    let mut text = format!("{}\n", links.here);
    if let Some(link) = links.apart() {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{link}");
    }
    if io::stdout().is_terminal() {
        text.push_str(&code(&links));
    }
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// The QR code of the link for others, with a line that says what it is; empty where there is no such link.
#[must_use]
pub fn code(links: &Links) -> String {
    match links.network.as_deref().and_then(qr::drawn) {
        Some(code) => format!(
            "\n{code}\n  A phone in the same network opens the page with this code. It holds the token.\n"
        ),
        None => String::new(),
    }
}

/// The address that a program on this machine can connect to: "listen everywhere" is none.
#[must_use]
pub fn seen_from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The address under which others in the network find a server that listens at this one.
fn seen_from_network(address: SocketAddr, own: impl FnOnce() -> Option<Ipv4Addr>) -> Option<SocketAddr> {
    let ip = address.ip().to_canonical();
    if ip.is_loopback() {
        return None;
    }
    let ip = if ip.is_unspecified() { own()?.into() } else { ip };
    Some(SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_network(bind: &str) -> Option<String> {
        let own = || Some(Ipv4Addr::new(192, 168, 0, 7));
        seen_from_network(bind.parse().unwrap(), own).map(|address| address.to_string())
    }

    #[test]
    fn others_are_told_an_address_that_they_can_reach() {
        assert_eq!(from_network("0.0.0.0:4870").as_deref(), Some("192.168.0.7:4870"));
        assert_eq!(from_network("[::]:4870").as_deref(), Some("192.168.0.7:4870"));
        assert_eq!(from_network("10.1.2.3:80").as_deref(), Some("10.1.2.3:80"));
    }

    #[test]
    fn nobody_is_told_of_a_server_that_listens_for_this_machine_alone() {
        for bind in ["127.0.0.1:4870", "127.8.0.1:4870", "[::1]:4870", "[::ffff:127.0.0.1]:4870"] {
            assert_eq!(from_network(bind), None, "{bind}");
        }
        let everywhere = "0.0.0.0:4870".parse().unwrap();
        assert_eq!(seen_from_network(everywhere, || None), None, "without a network");
    }

    #[test]
    fn the_token_is_in_the_fragment() {
        let token = Token::generate().unwrap();
        let links = Links::new("127.0.0.1:4870".parse().unwrap(), &token);
        assert_eq!(links.here, format!("http://127.0.0.1:4870/#token={}", token.as_str()));
        assert_eq!(code(&links), "");
    }
}
