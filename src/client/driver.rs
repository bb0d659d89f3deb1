//! The task behind a client: keeps a connection, moves frames between it and the [`Link`], and gets it back when it is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::room::Activity;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::ClientConfig;
use super::backoff::{Backoff, random};
use super::cursor::StartFrom;
use super::error::ClientError;
use super::frame::{self, Request, ServerFrame};
use super::incoming::{Backlog, Incoming};
use super::link::Link;
use super::outbox::Reply;
use super::wire::{Wire, WireEnd};

/// What a [`super::Client`] wants of its task.
#[derive(Debug)]
pub(super) enum Ask {
    Follow { session: SessionId, start: StartFrom, reply: Reply },
    Request { request: Request, reply: Reply },
    SetState { session: SessionId, patch: BTreeMap<String, Value>, reply: Reply },
    Do { session: SessionId, activity: Activity, cursor: Option<Value> },
    Read { session: SessionId, seq: Seq },
    Close,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Driver {
    config: ClientConfig,
    link: Link,
    asks: mpsc::Receiver<Ask>,
    incoming: mpsc::Sender<Incoming>,
    backlog: Backlog,
    is_connected: bool,
}

/// Whether there is somebody left to work for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    GoOn,
    Close,
}

/// What there is to do without a connection.
enum Chore {
    Take(Option<Ask>),
    HandOver(bool),
    Expire,
}

impl Driver {
    pub(super) fn new(
        config: ClientConfig,
        asks: mpsc::Receiver<Ask>,
        incoming: mpsc::Sender<Incoming>,
    ) -> Self {
        let link = Link::new(config.answer_within);
        Self { config, link, asks, incoming, backlog: Backlog::default(), is_connected: true }
    }

    /// Runs until the client is closed or dropped, or the server says that there is no coming back.
    pub(super) async fn run(mut self, first: Wire) {
        let mut backoff = Backoff::new(self.config.backoff);
        let mut wire = first;
        let reason = loop {
            let since = Instant::now();
            let end = self.stay(&mut wire).await;
            let Some(end) = end else {
                wire.close().await;
                break "this client closed it".to_owned();
            };
            backoff.lasted(since.elapsed());
            self.is_connected = false;
            self.link.disconnected(Instant::now());
            let reason = match end {
                WireEnd::Lost(reason) => reason,
                WireEnd::Terminal(reason) => break reason,
            };
            wire = match self.reconnect(&mut backoff, reason).await {
                Ok(wire) => wire,
                Err(reason) => break reason,
            };
            self.is_connected = true;
            self.backlog.push(Incoming::Connected);
        };
        self.finish(reason).await;
    }

    /// Moves frames until the connection ends; none when the program wants it to end.
    async fn stay(&mut self, wire: &mut Wire) -> Option<WireEnd> {
        self.link.connected(wire.max_message_bytes());
        loop {
            let now = Instant::now();
            if self.link.is_stuck(now) {
                return Some(WireEnd::Lost("the server does not answer".into()));
            }
            self.link.take_due(now).into_iter().for_each(|text| wire.write(text));
            let may_read = !self.backlog.is_full() || self.link.is_answer_awaited();
            let text = tokio::select! {
                wish = self.chore() => match wish {
                    Wish::GoOn => continue,
                    Wish::Close => return None,
                },
                heard = wire.next(may_read) => match heard {
                    Ok(text) => text,
                    Err(end) => return Some(end),
                },
            };
            match frame::decode(&text) {
                Ok(ServerFrame::Goodbye { reason }) => wire.note_goodbye(reason),
                Ok(frame) => {
                    let incoming = self.link.heard(frame, now);
                    incoming.into_iter().for_each(|incoming| self.backlog.push(incoming));
                }
                // A frame that cannot be read may be an event: going on would show as a gap, which is closed again.
                Err(error) => {
                    tracing::warn!(%error, bytes = text.len(), "a frame of the server cannot be read");
                }
            }
        }
    }

    /// Tries until there is a connection again. Fails with the reason why there will be none.
    async fn reconnect(&mut self, backoff: &mut Backoff, lost_because: String) -> Result<Wire, String> {
        let mut reason = lost_because;
        loop {
            let pause = backoff.pause(random());
            // A program that has not read thousands of things need not hear of every try.
            if !self.backlog.is_full() {
                self.backlog.push(Incoming::Disconnected { reason, retry_in: pause });
            }
            let opened = self.open_after(pause).await.ok_or("this client closed it")?;
            match opened {
                Ok(wire) => return Ok(wire),
                Err(error) if error.is_terminal() => return Err(error.to_string()),
                Err(error) => reason = error.to_string(),
            }
        }
    }

    /// None when the program has had enough of it.
    async fn open_after(&mut self, pause: Duration) -> Option<Result<Wire, ClientError>> {
        let config = self.config.clone();
        let opening = async move {
            sleep(pause).await;
            Wire::open(&config).await
        };
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return Some(opened),
                wish = self.chore() => if wish == Wish::Close { return None },
            }
        }
    }

    /// Does the next thing that needs no connection. May be dropped and called again.
    async fn chore(&mut self) -> Wish {
        let deadline = self.link.next_deadline(self.is_connected);
        let chore = tokio::select! {
            ask = self.asks.recv() => Chore::Take(ask),
            room = self.incoming.reserve(), if !self.backlog.is_empty() => Chore::HandOver(room.is_ok()),
            () = wait_until(deadline) => Chore::Expire,
        };
        match chore {
            Chore::Take(ask) => return self.take(ask),
            Chore::HandOver(true) => self.hand_over(),
            // Nobody listens any more; commands still work.
            Chore::HandOver(false) => self.backlog.clear(),
            Chore::Expire => self.link.expire(Instant::now()),
        }
        Wish::GoOn
    }

    /// Takes in a wish; none means that every handle of the client is gone.
    fn take(&mut self, ask: Option<Ask>) -> Wish {
        let now = Instant::now();
        match ask {
            Some(Ask::Follow { session, start, reply }) => self.link.follow(session, start, reply, now),
            Some(Ask::Request { request, reply }) => self.link.ask(request, reply, now),
            Some(Ask::SetState { session, patch, reply }) => self.link.set_state(session, patch, reply, now),
            Some(Ask::Do { session, activity, cursor }) => self.link.does(session, activity, cursor, now),
            Some(Ask::Read { session, seq }) => self.link.has_read(session, seq),
            Some(Ask::Close) | None => return Wish::Close,
        }
        Wish::GoOn
    }

    /// Hands over whatever there is room for, so that a burst does not cost a wait for each event.
    fn hand_over(&mut self) {
        while let Ok(room) = self.incoming.try_reserve() {
            let Some(incoming) = self.backlog.pop() else { return };
            room.send(incoming);
        }
    }

    async fn finish(mut self, reason: String) {
        self.link.close(&ClientError::Closed { reason: reason.clone() });
        // Whoever asks from here on finds the door closed.
        drop(self.asks);
        self.backlog.push(Incoming::Closed { reason });
        while let Some(incoming) = self.backlog.pop() {
            if self.incoming.send(incoming).await.is_err() {
                return;
            }
        }
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
