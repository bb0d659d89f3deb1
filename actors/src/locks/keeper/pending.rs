//! A request that waits, as whoever made it sees it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{Keeper, Verdict};
use crate::locks::Ticket;

/// What will become of a request. Dropping it takes the request back at once, also when it was granted and nobody has
/// heard of it yet.
///
/// Resolves to an error when the keeper is gone.
pub struct Pending {
    keeper: Weak<Keeper>,
    ticket: Ticket,
    decided: oneshot::Receiver<Verdict>,
    is_heard: bool,
}

impl Pending {
    pub(super) fn new(keeper: &Arc<Keeper>, ticket: Ticket, decided: oneshot::Receiver<Verdict>) -> Self {
        Self { keeper: Arc::downgrade(keeper), ticket, decided, is_heard: false }
    }
}

impl Future for Pending {
    type Output = Result<Verdict, oneshot::error::RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let decided = Pin::new(&mut self.decided).poll(context);
        self.is_heard |= decided.is_ready();
        decided
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_heard
            && let Some(keeper) = self.keeper.upgrade()
        {
            keeper.abandon(self.ticket);
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pending({:?})", self.ticket)
    }
}
