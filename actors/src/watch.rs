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
            projects.insert(project.clone(), Project { interest: 1, changes });
            let round = round::run(Arc::downgrade(&self.inner), project.clone(), waiting);
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
                let _ = project.changes.try_send(Change::Missed);
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
                // When it is full, whatever waits there is looked at as a whole; see `round`.
                let _ = project.changes.try_send(change);
            }
        }
    }

    /// Watches a folder with all below it. Returns the files that are there. Waits for the disk.
    fn add(&self, project: &Path, folder: &Path) -> Vec<PathBuf> {
        let (folders, files) = folders::walk(project, folder);
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
        let mut ground = self.ground();
        for gone in ground.folders.remove_below(folder) {
            if let Some(notify) = &mut ground.notify {
                // The kernel has forgotten it already when it was removed.
                let _ = notify.unwatch(&gone);
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

impl Drop for Interest {
    fn drop(&mut self) {
        let Some(inner) = self.watcher.upgrade() else { return };
        let mine = Path::new(&*self.project);
        let others: Vec<Arc<str>> = {
            let mut projects = inner.projects();
            let Some(project) = projects.get_mut(&self.project) else { return };
            project.interest -= 1;
            if project.interest > 0 {
                return;
            }
            projects.remove(&self.project);
            projects.keys().cloned().collect()
        };
        // A project around this one goes on watching its folders, and one within it takes its own again.
        if !others.iter().any(|other| mine.starts_with(&**other)) {
            inner.forget(mine);
        }
        let projects = inner.projects();
        for other in others.iter().filter(|other| Path::new(&***other).starts_with(mine)) {
            if let Some(project) = projects.get(other) {
                let _ = project.changes.try_send(Change::Made(PathBuf::from(&**other)));
            }
        }
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
