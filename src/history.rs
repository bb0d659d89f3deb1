//! What clients asked, were told and saw, and whether it can have been one conversation. Pure.
//!
//! ```text
//! every device ── Tape ──▶ Conversation ──check──▶ faults
//!   saw these events, in this order      streams             each event once, in order, the same everywhere
//!   asked this then, was told that then  messages, commands  each done once, between its question and its answer
//!                                        order               what was answered before the other was asked stands before it
//!                                        turns               one turn a message, in the order of the queue
//!                                        shared              one shared state, the fold of its changes
//! ```
//!
//! The order of `seq` is the one order in which everything must have happened (linearizability), so nothing has to be
//! searched for: a check costs about as much as a sort.

mod agreed;
mod commands;
mod facts;
mod fault;
mod messages;
mod op;
mod order;
mod patches;
mod placed;
pub mod project;
mod shared;
mod streams;
mod tape;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};

use tandem_actors::ids::SessionId;

use agreed::Agreed;

pub use facts::Seen;
pub use fault::{Fault, Wrong};
pub use op::{Answer, Asked, Moment, Op, What};
pub use shared::{Shared, apply_patch};
pub use tape::Tape;

use facts::Facts;

/// A whole run: everything that anybody asked, was told and saw.
#[derive(Debug, Default)]
pub struct History {
    /// One for each session.
    pub conversations: Vec<Conversation>,
}

/// What is recorded of one session, in one epoch: a session whose history was replaced is two of them.
#[derive(Debug)]
pub struct Conversation {
    session: SessionId,
    facts: Facts,
    tapes: Vec<Tape>,
    end: End,
    states: Vec<(String, Shared)>,
}

/// How a run ended, and so what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Anywhere: devices may be behind, answers and turns may be missing.
    Anywhere,
    /// Every device that has followed has been brought to the head.
    CaughtUp,
    /// The same, and nothing waits or runs: every message has had its turn.
    AtRest,
}

/// Makes the tapes of a session's devices. They share what they see, so that each event is kept once; clones are the same.
#[derive(Debug, Clone)]
pub struct Recorder {
    session: SessionId,
    facts: Arc<Mutex<Facts>>,
}

impl Recorder {
    /// Begins to record a session.
    #[must_use]
    pub fn new(session: SessionId) -> Self {
        Self { session, facts: Arc::default() }
    }

    /// Which session is recorded.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// A tape for a device, or whoever else asks or sees something.
    #[must_use]
    pub fn tape(&self, device: impl Into<Arc<str>>) -> Tape {
        Tape::new(device.into(), self.facts.clone())
    }

    /// Puts the tapes together. What other tapes of this recorder have seen is left out of the judgement.
    #[must_use]
    pub fn conversation(&self, tapes: Vec<Tape>, end: End) -> Conversation {
        let facts = std::mem::take(&mut *self.facts.lock().unwrap_or_else(PoisonError::into_inner));
        Conversation { session: self.session, facts, tapes, end, states: Vec::new() }
    }
}

impl Conversation {
    /// Adds the shared state as somebody has it at the end: a device by its own reckoning, or the server itself.
    #[must_use]
    pub fn with_state(mut self, of: impl Into<String>, state: Shared) -> Self {
        self.states.push((of.into(), state));
        self
    }

    fn check(&self) -> Vec<Wrong> {
        let agreed = Agreed::of(&self.facts, &self.tapes);
        let mut wrong = streams::check(&self.facts, &self.tapes, &agreed, self.end);
        let mut placed = Vec::new();
        wrong.extend(messages::check(&self.tapes, &agreed, self.end, &mut placed));
        wrong.extend(commands::check(&self.tapes, &agreed, self.end, &mut placed));
        wrong.extend(order::check(placed));
        // A fold over a history with holes says nothing that the holes do not say.
        if agreed.is_complete() {
            wrong.extend(turns::check(&agreed, self.end));
            wrong.extend(shared::check(&agreed, &self.states, self.end));
        }
        wrong
    }
}

/// Everything in a run that cannot be; nothing if it can have been one conversation a session.
#[must_use]
pub fn check(history: &History) -> Vec<Fault> {
    let mut faults = Vec::new();
    for conversation in &history.conversations {
        let session = conversation.session;
        faults.extend(conversation.check().into_iter().map(|what| Fault { session, what }));
    }
    faults
}
