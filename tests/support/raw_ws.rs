//! A WebSocket client that can do everything wrong.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// After so long something has gone wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection.
pub(crate) struct RawWs {
    pub(crate) stream: TcpStream,
    /// The head of the server's answer to the handshake.
    pub(crate) response: String,
}

impl RawWs {
    /// Shakes hands; `headers` are whole lines without their ends. Look at `response` for what came of it.
    pub(crate) async fn open(address: SocketAddr, headers: &[&str]) -> Self {
        Self::open_on(TcpSocket::new_v4().unwrap(), address, headers).await
    }

    /// The same, with a small receive buffer: what is not read soon fills the server's side.
    pub(crate) async fn open_small(address: SocketAddr, headers: &[&str]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(128 * 1024).unwrap();
        Self::open_on(socket, address, headers).await
    }

    async fn open_on(socket: TcpSocket, address: SocketAddr, headers: &[&str]) -> Self {
        let mut stream = socket.connect(address).await.unwrap();
        let mut request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            response.push(stream.read_u8().await.unwrap());
        }
        Self { stream, response: String::from_utf8(response).unwrap() }
    }

    /// Opens a connection with the token and says hello.
    pub(crate) async fn greeted(address: SocketAddr, token: &str) -> Self {
        let mut socket = Self::open(address, &[&format!("Authorization: Bearer {token}")]).await;
        socket.say(&json!({"type": "hello", "protocol": 1, "deviceId": "phone"})).await;
        assert_eq!(socket.hears().await["type"], "welcome");
        socket
    }

    /// The status of the server's answer to the handshake.
    pub(crate) fn status(&self) -> u16 {
        self.response.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) async fn send(&mut self, first_byte: u8, payload: &[u8]) {
        self.stream.write_all(&frame(first_byte, payload)).await.unwrap();
    }

    pub(crate) async fn say(&mut self, frame: &Value) {
        self.send(TEXT, frame.to_string().as_bytes()).await;
    }

    /// The next frame, whatever it is; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let first_byte = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some((first_byte, payload))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("no frame came")
    }

    /// The next text frame; pings on the way are not answered.
    pub(crate) async fn hears(&mut self) -> Value {
        loop {
            match self.frame().await {
                Some((TEXT, payload)) => return serde_json::from_slice(&payload).unwrap(),
                Some((PING | PONG, _)) => {}
                other => panic!("no text came but {other:?}"),
            }
        }
    }

    /// Reads to the close frame, hangs up, and reads that the connection ends behind it; the close code.
    pub(crate) async fn is_closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some((CLOSE, payload)) => {
                    self.stream.shutdown().await.unwrap();
                    assert_eq!(self.frame().await, None, "nothing comes behind a close");
                    return u16::from_be_bytes([payload[0], payload[1]]);
                }
                Some(_) => {}
                None => panic!("the connection ended without a close frame"),
            }
        }
    }

    /// Reads to the close frame, whatever the connection does then: its end may be abrupt.
    pub(crate) async fn is_cut_off(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some((CLOSE, payload)) => return u16::from_be_bytes([payload[0], payload[1]]),
                Some(_) => {}
                None => panic!("the connection ended without a close frame"),
            }
        }
    }
}

/// A client's frame.
pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first_byte, payload.len() as u64);
    let mask = [1, 2, 3, 4];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The first bytes of a masked frame, up to its mask.
pub(crate) fn head(first_byte: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first_byte];
    if let Ok(short @ 0..126) = u8::try_from(length) {
        head.push(0x80 | short);
    } else if let Ok(middle) = u16::try_from(length) {
        head.push(0x80 | 126);
        head.extend_from_slice(&middle.to_be_bytes());
    } else {
        head.push(0x80 | 127);
        head.extend_from_slice(&length.to_be_bytes());
    }
    head
}
