//! The channel of one project: what was told and is not written yet, what is written, and who follows it.
//!
//! ```text
//! Feed::tell ──▶ queue ──wake──▶ Scribe ──append──▶ journal
//!                                   └─ durable ──▶ state, room ──▶ everybody who follows
//! ```

mod loading;
mod queue;
mod scribe;
mod state;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Addr;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::{Conflict, ConflictId, ProjectEvent};
use crate::clock::Timestamp;
use crate::event::Subject;
use crate::ids::{Seq, SessionId};
use crate::refusal::{Code, Refusal};
use crate::room::{Encoder, Room};

use queue::{Queue, Told};

pub(crate) use scribe::{Finish, Scribe, Surroundings};
pub use state::first_kept;
pub(crate) use state::{Index, MAX_EVENTS, State};

/// What tellers, followers and the scribe of one project share.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) project: Arc<str>,
    pub(crate) id: SessionId,
    pub(crate) room: Arc<Room>,
    inner: Mutex<Inner>,
    stage: watch::Sender<Stage>,
}

#[derive(Debug)]
struct Inner {
    queue: Queue,
    scribe: Option<Addr<Scribe>>,
    /// Whether the scribe will look into the queue by itself.
    is_awake: bool,
    /// As of the last event that is on disk; none until it is loaded.
    state: Option<State>,
    /// Where the state is found in the journal, as far as that was known when it was last needed.
    index: Index,
    /// What the journal says of who is connected was said by another server.
    is_of_earlier_server: bool,
    /// Conflicts that somebody is settling just now.
    settling: HashSet<ConflictId>,
    last_used: Instant,
    /// It could not be loaded, and is not tried before.
    load_again_at: Option<Instant>,
}

/// How far a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Ready,
    /// There is no scribe: not yet, not any more, or it could not load.
    Over,
}

/// A channel as it is at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) head: Seq,
    /// The first event that is kept.
    pub(crate) first: Seq,
    pub(crate) conflicts: Vec<Arc<Conflict>>,
}

/// The right to settle a conflict, for one at a time.
#[derive(Debug)]
pub(crate) struct Settling {
    channel: Arc<Channel>,
    id: ConflictId,
}

impl Channel {
    /// A channel that is not in memory yet; `index` as it was kept of it, by this server or by an earlier one.
    pub(crate) fn new(project: Arc<str>, encoder: Encoder, index: Index, is_of_earlier_server: bool) -> Self {
        let subject = Subject::project(&project);
        let inner = Inner {
            queue: Queue::default(),
            scribe: None,
            is_awake: false,
            state: None,
            index,
            is_of_earlier_server,
            settling: HashSet::new(),
            last_used: Instant::now(),
            load_again_at: None,
        };
        Self {
            id: subject.id(),
            room: Arc::new(Room::of(subject, encoder)),
            project,
            inner: Mutex::new(inner),
            stage: watch::Sender::new(Stage::Over),
        }
    }

    /// Takes in what was told, and sees to it that somebody writes it.
    pub(crate) fn push(
        &self,
        at: Timestamp,
        event: ProjectEvent,
        written: Option<oneshot::Sender<()>>,
        start: impl FnOnce() -> Addr<Scribe>,
    ) {
        let mut inner = self.inner();
        inner.queue.push(Told { at, event, written });
        inner.last_used = Instant::now();
        if inner.scribe.is_none() {
            // What does not start one now is written when the next one is.
            if inner.may_be_loaded() {
                self.start(&mut inner, start);
            }
        } else if !inner.is_awake
            && let Some(scribe) = &inner.scribe
        {
            // Full: it is awake. Closed: whoever comes next starts another one.
            inner.is_awake = scribe.try_send(scribe::Wake).is_ok();
        }
    }

    /// Waits until its state is known.
    pub(crate) async fn loaded(&self, start: impl FnOnce() -> Addr<Scribe>) -> Result<(), Refusal> {
        let mut stages = self.stage.subscribe();
        {
            let mut inner = self.inner();
            inner.last_used = Instant::now();
            if inner.scribe.is_none() && inner.may_be_loaded() {
                self.start(&mut inner, start);
            }
        }
        let stage = stages.wait_for(|stage| matches!(stage, Stage::Ready | Stage::Over)).await;
        match stage.as_deref() {
            Ok(Stage::Ready) => Ok(()),
            _ => Err(Refusal::new(
                Code::StorageUnavailable,
                "The channel of this project cannot be read from the disk at the moment. The server's log says why; try again.",
            )
            .with_retry_after(2)),
        }
    }

    /// How it is, as of its last durable event.
    pub(crate) fn shown(&self) -> Option<Shown> {
        let inner = self.inner();
        let state = inner.state.as_ref()?;
        Some(Shown { head: state.head, first: state.first, conflicts: state.conflicts() })
    }

    /// A conflict of it, if it is loaded.
    pub(crate) fn conflict(&self, id: ConflictId) -> Option<Arc<Conflict>> {
        self.inner().state.as_ref()?.conflict(id).cloned()
    }

    /// Whether a conflict can be in it.
    pub(crate) fn may_have(&self, id: ConflictId) -> bool {
        let inner = self.inner();
        let is_in = |state: &State| state.conflict(id).is_some();
        inner.state.as_ref().map_or_else(|| inner.index.may_have(id), is_in)
    }

    /// Whether a conflict of it is open.
    pub(crate) fn is_open(&self, id: ConflictId) -> bool {
        let inner = self.inner();
        let is_open = |state: &State| state.conflict(id).is_some_and(|found| found.resolution.is_none());
        inner.state.as_ref().map_or_else(|| inner.index.is_open(id), is_open)
    }

    /// How many conflicts are open, if it is loaded.
    pub(crate) fn open_conflicts(&self) -> Option<usize> {
        self.inner().state.as_ref().map(State::open_conflicts)
    }

    /// Lets one settle a conflict, and nobody else until the returned right is dropped.
    pub(crate) fn begin_settling(self: &Arc<Self>, id: ConflictId) -> Option<Settling> {
        self.inner().settling.insert(id).then(|| Settling { channel: self.clone(), id })
    }

    /// The scribe, if there is one.
    pub(crate) fn scribe(&self) -> Option<Addr<Scribe>> {
        self.inner().scribe.clone()
    }

    /// Where the state is to be found in the journal, if nothing has happened since `before` and nobody needs it: then it
    /// may leave the memory.
    pub(crate) fn index_if_idle(self: &Arc<Self>, before: Instant) -> Option<Index> {
        let inner = self.inner();
        // One for the list of channels, two for its scribe and the note of its end.
        let holders = 1 + 2 * usize::from(inner.scribe.is_some());
        let is_followed = Arc::strong_count(&self.room) > 1 || Arc::strong_count(self) > holders;
        let is_quiet = !inner.is_awake && inner.queue.is_empty() && inner.settling.is_empty();
        let is_idle = is_quiet && !is_followed && inner.last_used < before;
        is_idle.then(|| inner.state.as_ref().map_or_else(|| inner.index.clone(), State::index))
    }

    /// Starts a scribe where one has ended with something left to be written.
    pub(crate) fn start_if_needed(&self, start: impl FnOnce() -> Addr<Scribe>) {
        let mut inner = self.inner();
        if inner.scribe.is_none() && !inner.queue.is_empty() {
            self.start(&mut inner, start);
        }
    }

    fn start(&self, inner: &mut Inner, start: impl FnOnce() -> Addr<Scribe>) {
        inner.scribe = Some(start());
        // It looks into the queue when it has loaded.
        inner.is_awake = true;
        self.stage.send_replace(Stage::Loading);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn may_be_loaded(&self) -> bool {
        self.load_again_at.is_none_or(|at| at <= Instant::now())
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.channel.inner().settling.remove(&self.id);
    }
}
