//! What a client knows beyond one connection: where it stands in each session, and what it still wants. Pure:
//! frames in, frames and [`Incoming`]s out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tandem_actors::clock::{HybridClock, Stamp, SystemClock};
use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::room::Activity;
use tokio::time::Instant;

use super::cursor::{Begin, Cursor, StartFrom, Verdict, Wanted};
use super::error::{ClientError, RejectedEffect, Rejection};
use super::frame::{self, Answer, Done, EventFrame, Request, ServerFrame, Subscribed};
use super::incoming::{Incoming, SessionEvent};
use super::notices::Notices;
use super::outbox::{Entry, Outbox, Reply};
use super::standing::Standing;

/// How long to wait before a repeat when the server does not say.
const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    cursors: BTreeMap<SessionId, Cursor>,
    is_watching: bool,
    outbox: Outbox,
    notices: Notices,
    standing: Standing,
    /// Stamps what this device writes into shared states, later than all that it has seen.
    clock: HybridClock,
    max_message_bytes: usize,
}

/// The part of a `state_changed` that counts here.
#[derive(Deserialize)]
struct Stamped {
    at: Stamp,
}

impl Link {
    pub(super) fn new(answer_within: Duration) -> Self {
        Self {
            cursors: BTreeMap::new(),
            is_watching: false,
            outbox: Outbox::new(answer_within),
            standing: Standing::default(),
            notices: Notices::default(),
            clock: HybridClock::new(Arc::new(SystemClock::new())),
            max_message_bytes: usize::MAX,
        }
    }

    // What the program wants.

    pub(super) fn ask(&mut self, request: Request, reply: Reply, now: Instant) {
        match &request {
            Request::Watch {} => self.is_watching = true,
            Request::Unsubscribe { session_id } => {
                let session = *session_id;
                self.cursors.remove(&session);
                self.standing.forget(session);
                self.outbox.forget(|request| is_subscribe(request, session));
            }
            _ => {}
        }
        self.outbox.add(request, reply, now);
    }

    /// Writes into a session's shared state, with a stamp of now.
    pub(super) fn set_state(
        &mut self,
        session_id: SessionId,
        patch: BTreeMap<String, Value>,
        reply: Reply,
        now: Instant,
    ) {
        let at = self.clock.stamp();
        self.outbox.add(Request::State { session_id, patch, at }, reply, now);
    }

    pub(super) fn does(
        &mut self,
        session: SessionId,
        activity: Activity,
        cursor: Option<Value>,
        now: Instant,
    ) {
        self.standing.does(session, activity, cursor, now);
    }

    pub(super) fn has_read(&mut self, session: SessionId, seq: Seq) {
        self.standing.has_read(session, seq);
    }

    /// Follows a session. One that is followed already starts over.
    pub(super) fn follow(&mut self, session: SessionId, start: StartFrom, reply: Reply, now: Instant) {
        self.outbox.forget(|request| is_subscribe(request, session));
        self.cursors.insert(session, Cursor::new(start));
        self.outbox.add(subscribe(session), reply, now);
    }

    // The connection.

    pub(super) fn connected(&mut self, max_message_bytes: usize) {
        self.max_message_bytes = max_message_bytes;
    }

    /// Everything that was under way is in doubt; what is followed will be asked for again.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.outbox.disconnected(now);
        self.standing.disconnected();
        for (session, cursor) in &mut self.cursors {
            cursor.asked_again();
            if !self.outbox.has(|request| is_subscribe(request, *session)) {
                self.outbox.add(subscribe(*session), None, now);
            }
        }
        if self.is_watching && !self.outbox.has(|request| matches!(request, Request::Watch {})) {
            self.outbox.add(Request::Watch {}, None, now);
        }
    }

    /// The frames that are to be written now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let due = self.outbox.take_due(now);
        let mut frames: Vec<String> =
            due.into_iter().filter_map(|(number, request)| self.encode(number, request)).collect();
        let remarks = self.standing.take_due(now);
        frames.extend(remarks.iter().filter_map(|remark| serde_json::to_string(remark).ok()));
        frames
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.outbox.expire(now);
    }

    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.outbox.is_stuck(now)
    }

    pub(super) fn next_deadline(&self, is_connected: bool) -> Option<Instant> {
        let remark = self.standing.next_deadline().filter(|_| is_connected);
        self.outbox.next_deadline(is_connected).into_iter().chain(remark).min()
    }

    pub(super) fn is_answer_awaited(&self) -> bool {
        self.outbox.is_anything_written()
    }

    pub(super) fn close(&mut self, error: &ClientError) {
        self.outbox.close(error);
    }

    // What the server says.

    pub(super) fn heard(&mut self, frame: ServerFrame, now: Instant) -> Option<Incoming> {
        match frame {
            ServerFrame::Event(event) => self.event(event, now),
            ServerFrame::Answer(number, outcome) => {
                let entry = self.outbox.take(number)?;
                match outcome {
                    Ok(answer) => self.answered(entry, answer, now),
                    Err(rejection) => self.rejected(number, entry, rejection, now),
                }
            }
            ServerFrame::Signal { session, kind, data } => {
                let is_current = self.cursors.get(&session).is_some_and(|cursor| !cursor.is_answer_awaited());
                is_current.then_some(Incoming::Signal { session, kind, data })
            }
            ServerFrame::Summary(summary) => Some(Incoming::Summary(summary)),
            ServerFrame::Notice { id, from, message, at } => {
                let is_new = id.is_none_or(|id| self.notices.is_new(id));
                is_new.then_some(Incoming::Notice { id, from, message, at })
            }
            ServerFrame::Error(rejection) => Some(Incoming::Error(rejection)),
            ServerFrame::Welcome(_) | ServerFrame::Goodbye { .. } | ServerFrame::Unknown => None,
        }
    }

    fn encode(&mut self, number: u64, request: Request) -> Option<String> {
        let request = match request {
            Request::Subscribe { session_id, .. } => self.subscribe_from_cursor(session_id),
            other => other,
        };
        let error = match frame::encode(&request, number) {
            Ok(text) if text.len() <= self.max_message_bytes => return Some(text),
            Ok(text) => ClientError::TooLarge { bytes: text.len(), max_bytes: self.max_message_bytes },
            Err(error) => ClientError::Protocol { reason: error.to_string() },
        };
        if let Some(entry) = self.outbox.take(number) {
            entry.answer(Err(error));
        }
        None
    }

    fn subscribe_from_cursor(&self, session_id: SessionId) -> Request {
        match self.cursors.get(&session_id).map(Cursor::wanted) {
            Some(Wanted { after, epoch, hash, tail }) => {
                Request::Subscribe { session_id, after, epoch, hash, tail }
            }
            None => subscribe(session_id),
        }
    }

    fn event(&mut self, event: EventFrame, now: Instant) -> Option<Incoming> {
        let EventFrame { session, seq, hash, at, kind, data } = event;
        let cursor = self.cursors.get_mut(&session)?;
        match cursor.event(seq, &hash) {
            Verdict::Apply => {
                self.clock.saw_at(at);
                if kind == "state_changed"
                    && let Ok(Stamped { at }) = serde_json::from_str(data.get())
                {
                    self.clock.saw(at);
                }
                Some(Incoming::Event(SessionEvent { session, seq, hash, at, kind, data }))
            }
            Verdict::Drop => None,
            Verdict::Resubscribe => {
                cursor.asked_again();
                self.outbox.add(subscribe(session), None, now);
                None
            }
        }
    }

    fn answered(&mut self, entry: Entry, answer: Answer, now: Instant) -> Option<Incoming> {
        let begin = match &answer {
            Answer::Subscribed(Subscribed { session_id, epoch, from, reset, state, .. }) => {
                stamps_of(state).for_each(|stamp| self.clock.saw(stamp));
                let cursor = self.cursors.get_mut(session_id);
                let begin = cursor.map(|cursor| cursor.subscribed(epoch, *from, *reset));
                if begin.is_some() {
                    self.standing.began(*session_id, now);
                }
                begin
            }
            Answer::Ok(Done { at: Some(at), .. }) => {
                self.clock.saw(*at);
                None
            }
            _ => None,
        };
        if entry.reply.is_some() {
            entry.answer(Ok(answer));
            return None;
        }
        match (answer, begin) {
            (Answer::Subscribed(subscribed), Some(Begin::Resumed)) => {
                Some(Incoming::Resumed(Box::new(subscribed)))
            }
            (Answer::Subscribed(subscribed), Some(Begin::First | Begin::Reset)) => {
                Some(Incoming::Reset(Box::new(subscribed)))
            }
            (Answer::SessionList(sessions), _) => Some(Incoming::SessionList(sessions)),
            _ => None,
        }
    }

    fn rejected(
        &mut self,
        number: u64,
        entry: Entry,
        rejection: Rejection,
        now: Instant,
    ) -> Option<Incoming> {
        let is_for_now = rejection.retry_after_seconds.is_some();
        let is_repeated = match &entry.request {
            Request::Submit { .. } | Request::State { .. } => rejection.effect == RejectedEffect::Unknown,
            // Nobody waits for these: the client itself has to get back to where it was.
            Request::Subscribe { .. } | Request::Watch {} => is_for_now && entry.reply.is_none(),
            _ => false,
        };
        if is_repeated {
            let seconds = rejection.retry_after_seconds.map(u64::from);
            let pause = seconds.map_or(REPEAT_AFTER, Duration::from_secs);
            self.outbox.put_back(number, entry, now + pause);
            return None;
        }
        let Request::Subscribe { session_id: session, .. } = entry.request else {
            entry.answer(Err(rejection.into()));
            return None;
        };
        self.cursors.remove(&session);
        self.standing.forget(session);
        if entry.reply.is_some() {
            entry.answer(Err(rejection.into()));
            return None;
        }
        Some(Incoming::Ended { session, rejection })
    }
}

/// Where it starts is filled in when it is written: the cursor may have moved until then.
const fn subscribe(session_id: SessionId) -> Request {
    Request::Subscribe { session_id, after: None, epoch: None, hash: None, tail: None }
}

/// The stamps of a session's shared state.
fn stamps_of(state: &Value) -> impl Iterator<Item = Stamp> {
    let shared = state["shared"].as_object().into_iter().flatten();
    shared.filter_map(|(_, written)| Stamp::parse(written["at"].as_str()?).ok())
}

fn is_subscribe(request: &Request, session: SessionId) -> bool {
    matches!(request, Request::Subscribe { session_id, .. } if *session_id == session)
}

#[cfg(test)]
mod tests;
