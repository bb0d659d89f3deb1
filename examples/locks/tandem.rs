//! A client of Tandem: one WebSocket, one request at a time.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Locker;
use crate::wire::{Frame, first_frame, open, pong, text};

/// See the module.
pub struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    project: String,
}

/// The token that devices need; of the data folder of this machine where no file is named.
pub fn token(file: Option<&Path>) -> Result<String> {
    let home = std::env::var("TANDEM_DATA_DIR").map(std::path::PathBuf::from);
    let path = match file {
        Some(file) => file.to_owned(),
        None => {
            home.context("name the server's token with --token-file, or its TANDEM_DATA_DIR")?.join("token")
        }
    };
    let token = std::fs::read_to_string(&path).with_context(|| format!("no token in {}", path.display()))?;
    Ok(token.trim().to_owned())
}

impl Client {
    pub async fn connect(address: &str, token: &str, project: &Path, number: usize) -> Result<Self> {
        let (stream, bytes) = open(address, token).await?;
        let project = project.to_string_lossy().into_owned();
        let mut client = Self { stream, bytes, project };
        let device = format!("locks-{number}");
        client.send(&json!({"type": "hello", "protocol": 1, "deviceId": device, "kind": "script"})).await?;
        client.expect(b"\"type\":\"welcome\"").await?;
        Ok(client)
    }

    async fn send(&mut self, frame: &serde_json::Value) -> Result<()> {
        Ok(self.stream.write_all(&text(&frame.to_string())).await?)
    }

    /// Reads frames until the one that is an answer.
    async fn expect(&mut self, wanted: &[u8]) -> Result<()> {
        loop {
            while let Some((frame, end)) = first_frame(&self.bytes) {
                let (mut is_it, mut ping) = (false, None);
                match frame {
                    Frame::Text(payload) => {
                        is_it = payload.windows(wanted.len()).any(|part| part == wanted);
                        if !is_it {
                            bail!("not what was asked for: {}", String::from_utf8_lossy(payload));
                        }
                    }
                    Frame::Ping(payload) => ping = Some(pong(payload)),
                    Frame::Close(_) => bail!("the server closed the connection"),
                    Frame::Other => {}
                }
                self.bytes.drain(..end);
                if let Some(pong) = ping {
                    self.stream.write_all(&pong).await?;
                }
                if is_it {
                    return Ok(());
                }
            }
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    fn lock(&self, kind: &str, resource: usize) -> serde_json::Value {
        let (name, project) = (format!("file-{resource}"), &self.project);
        json!({"type": kind, "resourceId": name, "lockType": "file", "projectPath": project, "wait": true})
    }
}

impl Locker for Client {
    async fn acquire(&mut self, resource: usize) -> Result<()> {
        self.send(&self.lock("lock_request", resource)).await?;
        self.expect(b"\"type\":\"lock_acquired\"").await
    }

    async fn release(&mut self, resource: usize) -> Result<()> {
        self.send(&self.lock("lock_release", resource)).await?;
        self.expect(b"\"type\":\"ok\"").await
    }
}
