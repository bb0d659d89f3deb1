//! How an operation calls git: to look, to change, to talk to a remote; never without the branch's lock where it counts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tandem_actors::locks::{Keeper, Lease};
use tokio::time::Instant;
use uuid::Uuid;

use super::program::{Call, Program, Ran};
use super::repository::Repository;
use super::trouble::{Reason, Trouble};

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
}

impl<'a> Caller<'a> {
    pub(super) fn new(program: &'a Program, operation: Uuid) -> Self {
        Self { program, operation, repository: None, lock: None, ends_at: Instant::now() + OPERATION_WITHIN }
    }

    /// The same, in this repository.
    pub(super) fn inside(self, repository: &'a Repository) -> Self {
        Self { repository: Some(repository), ..self }
    }

    /// The same, which changes nothing any more once this lock is lost.
    pub(super) fn locked(self, keeper: Arc<Keeper>, lease: Lease) -> Self {
        Self { lock: Some((keeper, lease)), ..self }
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
