//! Git in turn: what people and programs ask of a repository, one operation at a time, done by the real `git`.
//!
//! ```text
//! Operation ──▶ line of the repository ──▶ lock on the branch ──▶ recover ──▶ git … git ──▶ Done
//!               (first come first served)  (agents hold the same)                 └──▶ conflict: all as before, told
//! ```
//! Whatever fails leaves HEAD, index and tree as they were. What is about to be done is written down first, what in the
//! tree (`mark`) and where in the data folder (`ledger`), so that the next start puts back what a crash has left.

mod branch;
mod call;
mod commit;
mod conflict;
mod half_written;
mod hunks;
mod index;
mod join;
mod ledger;
mod left;
mod line;
mod mark;
mod names;
mod operation;
mod processes;
mod program;
mod push_report;
mod repository;
mod snapshot;
mod status;
mod stop;
mod sync;
mod told;
mod trouble;
mod turn;
mod undo;
mod upstream;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use tandem_actors::clock::Clock;
use tandem_actors::files::Files;
use tandem_actors::ids::DeviceId;
use tandem_actors::locks::{Fact, Holder, Keeper, Named};
use tandem_actors::project::{ConflictId, Feed, Happening, Resolution};
use tandem_actors::refusal::{Code, Refusal};
use tokio::runtime::Handle;
use uuid::Uuid;

use call::{Caller, Joined};
use line::{Lines, Place};
use repository::Repository;
use stop::{Gate, Inside};
use told::Teller;
use trouble::{Reason, Trouble};

pub use ledger::Ledger;
pub use left::recover_left;
pub use operation::{Operation, Strategy, What};
pub use program::Program;

/// When to come back to a line that is full: a few operations later.
const RETRY_AFTER_SECONDS: u32 = 10;

/// Given a path, the canonical path of a folder that may be a project, or why it may not.
pub type FindProject = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Arc<str>, Refusal>> + Send + Sync>;

/// Given a project and a conflict, whether it waits to be settled.
pub type IsOpen = Arc<dyn Fn(&Arc<str>, ConflictId) -> bool + Send + Sync>;

/// What git in turn is made of.
#[derive(Clone)]
pub struct Parts {
    /// The real git; None where there is none, and then everything is refused.
    pub program: Option<Program>,
    /// Knows who holds which branch.
    pub keeper: Arc<Keeper>,
    /// Where conflicts are told.
    pub feed: Arc<dyn Feed>,
    /// Knows who has written which files.
    pub files: Arc<Files>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Knows which folders may be projects.
    pub find_project: FindProject,
    /// Knows which conflicts are open.
    pub is_open: IsOpen,
    /// How long an operation waits for a branch that another holds.
    pub wait: Duration,
    /// Where it is written down what is at work; without it, what a crash leaves is put back by the next operation there.
    pub ledger: Option<Ledger>,
}

/// See the module. Clones are the same one.
#[derive(Clone)]
pub struct Git {
    parts: Arc<Parts>,
    lines: Lines,
    gate: Arc<Gate>,
    runtime: Handle,
}

/// An operation that got through; on the wire as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// What it was.
    pub operation: &'static str,
    /// The branch that is checked out now; None where HEAD is detached.
    pub branch: Option<String>,
    /// Its commit; None where there is none yet.
    pub head: Option<String>,
    /// The last of what git said.
    pub output: String,
    /// How often it was tried; above 1 for a push alone.
    pub tries: u32,
    /// How many operations were in front of it when it came.
    pub position: usize,
}

impl Git {
    /// Puts it together; nothing runs yet. What will, runs on the runtime that this is called on.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let (parts, runtime) = (Arc::new(parts), Handle::current());
        Self { parts, lines: Lines::default(), gate: Arc::default(), runtime }
    }

    /// Lets nothing new begin, gives what runs so long to finish, and then ends it: everything is as before it.
    ///
    /// Returns when that is so, 10 s after `grace` at the latest.
    pub async fn stop(&self, grace: Duration) {
        self.gate.close(grace).await;
    }

    /// Does an operation when its turn comes. Once begun it goes on to its end, whether anybody still waits for it or not.
    ///
    /// # Errors
    /// `not_a_repository`, `conflict`, `git_failed`, `lock_denied`, `queue_full`, and those of a project's path. With the
    /// effect `none`, HEAD, index and tree are as before.
    pub async fn run(
        &self,
        project: String,
        device: DeviceId,
        operation: Operation,
    ) -> Result<Done, Refusal> {
        operation.check()?;
        let inside = self.gate.enter().ok_or_else(Refusal::shutting_down)?;
        let (git, holder) = (self.clone(), Holder::DeviceId(device));
        let work = self.runtime.spawn(async move { git.carry_out(project, holder, operation, inside).await });
        work.await.unwrap_or_else(|_ended| Err(Refusal::shutting_down()))
    }

    async fn carry_out(
        &self,
        project: String,
        holder: Holder,
        operation: Operation,
        inside: Inside,
    ) -> Result<Done, Refusal> {
        let name = (self.parts.find_project)(project).await?;
        let no_git =
            || Trouble::refused(Reason::NoGit, "The server has found no git. Install it and start again.");
        let program = self.parts.program.as_ref().ok_or_else(no_git)?;
        let caller = Caller::new(program, Uuid::now_v7());
        let repository = Repository::find(&caller, Path::new(&*name)).await?;
        // A project may be a part of a repository, but what git changes lies where the server may work.
        for folder in [&repository.top, &repository.own, &repository.common] {
            (self.parts.find_project)(folder.to_string_lossy().into_owned()).await?;
        }
        let mut place = self.lines.enter(&repository.common, holder.clone()).ok_or_else(line_is_full)?;
        let (files, project) = (self.parts.files.clone(), name.clone());
        let caller = caller
            .inside(&repository)
            .on_record(self.parts.ledger.as_ref())
            .telling(Teller { files, project, holder: holder.clone() })
            .until_stopped(inside.clone());
        self.tell_position(&caller, &place, &name, &holder, &operation).await;
        tokio::select! {
            () = place.turn() => {}
            () = inside.is_closing() => return Err(Refusal::shutting_down()),
        }
        let done = self.take_turn(caller, &name, &holder, &operation, &inside).await;
        let done = done.map(|done| Done { position: place.position, ..done });
        done.map_err(|trouble| self.refusal_of(trouble, &name, &holder))
    }

    /// A conflict is told to everybody before it is the answer.
    fn refusal_of(&self, trouble: Trouble, project: &Arc<str>, holder: &Holder) -> Refusal {
        let Trouble::Unmerged(unmerged) = trouble else { return trouble.into() };
        let conflict = unmerged.record(project, holder, self.parts.clock.now());
        let refusal = unmerged.refusal(Some(conflict.conflict_id));
        self.parts.feed.tell(project, Happening::ConflictDetected(Box::new(conflict)).into());
        refusal
    }

    /// What did not merge before, and has now, is nobody's to decide any more.
    fn tell_joined(&self, project: &Arc<str>, joined: &[Joined]) {
        for Joined { branch, theirs } in joined {
            let conflict_id = ConflictId::of_merge(project, branch, theirs);
            if (self.parts.is_open)(project, conflict_id) {
                let resolved =
                    Happening::ConflictResolved { conflict_id, resolution: Resolution::Merged, by: None };
                self.parts.feed.tell(project, resolved.into());
            }
        }
    }

    /// Who has to wait is told so as for a lock, which it will ask for when its turn comes.
    async fn tell_position(
        &self,
        caller: &Caller<'_>,
        place: &Place,
        project: &Arc<str>,
        holder: &Holder,
        operation: &Operation,
    ) {
        let Some(behind) = place.behind.clone() else { return };
        let Ok(wants) = caller.wants(operation).await else { return };
        let named = |resource: &tandem_actors::locks::Resource| Named {
            resource_id: resource.id(),
            lock_type: resource.kind(),
            mode: None,
        };
        let locks = wants.iter().map(named).collect();
        let (holder, position) = (holder.clone(), place.position);
        self.parts.feed.tell(project, Fact::LockWaiting { holder, locks, position, behind }.into());
    }
}

impl std::fmt::Debug for Git {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Git({:?})", self.parts.program)
    }
}

fn line_is_full() -> Refusal {
    let message = "Too many git operations wait for this repository. Try again when some of them are done.";
    Refusal::new(Code::QueueFull, message).with_retry_after(RETRY_AFTER_SECONDS)
}
