//! What waits for its turn while an append is under way.

use tokio::sync::oneshot;

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
}

impl Input {
    /// Gives it up.
    pub(super) fn refuse(self, refusal: &Refusal, metrics: &Metrics) {
        if let Self::Ask(ask) = self {
            ask.answer(Err(refusal.clone()), metrics);
        }
    }
}
