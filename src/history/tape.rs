//! What one device saw, and what it asked and was told.

use std::sync::{Arc, Mutex, PoisonError};

use tandem_actors::ids::Seq;

use super::facts::{FactId, Facts, Seen};
use super::op::{Answer, Asked, Moment, Op, What};

/// See the module. Events are to be noted as the device's program was given them, with every fault that they had.
#[derive(Debug)]
pub struct Tape {
    pub(super) device: Arc<str>,
    pub(super) entries: Vec<Entry>,
    pub(super) ops: Vec<Op>,
    facts: Arc<Mutex<Facts>>,
    latest: Option<FactId>,
    last: Seq,
}

/// One thing that a device was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Began { from: Seq, is_reset: bool },
    Saw(FactId),
}

impl Tape {
    pub(super) const fn new(device: Arc<str>, facts: Arc<Mutex<Facts>>) -> Self {
        Self { device, entries: Vec::new(), ops: Vec::new(), facts, latest: None, last: 0 }
    }

    /// Makes room for so many events, so that a run does not wait for memory.
    pub fn reserve(&mut self, events: usize) {
        self.entries.reserve(events);
    }

    /// A stream begins, or goes on after an absence: the server said from where.
    pub fn began(&mut self, from: Seq, is_reset: bool) {
        self.entries.push(Entry::Began { from, is_reset });
    }

    /// The device was given an event.
    pub fn saw(&mut self, seen: &Seen<'_>) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let id = facts.see(seen, self.latest);
        drop(facts);
        self.latest = Some(id);
        self.last = seen.seq;
        self.entries.push(Entry::Saw(id));
    }

    /// How many events the device was given.
    #[must_use]
    pub fn events(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Saw(_))).count()
    }

    /// The seq of the event that came last.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The device asks something, for the first time.
    pub fn asks(&mut self, what: What, begun: Moment) -> Asked {
        self.ops.push(Op { what, begun, answer: None });
        Asked(self.ops.len() - 1)
    }

    /// It was told something; the first answer to a question counts.
    pub fn is_told(&mut self, asked: Asked, answer: Answer, at: Moment) {
        if let Some(op) = self.ops.get_mut(asked.0) {
            op.answer.get_or_insert((at, answer));
        }
    }
}
