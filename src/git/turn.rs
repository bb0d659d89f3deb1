//! One operation whose turn it is: takes the branch's lock, puts back what a crash has left, and does it.

use std::sync::Arc;

use serde_json::json;
use tandem_actors::locks::{Answer, Denied, Holder, Keeper, Lease, Mode, Request, Resource};
use tandem_actors::refusal::{Code, Refusal};
use tokio::task::spawn_blocking;

use super::call::{Caller, OPERATION_WITHIN};
use super::join::Theirs;
use super::mark::Mark;
use super::operation::{Operation, Strategy};
use super::trouble::Trouble;
use super::{Done, Git};

/// The branch of a tree whose HEAD is on none.
pub(super) const DETACHED: &str = "HEAD";

impl Git {
    pub(super) async fn take_turn(
        &self,
        caller: Caller<'_>,
        project: &Arc<str>,
        holder: &Holder,
        operation: &Operation,
    ) -> Result<Done, Trouble> {
        let lock = self.lock_all(&caller, project, holder, operation).await?;
        let caller = caller.locked(self.parts.keeper.clone(), lock.lease.clone());
        caller.recover().await?;
        let (ran, tries) = match operation {
            Operation::Commit { message, what, author } => {
                (Some(caller.commit(message, what, author.as_deref()).await?), 1)
            }
            Operation::Pull { remote, branch, strategy } => {
                (caller.pull(remote.as_deref(), branch.as_deref(), *strategy).await?, 1)
            }
            Operation::Push { remote, branch, strategy } => {
                let pushed = caller.push(remote.as_deref(), branch.as_deref(), *strategy).await?;
                (Some(pushed.ran), pushed.tries)
            }
            Operation::Rebase { onto } => {
                let theirs = caller.theirs(onto).await?;
                (caller.join("rebase", &theirs, Strategy::Rebase).await?, 1)
            }
            Operation::Merge { branch } => {
                let theirs = caller.theirs(branch).await?;
                (caller.join("merge", &theirs, Strategy::Merge).await?, 1)
            }
            Operation::Branch { name, from, is_entered, is_deleted } => {
                (Some(caller.branch(name, from.as_deref(), *is_entered, *is_deleted).await?), 1)
            }
        };
        self.tell_joined(project, &caller.take_joined());
        let standing = caller.standing().await?;
        let top = &caller.repository()?.top;
        let output = ran.map(|ran| ran.words(top)).unwrap_or_default();
        let (branch, head) = (standing.branch, standing.head);
        Ok(Done { operation: operation.name(), branch, head, output, tries, position: 0 })
    }

    /// Takes the lock on what is worked on at the moment of having it: another branch may have been checked out while
    /// this waited.
    async fn lock_all(
        &self,
        caller: &Caller<'_>,
        project: &Arc<str>,
        holder: &Holder,
        operation: &Operation,
    ) -> Result<Lock, Trouble> {
        let mut wants = caller.wants(operation).await?;
        loop {
            let lock = self.lock(project, holder, wants.clone()).await?;
            let now_wanted = caller.wants(operation).await?;
            if now_wanted == wants {
                return Ok(lock);
            }
            wants = now_wanted;
        }
    }

    /// Takes the lock on all of these branches, or says who has it.
    async fn lock(&self, project: &Arc<str>, holder: &Holder, wants: Vec<Resource>) -> Result<Lock, Refusal> {
        let keeper = &self.parts.keeper;
        let request = Request {
            holder: holder.clone(),
            project: project.clone(),
            wants: wants.into_iter().map(|resource| (resource, Mode::Exclusive)).collect(),
            ttl: OPERATION_WITHIN,
            wait: self.parts.wait,
            is_kept: false,
        };
        let verdict = match keeper.acquire_apart(request) {
            Answer::Now(verdict) => verdict,
            Answer::Later(_, verdict) => verdict.await.map_err(|_gone| Refusal::shutting_down())?,
        };
        let lease = verdict.map_err(|denied| denied_because(&denied))?;
        Ok(Lock { lease, keeper: keeper.clone() })
    }
}

impl Caller<'_> {
    /// The branches that an operation works on, and those on which a crash has left something.
    pub(super) async fn wants(&self, operation: &Operation) -> Result<Vec<Resource>, Trouble> {
        let repository = self.repository()?;
        let own = repository.own.clone();
        let mark = spawn_blocking(move || Mark::read(&own)).await.ok().flatten();
        let mut branches: Vec<String> = operation.other_branch().map(str::to_owned).into_iter().collect();
        if operation.is_on_own_branch() {
            branches.push(self.standing().await?.branch.unwrap_or_else(|| DETACHED.to_owned()));
        }
        branches.extend(mark.and_then(|mark| mark.branch));
        branches.sort();
        branches.dedup();
        Ok(branches.iter().map(|branch| Resource::branch(&repository.locked_as, branch)).collect())
    }

    async fn theirs(&self, name: &str) -> Result<Theirs, Trouble> {
        let (git_name, commit) = self.named(name).await?;
        let kind = if git_name.starts_with("refs/heads/") {
            "branch"
        } else if git_name.starts_with("refs/remotes/") {
            "remote-tracking branch"
        } else if git_name.starts_with("refs/tags/") {
            "tag"
        } else {
            "commit"
        };
        Ok(Theirs { name: name.to_owned(), git_name, commit, message: format!("Merge {kind} '{name}'") })
    }
}

/// A lock for as long as an operation runs, beside those that the device has for itself.
struct Lock {
    lease: Lease,
    keeper: Arc<Keeper>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.keeper.withdraw(self.lease.ticket);
    }
}

fn denied_because(denied: &Denied) -> Refusal {
    let message = match &denied.holder {
        Some(holder) => format!("The branch is locked by {holder}. Try again when that is done with it."),
        None => "The lock on the branch cannot be had now. Try again in a moment.".to_owned(),
    };
    let details = json!({
        "holder": denied.holder,
        "since": denied.since,
        "expiresAt": denied.until,
        "reason": denied.why.reason(),
    });
    Refusal::new(Code::LockDenied, message).with_details(details)
}
