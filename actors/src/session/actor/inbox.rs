//! What waits for its turn while an append is under way.

use tokio::sync::oneshot;

use crate::ids::MessageId;
use crate::journal::TranscriptLine;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::session::messages::{Ask, Heard};

/// One thing that came in. Bounded by its senders: each connection has at most 64 unanswered requests,
/// an HTTP request one, an agent's reader one batch, and each waits for its answer.
#[derive(Debug)]
pub(super) enum Input {
    /// A command.
    Ask(Ask),
    /// What the agent said, and whom to tell when it is durable.
    Heard(Heard, oneshot::Sender<()>),
    /// What the agent had written down of a message that it knew already. One at a time: a message is given to it once.
    Known(Known),
}

/// A message that the agent had answered before, and its transcript.
#[derive(Debug)]
pub(super) struct Known {
    /// Which.
    pub(super) message: MessageId,
    /// What the agent wrote down of the conversation; empty when that cannot be read.
    pub(super) written: Vec<TranscriptLine>,
}

impl Input {
    /// Gives it up.
    pub(super) fn refuse(self, refusal: &Refusal, metrics: &Metrics) {
        if let Self::Ask(ask) = self {
            ask.answer(Err(refusal.clone()), metrics);
        }
    }
}
