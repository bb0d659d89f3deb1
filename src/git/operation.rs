//! What can be asked of git, checked as far as the words go.

use std::path::{Component, Path};

use tandem_actors::refusal::Refusal;

use super::names;

/// Files that one commit may name; who means more means all.
const MAX_PATHS: usize = 1000;

/// One operation on the repository of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum Operation {
    /// Keeps changes in a commit.
    Commit { message: String, what: What, author: Option<String> },
    /// Takes in what a remote has.
    Pull { remote: Option<String>, branch: Option<String>, strategy: Strategy },
    /// Takes in what a remote has, and gives it what is here.
    Push { remote: Option<String>, branch: Option<String>, strategy: Strategy },
    /// Puts the branch's commits on top of something else.
    Rebase { onto: String },
    /// Takes in another branch.
    Merge { branch: String },
    /// Makes, enters or deletes a branch.
    Branch { name: String, from: Option<String>, is_entered: bool, is_deleted: bool },
}

/// What a commit is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// What is in the index already.
    Staged,
    /// Everything that changed in the project.
    All,
    /// These, whatever else is in the index; from the project's folder.
    Paths(Vec<String>),
}

/// How two histories become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Our commits on top of theirs.
    Rebase,
    /// A commit with both as parents.
    Merge,
    /// Only if nothing of ours is missing there.
    FastForward,
}

impl Operation {
    /// The word on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Commit { .. } => "commit",
            Self::Pull { .. } => "pull",
            Self::Push { .. } => "push",
            Self::Rebase { .. } => "rebase",
            Self::Merge { .. } => "merge",
            Self::Branch { .. } => "branch",
        }
    }

    /// Refuses what cannot be meant, before anything runs.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Commit { message, what, author } => {
                if message.trim().is_empty() || message.contains('\0') {
                    return Err(Refusal::bad_field("message", "The field message says what was changed."));
                }
                author.as_deref().map_or(Ok(()), names::check_author)?;
                match what {
                    What::Paths(paths) => check_paths(paths),
                    What::Staged | What::All => Ok(()),
                }
            }
            Self::Pull { remote, branch, .. } | Self::Push { remote, branch, .. } => {
                remote.as_deref().map_or(Ok(()), |remote| names::check("remote", remote))?;
                branch.as_deref().map_or(Ok(()), |branch| names::check_new("branch", branch))
            }
            Self::Rebase { onto } => names::check("onto", onto),
            Self::Merge { branch } => names::check("branch", branch),
            Self::Branch { name, from, is_entered, is_deleted } => {
                names::check_new("name", name)?;
                from.as_deref().map_or(Ok(()), |from| names::check("from", from))?;
                if *is_deleted && (*is_entered || from.is_some()) {
                    let message = "A branch that is deleted is neither checked out nor begun from anything.";
                    return Err(Refusal::bad_field("delete", message));
                }
                Ok(())
            }
        }
    }

    /// Whether the branch that is checked out is worked on.
    pub(super) const fn is_on_own_branch(&self) -> bool {
        !matches!(self, Self::Branch { is_entered: false, .. })
    }

    /// Whether files of the tree are written.
    pub(super) const fn writes_tree(&self) -> bool {
        match self {
            Self::Pull { .. } | Self::Push { .. } | Self::Rebase { .. } | Self::Merge { .. } => true,
            Self::Branch { is_entered, .. } => *is_entered,
            Self::Commit { .. } => false,
        }
    }

    /// The branch that is worked on besides the one that is checked out.
    pub(super) fn other_branch(&self) -> Option<&str> {
        match self {
            Self::Branch { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// Git itself refuses what lies behind a link; this refuses what leads out of the project by its words.
fn check_paths(paths: &[String]) -> Result<(), Refusal> {
    let is_inside = |path: &String| {
        !path.is_empty()
            && !path.contains('\0')
            && Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    };
    if !paths.is_empty() && paths.len() <= MAX_PATHS && paths.iter().all(is_inside) {
        return Ok(());
    }
    let message = format!(
        "The field paths names 1 to {MAX_PATHS} files or folders from the project's folder, none outside of it."
    );
    Err(Refusal::bad_field("paths", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(message: &str, what: What) -> Operation {
        Operation::Commit { message: message.to_owned(), what, author: None }
    }

    fn paths(paths: &[&str]) -> What {
        What::Paths(paths.iter().map(|path| (*path).to_owned()).collect())
    }

    #[test]
    fn a_message_may_begin_with_a_dash_and_may_not_be_empty() {
        assert!(commit("--amend", What::Staged).check().is_ok());
        for message in ["", " \n", "a\0b"] {
            assert!(commit(message, What::All).check().is_err(), "{message:?}");
        }
    }

    #[test]
    fn paths_stay_inside_of_the_project() {
        for good in ["a.txt", "-x y", "./a", "sub/b", ":(top)a", "*"] {
            assert!(commit("m", paths(&[good])).check().is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../a", "a/../../b", "a\0"] {
            let refusal = commit("m", paths(&["a", bad])).check().unwrap_err();
            assert_eq!(refusal.details.unwrap()["field"], "paths", "{bad:?}");
        }
        assert!(commit("m", paths(&[])).check().is_err());
        assert!(commit("m", paths(&vec!["a"; 1001])).check().is_err());
    }

    #[test]
    fn a_branch_is_not_deleted_and_entered_at_once() {
        let branch = |is_entered, is_deleted| {
            Operation::Branch { name: "x".to_owned(), from: None, is_entered, is_deleted }.check()
        };
        assert!(branch(true, false).is_ok() && branch(false, true).is_ok());
        assert!(branch(true, true).is_err());
    }
}
