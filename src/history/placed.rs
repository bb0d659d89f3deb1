//! A command and the event that it led to: the event was written between the question and the answer.

use tandem_actors::clock::Timestamp;
use tandem_actors::ids::Seq;

use super::facts::Fact;
use super::fault::Wrong;
use super::op::Moment;

/// By how much an event's `at` may be too early, in microseconds: it is cut to a millisecond, and so was the moment at
/// which the server's clock began.
pub(super) const CUT_MICROS: i64 = 2_000;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) seq: Seq,
    pub(super) begun: Moment,
    pub(super) answered: Option<Moment>,
    at: Timestamp,
}

impl Placed {
    pub(super) const fn new(fact: &Fact, begun: Moment, answered: Option<Moment>) -> Self {
        Self { seq: fact.seq, begun, answered, at: fact.at }
    }

    /// What is wrong with when it was written, if anything.
    pub(super) fn wrong(&self) -> Option<Wrong> {
        let Self { seq, begun, answered, at } = *self;
        let written = Moment::from(at);
        if written.0 + CUT_MICROS < begun.0 {
            return Some(Wrong::BeforeAsked { seq, at, begun });
        }
        let answered = answered.filter(|answered| *answered < written)?;
        Some(Wrong::AfterAnswered { seq, at, answered })
    }
}
