//! Puts a tree back as it was before a step of ours that did not get through, whoever died over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::call::Caller;
use super::half_written;
use super::ledger::BEAT;
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
    /// operation, with the lock on the branch that the mark names, or before anybody works there.
    pub(super) async fn recover(&self) -> Result<(), Trouble> {
        let own = self.repository()?.own.clone();
        let (mark, unfinished) = find(own.clone()).await;
        if let Some(mark) = mark {
            tracing::warn!(
                operation = mark.name,
                "a git operation of an earlier server did not end; its tree is put back"
            );
            self.put_back_left(&mark, unfinished).await?;
            self.forget(&mark).await;
            if let Some(unfinished) = find(own).await.1 {
                return Err(in_progress(&unfinished));
            }
        } else if let Some(unfinished) = unfinished {
            return Err(in_progress(&unfinished));
        }
        self.wait_for_index().await
    }

    /// As [`Caller::put_back`], but what is younger than the dead server is left to whoever made it.
    async fn put_back_left(&self, mark: &Mark, unfinished: Option<Unfinished>) -> Result<(), Trouble> {
        let was_running = self.end_left_running(mark).await?;
        self.remove_dead_locks(mark).await;
        // A git that has gone on until now has kept everybody else away from what it works on.
        let last_sign = self.last_sign_of(mark).await.filter(|_| !was_running);
        let not_after = last_sign.map(|last_sign| last_sign + 2 * BEAT);
        let unfinished = if was_running { find(self.repository()?.own.clone()).await.1 } else { unfinished };
        if let Some(ours) = unfinished.filter(|unfinished| mark.has_begun(unfinished)) {
            if self.is_younger(&ours, not_after).await? {
                tracing::warn!("somebody went on with an unfinished {}; it is left to them", ours.in_words());
                return Ok(());
            }
            self.abort(&ours).await?;
        }
        half_written::put_back(self, mark, not_after).await?;
        self.put_index_back(mark, not_after).await
    }

    /// Ends what the marked operation has left running, aborts what it has begun, takes its lock files away and puts the
    /// index back.
    ///
    /// `is_killed`: it may have died in the middle of writing files, so that some are to be put back one by one.
    pub(super) async fn put_back(&self, mark: &Mark, is_killed: bool) -> Result<(), Trouble> {
        if is_killed {
            self.end_left_running(mark).await?;
            self.remove_dead_locks(mark).await;
        }
        let unfinished = find(self.repository()?.own.clone()).await.1;
        if let Some(ours) = unfinished.filter(|unfinished| mark.has_begun(unfinished)) {
            self.abort(&ours).await?;
        }
        if is_killed {
            half_written::put_back(self, mark, None).await?;
        }
        self.put_index_back(mark, None).await
    }

    async fn abort(&self, ours: &Unfinished) -> Result<(), Trouble> {
        let Some(abort) = ours.abort() else { return Ok(()) };
        let ran = self.undo(&abort, None).await?;
        if ran.is_ok() {
            return Ok(());
        }
        let sentence = format!("An unfinished {} could not be aborted.", abort[0]);
        let words = ran.words(&self.repository()?.top);
        Err(Trouble::InDoubt { reason: Reason::NotRestored, sentence, words })
    }

    /// Whether anything that aborting would undo was done after this moment: begun, staged, or written into a file.
    async fn is_younger(&self, ours: &Unfinished, not_after: Option<SystemTime>) -> Result<bool, Trouble> {
        let Some(not_after) = not_after else { return Ok(false) };
        let repository = self.repository()?;
        let changes = self.changes().await?;
        let own = ours.files().iter().chain(&["index"]).map(|name| repository.own.join(name));
        let places: Vec<PathBuf> =
            own.chain(changes.tracked().map(|path| repository.top.join(path))).collect();
        let looked = spawn_blocking(move || {
            places.iter().filter_map(|place| written_at(place)).any(|written| written > not_after)
        });
        Ok(looked.await.unwrap_or(true))
    }

    /// Puts the index back as it was, if it was kept and nothing was committed since.
    async fn put_index_back(&self, mark: &Mark, not_after: Option<SystemTime>) -> Result<(), Trouble> {
        let Some(kept) = mark.index else { return Ok(()) };
        if self.commit_of("HEAD").await? != mark.head {
            return Ok(());
        }
        let own = self.repository()?.own.clone();
        match spawn_blocking(move || kept.put_back(&own, not_after)).await {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "an index cannot be put back as it was before a commit that failed");
                let sentence = "Nothing was committed, but what was to be committed is still staged: another git holds the index.";
                let (sentence, words) = (sentence.to_owned(), String::new());
                Err(Trouble::InDoubt { reason: Reason::NotRestored, sentence, words })
            }
        }
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

    /// Whether anything still ran.
    async fn end_left_running(&self, mark: &Mark) -> Result<bool, Trouble> {
        let operation = mark.operation;
        let mut was_running = false;
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let (mut misses, give_up_at) = (0, Instant::now() + END_WITHIN);
            while Instant::now() < give_up_at {
                let left = spawn_blocking(move || signal_all_of(operation, signal)).await.unwrap_or(0);
                was_running |= left > 0;
                misses = if left == 0 { misses + 1 } else { 0 };
                if misses == ENOUGH_MISSES {
                    return Ok(was_running);
                }
                sleep(LOOK_AGAIN_AFTER).await;
            }
        }
        let sentence = "A git of an earlier operation still runs here and cannot be ended.";
        Err(Trouble::refused(Reason::InProgress, sentence))
    }

    /// A lock file is removed only where all speaks for a dead git of ours: it was made while that ran, and nobody lives
    /// who may have made it.
    async fn remove_dead_locks(&self, mark: &Mark) {
        let Ok(repository) = self.repository().cloned() else { return };
        let branch =
            mark.branch.as_ref().map(|branch| repository.common.join(format!("refs/heads/{branch}.lock")));
        let removed = spawn_blocking(move || {
            let own = ["index.lock", "HEAD.lock", "ORIG_HEAD.lock"].map(|name| repository.own.join(name));
            let begun = written_at(&Mark::path(&repository.own));
            for lock in own.into_iter().chain(branch) {
                let Some(written) = written_at(&lock) else { continue };
                let is_ours = begun.is_some_and(|begun| written >= begun)
                    && is_owner_dead(&lock, &[&repository.top, &repository.own, &repository.common]);
                if is_ours {
                    let outcome = fs::remove_file(&lock);
                    tracing::warn!(?outcome, lock = ?lock.file_name(), "a lock file that a git of ours has left behind");
                }
            }
        });
        // Those that stay are named to whoever runs into them.
        let _ = removed.await;
    }
}

/// What lies in a tree's own git folder.
async fn find(own: PathBuf) -> (Option<Mark>, Option<Unfinished>) {
    spawn_blocking(move || (Mark::read(&own), Unfinished::find(&own))).await.unwrap_or_default()
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
