//! Whether each message had one turn, and turns came in the order of the queue: the fold of everything that changes it.

use std::collections::{BTreeSet, VecDeque};

use serde::Deserialize;
use tandem_actors::ids::{MessageId, Seq};

use super::End;
use super::agreed::Agreed;
use super::facts::Fact;
use super::fault::Wrong;

/// Goes through a whole log.
pub(super) fn check(agreed: &Agreed<'_>, end: End) -> Vec<Wrong> {
    let mut queue = Queue::default();
    for fact in agreed.events() {
        queue.apply(fact);
    }
    if end >= End::AtRest {
        let without = queue.waiting.iter().chain(&queue.running);
        queue.wrong.extend(without.map(|message| Wrong::TurnMissing { message: *message }));
    }
    queue.wrong
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<MessageId>,
    running: Option<MessageId>,
    /// Those that have had a turn.
    ended: BTreeSet<MessageId>,
    wrong: Vec<Wrong>,
}

/// What an event says about the queue.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    message_id: MessageId,
    before: Option<MessageId>,
    mode: Option<String>,
    attempt: Option<u32>,
    made_up: Option<String>,
}

impl Queue {
    fn apply(&mut self, fact: &Fact) {
        let Ok(kind) = std::str::from_utf8(&fact.kind) else { return };
        let kinds = ["message_accepted", "message_cancelled", "queue_moved", "turn_dispatched", "turn_ended"];
        if !kinds.contains(&kind) {
            return;
        }
        let Ok(told) = serde_json::from_slice::<Told>(&fact.data) else { return };
        let message = told.message_id;
        match kind {
            "message_accepted" if told.mode.as_deref() == Some("now") => self.waiting.push_front(message),
            "message_accepted" => self.waiting.push_back(message),
            "message_cancelled" => self.waiting.retain(|waiting| *waiting != message),
            "queue_moved" => self.move_(message, told.before),
            "turn_dispatched" => self.dispatch(&told, fact.seq),
            _ => self.end(message, fact.seq),
        }
    }

    fn move_(&mut self, message: MessageId, before: Option<MessageId>) {
        if !self.waiting.contains(&message) {
            return;
        }
        self.waiting.retain(|waiting| *waiting != message);
        let place = self.waiting.iter().position(|waiting| Some(*waiting) == before);
        self.waiting.insert(place.unwrap_or(self.waiting.len()), message);
    }

    fn dispatch(&mut self, told: &Told, seq: Seq) {
        let message = told.message_id;
        // Written to the agent again: it is the same turn.
        if self.running == Some(message) && told.attempt.is_some_and(|attempt| attempt > 1) {
            return;
        }
        if self.running == Some(message) || self.ended.contains(&message) {
            self.wrong.push(Wrong::TurnTwice { message, seq });
        } else if let Some(running) = self.running {
            self.wrong.push(Wrong::TurnOverlaps { message, running, seq });
        } else if told.made_up.is_none() {
            self.check_is_next(message, seq);
        }
        self.waiting.retain(|waiting| *waiting != message);
        self.running = Some(message);
    }

    fn check_is_next(&mut self, message: MessageId, seq: Seq) {
        if !self.waiting.contains(&message) {
            self.wrong.push(Wrong::TurnUnasked { message, seq });
        } else if let Some(next) = self.waiting.front().filter(|next| **next != message) {
            self.wrong.push(Wrong::TurnOutOfOrder { message, next: *next, seq });
        }
    }

    fn end(&mut self, message: MessageId, seq: Seq) {
        if self.running == Some(message) {
            self.running = None;
        } else if self.ended.contains(&message) {
            self.wrong.push(Wrong::TurnTwice { message, seq });
        } else {
            self.wrong.push(Wrong::EndWithoutTurn { message, seq });
        }
        self.ended.insert(message);
    }
}
