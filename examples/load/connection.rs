//! One connection to the server: whole frames out of what is read, and nothing copied on the way.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tandem::history::Moment;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::wire::{self, Frame};

/// What is read at once. All devices of a thread read into the same buffer, so that it stays in the cache.
const READ_BYTES: usize = 256 * 1024;

/// The buffer of a thread.
pub type Buffer = Rc<RefCell<Vec<u8>>>;

/// How a device gets to the server.
#[derive(Debug, Clone)]
pub struct Reach {
    /// `host:port`.
    pub authority: Arc<str>,
    pub token: Arc<str>,
}

/// When something was read.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    pub instant: Instant,
    pub moment: Moment,
}

/// An open connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Buffer,
    /// The beginning of a frame whose end has not come yet.
    carry: Vec<u8>,
    /// Answers to pings that are not written yet.
    pongs: Vec<u8>,
}

/// A buffer for a thread.
pub fn buffer() -> Buffer {
    Rc::new(RefCell::new(vec![0; READ_BYTES]))
}

impl Connection {
    /// Connects and says hello; returns when the server has answered.
    pub async fn open(reach: &Reach, name: &str, buffer: Buffer) -> Result<Self> {
        let (stream, carry) = wire::open(&reach.authority, &reach.token).await?;
        let mut connection = Self { stream, buffer, carry, pongs: Vec::new() };
        let hello = json!({"type": "hello", "protocol": 1, "deviceId": name, "kind": "script"});
        connection.send(&hello).await?;
        let mut is_welcome = false;
        while !is_welcome {
            let look = |payload: &[u8], _| {
                is_welcome |= payload.starts_with(b"{\"type\":\"welcome\"");
                Ok(())
            };
            connection.read(look).await?;
        }
        Ok(connection)
    }

    /// Writes whole frames, and answers pings.
    pub async fn write(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.write_all(frames).await?;
        self.stream.write_all(&std::mem::take(&mut self.pongs)).await?;
        Ok(())
    }

    /// Writes one frame.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        self.stream.write_all(&wire::text(&frame.to_string())).await?;
        Ok(())
    }

    /// Reads once, and hands over the text of every whole frame. May be dropped and called again.
    pub async fn read(&mut self, mut hear: impl FnMut(&[u8], Read) -> Result<()>) -> Result<()> {
        loop {
            self.stream.readable().await?;
            let mut buffer = self.buffer.borrow_mut();
            let held = self.carry.len();
            let needed = wire::length_of_first(&self.carry).unwrap_or(0).max(held + READ_BYTES);
            if buffer.len() < needed {
                buffer.resize(needed, 0);
            }
            buffer[..held].copy_from_slice(&self.carry);
            let read = match self.stream.try_read(&mut buffer[held..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            let now = Read { instant: Instant::now(), moment: Moment::now() };
            let mut rest = &buffer[..held + read];
            while let Some((frame, length)) = wire::first_frame(rest) {
                match frame {
                    Frame::Ping(payload) => self.pongs.extend(wire::pong(payload)),
                    Frame::Close(reason) => bail!("closed: {}", String::from_utf8_lossy(reason)),
                    Frame::Text(payload) => hear(payload, now)?,
                    Frame::Other => {}
                }
                rest = &rest[length..];
            }
            self.carry.clear();
            self.carry.extend_from_slice(rest);
            return Ok(());
        }
    }

    /// Is gone from one moment to the next, as a phone in a tunnel is: what is under way is lost on both sides.
    pub fn cut(self) -> Result<()> {
        self.stream.set_zero_linger()?;
        Ok(())
    }
}
