//! Watches the folders of projects, so that what goes round the tools and the server is seen: an editor, a command of an
//! agent, another program.
//!
//! ```text
//! notify (a thread of its own) ──paths──▶ Watcher ──50 ms──▶ Files: did anybody say so? who had read what was there?
//! ```
//! It is an observer: nothing waits for it, and what it misses under a flood is found when the file is written next.

mod batch;
mod folders;
mod head;
mod live;
mod round;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::files::Files;

use folders::Folders;

pub use live::follow;

/// Folders that are watched in all. A kernel gives a user 8,192 at least, mostly far more, and each takes 1 KiB of its memory.
/// The deepest folders of a project that has too many are not watched.
pub const MAX_FOLDERS: usize = 8_192;

/// Changes that wait to be looked at; behind these, the files that sessions know are all looked at instead.
const MAX_WAITING: usize = 16_384;

/// See the module. One for the server.
pub struct Watcher {
    inner: Arc<Inner>,
}

struct Inner {
    files: Weak<Files>,
    ground: Mutex<Ground>,
    /// Apart from the ground: `notify` waits for its thread when it is given a folder, and that thread asks here.
    projects: Mutex<HashMap<Arc<str>, Project>>,
    runtime: Handle,
}

/// What is watched.
struct Ground {
    notify: Option<RecommendedWatcher>,
    folders: Folders,
}

struct Project {
    interest: usize,
    changes: mpsc::Sender<Change>,
    /// Whether something was not told, because too much waited.
    has_missed: Arc<AtomicBool>,
}

impl Project {
    fn tell(&self, change: Change) {
        if self.changes.try_send(change).is_err() {
            // Full: whoever looks at what waits there looks at this behind it.
            self.has_missed.store(true, Ordering::Release);
        }
    }
}

/// Something that the disk has told.
#[derive(Debug, Clone)]
enum Change {
    /// This path was made, by all appearances.
    Made(PathBuf),
    /// Something about this path is different.
    Touched(PathBuf),
    /// Some changes were not told.
    Missed,
}

/// As long as one of these lives, its project is watched.
pub struct Interest {
    watcher: Weak<Inner>,
    project: Arc<str>,
}

impl Watcher {
    /// Begins with no project. A machine that cannot watch is told of in the log, and nothing is seen then.
    #[must_use]
    pub fn new(files: &Arc<Files>) -> Self {
        Self::with_at_most(files, MAX_FOLDERS)
    }

    /// The same with another bound on folders.
    #[must_use]
    pub fn with_at_most(files: &Arc<Files>, max_folders: usize) -> Self {
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let told = inner.clone();
            let hears = move |event| {
                if let Some(inner) = told.upgrade() {
                    inner.hear(event);
                }
            };
            let notify = notify::recommended_watcher(hears)
                .inspect_err(|error| tracing::warn!(%error, "changes by other programs cannot be watched"))
                .ok();
            Inner {
                files: Arc::downgrade(files),
                ground: Mutex::new(Ground { notify, folders: Folders::new(max_folders) }),
                projects: Mutex::default(),
                runtime: Handle::current(),
            }
        });
        Self { inner }
    }

    /// Watches a project, named by its canonical path, until the last interest in it is dropped.
    #[must_use]
    pub fn watch(&self, project: &Arc<str>) -> Interest {
        let mut projects = self.inner.projects();
        if let Some(known) = projects.get_mut(project) {
            known.interest += 1;
        } else {
            let (changes, waiting) = mpsc::channel(MAX_WAITING);
            let has_missed = Arc::<AtomicBool>::default();
            let known = Project { interest: 1, changes, has_missed: has_missed.clone() };
            projects.insert(project.clone(), known);
            let round = round::run(Arc::downgrade(&self.inner), project.clone(), waiting, has_missed);
            drop(self.inner.runtime.spawn(round));
        }
        Interest { watcher: Arc::downgrade(&self.inner), project: project.clone() }
    }

    /// How many folders are watched.
    #[must_use]
    pub fn folders(&self) -> usize {
        self.inner.ground().folders.len()
    }
}

impl Inner {
    /// Called on the thread of `notify`.
    fn hear(&self, event: notify::Result<notify::Event>) {
        let projects = self.projects();
        let event = match event {
            Ok(event) if event.need_rescan() => None,
            Ok(event) => Some(event),
            Err(error) => {
                tracing::debug!(%error, "the watcher of files says that something is wrong");
                None
            }
        };
        let Some(event) = event else {
            for project in projects.values() {
                project.tell(Change::Missed);
            }
            return;
        };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        let is_made = matches!(event.kind, EventKind::Create(_));
        for path in event.paths {
            for (folder, project) in &*projects {
                if !path.starts_with(&**folder) {
                    continue;
                }
                let change = if is_made { Change::Made(path.clone()) } else { Change::Touched(path.clone()) };
                project.tell(change);
            }
        }
    }

    /// Watches a folder with all below it. Returns the files that are there. Waits for the disk.
    fn add(&self, project: &Path, folder: &Path) -> Vec<PathBuf> {
        let Some(looked_after) = self.files.upgrade() else { return Vec::new() };
        let (folders, files) = folders::walk(project, folder, |folder| looked_after.is_own(folder));
        let mut ground = self.ground();
        let Ground { notify: Some(notify), folders: known } = &mut *ground else { return files };
        for folder in folders {
            if !known.add(&folder) {
                continue;
            }
            if let Err(error) = notify.watch(&folder, RecursiveMode::NonRecursive) {
                known.remove(&folder);
                tracing::debug!(%error, "a folder cannot be watched");
            }
        }
        files
    }

    /// Forgets a folder that is gone, with all below it, so that it is watched anew when it comes back. Waits.
    fn forget(&self, folder: &Path) {
        self.ground().forget(folder);
    }

    /// Nobody is interested in a project any more, unless somebody is again. Waits.
    fn leave(&self, project: &Path) {
        let others: Vec<Arc<str>> = {
            // Whoever becomes interested meanwhile watches its folders after this.
            let mut ground = self.ground();
            let others: Vec<Arc<str>> = self.projects().keys().cloned().collect();
            // The same project, or one around it, goes on watching its folders.
            if !others.iter().any(|other| project.starts_with(&**other)) {
                ground.forget(project);
            }
            others
        };
        // One within it takes its own again.
        let projects = self.projects();
        for other in others.iter().filter(|other| Path::new(&***other).starts_with(project)) {
            if let Some(within) = projects.get(other) {
                within.tell(Change::Made(PathBuf::from(&**other)));
            }
        }
    }

    fn is_watched(&self, folder: &Path) -> bool {
        self.ground().folders.contains(folder)
    }

    /// Whether anybody wants to hear of a project still.
    fn is_wanted(&self, project: &str) -> bool {
        self.projects().contains_key(project)
    }

    fn ground(&self) -> MutexGuard<'_, Ground> {
        self.ground.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn projects(&self) -> MutexGuard<'_, HashMap<Arc<str>, Project>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ground {
    fn forget(&mut self, folder: &Path) {
        for gone in self.folders.remove_below(folder) {
            if let Some(notify) = &mut self.notify {
                // The kernel has forgotten it already when it was removed.
                let _ = notify.unwatch(&gone);
            }
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let Some(inner) = self.watcher.upgrade() else { return };
        {
            let mut projects = inner.projects();
            let Some(project) = projects.get_mut(&self.project) else { return };
            project.interest -= 1;
            if project.interest > 0 {
                return;
            }
            projects.remove(&self.project);
        }
        // Thousands of folders, each a word with the kernel.
        let project = self.project.clone();
        drop(inner.runtime.clone().spawn_blocking(move || inner.leave(Path::new(&*project))));
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Watcher({} folders)", self.folders())
    }
}

impl std::fmt::Debug for Interest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Interest({})", self.project)
    }
}
