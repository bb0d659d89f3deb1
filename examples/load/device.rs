//! A device of the load generator: one connection, driven and checked by one task.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::time::{sleep_until, timeout};
use uuid::Uuid;

use crate::stream::{self, Seen, Stream};
use crate::wire::{self, Frame};

/// What is read at once. All devices of a thread read into the same buffer, so that it stays in the cache.
pub const READ_BYTES: usize = 256 * 1024;

/// The buffer of a thread.
pub type Shared = Rc<RefCell<Vec<u8>>>;

/// How a device gets to the server.
#[derive(Debug, Clone)]
pub struct Reach {
    /// `host:port`.
    pub authority: Arc<str>,
    pub token: Arc<str>,
}

/// What a device does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    pub session: String,
    /// Said one after the other, each when the turn of the one before has ended.
    pub says: VecDeque<String>,
    /// How long it is silent after each turn of its own.
    pub pause: Duration,
    /// The stream is over when so many turns have ended.
    pub turns: u64,
    /// Without any progress for so long the device gives up.
    pub patience: Duration,
}

/// What a device did and saw.
#[derive(Debug)]
pub struct Outcome {
    pub session: String,
    pub name: String,
    pub stream: Stream,
    /// Id, seq and how long it took, of each message of its own.
    pub accepted: Vec<(String, u64, Duration)>,
    /// Microseconds from the event's `at` to its receipt, of each event since the start.
    pub delays: Vec<u32>,
    pub begun: Instant,
    pub first: Option<Instant>,
    pub ended: Instant,
    pub trouble: Option<String>,
}

/// An open connection.
pub struct Connection {
    stream: TcpStream,
    shared: Shared,
    /// The beginning of a frame whose end has not come yet.
    carry: Vec<u8>,
    /// Answers to pings that are not written yet.
    pongs: Vec<u8>,
}

struct Running {
    plan: Plan,
    outcome: Outcome,
    /// The own message that was not answered yet, and when it was sent.
    unanswered: Option<(String, Instant)>,
    /// The own message whose turn has not ended yet. Its end may be heard before the answer: they come on two ways.
    under_way: Option<String>,
    /// When the next message is due, if there is a pause before it.
    next_at: Option<Instant>,
    is_following: bool,
    turns: u64,
    /// Events from before are history: how long they took to come says nothing.
    start_millis: i64,
    outgoing: Vec<u8>,
}

/// Connects, says hello and follows; starts when all others have, and runs to the end of its plan.
pub async fn run(reach: Reach, plan: Plan, shared: Shared, all_ready: Arc<Barrier>) -> Result<Outcome> {
    let mut connection = Connection::open(&reach, &plan.name, shared).await?;
    let subscribe = json!({"type": "subscribe", "sessionId": plan.session, "after": 0, "ref": "subscribe"});
    connection.send(&subscribe).await?;
    let mut running = Running::new(plan);
    while !running.is_following {
        connection.read(|frame, now, micros| running.hear(frame, now, micros)).await?;
    }
    all_ready.wait().await;
    running.start();
    while !running.is_over() {
        connection.write(std::mem::take(&mut running.outgoing)).await?;
        let patience = running.plan.patience;
        let next_at = running.next_at;
        tokio::select! {
            heard = timeout(patience, connection.read(|frame, now, micros| running.hear(frame, now, micros))) => match heard {
                Ok(heard) => heard?,
                Err(_) => {
                    running.outcome.trouble = Some(format!("nothing came for {patience:?}"));
                    break;
                }
            },
            () = sleep_until(next_at.unwrap_or_else(Instant::now).into()), if next_at.is_some() => running.say_next(),
        }
    }
    running.outcome.ended = Instant::now();
    Ok(running.outcome)
}

impl Connection {
    /// Connects and says hello; returns when the server has answered.
    pub async fn open(reach: &Reach, name: &str, shared: Shared) -> Result<Self> {
        let (stream, carry) = wire::open(&reach.authority, &reach.token).await?;
        let mut connection = Self { stream, shared, carry, pongs: Vec::new() };
        connection.send(&json!({"type": "hello", "protocol": 1, "deviceId": name, "kind": "script"})).await?;
        let mut is_welcome = false;
        while !is_welcome {
            let look = |frame: Frame<'_>, _, _| {
                is_welcome |=
                    matches!(frame, Frame::Text(text) if text.starts_with(b"{\"type\":\"welcome\""));
                Ok(())
            };
            connection.read(look).await?;
        }
        Ok(connection)
    }

    async fn write(&mut self, frames: Vec<u8>) -> Result<()> {
        self.stream.write_all(&frames).await?;
        self.stream.write_all(&std::mem::take(&mut self.pongs)).await?;
        Ok(())
    }

    async fn send(&mut self, frame: &Value) -> Result<()> {
        self.stream.write_all(&wire::text(&frame.to_string())).await?;
        Ok(())
    }

    /// Reads once, and hands over every whole frame with the moment of the read. May be dropped and called again.
    async fn read(&mut self, mut hear: impl FnMut(Frame<'_>, Instant, i64) -> Result<()>) -> Result<()> {
        loop {
            self.stream.readable().await?;
            let mut buffer = self.shared.borrow_mut();
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
            let (now, micros) = (Instant::now(), unix_micros());
            let mut rest = &buffer[..held + read];
            while let Some((frame, length)) = wire::first_frame(rest) {
                match frame {
                    Frame::Ping(payload) => self.pongs.extend(wire::pong(payload)),
                    Frame::Close(reason) => bail!("closed: {}", String::from_utf8_lossy(reason)),
                    frame => hear(frame, now, micros)?,
                }
                rest = &rest[length..];
            }
            self.carry.clear();
            self.carry.extend_from_slice(rest);
            return Ok(());
        }
    }
}

impl Running {
    fn new(plan: Plan) -> Self {
        let now = Instant::now();
        let outcome = Outcome {
            session: plan.session.clone(),
            name: plan.name.clone(),
            stream: Stream::default(),
            accepted: Vec::new(),
            delays: Vec::new(),
            begun: now,
            first: None,
            ended: now,
            trouble: None,
        };
        Self {
            plan,
            outcome,
            unanswered: None,
            under_way: None,
            next_at: None,
            is_following: false,
            turns: 0,
            start_millis: i64::MAX,
            outgoing: Vec::new(),
        }
    }

    fn start(&mut self) {
        self.start_millis = unix_micros() / 1000;
        self.outcome.begun = Instant::now();
        self.say_after_pause();
    }

    fn is_over(&self) -> bool {
        self.turns >= self.plan.turns && self.is_at_rest() && self.plan.says.is_empty()
    }

    fn is_at_rest(&self) -> bool {
        self.unanswered.is_none() && self.under_way.is_none()
    }

    /// The pause is between half of its length and one and a half, so that devices do not speak in chorus.
    fn say_after_pause(&mut self) {
        if self.plan.pause.is_zero() {
            self.say_next();
        } else {
            let part = 0.5 + f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
            self.next_at = Some(Instant::now() + self.plan.pause.mul_f64(part));
        }
    }

    fn go_on(&mut self) {
        if self.is_at_rest() {
            self.say_after_pause();
        }
    }

    fn say_next(&mut self) {
        self.next_at = None;
        let Some(text) = self.plan.says.pop_front() else { return };
        let id = Uuid::now_v7().to_string();
        let frame = json!({"type": "submit", "sessionId": self.plan.session, "content": text,
                           "messageId": id, "ref": "submit"});
        self.outgoing.extend(wire::text(&frame.to_string()));
        self.under_way = Some(id.clone());
        self.unanswered = Some((id, Instant::now()));
    }

    fn hear(&mut self, frame: Frame<'_>, now: Instant, micros: i64) -> Result<()> {
        let Frame::Text(payload) = frame else { return Ok(()) };
        match stream::scan(payload) {
            Some(seen) => self.event(seen, payload, now, micros),
            None if payload.starts_with(b"{\"type\":\"signal\"") => Ok(()),
            None => self.answer(payload, now),
        }
    }

    fn event(&mut self, seen: Seen<'_>, payload: &[u8], now: Instant, micros: i64) -> Result<()> {
        let at = self.outcome.stream.count(seen)?;
        if at >= self.start_millis {
            let delay = (micros - at * 1000).max(0);
            self.outcome.delays.push(u32::try_from(delay).unwrap_or(u32::MAX));
            self.outcome.first.get_or_insert(now);
        }
        if seen.is_kind("message_accepted") {
            self.outcome.stream.note_accepted(seen.seq, &data_of(payload)?);
        } else if seen.is_kind("turn_ended") {
            self.turns += 1;
            let id = data_of(payload)?["messageId"].clone();
            if self.under_way.as_ref().is_some_and(|own| id == own.as_str()) {
                self.under_way = None;
                self.go_on();
            }
        }
        Ok(())
    }

    fn answer(&mut self, payload: &[u8], now: Instant) -> Result<()> {
        let frame: Value = serde_json::from_slice(payload).context("a frame that is no JSON")?;
        match frame["type"].as_str() {
            Some("accepted") => {
                let (id, sent) = self.unanswered.take().context("an answer that nobody asked for")?;
                let seq = frame["seq"].as_u64().unwrap_or_default();
                self.outcome.accepted.push((id, seq, now - sent));
                self.go_on();
                Ok(())
            }
            Some("subscribed") => {
                self.is_following = true;
                Ok(())
            }
            Some("rejected" | "error" | "goodbye") => bail!("refused: {frame}"),
            _ => Ok(()),
        }
    }
}

fn data_of(payload: &[u8]) -> Result<Value> {
    let mut frame: Value = serde_json::from_slice(payload)?;
    Ok(frame["data"].take())
}

fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
