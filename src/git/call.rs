//! How an operation calls git: to look, to change, to talk to a remote; never without the branch's lock where it counts.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tandem_actors::locks::{Keeper, Lease};
use tokio::time::Instant;
use uuid::Uuid;

use super::join::Theirs;
use super::program::{Call, Program, Ran};
use super::repository::Repository;
use super::trouble::{Reason, Trouble};
use super::turn::DETACHED;

/// How long git may take to look at something. The status of a large tree on a cold disk takes seconds.
const LOOK_WITHIN: Duration = Duration::from_secs(60);

/// How long it may take to change something or to talk to a remote: hooks run tests, and slow lines are slow.
const CHANGE_WITHIN: Duration = Duration::from_secs(300);

/// How long it may take to put things back as they were, whatever else is over by then.
const UNDO_WITHIN: Duration = Duration::from_secs(60);

/// How long a whole operation may take; its last command ends by then.
pub(super) const OPERATION_WITHIN: Duration = Duration::from_secs(900);

/// One operation at work.
pub(super) struct Caller<'a> {
    program: &'a Program,
    /// Its name, which git's processes carry.
    pub(super) operation: Uuid,
    repository: Option<&'a Repository>,
    lock: Option<(Arc<Keeper>, Lease)>,
    ends_at: Instant,
    joined: Mutex<Vec<Joined>>,
}

/// A branch has something in it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) branch: String,
    /// As people call it.
    pub(super) theirs: String,
}

impl<'a> Caller<'a> {
    pub(super) fn new(program: &'a Program, operation: Uuid) -> Self {
        let ends_at = Instant::now() + OPERATION_WITHIN;
        Self { program, operation, repository: None, lock: None, ends_at, joined: Mutex::default() }
    }

    /// The same, in this repository.
    pub(super) fn inside(self, repository: &'a Repository) -> Self {
        Self { repository: Some(repository), ..self }
    }

    /// The same, which changes nothing any more once this lock is lost.
    pub(super) fn locked(self, keeper: Arc<Keeper>, lease: Lease) -> Self {
        Self { lock: Some((keeper, lease)), ..self }
    }

    /// Two histories are one now.
    pub(super) fn note_joined(&self, branch: Option<String>, theirs: &Theirs) {
        let branch = branch.unwrap_or_else(|| DETACHED.to_owned());
        let joined = Joined { branch, theirs: theirs.name.clone() };
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).push(joined);
    }

    /// What has become one since this was asked last.
    pub(super) fn take_joined(&self) -> Vec<Joined> {
        std::mem::take(&mut self.joined.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn repository(&self) -> Result<&'a Repository, Trouble> {
        self.repository.ok_or(Trouble::NotARepository)
    }

    /// Changes nothing. Runs at the top of the tree.
    pub(super) async fn look(&self, args: &[&str]) -> Result<Ran, Trouble> {
        self.look_in(&self.repository()?.top, args).await
    }

    /// The same in another folder.
    pub(super) async fn look_in(&self, folder: &Path, args: &[&str]) -> Result<Ran, Trouble> {
        self.run(folder, args, None, LOOK_WITHIN).await
    }

    /// Changes something, or talks to a remote, while the lock holds.
    pub(super) async fn change(&self, args: &[&str]) -> Result<Ran, Trouble> {
        self.change_in(&self.repository()?.top, args, None).await
    }

    /// The same in another folder, with something to read.
    pub(super) async fn change_in(
        &self,
        folder: &Path,
        args: &[&str],
        stdin: Option<Vec<u8>>,
    ) -> Result<Ran, Trouble> {
        if self.lock.as_ref().is_some_and(|(keeper, lease)| !keeper.is_current(lease.ticket, lease.fence)) {
            let sentence = "The lock on the branch was taken away meanwhile; nothing more was done.";
            return Err(Trouble::refused(Reason::LockLost, sentence));
        }
        let left = self.ends_at.saturating_duration_since(Instant::now());
        self.run(folder, args, stdin, CHANGE_WITHIN.min(left)).await
    }

    /// Puts something back as it was: also when the lock is lost or the time is over.
    pub(super) async fn undo(&self, args: &[&str], stdin: Option<Vec<u8>>) -> Result<Ran, Trouble> {
        self.run(&self.repository()?.top, args, stdin, UNDO_WITHIN).await
    }

    async fn run(
        &self,
        folder: &Path,
        args: &[&str],
        stdin: Option<Vec<u8>>,
        within: Duration,
    ) -> Result<Ran, Trouble> {
        let call = Call { folder, args, stdin, within, operation: self.operation };
        Ok(self.program.run(call).await?)
    }
}
