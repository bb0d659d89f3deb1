//! Two histories become one in the tree, or everything stays as it was.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::task::spawn_blocking;

use super::call::Caller;
use super::conflict::{self, Unmerged};
use super::mark::Mark;
use super::operation::Strategy;
use super::program::Ran;
use super::snapshot::Snapshot;
use super::trouble::{Reason, Trouble, UNCOMMITTED};
use super::turn::DETACHED;

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
            Way::Nothing => {
                // Somebody may have done by hand what did not go by itself.
                self.note_joined(standing.branch, theirs);
                return Ok(None);
            }
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
            index: None,
        };
        let _until_told = self.rewriting();
        let ran = self.step(&mark, &before, theirs, &args).await?;
        self.tell_of(mark.head.as_deref()).await;
        self.note_joined(mark.branch, theirs);
        Ok(Some(ran))
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
        let trouble = match self.change(args).await {
            Ok(ran) if ran.is_ok() => {
                self.forget(mark).await;
                return Ok(ran);
            }
            Ok(ran) => {
                // Where not even that can be seen, everything is put back all the same.
                let unmerged = self.unmerged(mark, theirs).await.ok().flatten();
                let failed = || Trouble::failed(&ran, &repository.top);
                let unmerged = unmerged.filter(|_| ran.code.is_some());
                unmerged.map_or_else(failed, |unmerged| Trouble::Unmerged(Box::new(unmerged)))
            }
            Err(trouble) => trouble,
        };
        let is_killed = trouble.is_of_a_killed_git();
        if let Err(left) = self.put_back(mark, is_killed).await {
            // The mark stays: the next operation tries it again.
            return Err(trouble.with_something_left(left));
        }
        self.forget(mark).await;
        if is_killed && self.is_through(mark, theirs).await? {
            return Ok(Ran::done(String::new()));
        }
        Err(self.verified(before, Some(&theirs.commit), trouble).await)
    }

    /// Whether a git that was killed had done everything by then, and was held up by what runs behind it, such as a hook.
    async fn is_through(&self, mark: &Mark, theirs: &Theirs) -> Result<bool, Trouble> {
        let now = self.standing().await?;
        if mark.name == "branch" {
            return Ok(now.branch.as_ref() == Some(&theirs.name));
        }
        match now.head {
            Some(head) if now.branch == mark.branch && Some(&head) != mark.head.as_ref() => {
                self.is_ancestor(&theirs.commit, &head).await
            }
            _ => Ok(false),
        }
    }

    /// What is to be said of a trouble, by whether everything is as it was.
    pub(super) async fn verified(
        &self,
        before: &Snapshot,
        reached: Option<&str>,
        trouble: Trouble,
    ) -> Trouble {
        let doubt = match self.is_as_before(before, reached).await {
            Ok(true) => return trouble,
            Ok(false) => Trouble::not_restored(),
            Err(unseen) => unseen,
        };
        tracing::error!(%trouble, %doubt, "a tree is not as it was before a git operation that failed");
        trouble.with_something_left(doubt)
    }

    /// Whether HEAD, the index and all files that may have been written are as they were. Others may have been changed
    /// by anybody meanwhile.
    async fn is_as_before(&self, before: &Snapshot, reached: Option<&str>) -> Result<bool, Trouble> {
        let after = Snapshot::take(self).await?;
        if after == *before {
            return Ok(true);
        }
        let touched = self.touched(before.head(), reached).await?;
        let top = self.repository()?.top.clone();
        let before = before.clone();
        let compared = spawn_blocking(move || after.is_same_in(&before, &touched, &top)).await;
        Ok(compared.unwrap_or(false))
    }

    /// The files that any commit changes which only one of the two holds.
    async fn touched(&self, from: Option<&str>, to: Option<&str>) -> Result<BTreeSet<String>, Trouble> {
        let ran = match (from, to) {
            (Some(from), Some(to)) => {
                let between = format!("{from}...{to}");
                let fixed = ["log", "-m", "--no-renames", "--name-only", "--format=", "-z"];
                self.look(&[&fixed[..], &[&between, "--"]].concat()).await?
            }
            (Some(only), None) | (None, Some(only)) => {
                self.look(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", only]).await?
            }
            (None, None) => return Ok(BTreeSet::new()),
        };
        if !ran.is_ok() {
            return Err(Trouble::failed(&ran, &self.repository()?.top));
        }
        let names = String::from_utf8_lossy(&ran.stdout).into_owned();
        Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    async fn unmerged(&self, mark: &Mark, theirs: &Theirs) -> Result<Option<Unmerged>, Trouble> {
        let changes = self.changes().await?;
        if changes.unmerged().next().is_none() {
            return Ok(None);
        }
        let top = self.repository()?.top.clone();
        let (files, hunks) =
            spawn_blocking(move || conflict::places(&top, &changes)).await.unwrap_or_default();
        let branch = mark.branch.clone().unwrap_or_else(|| DETACHED.to_owned());
        let short = |commit: &str| commit.chars().take(10).collect::<String>();
        Ok(Some(Unmerged {
            ours: format!("{branch} at {}", short(mark.head.as_deref().unwrap_or_default())),
            name: theirs.name.clone(),
            theirs: format!("{} at {}", theirs.name, short(&theirs.commit)),
            branch,
            files,
            hunks,
            is_undone: true,
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
