//! Puts a tree back as it was before a step of ours that did not get through, whoever died over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::call::Caller;
use super::half_written;
use super::mark::{Mark, Unfinished};
use super::processes::{is_owner_dead, signal_all_of};
use super::repository::Repository;
use super::trouble::{INDEX_LOCKED, Reason, Trouble};

/// How long processes of a dead server have to end after SIGTERM, and again after SIGKILL.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How often in a row nothing must be found before nothing is there: one walk through `/proc` may miss a process.
const ENOUGH_MISSES: u32 = 2;

/// How long a lock file of somebody else is waited for: `git status` holds it for milliseconds.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// How long is waited between two looks.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

impl Caller<'_> {
    /// Puts back what a dead server has left, and refuses to touch what a person has begun. To be called before an
    /// operation, with the lock on the branch that the mark names.
    pub(super) async fn recover(&self) -> Result<(), Trouble> {
        let own = self.repository()?.own.clone();
        let (mark, unfinished) = find(own.clone()).await;
        if let Some(mark) = mark {
            tracing::warn!(
                operation = mark.name,
                "a git operation of an earlier server did not end; its tree is put back"
            );
            self.put_back(&mark, true).await?;
            forget(own.clone()).await;
            if let Some(unfinished) = find(own).await.1 {
                return Err(in_progress(&unfinished));
            }
        } else if let Some(unfinished) = unfinished {
            return Err(in_progress(&unfinished));
        }
        self.wait_for_index().await
    }

    /// Ends what the marked operation has left running, aborts what it has begun and takes its lock file away.
    ///
    /// `is_killed`: it may have died in the middle of writing files, so that some are to be put back one by one.
    pub(super) async fn put_back(&self, mark: &Mark, is_killed: bool) -> Result<(), Trouble> {
        let repository = self.repository()?;
        if is_killed {
            self.end_left_running(mark).await?;
            self.remove_dead_lock(repository).await;
        }
        let unfinished = find(repository.own.clone()).await.1;
        let abort = unfinished.filter(|unfinished| mark.has_begun(unfinished)).and_then(|ours| ours.abort());
        if let Some(abort) = abort {
            let ran = self.undo(&abort, None).await?;
            if !ran.is_ok() {
                let sentence = format!("An unfinished {} could not be aborted.", abort[0]);
                let words = ran.words(&repository.top);
                return Err(Trouble::InDoubt { reason: Reason::NotRestored, sentence, words });
            }
        }
        if is_killed { half_written::put_back(self, mark).await } else { Ok(()) }
    }

    /// Waits for a moment for another git's lock on the index.
    async fn wait_for_index(&self) -> Result<(), Trouble> {
        let lock = lock_of(self.repository()?);
        let give_up_at = Instant::now() + LOCK_WITHIN;
        while exists(lock.clone()).await {
            if Instant::now() >= give_up_at {
                return Err(Trouble::refused(Reason::IndexLocked, INDEX_LOCKED));
            }
            sleep(LOOK_AGAIN_AFTER).await;
        }
        Ok(())
    }

    async fn end_left_running(&self, mark: &Mark) -> Result<(), Trouble> {
        let operation = mark.operation;
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let (mut misses, give_up_at) = (0, Instant::now() + END_WITHIN);
            while Instant::now() < give_up_at {
                let left = spawn_blocking(move || signal_all_of(operation, signal)).await;
                misses = if left.unwrap_or(0) == 0 { misses + 1 } else { 0 };
                if misses == ENOUGH_MISSES {
                    return Ok(());
                }
                sleep(LOOK_AGAIN_AFTER).await;
            }
        }
        let sentence = "A git of an earlier operation still runs here and cannot be ended.";
        Err(Trouble::refused(Reason::InProgress, sentence))
    }

    /// A lock file is removed only where all speaks for a dead git of ours: it was made while that ran, and nobody lives
    /// who may have made it.
    async fn remove_dead_lock(&self, repository: &Repository) {
        let repository = repository.clone();
        let removed = spawn_blocking(move || {
            let lock = lock_of(&repository);
            let is_ours = written_at(&lock)? >= written_at(&Mark::path(&repository.own))?
                && is_owner_dead(&lock, &[&repository.top, &repository.own, &repository.common]);
            is_ours.then(|| fs::remove_file(&lock))
        });
        match removed.await {
            Ok(Some(Ok(()))) => tracing::warn!("removed the index.lock that a git of ours has left behind"),
            Ok(Some(Err(error))) => tracing::warn!(%error, "an index.lock cannot be removed"),
            Ok(None) | Err(_) => {}
        }
    }
}

/// What lies in a tree's own git folder.
async fn find(own: PathBuf) -> (Option<Mark>, Option<Unfinished>) {
    spawn_blocking(move || (Mark::read(&own), Unfinished::find(&own))).await.unwrap_or_default()
}

/// The marked operation is over.
pub(super) async fn forget(own: PathBuf) {
    // A mark that stays is looked at again by the next operation.
    let _ = spawn_blocking(move || Mark::remove(&own)).await;
}

async fn exists(path: PathBuf) -> bool {
    spawn_blocking(move || path.exists()).await.unwrap_or(false)
}

fn lock_of(repository: &Repository) -> PathBuf {
    repository.own.join("index.lock")
}

fn written_at(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn in_progress(unfinished: &Unfinished) -> Trouble {
    let sentence = format!(
        "Somebody's {} is not finished in this tree. Finish or abort it first; it is not touched.",
        unfinished.in_words()
    );
    Trouble::refused(Reason::InProgress, sentence)
}
