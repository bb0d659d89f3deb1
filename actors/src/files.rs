//! Files of projects: read and written by devices, watched over for agents, so that nobody's change is lost unseen.
//!
//! ```text
//! device ──put──────────▶ Files ──▶ lock, look, merge, write whole or not at all
//! agent's guard ──before_write──▶ let it write, give it the merged content, or deny with the places that do not fit
//! person ──resolve──────▶ what is there, what was to be there, or something new
//! watcher ──changed─────▶ who had read what is gone now?
//! git ──rewritten───────▶ whose change it is
//! ```

mod before;
mod calls;
mod collide;
mod disk;
mod diverged;
mod known;
mod late;
mod merging;
mod place;
mod put;
mod resolve;
mod rewritten;
mod set_back;
mod stranger;
mod versions;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::blobs::{BlobHash, Blobs, MAX_BLOB_BYTES};
use crate::clock::Clock;
use crate::ids::SessionId;
use crate::locks::{Holder, Keeper, Resource};
use crate::project::{ConflictId, Feed, Happening};
use crate::refusal::{Code, Refusal};

use calls::Calls;
use merging::Merges;

pub use collide::VERSIONS_DEVICE;
pub(crate) use disk::is_unfinished;
pub use known::Known;
pub use place::Place;
pub use put::{Put, Written};
pub use rewritten::Rewriting;
pub use stranger::{Behind, Seen};
pub use versions::{MAX_VERSION_BYTES, Versions};

/// What a device may read and write at once: what a blob may hold, since a write that collides is kept as one.
pub const MAX_FILE_BYTES: usize = MAX_BLOB_BYTES;

/// How long a collision is waited for before the two versions are merged: whoever is in the way may be in the middle of it.
pub const WAITS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// For how long the lock of a file is taken to write it; a disk that needs longer has lost it.
const WRITE_TTL: Duration = Duration::from_secs(30);

/// Writes of devices that wait for one file, as many as may wait for its lock: each holds all of its content.
const MAX_WAITING_WRITES: usize = 64;

/// Conflicts whose settlement is remembered, so that two people do not both settle one.
const MAX_SETTLED: usize = 1_024;

/// What files are looked after with.
pub struct Parts {
    /// Who may write what.
    pub keeper: Arc<Keeper>,
    /// Where conflicts and changes are told.
    pub feed: Arc<dyn Feed>,
    /// Where the versions of conflicts are kept.
    pub blobs: Arc<dyn Blobs>,
    /// Where versions are kept that somebody may have begun from.
    pub versions: Versions,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Below which folders projects may lie; canonical.
    pub allowed_roots: Vec<PathBuf>,
    /// The server's own folder, canonical: nothing in it is a file of a project.
    pub own_folder: Option<PathBuf>,
    /// How long a collision is waited for; [`WAITS`], except in tests.
    pub waits: Vec<Duration>,
    /// How long a device waits for the lock of a file.
    pub lock_wait: Duration,
}

/// See the module. Shared by all devices and all guards.
pub struct Files {
    parts: Parts,
    /// Who has read and written what.
    pub known: Known,
    calls: Calls,
    merges: Merges,
    turns: Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>,
    settled: Mutex<Settled>,
    swept: Mutex<HashSet<PathBuf>>,
    rewriting: Mutex<Vec<PathBuf>>,
    runtime: Handle,
}

#[derive(Default)]
struct Settled {
    order: VecDeque<ConflictId>,
    all: HashSet<ConflictId>,
}

/// A file as it is, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The content; none where there is no file.
    pub content: Option<Bytes>,
    /// Its hash.
    pub hash: Option<BlobHash>,
}

impl Files {
    /// Looks after the files of all projects, on the runtime that this is called on.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            known: Known::default(),
            calls: Calls::default(),
            merges: Merges::default(),
            turns: Mutex::default(),
            settled: Mutex::default(),
            swept: Mutex::default(),
            rewriting: Mutex::default(),
            runtime: Handle::current(),
        })
    }

    /// Reads a file of a project for a device, which may begin a change from it.
    ///
    /// # Errors
    /// As for [`Files::place`]; `not_found` where there is no file, `too_large` above [`MAX_FILE_BYTES`].
    pub async fn read(&self, project: &Path, file: &Path) -> Result<(Place, Bytes, BlobHash), Refusal> {
        let place = self.place(project, file).await?;
        let found = self.look(&place).await?;
        let (Some(content), Some(hash)) = (found.content, found.hash) else {
            return Err(Refusal::new(Code::NotFound, "There is no file at this path of the project."));
        };
        self.parts.versions.keep(hash, content.clone()).await;
        Ok((place, content, hash))
    }

    /// Finds a place in a project; links are resolved.
    ///
    /// # Errors
    /// `project_not_found`; `project_not_allowed`, also for what lies outside of the project or in the server's own folder;
    /// `bad_request` for what lies in git's own folder, in a folder that does not exist, or is no plain file.
    pub async fn place(&self, project: &Path, file: &Path) -> Result<Place, Refusal> {
        let project =
            crate::registry::check_project(project.to_owned(), self.parts.allowed_roots.clone()).await?;
        let file = file.to_owned();
        let found = tokio::task::spawn_blocking(move || Place::find(&project, &file)).await;
        let place = found.unwrap_or_else(|_stopped| Err(Refusal::shutting_down()))?;
        if self.is_own(place.path()) {
            return Err(Refusal::new(
                Code::ProjectNotAllowed,
                "What lies in the server's own folder is the server's.",
            ));
        }
        Ok(place)
    }

    /// Whether it lies in the server's own folder.
    pub(crate) fn is_own(&self, path: &Path) -> bool {
        self.parts.own_folder.as_ref().is_some_and(|own| path.starts_with(own))
    }

    /// A session has read a file: its version is kept as a base, and what had become stale under it is settled.
    /// Returns the hash of what is there.
    pub async fn saw(&self, session: SessionId, place: &Place) -> Option<BlobHash> {
        let found = self.look(place).await.ok()?;
        if let (Some(hash), Some(content)) = (found.hash, found.content) {
            self.parts.versions.keep(hash, content).await;
        }
        if let Some(conflict) = self.known.saw(session, place.path(), found.hash) {
            self.settle_by_itself(place.project(), conflict);
        }
        found.hash
    }

    /// A session has read this content, or has written it, as its guard says, which has it at hand. Waits for nothing.
    ///
    /// Whoever has the lock of the file has written: what is read takes no lock.
    pub fn seen(
        self: &Arc<Self>,
        session: SessionId,
        project: &Arc<str>,
        path: &Path,
        hash: BlobHash,
        content: &Bytes,
    ) {
        let has_written = self.holders(path).contains(&session);
        let settled = match has_written {
            true => self.known.wrote(&Holder::SessionId(session), path, Some(hash)),
            false => self.known.saw(session, path, Some(hash)),
        };
        if let Some(conflict) = settled {
            self.settle(project, conflict, self.merges.resolution(conflict, content), None);
        }
        let (files, content) = (self.clone(), content.clone());
        drop(self.runtime.spawn(async move { files.parts.versions.keep(hash, content).await }));
    }

    /// What is there now.
    async fn look(&self, place: &Place) -> Result<Found, Refusal> {
        let place = place.clone();
        let looked = tokio::task::spawn_blocking(move || disk::look(&place)).await;
        looked.unwrap_or_else(|_stopped| Err(Refusal::shutting_down()))
    }

    /// One writer of this server after the other: a device's own lock does not stop its second request.
    ///
    /// # Errors
    /// `lock_queue_full`, or `lock_denied` when its turn does not come.
    async fn turn(&self, path: &Path) -> Result<tokio::sync::OwnedMutexGuard<()>, Refusal> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            match turns.get(path).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::default();
                    turns.insert(path.to_owned(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        // One for each that waits or writes, and ours.
        if Arc::strong_count(&turn) > MAX_WAITING_WRITES + 1 {
            let message = format!(
                "{MAX_WAITING_WRITES} writes wait for this file already. Nothing was written; try again."
            );
            return Err(Refusal::new(Code::LockQueueFull, message).with_retry_after(5));
        }
        tokio::time::timeout(self.parts.lock_wait, turn.lock_owned()).await.map_err(|_late| {
            let message = "Others write this file, one after the other, and its turn did not come. Nothing was written; try again.";
            let details = serde_json::json!({ "reason": "timed_out" });
            Refusal::new(Code::LockDenied, message).with_details(details).with_retry_after(5)
        })
    }

    /// Goes on to its end, whether anybody still waits for it or not. None: the server stops.
    fn carry_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, Option<T>> {
        let work = self.runtime.spawn(work);
        Box::pin(async move { work.await.ok() })
    }

    /// Whether somebody else has a lock of the file.
    fn is_held_by_another(&self, place: &Place, than: &Holder) -> bool {
        let resource = Resource::file(place.path());
        let is_in_the_way = |held: crate::locks::Held| {
            held.fence.is_some()
                && held.holder != *than
                && held.wants.iter().any(|(wanted, _)| wanted.is_related_to(&resource))
        };
        self.parts.keeper.list().into_iter().any(is_in_the_way)
    }

    fn tell(&self, project: &Arc<str>, happening: Happening) {
        self.parts.feed.tell(project, happening.into());
    }

    fn settled(&self) -> MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settled {
    /// Whether it was open until now.
    fn add(&mut self, conflict: ConflictId) -> bool {
        if !self.all.insert(conflict) {
            return false;
        }
        self.order.push_back(conflict);
        while self.order.len() > MAX_SETTLED {
            self.order.pop_front().map(|oldest| self.all.remove(&oldest));
        }
        true
    }

    fn has(&self, conflict: ConflictId) -> bool {
        self.all.contains(&conflict)
    }
}

impl Found {
    fn of(content: Option<Bytes>) -> Self {
        let hash = content.as_deref().map(BlobHash::of);
        Self { content, hash }
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Files({:?})", self.parts.versions)
    }
}
