//! Makes, enters and deletes branches.

use super::call::Caller;
use super::join::Theirs;
use super::mark::Mark;
use super::names;
use super::program::Ran;
use super::snapshot::Snapshot;
use super::trouble::{Reason, Trouble};

/// What becomes of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Make,
    MakeAndEnter,
    Enter,
    Delete,
}

impl Caller<'_> {
    /// Makes a branch where there is none, enters it, or deletes it.
    pub(super) async fn branch(
        &self,
        name: &str,
        from: Option<&str>,
        is_entered: bool,
        is_deleted: bool,
    ) -> Result<Ran, Trouble> {
        let full_name = format!("refs/heads/{name}");
        if !self.look(&["check-ref-format", &full_name]).await?.is_ok() {
            return Err(names::bad("name").into());
        }
        let is_there = self.look(&["show-ref", "--verify", "--quiet", &full_name]).await?.is_ok();
        let deed = choose(name, is_there, from.is_some(), is_entered, is_deleted)?;
        let start = match from {
            Some(from) => Some(self.named(from).await?.1),
            None => None,
        };
        let start = start.as_deref();
        match deed {
            Deed::Delete => self.plainly(&["branch", "--delete", "--", name]).await,
            Deed::Make if self.standing().await?.head.is_none() && start.is_none() => {
                let sentence =
                    "There is no commit yet that a branch could begin at. Use checkout, or commit first.";
                Err(Trouble::refused(Reason::NoCommits, sentence))
            }
            // No branch follows what it was begun from: a push would go there.
            Deed::Make => {
                self.plainly(&[&["branch", "--no-track", "--", name][..], start.as_slice()].concat()).await
            }
            Deed::MakeAndEnter => {
                let fixed = ["switch", "--no-guess", "--no-track", "--no-overwrite-ignore", "--create", name];
                let target = self.commit_of(start.unwrap_or("HEAD")).await?;
                self.enter(name, target, &[&fixed[..], start.as_slice()].concat()).await
            }
            Deed::Enter => {
                let target = self.commit_of(&full_name).await?;
                self.enter(name, target, &["switch", "--no-guess", "--no-overwrite-ignore", name]).await
            }
        }
    }

    async fn plainly(&self, args: &[&str]) -> Result<Ran, Trouble> {
        let ran = self.change(args).await?;
        if ran.is_ok() { Ok(ran) } else { Err(Trouble::failed(&ran, &self.repository()?.top)) }
    }

    async fn enter(&self, name: &str, target: Option<String>, args: &[&str]) -> Result<Ran, Trouble> {
        let before = Snapshot::take(self).await?;
        let standing = self.standing().await?;
        let mark = Mark {
            operation: self.operation,
            name: "branch".to_owned(),
            branch: standing.branch,
            head: standing.head,
            target: target.clone(),
            changed: before.changed(),
            index: None,
        };
        let commit = target.unwrap_or_default();
        let theirs = Theirs { name: name.to_owned(), commit, message: String::new() };
        self.step(&mark, &before, &theirs, args).await
    }
}

/// Pure.
fn choose(
    name: &str,
    is_there: bool,
    has_start: bool,
    is_entered: bool,
    is_deleted: bool,
) -> Result<Deed, Trouble> {
    match (is_there, is_deleted, is_entered) {
        (true, true, _) => Ok(Deed::Delete),
        (false, true, _) => {
            Err(Trouble::refused(Reason::NoSuchName, format!("There is no branch `{name}`.")))
        }
        (true, false, true) if !has_start => Ok(Deed::Enter),
        (true, false, _) => {
            Err(Trouble::refused(Reason::Exists, format!("There is a branch `{name}` already.")))
        }
        (false, false, true) => Ok(Deed::MakeAndEnter),
        (false, false, false) => Ok(Deed::Make),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_branch_follows_from_what_is_there() {
        let reason = |outcome: Result<Deed, Trouble>| match outcome {
            Err(Trouble::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(choose("x", false, false, false, false).unwrap(), Deed::Make);
        assert_eq!(choose("x", false, true, true, false).unwrap(), Deed::MakeAndEnter);
        assert_eq!(choose("x", true, false, true, false).unwrap(), Deed::Enter);
        assert_eq!(choose("x", true, false, false, true).unwrap(), Deed::Delete);
        assert_eq!(reason(choose("x", true, true, true, false)), Reason::Exists);
        assert_eq!(reason(choose("x", true, false, false, false)), Reason::Exists);
        assert_eq!(reason(choose("x", false, false, false, true)), Reason::NoSuchName);
    }
}
