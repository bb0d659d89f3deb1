//! Two histories become one in the tree, or everything stays as it was.

use std::path::Path;

use tokio::task::spawn_blocking;

use super::call::Caller;
use super::conflict::{self, Unmerged};
use super::mark::Mark;
use super::operation::Strategy;
use super::program::Ran;
use super::snapshot::Snapshot;
use super::trouble::{Reason, Trouble, UNCOMMITTED};
use super::undo::forget;

/// Files that a sentence names; the others are counted.
const MAX_NAMED: usize = 5;

/// What is to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Theirs {
    /// As people call it.
    pub(super) name: String,
    /// The hash: what is decided for a commit is done with that commit, whatever moves meanwhile.
    pub(super) commit: String,
    /// The message of a commit that merges it.
    pub(super) message: String,
}

/// How it is done. Pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Theirs is in ours already.
    Nothing,
    /// Ours is in theirs: the branch goes forward.
    Forward,
    Rebase,
    Merge,
    /// It cannot be had by going forward, and nothing else is wanted.
    Refuse,
}

impl Way {
    /// The first commit of a branch that has none is one step forward.
    pub(super) const fn choose(strategy: Strategy, is_in_ours: bool, is_in_theirs: bool) -> Self {
        match strategy {
            _ if is_in_ours => Self::Nothing,
            _ if is_in_theirs => Self::Forward,
            Strategy::Rebase => Self::Rebase,
            Strategy::Merge => Self::Merge,
            Strategy::FastForward => Self::Refuse,
        }
    }
}

impl Caller<'_> {
    /// Takes `theirs` into the branch that is checked out. What git said; None where there was nothing to do.
    ///
    /// Where this fails, HEAD, index and tree are as before, which is verified.
    pub(super) async fn join(
        &self,
        operation: &str,
        theirs: &Theirs,
        strategy: Strategy,
    ) -> Result<Option<Ran>, Trouble> {
        let standing = self.standing().await?;
        let (is_in_ours, is_in_theirs) = match &standing.head {
            Some(head) => {
                (self.is_ancestor(&theirs.commit, head).await?, self.is_ancestor(head, &theirs.commit).await?)
            }
            None => (false, true),
        };
        let way = Way::choose(strategy, is_in_ours, is_in_theirs);
        let args: Vec<&str> = match way {
            Way::Nothing => return Ok(None),
            Way::Refuse => {
                let sentence = format!(
                    "The branch holds commits that {} does not hold, so it cannot just go forward. Use the strategy rebase or merge.",
                    theirs.name
                );
                return Err(Trouble::refused(Reason::Diverged, sentence));
            }
            Way::Forward => {
                vec![
                    "merge",
                    "--ff-only",
                    "--no-autostash",
                    "--no-overwrite-ignore",
                    "--no-stat",
                    &theirs.commit,
                ]
            }
            Way::Rebase => {
                vec![
                    "rebase",
                    "--no-autostash",
                    "--no-fork-point",
                    "--no-autosquash",
                    "--no-stat",
                    &theirs.commit,
                ]
            }
            Way::Merge => {
                let fixed =
                    ["merge", "--ff", "--commit", "--no-squash", "--no-edit", "--no-autostash", "--no-stat"];
                [&fixed[..], &["-m", &theirs.message, &theirs.commit]].concat()
            }
        };
        let before = Snapshot::take(self).await?;
        if way == Way::Rebase {
            refuse_changes(&before)?;
        }
        let mark = Mark {
            operation: self.operation,
            name: operation.to_owned(),
            branch: standing.branch,
            head: standing.head,
            target: Some(theirs.commit.clone()),
            changed: before.changed(),
        };
        self.step(&mark, &before, theirs, &args).await.map(Some)
    }

    /// Goes from one commit to another; where that fails, everything is as before.
    pub(super) async fn step(
        &self,
        mark: &Mark,
        before: &Snapshot,
        theirs: &Theirs,
        args: &[&str],
    ) -> Result<Ran, Trouble> {
        let repository = self.repository()?;
        self.note(mark).await?;
        let outcome = self.change(args).await;
        let trouble = match outcome {
            Ok(ran) if ran.is_ok() => {
                forget(repository.own.clone()).await;
                return Ok(ran);
            }
            Ok(ran) => {
                let unmerged = self.unmerged(mark, theirs).await?.filter(|_| ran.code.is_some());
                let failed = || Trouble::failed(&ran, &repository.top);
                unmerged.map_or_else(failed, |unmerged| Trouble::Unmerged(Box::new(unmerged)))
            }
            Err(trouble) => trouble,
        };
        self.put_back(mark, trouble.is_of_a_killed_git()).await?;
        self.verify(before, &trouble).await?;
        forget(repository.own.clone()).await;
        Err(trouble)
    }

    /// Writes down what begins now.
    pub(super) async fn note(&self, mark: &Mark) -> Result<(), Trouble> {
        let (mark, own) = (mark.clone(), self.repository()?.own.clone());
        let written = spawn_blocking(move || mark.write(&own)).await;
        let error = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_stopped) => "the server is stopping".to_owned(),
        };
        let sentence = format!("The repository's git folder cannot be written to: {error}.");
        Err(Trouble::refused(Reason::Other, sentence))
    }

    /// Whether everything is as it was.
    pub(super) async fn verify(&self, before: &Snapshot, trouble: &Trouble) -> Result<(), Trouble> {
        let after = Snapshot::take(self).await?;
        if after == *before {
            return Ok(());
        }
        tracing::error!(%trouble, "a tree is not as it was before a git operation that failed");
        let sentence = "Git did not do this, and not everything is as it was before. Look at the tree with `git status`.";
        Err(Trouble::InDoubt {
            reason: Reason::NotRestored,
            sentence: sentence.to_owned(),
            words: String::new(),
        })
    }

    async fn unmerged(&self, mark: &Mark, theirs: &Theirs) -> Result<Option<Unmerged>, Trouble> {
        let changes = self.changes().await?;
        if changes.unmerged().next().is_none() {
            return Ok(None);
        }
        let top = self.repository()?.top.clone();
        let (files, hunks) =
            spawn_blocking(move || conflict::places(&top, &changes)).await.unwrap_or_default();
        let branch = mark.branch.clone().unwrap_or_else(|| "HEAD".to_owned());
        let short = |commit: &str| commit.chars().take(10).collect::<String>();
        Ok(Some(Unmerged {
            ours: format!("{branch} at {}", short(mark.head.as_deref().unwrap_or_default())),
            theirs: format!("{} at {}", theirs.name, short(&theirs.commit)),
            branch,
            files,
            hunks,
        }))
    }
}

/// A rebase writes the tree anew for each commit, and takes no changes with it.
fn refuse_changes(before: &Snapshot) -> Result<(), Trouble> {
    let changed: Vec<&str> = before.changes().tracked().collect();
    if changed.is_empty() {
        return Ok(());
    }
    let named: Vec<String> =
        changed.iter().take(MAX_NAMED).map(|path| format!("`{}`", Path::new(path).display())).collect();
    let more = changed.len().saturating_sub(MAX_NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let sentence = format!("{UNCOMMITTED} Changed: {}{more}.", named.join(", "));
    Err(Trouble::refused(Reason::UncommittedChanges, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_the_shortest_one_that_the_strategy_allows() {
        use Strategy::{FastForward, Merge, Rebase};
        for strategy in [Rebase, Merge, FastForward] {
            assert_eq!(Way::choose(strategy, true, false), Way::Nothing);
            assert_eq!(Way::choose(strategy, true, true), Way::Nothing);
            assert_eq!(Way::choose(strategy, false, true), Way::Forward);
        }
        assert_eq!(Way::choose(Rebase, false, false), Way::Rebase);
        assert_eq!(Way::choose(Merge, false, false), Way::Merge);
        assert_eq!(Way::choose(FastForward, false, false), Way::Refuse);
    }
}
