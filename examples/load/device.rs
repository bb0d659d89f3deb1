//! A device of the load generator: what it asks, is told and sees, over all its connections. Pure.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tandem::history::{Answer, Asked, Moment, Seen, Shared, Tape, What, apply_patch};
use tandem_actors::content::Content;
use tandem_actors::ids::{MessageId, SessionId};

use crate::chance::Chance;
use crate::connection::Read;
use crate::plan::{Command, Plan};
use crate::scan::{self, Scanner};
use crate::wire;

/// Events that a turn has at most in these runs, so that there is room for them before they come.
const EVENTS_OF_A_TURN: usize = 8;

/// What a device did and saw.
#[derive(Debug)]
pub struct Outcome {
    pub session: SessionId,
    pub name: String,
    pub tape: Tape,
    /// The shared state, as this device has reckoned it.
    pub shared: Shared,
    pub figures: Figures,
    pub begun: Instant,
    pub first: Option<Instant>,
    pub ended: Instant,
    pub trouble: Option<String>,
}

/// What it measured; times in microseconds.
#[derive(Debug, Default)]
pub struct Figures {
    pub messages: u64,
    pub patches: u64,
    pub events: u64,
    /// From a message to its answer, where the connection held in between.
    pub accepted: Vec<u32>,
    /// The same for patches.
    pub patched: Vec<u32>,
    /// From the event's `at` to its receipt, of each event that came live.
    pub delays: Vec<u32>,
    /// From coming back until everything that was missed was there.
    pub catch_ups: Vec<u32>,
    /// Events that were missed and came then.
    pub caught_up: u64,
    pub drops: u64,
}

/// See the module.
pub struct Device {
    pub plan: Plan,
    pub outcome: Outcome,
    pub chance: Chance,
    /// Frames that are to be written.
    pub outgoing: Vec<u8>,
    /// When the next command is due, if there is a pause before it.
    pub next_at: Option<Instant>,
    scanner: Scanner,
    epoch: Option<String>,
    last_hash: String,
    /// The own command that was not answered yet.
    unanswered: Option<Unanswered>,
    /// The own message whose turn has not ended yet. Its end may be heard before the answer: they come on two ways.
    under_way: Option<String>,
    is_following: bool,
    /// What is older was missed, and is not live.
    live_after: u64,
    /// Since when it is back, until it has caught up.
    back_since: Option<Instant>,
    turns: u64,
    /// Events from before are history: how long they took to come says nothing.
    start_millis: i64,
}

struct Unanswered {
    asked: Asked,
    is_message: bool,
    frame: Vec<u8>,
    /// When it was sent, if only once.
    sent: Option<Instant>,
}

impl Device {
    pub fn new(plan: Plan, mut tape: Tape, chance: Chance) -> Self {
        let now = Instant::now();
        let events = usize::try_from(plan.turns).unwrap_or_default() * EVENTS_OF_A_TURN;
        tape.reserve(events);
        let figures = Figures { delays: Vec::with_capacity(events), ..Figures::default() };
        let outcome = Outcome {
            session: plan.session,
            name: plan.name.clone(),
            tape,
            shared: Shared::new(),
            figures,
            begun: now,
            first: None,
            ended: now,
            trouble: None,
        };
        Self {
            plan,
            outcome,
            chance,
            outgoing: Vec::new(),
            next_at: None,
            scanner: Scanner::default(),
            epoch: None,
            last_hash: String::new(),
            unanswered: None,
            under_way: None,
            is_following: false,
            live_after: 0,
            back_since: None,
            turns: 0,
            start_millis: i64::MAX,
        }
    }

    pub fn start(&mut self) {
        self.start_millis = Moment::now().0 / 1000;
        self.outcome.begun = Instant::now();
        self.go_on();
    }

    /// Asks for everything behind what it has; on a new connection it then says again what was not answered.
    pub fn subscribe(&mut self) {
        self.is_following = false;
        let last = self.outcome.tape.last();
        let mut frame =
            json!({"type": "subscribe", "sessionId": self.plan.session, "after": last, "ref": "subscribe"});
        if let Some(epoch) = self.epoch.as_ref().filter(|_| last > 0) {
            frame["epoch"] = json!(epoch);
            frame["hash"] = json!(self.last_hash);
        }
        self.outgoing.extend(wire::text(&frame.to_string()));
    }

    /// The connection is gone. A message will be said again; a patch may have been done or not.
    pub fn is_cut_off(&mut self) {
        self.outcome.figures.drops += 1;
        self.outgoing.clear();
        self.is_following = false;
        self.unanswered = self.unanswered.take().filter(|unanswered| unanswered.is_message);
        self.go_on();
    }

    /// It is back since then.
    pub fn is_back(&mut self, since: Instant) {
        self.back_since = Some(since);
        self.subscribe();
        if let Some(unanswered) = &mut self.unanswered {
            unanswered.sent = None;
            self.outgoing.extend(&unanswered.frame);
        }
    }

    pub const fn is_following(&self) -> bool {
        self.is_following
    }

    /// Whether everything that was there when it subscribed has come.
    pub const fn has_caught_up(&self) -> bool {
        self.is_following && self.outcome.tape.last() >= self.live_after
    }

    pub fn is_over(&self) -> bool {
        self.turns >= self.plan.turns && self.is_at_rest() && self.plan.commands.is_empty()
    }

    const fn is_at_rest(&self) -> bool {
        self.unanswered.is_none() && self.under_way.is_none()
    }

    /// The pause is between half of its length and one and a half, so that devices do not speak in chorus.
    fn go_on(&mut self) {
        if !self.is_at_rest() || self.next_at.is_some() {
            return;
        }
        let pause = self.plan.pause;
        if pause.is_zero() && self.is_following {
            self.ask_next();
        } else {
            let part = self.chance.up_to_millis(u64::try_from(pause.as_millis()).unwrap_or_default().max(1));
            self.next_at = Some(Instant::now() + pause / 2 + part);
        }
    }

    pub fn ask_next(&mut self) {
        self.next_at = None;
        let Some(command) = self.plan.commands.pop_front() else { return };
        let session = self.plan.session;
        let (frame, what) = match command {
            Command::Say(text) => {
                let message = MessageId::random();
                self.under_way = Some(message.to_string());
                self.outcome.figures.messages += 1;
                let frame = json!({"type": "submit", "sessionId": session, "content": text, "messageId": message, "ref": "ask"});
                (frame, What::Submit { message, content: Content::text(text).expect("it says something") })
            }
            Command::Patch(patch) => {
                self.outcome.figures.patches += 1;
                let frame = json!({"type": "state", "sessionId": session, "patch": patch, "ref": "ask"});
                (frame, What::Patch(patch))
            }
        };
        let is_message = matches!(what, What::Submit { .. });
        let frame = wire::text(&frame.to_string());
        let asked = self.outcome.tape.asks(what, Moment::now());
        self.outgoing.extend(&frame);
        self.unanswered = Some(Unanswered { asked, is_message, frame, sent: Some(Instant::now()) });
    }

    /// Takes in a text of the server.
    pub fn hear(&mut self, payload: &[u8], now: Read) -> Result<()> {
        match self.scanner.scan(payload)? {
            // What comes before the answer belongs to the stream that is replaced.
            Some(_) if !self.is_following => Ok(()),
            Some(seen) => self.event(&seen, now),
            None if payload.starts_with(b"{\"type\":\"signal\"") => Ok(()),
            None => self.answer(payload, now),
        }
    }

    fn event(&mut self, seen: &Seen<'_>, now: Read) -> Result<()> {
        self.outcome.tape.saw(seen);
        self.last_hash.clear();
        self.last_hash.push_str(std::str::from_utf8(seen.hash)?);
        if seen.at.millis() >= self.start_millis {
            self.outcome.figures.events += 1;
            self.outcome.first.get_or_insert(now.instant);
            if seen.seq > self.live_after {
                let delay = (now.moment.0 - seen.at.millis() * 1000).max(0);
                self.outcome.figures.delays.push(u32::try_from(delay).unwrap_or(u32::MAX));
            }
        }
        if seen.seq == self.live_after {
            self.note_catch_up(now.instant);
        }
        match seen.kind {
            b"turn_ended" => {
                self.turns += 1;
                if self.under_way.as_ref().is_some_and(|own| scan::is_about(seen.data, own)) {
                    self.under_way = None;
                    self.go_on();
                }
            }
            b"state_changed" => apply_patch(&mut self.outcome.shared, &serde_json::from_slice(seen.data)?),
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, payload: &[u8], now: Read) -> Result<()> {
        let frame: Value = serde_json::from_slice(payload).context("a frame that is no JSON")?;
        match frame["type"].as_str() {
            Some("accepted") => {
                let seq = frame["seq"].as_u64().context("an answer without its place")?;
                self.is_answered(Answer::Accepted { seq, is_duplicate: frame["duplicate"] == true }, now)
            }
            Some("ok") => self.is_answered(Answer::Done { seq: frame["seq"].as_u64() }, now),
            Some("subscribed") => self.subscribed(&frame, now),
            Some("rejected") => {
                let is_nothing_done = frame["error"]["effect"] == "none";
                let answer = if is_nothing_done { Answer::Refused } else { Answer::Unknown };
                // What refuses a subscription answers nothing that is on the tape.
                if frame["ref"] == "ask" {
                    self.is_answered(answer, now)?;
                }
                bail!("refused: {frame}")
            }
            Some("error" | "goodbye") => bail!("refused: {frame}"),
            _ => Ok(()),
        }
    }

    fn is_answered(&mut self, answer: Answer, now: Read) -> Result<()> {
        let Unanswered { asked, is_message, sent, .. } =
            self.unanswered.take().context("an answer that nobody asked for")?;
        self.outcome.tape.is_told(asked, answer, now.moment);
        let figures = &mut self.outcome.figures;
        let took = if is_message { &mut figures.accepted } else { &mut figures.patched };
        took.extend(sent.map(|sent| micros(now.instant - sent)));
        self.go_on();
        Ok(())
    }

    fn subscribed(&mut self, frame: &Value, now: Read) -> Result<()> {
        let (from, head) = (frame["from"].as_u64(), frame["head"].as_u64());
        let (from, head) = from.zip(head).context("an answer without from and head")?;
        self.outcome.tape.began(from, frame["reset"] == true);
        self.epoch = frame["epoch"].as_str().map(str::to_owned);
        self.is_following = true;
        self.live_after = head;
        if self.back_since.is_some() {
            self.outcome.figures.caught_up += (head + 1).saturating_sub(from);
        }
        if from > head {
            self.note_catch_up(now.instant);
        }
        Ok(())
    }

    fn note_catch_up(&mut self, now: Instant) {
        let since = self.back_since.take();
        self.outcome.figures.catch_ups.extend(since.map(|since| micros(now - since)));
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
