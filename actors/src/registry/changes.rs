//! The order in which sessions changed, for those who follow it at their own pace. Pure.

use std::collections::BTreeMap;
use std::task::{Poll, Waker};

use crate::ids::SessionId;

/// Each session stands in it once, at its newest change, so that a slow watcher costs no memory.
#[derive(Debug, Default)]
pub(super) struct Changes {
    sessions: BTreeMap<u64, SessionId>,
    numbers: BTreeMap<SessionId, u64>,
    last: u64,
    waiting: Vec<Waker>,
}

impl Changes {
    /// A session is different now.
    pub(super) fn note(&mut self, session: SessionId) {
        self.last += 1;
        if let Some(before) = self.numbers.insert(session, self.last) {
            self.sessions.remove(&before);
        }
        self.sessions.insert(self.last, session);
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    /// The number behind which somebody goes on who knows everything.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// What changed behind `after`, oldest first; the waker is called when there is more.
    pub(super) fn poll(&mut self, after: &mut u64, waker: &Waker) -> Poll<Vec<SessionId>> {
        /// At most so many at a time, so that one answer stays small.
        const MAX_CHANGES: usize = 256;
        let changed: Vec<(u64, SessionId)> = self
            .sessions
            .range(*after + 1..)
            .take(MAX_CHANGES)
            .map(|(change, session)| (*change, *session))
            .collect();
        let Some((last, _)) = changed.last() else {
            if !self.waiting.iter().any(|known| known.will_wake(waker)) {
                self.waiting.push(waker.clone());
            }
            return Poll::Pending;
        };
        *after = *last;
        Poll::Ready(changed.into_iter().map(|(_, session)| session).collect())
    }
}
