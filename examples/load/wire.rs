//! WebSocket as a load generator needs it: frames are found in what was read, and nothing is copied or parsed.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// A client must mask what it sends; a mask of zeros leaves it as it is.
const MASKED: u8 = 0x80;
const ZERO_MASK: [u8; 4] = [0; 4];

/// A whole frame of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    Text(&'a [u8]),
    Ping(&'a [u8]),
    Close(&'a [u8]),
    Other,
}

/// Connects and upgrades; what the server sent behind its answer comes with the stream.
pub async fn open(authority: &str, token: &str) -> Result<(TcpStream, Vec<u8>)> {
    let stream = TcpStream::connect(authority).await.with_context(|| format!("no server at {authority}"))?;
    upgrade(stream, authority, token).await
}

/// The same, on a connection that is there.
pub async fn upgrade(mut stream: TcpStream, authority: &str, token: &str) -> Result<(TcpStream, Vec<u8>)> {
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(4096);
    let end = loop {
        if stream.read_buf(&mut answer).await? == 0 {
            bail!("the server closed the connection instead of upgrading it");
        }
        if let Some(start) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break start + 4;
        }
    };
    if !answer.starts_with(b"HTTP/1.1 101") {
        bail!("no upgrade: {}", String::from_utf8_lossy(&answer));
    }
    Ok((stream, answer.split_off(end)))
}

/// One text frame, as a client sends it.
pub fn text(payload: &str) -> Vec<u8> {
    masked(0x80 | TEXT, payload.as_bytes())
}

/// The answer to a ping.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    masked(0x8a, payload)
}

/// The first frame and its whole length, when all of it is there.
pub fn first_frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (start, end) = bounds(bytes)?;
    let payload = bytes.get(start..end)?;
    let frame = match bytes[0] & 0x0f {
        TEXT => Frame::Text(payload),
        PING => Frame::Ping(payload),
        CLOSE => Frame::Close(payload),
        _ => Frame::Other,
    };
    Some((frame, end))
}

/// How long the first frame will be, as soon as its header is there.
pub fn length_of_first(bytes: &[u8]) -> Option<usize> {
    bounds(bytes).map(|(_, end)| end)
}

fn bounds(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    Some((start, start + usize::try_from(length).ok()?))
}

fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => frame.push(MASKED | short),
        (_, Ok(middle)) => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&ZERO_MASK);
    frame.extend_from_slice(payload);
    frame
}
