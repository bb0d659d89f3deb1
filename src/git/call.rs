//! How an operation calls git: to look, to change, to talk to a remote; never without the branch's lock where it counts.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tandem_actors::locks::{Keeper, Lease};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval_at};
use uuid::Uuid;

use super::index::Kept;
use super::join::Theirs;
use super::ledger::{BEAT, Ledger};
use super::mark::Mark;
use super::program::{Call, NotRun, Program, Ran};
use super::repository::Repository;
use super::stop::Inside;
use super::told::Teller;
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
    ledger: Option<&'a Ledger>,
    /// Where it is told what was written.
    pub(super) teller: Option<Teller>,
    /// Ends it when the server stops.
    inside: Option<Inside>,
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
        let (repository, lock, ledger, teller, inside) = (None, None, None, None, None);
        let joined = Mutex::default();
        Self { program, operation, repository, lock, ledger, teller, inside, ends_at, joined }
    }

    /// The same, which writes down where it is at work.
    pub(super) fn on_record(self, ledger: Option<&'a Ledger>) -> Self {
        Self { ledger, ..self }
    }

    /// The same, which tells of the files that it writes.
    pub(super) fn telling(self, teller: Teller) -> Self {
        Self { teller: Some(teller), ..self }
    }

    /// The same, which changes nothing any more once the server stops.
    pub(super) fn until_stopped(self, inside: Inside) -> Self {
        Self { inside: Some(inside), ..self }
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
        self.run(folder, args, None, LOOK_WITHIN, None).await
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
        if self.inside.as_ref().is_some_and(Inside::has_to_end) {
            return Err(NotRun::Stopped.into());
        }
        let left = self.ends_at.saturating_duration_since(Instant::now());
        self.run(folder, args, stdin, CHANGE_WITHIN.min(left), self.inside.clone()).await
    }

    /// Puts something back as it was: also when the lock is lost or the time is over.
    pub(super) async fn undo(&self, args: &[&str], stdin: Option<Vec<u8>>) -> Result<Ran, Trouble> {
        self.run(&self.repository()?.top, args, stdin, UNDO_WITHIN, None).await
    }

    /// Writes down what begins now: in the tree, what is to be put back, and in the data folder, where.
    pub(super) async fn note(&self, mark: &Mark) -> Result<(), Trouble> {
        let repository = self.repository()?.clone();
        let (mark, ledger) = (mark.clone(), self.ledger.cloned());
        let written = spawn_blocking(move || {
            // The other way round, a crash in between would leave a mark that nobody looks for.
            ledger.map_or(Ok(()), |ledger| ledger.begin(mark.operation, &repository.top))?;
            mark.write(&repository.own)
        });
        let error = match written.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_stopped) => "the server is stopping".to_owned(),
        };
        let sentence = format!("What git is to do cannot be written down: {error}.");
        Err(Trouble::refused(Reason::Other, sentence))
    }

    /// The marked operation is over.
    pub(super) async fn forget(&self, mark: &Mark) {
        let Ok(repository) = self.repository() else { return };
        let (own, operation, ledger) = (repository.own.clone(), mark.operation, self.ledger.cloned());
        // A mark that stays is looked at again by the next operation.
        let _ = spawn_blocking(move || {
            Mark::remove(&own);
            Kept::remove(&own);
            if let Some(ledger) = ledger {
                ledger.end(operation);
            }
        })
        .await;
    }

    /// When the server that wrote this mark last gave a sign of life.
    pub(super) async fn last_sign_of(&self, mark: &Mark) -> Option<SystemTime> {
        let own = self.repository().ok()?.own.clone();
        let (operation, ledger) = (mark.operation, self.ledger.cloned());
        let read = spawn_blocking(move || {
            let on_record = ledger.and_then(|ledger| ledger.last_sign(operation));
            on_record.or_else(|| Mark::path(&own).metadata().ok()?.modified().ok())
        });
        read.await.ok().flatten()
    }

    async fn run(
        &self,
        folder: &Path,
        args: &[&str],
        stdin: Option<Vec<u8>>,
        within: Duration,
        until: Option<Inside>,
    ) -> Result<Ran, Trouble> {
        let call = Call { folder, args, stdin, within, operation: self.operation, until };
        let mut running = pin!(self.program.run(call));
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        loop {
            tokio::select! {
                ran = &mut running => return Ok(ran?),
                _ = beat.tick() => self.give_a_sign().await,
            }
        }
    }

    async fn give_a_sign(&self) {
        let (Some(ledger), operation) = (self.ledger.cloned(), self.operation) else { return };
        // One that is missed is made up for a moment later.
        let _ = spawn_blocking(move || ledger.beat(operation)).await;
    }
}
