//! The order in which sessions changed, for those who follow it at their own pace. Pure.

use std::collections::{BTreeMap, HashMap};
use std::task::{Poll, Waker};

use crate::ids::SessionId;

/// Each session stands in it once, at its newest change, so that a slow watcher costs no memory.
#[derive(Debug, Default)]
pub(super) struct Changes {
    sessions: BTreeMap<u64, SessionId>,
    numbers: BTreeMap<SessionId, u64>,
    last: u64,
    waiting: HashMap<u64, Waker>,
    last_key: u64,
}

/// Where somebody stands who follows.
#[derive(Debug)]
pub(super) struct Place {
    /// Behind which change to go on.
    after: u64,
    key: u64,
}

impl Changes {
    /// A session is different now.
    pub(super) fn note(&mut self, session: SessionId) {
        self.last += 1;
        if let Some(before) = self.numbers.insert(session, self.last) {
            self.sessions.remove(&before);
        }
        self.sessions.insert(self.last, session);
        for (_, waker) in self.waiting.drain() {
            waker.wake();
        }
    }

    /// The number behind which somebody goes on who knows everything.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// A place behind a change, until [`Changes::leave`].
    pub(super) fn follow(&mut self, after: u64) -> Place {
        self.last_key += 1;
        Place { after, key: self.last_key }
    }

    /// What changed behind a place, oldest first; the waker is called when there is more.
    pub(super) fn poll(&mut self, place: &mut Place, waker: &Waker) -> Poll<Vec<SessionId>> {
        /// At most so many at a time, so that one answer stays small.
        const MAX_CHANGES: usize = 256;
        let changed: Vec<(u64, SessionId)> = self
            .sessions
            .range(place.after + 1..)
            .take(MAX_CHANGES)
            .map(|(change, session)| (*change, *session))
            .collect();
        let Some((last, _)) = changed.last() else {
            self.waiting.insert(place.key, waker.clone());
            return Poll::Pending;
        };
        place.after = *last;
        Poll::Ready(changed.into_iter().map(|(_, session)| session).collect())
    }

    /// Forgets the waker of somebody who follows no longer.
    pub(super) fn leave(&mut self, place: &Place) {
        self.waiting.remove(&place.key);
    }
}
