//! Pull and push: what a remote has, and what it is given.

use std::time::Duration;

use tokio::time::sleep;

use super::call::Caller;
use super::join::Theirs;
use super::operation::Strategy;
use super::program::Ran;
use super::push_report::PushReport;
use super::snapshot::Snapshot;
use super::trouble::{Reason, Trouble};
use super::upstream::Upstream;

/// How often a push is tried when others are faster.
pub(super) const MAX_TRIES: u32 = 3;

/// How long is waited before the second and the third try: who was faster may not have finished.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// Where what was fetched is kept for a moment. Of this tree alone, so that nobody else writes it.
const FETCHED: &str = "refs/worktree/tandem/fetched";

/// A push that got through.
#[derive(Debug)]
pub(super) struct Pushed {
    /// What git said last.
    pub(super) ran: Ran,
    pub(super) tries: u32,
}

impl Caller<'_> {
    /// Fetches, and takes in what came.
    pub(super) async fn pull(
        &self,
        remote: Option<&str>,
        branch: Option<&str>,
        strategy: Strategy,
    ) -> Result<Option<Ran>, Trouble> {
        let local = self.own_branch().await?;
        let upstream = self.source(&local, remote, branch).await?;
        let Some(theirs) = self.fetch(&upstream).await? else {
            let sentence = format!("The remote `{}` has no branch `{}`.", upstream.remote, upstream.branch);
            return Err(Trouble::refused(Reason::NoSuchName, sentence));
        };
        self.join("pull", &theirs, strategy).await
    }

    /// Fetches, takes in what came, and pushes; again where the remote moved meanwhile. Where it fails in the end,
    /// everything is as before.
    pub(super) async fn push(
        &self,
        remote: Option<&str>,
        branch: Option<&str>,
        strategy: Strategy,
    ) -> Result<Pushed, Trouble> {
        let local = self.own_branch().await?;
        if self.standing().await?.head.is_none() {
            return Err(Trouble::refused(Reason::NoCommits, "There is no commit yet that could be pushed."));
        }
        let upstream = self.target(&local, remote, branch).await?;
        let before = Snapshot::take(self).await?;
        let (mut tries, mut reached) = (0, before.head().map(str::to_owned));
        let trouble = loop {
            tries += 1;
            match self.try_push(&local, &upstream, strategy, &mut reached).await {
                Ok((PushReport::Done, ran)) => return Ok(Pushed { ran, tries }),
                Ok((PushReport::Moved, ran)) if tries >= MAX_TRIES => {
                    let sentence = format!(
                        "The remote moved at each of {MAX_TRIES} tries. Everything is as it was; push again in a moment."
                    );
                    break self.failed(Reason::RemoteMoved, &sentence, &ran)?;
                }
                Ok((PushReport::Moved, _)) => {
                    let pause = PAUSES.get(tries as usize - 1);
                    sleep(pause.copied().unwrap_or_default()).await;
                }
                Ok((PushReport::Declined(_) | PushReport::Unknown, ran)) => {
                    let sentence =
                        "The remote does not take this; its own words say why. Everything is as it was.";
                    break self.failed(Reason::Declined, sentence, &ran)?;
                }
                // Where not even that was put back, nothing more is done.
                Err(in_doubt) if in_doubt.is_in_doubt() => return Err(in_doubt),
                Err(trouble) => break trouble,
            }
        };
        Err(self.go_back(&before, reached.as_deref(), trouble).await)
    }

    async fn try_push(
        &self,
        local: &str,
        upstream: &Upstream,
        strategy: Strategy,
        reached: &mut Option<String>,
    ) -> Result<(PushReport, Ran), Trouble> {
        if let Some(theirs) = self.fetch(upstream).await? {
            self.join("push", &theirs, strategy).await?;
            *reached = self.commit_of("HEAD").await?;
        }
        let refs = format!("refs/heads/{local}:refs/heads/{}", upstream.branch);
        let mut args = vec!["push", "--porcelain", "--no-recurse-submodules"];
        if upstream.is_to_be_followed {
            args.push("--set-upstream");
        }
        args.extend(["--", &upstream.remote, &refs]);
        let ran = match self.change(&args).await {
            Err(trouble) if trouble.is_of_a_killed_git() => return self.settle(upstream, trouble).await,
            outcome => outcome?,
        };
        match PushReport::parse(&String::from_utf8_lossy(&ran.stdout), &upstream.branch) {
            PushReport::Unknown => {
                let failed = Trouble::failed(&ran, &self.repository()?.top);
                self.settle(upstream, failed).await
            }
            report => Ok((report, ran)),
        }
    }

    /// The remote has said nothing of the branch, so whether it has it is to be seen there. Where it has not, `trouble`
    /// says why.
    async fn settle(&self, upstream: &Upstream, trouble: Trouble) -> Result<(PushReport, Ran), Trouble> {
        let head = self.commit_of("HEAD").await?;
        match self.remote_head(upstream).await {
            Ok(there) if there == head => Ok((PushReport::Done, Ran::done(String::new()))),
            Ok(_) => Err(trouble),
            Err(unreachable) => {
                tracing::warn!(%trouble, %unreachable, "a push was cut off, and its remote cannot be asked");
                let sentence =
                    "The connection to the remote was lost: it may have this or not. Push again to be sure.";
                let (sentence, words) = (sentence.to_owned(), String::new());
                Err(Trouble::InDoubt { reason: Reason::Other, sentence, words })
            }
        }
    }

    /// Takes the branch back from where this push has taken it to where it was. What is in no commit stays, and so does
    /// what somebody else has committed meanwhile.
    async fn go_back(&self, before: &Snapshot, reached: Option<&str>, trouble: Trouble) -> Trouble {
        let _until_told = self.rewriting();
        if let Some(head) = before.head()
            && reached != Some(head)
            && self.commit_of("HEAD").await.is_ok_and(|now| now.as_deref() == reached)
            && let Err(left) = self.undo(&["reset", "--keep", "--quiet", head], None).await
        {
            return trouble.with_something_left(left);
        }
        self.tell_of(reached).await;
        self.verified(before, reached, trouble).await
    }

    /// What the remote has of a branch; None where it has no such branch.
    async fn fetch(&self, upstream: &Upstream) -> Result<Option<Theirs>, Trouble> {
        let Upstream { remote, branch, .. } = upstream;
        if self.remote_head(upstream).await?.is_none() {
            return Ok(None);
        }
        let refs = format!("+refs/heads/{branch}:{FETCHED}");
        let args =
            ["fetch", "--no-recurse-submodules", "--no-prune", "--no-write-fetch-head", "--", remote, &refs];
        let ran = self.change(&args).await?;
        let top = &self.repository()?.top;
        if !ran.is_ok() {
            return Err(Trouble::failed(&ran, top));
        }
        let commit = self.commit_of(FETCHED).await?.ok_or_else(|| Trouble::failed(&ran, top))?;
        self.undo(&["update-ref", "-d", FETCHED], None).await?;
        Ok(Some(Theirs {
            name: format!("{remote}/{branch}"),
            message: format!("Merge branch '{branch}' of {remote}"),
            commit,
        }))
    }

    async fn remote_head(&self, upstream: &Upstream) -> Result<Option<String>, Trouble> {
        let name = format!("refs/heads/{}", upstream.branch);
        let ran = self.change(&["ls-remote", "--", &upstream.remote, &name]).await?;
        if !ran.is_ok() {
            let sentence = "The remote cannot be reached; git's own words say why. Everything is as it was.";
            return Err(self.failed(Reason::Other, sentence, &ran)?);
        }
        let listed = String::from_utf8_lossy(&ran.stdout).into_owned();
        let of_branch =
            |line: &str| line.split_once('\t').filter(|(_, of)| *of == name).map(|(hash, _)| hash.to_owned());
        Ok(listed.lines().find_map(of_branch))
    }

    /// The branch that is checked out.
    pub(super) async fn own_branch(&self) -> Result<String, Trouble> {
        self.standing().await?.branch.ok_or_else(|| {
            let sentence = "This tree is on no branch (its HEAD is detached). Check one out first.";
            Trouble::refused(Reason::DetachedHead, sentence)
        })
    }

    fn failed(&self, reason: Reason, sentence: &str, ran: &Ran) -> Result<Trouble, Trouble> {
        Ok(Trouble::failed_because(reason, sentence, ran, &self.repository()?.top))
    }
}
