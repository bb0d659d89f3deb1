//! The list of sessions, always at hand: kept by the registry, read by everybody without a message.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::changes::{Changes, Place};
use crate::ids::{DeviceId, SessionId};
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
    sessions: BTreeMap<SessionId, Arc<Summary>>,
    changes: Changes,
}

impl Board {
    /// Puts a session's newest summary up. Who is online stays as it is: that is its room's to say.
    pub fn post(&self, mut summary: Summary) {
        let mut inner = self.inner();
        let session = summary.session_id;
        summary.online = inner.sessions.get(&session).map(|before| before.online.clone()).unwrap_or_default();
        inner.put(summary);
    }

    /// Says who is online in a session; one that is not listed is not.
    pub fn set_online(&self, session: SessionId, online: Vec<DeviceId>) {
        let mut inner = self.inner();
        let Some(before) = inner.sessions.get(&session).filter(|before| before.online != online) else {
            return;
        };
        let summary = Summary { online, ..Summary::clone(before) };
        inner.put(summary);
    }

    /// One session's summary.
    #[must_use]
    pub fn get(&self, session: SessionId) -> Option<Arc<Summary>> {
        self.inner().sessions.get(&session).cloned()
    }

    /// All sessions, the newest activity first, and the number behind which a watcher goes on.
    #[must_use]
    pub fn all(&self) -> (Vec<Arc<Summary>>, u64) {
        let inner = self.inner();
        let mut all: Vec<_> = inner.sessions.values().cloned().collect();
        all.sort_by(|one, other| {
            (other.last_activity_at, other.session_id).cmp(&(one.last_activity_at, one.session_id))
        });
        (all, inner.changes.last())
    }

    /// The place of a watcher that goes on behind a number; until [`Board::leave`].
    pub(super) fn follow(&self, after: u64) -> Place {
        self.inner().changes.follow(after)
    }

    /// What changed behind a place, oldest first; the waker is called when there is more.
    pub(super) fn poll_changes(&self, place: &mut Place, waker: &Waker) -> Poll<Vec<Arc<Summary>>> {
        let mut inner = self.inner();
        let changed = inner.changes.poll(place, waker);
        changed.map(|changed| changed.iter().filter_map(|one| inner.sessions.get(one).cloned()).collect())
    }

    /// A watcher goes.
    pub(super) fn leave(&self, place: &Place) {
        self.inner().changes.leave(place);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the whole list from inside of the server, until it is dropped.
#[derive(Debug)]
pub(crate) struct Followed {
    board: Arc<Board>,
    place: Place,
}

impl Followed {
    /// Starts to follow; with the list as it is.
    pub(crate) fn start(board: Arc<Board>) -> (Self, Vec<Arc<Summary>>) {
        let (sessions, after) = board.all();
        let place = board.follow(after);
        (Self { board, place }, sessions)
    }

    /// Waits for what changes next, each session once.
    pub(crate) async fn changed(&mut self) -> Vec<Arc<Summary>> {
        poll_fn(|task| self.board.poll_changes(&mut self.place, task.waker())).await
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.board.leave(&self.place);
    }
}

impl Inner {
    fn put(&mut self, summary: Summary) {
        let session = summary.session_id;
        self.sessions.insert(session, Arc::new(summary));
        self.changes.note(session);
    }
}
