//! The list of sessions, always at hand: kept by the registry, read by everybody without a message.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::ids::SessionId;
use crate::session::Summary;

/// Every session's summary, and the order in which they changed.
///
/// A watcher keeps a number and asks for what changed behind it. The newest summary of a session replaces an older
/// one, so that a slow watcher misses steps but never the last one, and costs no memory.
#[derive(Debug, Default)]
pub struct Board {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sessions: BTreeMap<SessionId, Entry>,
    changes: BTreeMap<u64, SessionId>,
    last_change: u64,
    waiting: Vec<Waker>,
}

#[derive(Debug)]
struct Entry {
    summary: Arc<Summary>,
    change: u64,
}

impl Board {
    /// Puts a session's newest summary up.
    pub fn post(&self, summary: Summary) {
        let mut inner = self.inner();
        inner.last_change += 1;
        let change = inner.last_change;
        let session = summary.session_id;
        let before = inner.sessions.insert(session, Entry { summary: Arc::new(summary), change });
        if let Some(before) = before {
            inner.changes.remove(&before.change);
        }
        inner.changes.insert(change, session);
        for waker in inner.waiting.drain(..) {
            waker.wake();
        }
    }

    /// One session's summary.
    #[must_use]
    pub fn get(&self, session: SessionId) -> Option<Arc<Summary>> {
        self.inner().sessions.get(&session).map(|entry| entry.summary.clone())
    }

    /// All sessions, the newest activity first, and the number behind which a watcher goes on.
    #[must_use]
    pub fn all(&self) -> (Vec<Arc<Summary>>, u64) {
        let inner = self.inner();
        let mut all: Vec<_> = inner.sessions.values().map(|entry| entry.summary.clone()).collect();
        all.sort_by(|one, other| {
            (other.last_activity_at, other.session_id).cmp(&(one.last_activity_at, one.session_id))
        });
        (all, inner.last_change)
    }

    /// What changed behind `after`, oldest first; the waker is called when there is more.
    pub fn poll_changes(&self, after: &mut u64, waker: &Waker) -> Poll<Vec<Arc<Summary>>> {
        /// At most so many at a time, so that one answer stays small.
        const MAX_CHANGES: usize = 256;
        let mut inner = self.inner();
        let changed: Vec<(u64, SessionId)> = inner
            .changes
            .range(*after + 1..)
            .take(MAX_CHANGES)
            .map(|(change, session)| (*change, *session))
            .collect();
        let Some((last, _)) = changed.last() else {
            if !inner.waiting.iter().any(|known| known.will_wake(waker)) {
                inner.waiting.push(waker.clone());
            }
            return Poll::Pending;
        };
        *after = *last;
        let summaries = changed.iter().filter_map(|(_, session)| inner.sessions.get(session));
        Poll::Ready(summaries.map(|entry| entry.summary.clone()).collect())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
