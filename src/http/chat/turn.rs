//! Waiting for the end of one message's turn by following the session's events.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tandem_actors::event::Outcome;
use tandem_actors::ids::{MessageId, Seq, SessionId};
use tandem_actors::refusal::Refusal;
use tandem_actors::room::Follow;

use crate::ws::frame;

/// A message that is durable.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) session: SessionId,
    pub(super) message_id: MessageId,
    pub(super) seq: Seq,
    pub(super) duplicate: bool,
}

/// How a turn ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End {
    /// `completed`, `failed`, `interrupted`, `lost`; or `cancelled`, `closed` when there was no turn.
    #[serde(skip)]
    pub(super) status: &'static str,
    text: Option<String>,
    error: Option<String>,
    usage: Option<Value>,
    cost_usd: Option<f64>,
    duration_ms: Option<u64>,
}

/// One event or signal on the way there.
#[derive(Debug)]
pub(super) struct Step {
    /// The frame's JSON text.
    pub(super) payload: Bytes,
    /// `event` or `signal`.
    pub(super) kind: &'static str,
    /// The number of an event.
    pub(super) seq: Option<Seq>,
    /// Set when this is the last one.
    pub(super) end: Option<End>,
}

/// A turn that is being followed.
#[derive(Debug)]
pub(super) struct Turn {
    follow: Follow,
    message: MessageId,
    payloads: VecDeque<Bytes>,
}

/// As much of a frame as must be understood.
#[derive(Deserialize)]
struct Head<'a> {
    seq: Option<Seq>,
    kind: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    message_id: MessageId,
    outcome: Option<Outcome>,
    #[serde(flatten)]
    end: End,
}

impl Accepted {
    /// What is known before the turn has ended.
    pub(super) fn without_answer(&self) -> Value {
        json!({
            "success": true,
            "sessionId": self.session,
            "messageId": self.message_id,
            "seq": self.seq,
            "duplicate": self.duplicate,
            "status": "accepted",
        })
    }

    /// The whole answer.
    pub(super) fn with_answer(&self, end: &End) -> Value {
        let mut answer = json!({
            "success": end.status == "completed",
            "sessionId": self.session,
            "messageId": self.message_id,
            "seq": self.seq,
            "duplicate": self.duplicate,
            "status": end.status,
            "reply": end.text,
            "usage": end.usage,
            "costUsd": end.cost_usd,
            "durationMs": end.duration_ms,
        });
        if let Some(error) = &end.error {
            answer["error"] = json!(error);
        }
        answer
    }
}

impl Turn {
    /// Follows a session in which `message` comes at or behind where `follow` begins.
    pub(super) fn new(follow: Follow, message: MessageId) -> Self {
        Self { follow, message, payloads: VecDeque::new() }
    }

    /// Waits for the end. There is no deadline: a turn takes as long as it takes, and ends in any case.
    ///
    /// # Errors
    /// The journal could not be read.
    pub(super) async fn end(&mut self) -> Result<End, Refusal> {
        loop {
            if let Some(end) = self.step().await?.end {
                return Ok(end);
            }
        }
    }

    /// The next event or signal. May be dropped while it waits.
    ///
    /// # Errors
    /// The journal could not be read.
    pub(super) async fn step(&mut self) -> Result<Step, Refusal> {
        loop {
            if let Some(payload) = self.payloads.pop_front() {
                return Ok(self.understand(payload));
            }
            match self.follow.next().await {
                Some(Ok(frames)) => self.payloads.extend(frame::payloads(&frames)),
                Some(Err(error)) => return Err(Refusal::from(&error)),
                // A stream of events has no end of its own.
                None => return Err(Refusal::session_restarted()),
            }
        }
    }

    fn understand(&self, payload: Bytes) -> Step {
        let head: Option<Head<'_>> = serde_json::from_slice(&payload).ok();
        let seq = head.as_ref().and_then(|head| head.seq);
        let end = head.filter(|head| head.seq.is_some());
        let end = end.and_then(|head| end_of(&head, self.message));
        let kind = if seq.is_some() { "event" } else { "signal" };
        Step { payload, kind, seq, end }
    }
}

fn end_of(head: &Head<'_>, message: MessageId) -> Option<End> {
    let about_this = || {
        let ended: Ended = serde_json::from_str(head.data.get()).ok()?;
        (ended.message_id == message).then_some(ended)
    };
    match head.kind {
        "turn_ended" => {
            let ended = about_this()?;
            let status = match ended.outcome? {
                Outcome::Completed => "completed",
                Outcome::Failed => "failed",
                Outcome::Interrupted => "interrupted",
                Outcome::Lost => "lost",
            };
            Some(End { status, ..ended.end })
        }
        "message_cancelled" => about_this().map(|ended| End { status: "cancelled", ..ended.end }),
        "session_closed" => Some(End { status: "closed", ..End::default() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tandem_actors::clock::Timestamp;
    use tandem_actors::event::{ChainHash, Event, Record};
    use tandem_actors::ids::Term;
    use tandem_actors::journal::MemoryJournal;
    use tandem_actors::room::{Room, Signal};

    use super::*;

    #[actix::test]
    async fn a_turn_is_followed_through_other_events_to_its_end() {
        let session = SessionId::random();
        let room = Arc::new(Room::new(session, frame::encode));
        let (first, second) = (MessageId::random(), MessageId::random());
        let ended = |message_id, turn| Event::TurnEnded {
            message_id,
            turn,
            outcome: Outcome::Completed,
            text: Some(format!("answer {turn}")),
            error: None,
            duration_ms: 1,
            usage: None,
            cost_usd: None,
            by: None,
        };
        let at = Timestamp::from_millis(0);
        let one = Record::new((0, ChainHash::start(session)), Term(1), at, &ended(first, 1)).unwrap();
        let two = Record::new((1, one.hash), Term(1), at, &ended(second, 2)).unwrap();
        let follow = Follow::new(room.clone(), Arc::new(MemoryJournal::new()), 0);
        let mut turn = Turn::new(follow, second);
        room.tail().append(&[one]);
        room.tail().signal(&Signal::delta(second, 0, 0, "ans"));
        room.tail().append(&[two]);
        assert_eq!(turn.step().await.unwrap().seq, Some(1));
        let delta = turn.step().await.unwrap();
        assert_eq!((delta.kind, delta.seq), ("signal", None));
        assert_eq!(turn.end().await.unwrap().text.as_deref(), Some("answer 2"));
    }

    fn end(kind: &str, data: &Value, message: MessageId) -> Option<End> {
        let data = data.to_string();
        let head = Head { seq: Some(1), kind, data: serde_json::from_str(&data).unwrap() };
        end_of(&head, message)
    }

    #[test]
    fn only_the_end_of_its_own_turn_ends_the_wait() {
        let message = MessageId::random();
        let data = json!({"messageId": message, "turn": 1, "outcome": "completed", "text": "hi", "durationMs": 5, "costUsd": 0.25});
        let ended = end("turn_ended", &data, message).unwrap();
        assert_eq!((ended.status, ended.text.as_deref()), ("completed", Some("hi")));
        assert!(end("turn_ended", &data, MessageId::random()).is_none());
        assert!(end("turn_started", &data, message).is_none());
    }

    #[test]
    fn a_message_that_is_taken_back_or_left_behind_ends_it_too() {
        let message = MessageId::random();
        let data = json!({"messageId": message, "by": {"deviceId": "p", "userId": "owner"}});
        assert_eq!(end("message_cancelled", &data, message).unwrap().status, "cancelled");
        assert_eq!(end("session_closed", &json!({"by": {}}), message).unwrap().status, "closed");
    }

    #[test]
    fn the_answer_says_what_became_of_it() {
        let accepted = Accepted {
            session: SessionId::random(),
            message_id: MessageId::random(),
            seq: 4,
            duplicate: true,
        };
        let end = End { status: "failed", error: Some("overloaded".into()), ..End::default() };
        let answer = accepted.with_answer(&end);
        assert_eq!(answer["success"], false);
        assert_eq!(answer["status"], "failed");
        assert_eq!(answer["error"], "overloaded");
        assert_eq!(answer["reply"], Value::Null);
        assert_eq!(answer["duplicate"], true);
    }
}
