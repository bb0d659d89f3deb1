//! The task of one project: gathers what the disk tells, and looks at it.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::batch::{Batch, change_of};
use super::{Change, Inner, head};
use crate::files::{Behind, Files, Place, Seen};
use crate::project::ChangeType;

/// What comes within this time is looked at together: an editor that saves makes three changes of one.
const GATHER: Duration = Duration::from_millis(50);

/// So long somebody who works on a file has to say that the change is theirs: a tool says so after it has written.
const SAY_SO: Duration = Duration::from_millis(20);

/// So long git may change the files of a tree before they are looked at anyway.
const GIT_WITHIN: Duration = Duration::from_secs(2);

/// How often it is looked whether a project that vanished has come back.
const BACK_EVERY: Duration = Duration::from_secs(1);

/// How long a project waits that cannot be watched because others are.
const FULL_FOR: Duration = Duration::from_secs(30);

/// Runs until nobody is interested any more.
pub(super) async fn run(
    inner: Weak<Inner>,
    project: Arc<str>,
    mut changes: mpsc::Receiver<Change>,
    has_missed: Arc<AtomicBool>,
) {
    let folder = PathBuf::from(&*project);
    let mut round = Round { inner, project, folder, before: HashSet::new(), git: None, head: None };
    round.begin().await;
    while round.is_wanted() {
        if !round.is_watched() {
            round.wait_until_back().await;
            continue;
        }
        let Some(first) = changes.recv().await else { return };
        let mut batch = Batch::default();
        batch.add(first, &round.folder);
        round.gather(&mut batch, &mut changes).await;
        if has_missed.swap(false, Ordering::AcqRel) {
            batch.add(Change::Missed, &round.folder);
        }
        if !batch.is_empty() {
            round.look_at(batch).await;
        }
    }
}

struct Round {
    inner: Weak<Inner>,
    project: Arc<str>,
    folder: PathBuf,
    /// The files that were there.
    before: HashSet<PathBuf>,
    git: Option<PathBuf>,
    head: Option<String>,
}

impl Round {
    /// Watches all folders. What changed before is nobody's news, except for files that sessions know.
    async fn begin(&mut self) {
        let (inner, folder) = (self.inner.clone(), self.folder.clone());
        let begun = tokio::task::spawn_blocking(move || {
            let git = head::git_folder(&folder);
            let head = git.as_deref().and_then(head::head);
            let files = inner.upgrade().map(|inner| inner.add(&folder, &folder)).unwrap_or_default();
            (git, head, files)
        });
        if let Ok((git, head, files)) = begun.await {
            (self.git, self.head) = (git, head);
            self.before = files.into_iter().collect();
        }
    }

    async fn gather(&self, batch: &mut Batch, changes: &mut mpsc::Receiver<Change>) {
        let begun = Instant::now();
        let mut until = begun + GATHER;
        loop {
            while let Ok(Some(change)) = timeout_at(until, changes.recv()).await {
                batch.add(change, &self.folder);
            }
            // A checkout is one change, and says only at its end which branch it has led to.
            if self.is_being_rewritten() {
                until = Instant::now() + GATHER;
                continue;
            }
            let is_busy = self.git.as_deref().is_some_and(head::is_busy);
            if !is_busy || begun.elapsed() > GIT_WITHIN || changes.is_closed() {
                return;
            }
            until = Instant::now() + GATHER;
        }
    }

    async fn look_at(&mut self, batch: Batch) {
        let Some(inner) = self.inner.upgrade() else { return };
        let Some(files) = inner.files.upgrade() else { return };
        let has_missed = batch.has_missed();
        let paths: Vec<PathBuf> = batch.into_paths().collect();
        let found = self.find(inner, files.clone(), paths, has_missed).await;
        if found.iter().any(|seen| files.is_worked_on(seen.place.path())) {
            sleep(SAY_SO).await;
        }
        let head = self.git.as_deref().and_then(head::head);
        let is_switch = head.is_some() && head != self.head;
        let mut behind: Vec<Behind> = Vec::new();
        for seen in found {
            behind.extend(files.changed(seen, is_switch).await);
        }
        if is_switch && let Some(head) = head {
            files.switched(&self.project, &head, &behind);
            self.head = Some(head);
        }
    }

    /// The plain files among the paths; folders that are new are watched, with what is in them. Where something was missed,
    /// the whole project is walked again: what is new and what is gone is news, and so is what sessions know.
    async fn find(
        &mut self,
        inner: Arc<Inner>,
        files: Arc<Files>,
        mut paths: Vec<PathBuf>,
        has_missed: bool,
    ) -> Vec<Seen> {
        let folder = self.folder.clone();
        let mut before = std::mem::take(&mut self.before);
        let finding = tokio::task::spawn_blocking(move || {
            if has_missed {
                let there: HashSet<PathBuf> = inner.add(&folder, &folder).into_iter().collect();
                paths.extend(there.symmetric_difference(&before).cloned());
                paths.extend(files.known.below(&folder));
                paths.sort();
                paths.dedup();
            }
            let mut found = Vec::new();
            let mut open = VecDeque::from(paths);
            while let Some(path) = open.pop_front() {
                let kind = path.symlink_metadata().ok().map(|is| (is.is_dir(), is.is_file()));
                match kind {
                    Some((true, _)) => {
                        // It may be another folder than the one that was watched at this path.
                        inner.forget(&path);
                        for path in inner.add(&folder, &path) {
                            // Of those that were there before, only what sessions know is compared.
                            let is_news = !before.contains(&path) || files.known.has_readers(&path);
                            let change = change_of(&path, true, &mut before).filter(|_| is_news);
                            found.extend(seen(&folder, &path, change));
                        }
                    }
                    Some((_, true)) => {
                        found.extend(seen(&folder, &path, change_of(&path, true, &mut before)));
                    }
                    Some(_) => {}
                    None => {
                        if inner.is_watched(&path) {
                            // A folder that was moved away says nothing of the files in it.
                            let is_in = |file: &&PathBuf| file.starts_with(&path) && **file != path;
                            open.extend(before.iter().filter(is_in).cloned());
                        }
                        inner.forget(&path);
                        found.extend(seen(&folder, &path, change_of(&path, false, &mut before)));
                    }
                }
            }
            (found, before)
        });
        match finding.await {
            Ok((found, before)) => {
                self.before = before;
                found
            }
            Err(_stopped) => Vec::new(),
        }
    }

    /// Whether it is about to be said whose changes these are. Who has the lock of a tree keeps the agents out of it
    /// meanwhile, so nobody waits for what is seen later.
    fn is_being_rewritten(&self) -> bool {
        let files = self.inner.upgrade().and_then(|inner| inner.files.upgrade());
        files.is_some_and(|files| files.is_being_rewritten(&self.folder))
    }

    fn is_wanted(&self) -> bool {
        self.inner.upgrade().is_some_and(|inner| inner.is_wanted(&self.project))
    }

    /// Whether the project itself is watched: it is not while it is away, or where nothing can be watched.
    fn is_watched(&self) -> bool {
        self.inner.upgrade().is_some_and(|inner| inner.is_watched(&self.folder))
    }

    /// Everything of it is gone, and is watched anew when there is something again.
    async fn wait_until_back(&mut self) {
        tracing::info!(project = %self.project, "a project cannot be watched; it is tried again");
        while self.is_wanted() && !self.is_watched() {
            if !self.folder.is_dir() {
                sleep(BACK_EVERY).await;
                continue;
            }
            self.begin().await;
            if !self.is_watched() {
                sleep(FULL_FOR).await;
            }
        }
    }
}

fn seen(project: &Path, path: &Path, change: Option<ChangeType>) -> Option<Seen> {
    Some(Seen { place: Place::at(project, path)?, change: change? })
}
