//! What waits for one connection's wire, in order: answers, and the streams that they start.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Reply;
use crate::ids::SessionId;
use crate::notice::Notice;
use crate::registry::Watcher;
use crate::room::{Ending, Follow, Parting};

/// How many notices wait for the wire of one connection. A person who does not read 64 has other connections, or is away.
pub const MAX_UNWRITTEN_NOTICES: usize = 64;

/// Told when the device has a notice; dropped when it is not going to.
pub type Receipt = oneshot::Sender<()>;

/// The other end of a [`Receipt`].
pub type Arrival = oneshot::Receiver<()>;

/// The queue between a Device actor and the wire of its connection; clones are the same queue.
///
/// Bounded by construction: at most [`super::MAX_UNANSWERED`] answers wait, because the socket reads no further request
/// until they are taken. Events are not in it; they are read by each stream's own cursor.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    inner: Arc<Mutex<Inner>>,
    parting: Parting,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Outgoing>,
    /// How many of them are notices.
    notices: usize,
    waker: Option<Waker>,
    is_closed: bool,
}

/// One thing for the wire.
#[derive(Debug)]
pub enum Outgoing {
    /// A direct answer.
    Reply {
        /// The client's mark of the request.
        reference: Option<String>,
        /// The answer.
        reply: Reply,
    },
    /// Something that whoever carries the connection has encoded itself, for instance its greeting.
    Ready(Bytes),
    /// The same, and nothing comes behind it.
    Last(Bytes),
    /// A word from another device, and whom to tell when it has arrived.
    Notice(Arc<Notice>, Option<Receipt>),
    /// From here on, a session's events. A stream of the same session that is there already ends.
    Follow(Follow),
    /// No more of this session.
    Unfollow(SessionId),
    /// From here on, changes of the list.
    Watch(Watcher),
}

impl Outbox {
    /// Puts something last and wakes the wire. After [`Outbox::close`] it is dropped.
    pub fn push(&self, outgoing: Outgoing) {
        self.inner().push(outgoing);
    }

    /// Puts a notice last, if the connection is open and reads; otherwise its receipt is dropped.
    #[must_use]
    pub fn offer(&self, notice: Arc<Notice>, receipt: Option<Receipt>) -> bool {
        let mut inner = self.inner();
        let is_taken = !inner.is_closed && inner.notices < MAX_UNWRITTEN_NOTICES;
        if is_taken {
            inner.notices += 1;
            inner.push(Outgoing::Notice(notice, receipt));
        }
        is_taken
    }

    /// The same, for who wants to know when the device has it.
    #[must_use]
    pub fn offer_for_receipt(&self, notice: Arc<Notice>) -> Option<Arrival> {
        let (receipt, arrival) = oneshot::channel();
        self.offer(notice, Some(receipt)).then_some(arrival)
    }

    /// Takes the first; the waker is called when there is one. `None` after it was closed and emptied.
    pub fn poll_next(&self, waker: &Waker) -> Poll<Option<Outgoing>> {
        let mut inner = self.inner();
        if let Some(first) = inner.queue.pop_front() {
            inner.notices -= usize::from(matches!(first, Outgoing::Notice(..)));
            return Poll::Ready(Some(first));
        }
        if inner.is_closed {
            return Poll::Ready(None);
        }
        if !inner.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            inner.waker = Some(waker.clone());
        }
        Poll::Pending
    }

    /// Takes nothing more in; what is there still goes out. The first ending that is told counts.
    pub fn close(&self, ending: Ending) {
        self.parting.note(ending);
        let mut inner = self.inner();
        inner.is_closed = true;
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// Where it is noted how the connection ends.
    #[must_use]
    pub fn parting(&self) -> Parting {
        self.parting.clone()
    }

    /// How many things wait, apart from notices: nobody who is sent some is to be slowed by it.
    #[must_use]
    pub fn len(&self) -> usize {
        let inner = self.inner();
        inner.queue.len() - inner.notices
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, outgoing: Outgoing) {
        if self.is_closed {
            return;
        }
        self.queue.push_back(outgoing);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
