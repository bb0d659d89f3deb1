//! A client that follows the project's channel, and counts what it is told.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::wire::{Frame, first_frame, open, pong, text};

/// How long nothing may come before it counts as all that there was.
const QUIET: Duration = Duration::from_secs(1);

/// See the module. It reads on a thread of the runtime until it is told to stop.
pub struct Follower {
    reading: JoinHandle<Result<Seen>>,
    stop: oneshot::Sender<()>,
}

/// What it was told.
#[derive(Debug, Default)]
pub struct Seen {
    pub events: u64,
    /// Numbers that did not come, or not in their turn.
    pub gaps: u64,
    /// From the moment that stands in an event until it was read; to the millisecond.
    pub ages: Vec<Duration>,
}

/// The one field of a frame that says what it is, and those of an event.
#[derive(Deserialize)]
struct Told<'a> {
    r#type: &'a str,
    seq: Option<u64>,
    at: Option<DateTime<Utc>>,
}

impl Follower {
    /// Follows from now on.
    pub async fn start(address: &str, token: &str, project: &Path) -> Result<Self> {
        let (mut stream, mut bytes) = open(address, token).await?;
        let hello = json!({"type": "hello", "protocol": 1, "deviceId": "locks-follower", "kind": "script"});
        let subscribe = json!({"type": "subscribe_project", "projectPath": project, "tail": 0});
        stream.write_all(&text(&hello.to_string())).await?;
        stream.write_all(&text(&subscribe.to_string())).await?;
        let (subscribed, is_subscribed) = oneshot::channel();
        let (stop, mut stopped) = oneshot::channel();
        let reading = tokio::spawn(async move {
            let (mut seen, mut last, mut subscribed) = (Seen::default(), 0, Some(subscribed));
            let mut is_last = false;
            loop {
                let mut taken = 0;
                while let Some((frame, end)) = first_frame(&bytes[taken..]) {
                    match frame {
                        Frame::Text(payload) => {
                            let told: Told<'_> = serde_json::from_slice(payload)?;
                            match (told.r#type, told.seq, told.at) {
                                ("subscribed_project", ..) => {
                                    if let Some(subscribed) = subscribed.take() {
                                        // Whoever waits for it is there, or does not mind.
                                        let _ = subscribed.send(());
                                    }
                                }
                                ("project_event", Some(seq), Some(at)) => {
                                    seen.events += 1;
                                    seen.gaps += u64::from(last > 0 && seq != last + 1);
                                    last = seq;
                                    seen.ages.push((Utc::now() - at).to_std().unwrap_or_default());
                                }
                                ("rejected" | "goodbye", ..) => {
                                    bail!("the server says {}", String::from_utf8_lossy(payload))
                                }
                                _ => {}
                            }
                        }
                        Frame::Ping(payload) => stream.write_all(&pong(payload)).await?,
                        Frame::Close(_) => bail!("the server closed the connection"),
                        Frame::Other => {}
                    }
                    taken += end;
                }
                bytes.drain(..taken);
                if !is_last {
                    is_last = stopped.try_recv().is_ok();
                }
                match tokio::time::timeout(QUIET, stream.read_buf(&mut bytes)).await {
                    Ok(Ok(0)) => bail!("the server closed the connection"),
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) if is_last => return Ok(seen),
                    Err(_) => {}
                }
            }
        });
        is_subscribed.await.context("the project cannot be followed")?;
        Ok(Self { reading, stop })
    }

    /// Reads what is still to come, and returns what was seen.
    pub async fn stop(self) -> Result<Seen> {
        // An error means that it has ended already, and why.
        let _ = self.stop.send(());
        self.reading.await?
    }
}
