//! What Tandem is doing in a tree, written down before it begins, so that the next operation knows what a crash has left.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::index::Kept;

/// Lies in the tree's own git folder while an operation runs.
const FILE: &str = "tandem-operation.json";

/// An operation that runs, or that ran when something died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    /// Carried by all processes of it.
    pub(super) operation: Uuid,
    /// What it is.
    pub(super) name: String,
    /// The branch that it works on.
    pub(super) branch: Option<String>,
    /// Where that stood before the step that runs.
    pub(super) head: Option<String>,
    /// The commit that this step goes to, or takes in.
    pub(super) target: Option<String>,
    /// What was not as in the last commit before; folders end with `/`.
    pub(super) changed: Vec<String>,
    /// How the index was, where it is to be put back.
    #[serde(default)]
    pub(super) index: Option<Kept>,
}

/// What git has not finished in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfinished {
    Rebase {
        branch: Option<String>,
        head: Option<String>,
        onto: Option<String>,
    },
    Merge {
        theirs: String,
    },
    /// Only people begin these.
    Other(&'static str),
}

impl Mark {
    /// What lies in the git folder `own` of a tree. One that cannot be read was not written to its end: nothing had begun.
    pub(super) fn read(own: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(own)).ok()?).ok()
    }

    /// The file in which it lies. It is as old as the step that runs.
    pub(super) fn path(own: &Path) -> PathBuf {
        own.join(FILE)
    }

    /// Puts it down, in place of one that is there. Durable when this returns.
    pub(super) fn write(&self, own: &Path) -> io::Result<()> {
        let beside = own.join(format!("{FILE}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(beside, Self::path(own))?;
        // The name is durable with its folder.
        File::open(own)?.sync_all()
    }

    /// The operation is over.
    pub(super) fn remove(own: &Path) {
        if let Err(error) = fs::remove_file(Self::path(own))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the mark of a git operation cannot be removed");
        }
    }

    /// Whether this operation has begun what is not finished there. Pure.
    pub(super) fn has_begun(&self, unfinished: &Unfinished) -> bool {
        match unfinished {
            Unfinished::Rebase { branch, head, onto } => {
                let own_branch = self.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
                // What git had not written yet when it died contradicts nothing.
                let agrees = |found: &Option<String>, own: &Option<String>| found.is_none() || found == own;
                agrees(branch, &own_branch) && agrees(head, &self.head) && agrees(onto, &self.target)
            }
            Unfinished::Merge { theirs } => self.target.as_ref() == Some(theirs),
            Unfinished::Other(_) => false,
        }
    }

    /// Whether a path was as in the last commit before this operation began.
    pub(super) fn was_clean(&self, path: &str) -> bool {
        !self
            .changed
            .iter()
            .any(|changed| changed == path || (changed.ends_with('/') && path.starts_with(changed)))
    }
}

impl Unfinished {
    /// Looks into the git folder `own` of a tree.
    pub(super) fn find(own: &Path) -> Option<Self> {
        let line = |path: PathBuf| Some(fs::read_to_string(path).ok()?.trim().to_owned());
        let rebase = own.join("rebase-apply");
        if rebase.join("applying").exists() {
            return Some(Self::Other("series of patches"));
        }
        for folder in [own.join("rebase-merge"), rebase] {
            if folder.is_dir() {
                let of = |name: &str| line(folder.join(name));
                return Some(Self::Rebase {
                    branch: of("head-name"),
                    head: of("orig-head"),
                    onto: of("onto"),
                });
            }
        }
        if let Some(theirs) = line(own.join("MERGE_HEAD")) {
            return Some(Self::Merge { theirs });
        }
        let others =
            [("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert"), ("sequencer", "cherry-pick")];
        others.into_iter().find(|(file, _)| own.join(file).exists()).map(|(_, what)| Self::Other(what))
    }

    /// What it is, for a sentence.
    pub(super) const fn in_words(&self) -> &'static str {
        match self {
            Self::Rebase { .. } => "rebase",
            Self::Merge { .. } => "merge",
            Self::Other(what) => what,
        }
    }

    /// The files in which git keeps it.
    pub(super) const fn files(&self) -> &'static [&'static str] {
        match self {
            Self::Rebase { .. } => &["rebase-merge/head-name", "rebase-apply/head-name"],
            Self::Merge { .. } => &["MERGE_HEAD"],
            Self::Other(_) => &[],
        }
    }

    /// How git is told to put everything back.
    pub(super) const fn abort(&self) -> Option<[&'static str; 2]> {
        match self {
            Self::Rebase { .. } => Some(["rebase", "--abort"]),
            Self::Merge { .. } => Some(["merge", "--abort"]),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn mark() -> Mark {
        Mark {
            operation: Uuid::nil(),
            name: "pull".to_owned(),
            branch: text("main"),
            head: text("aa"),
            target: text("bb"),
            changed: vec!["dirty.txt".to_owned(), "new/".to_owned()],
            index: None,
        }
    }

    #[test]
    fn only_what_agrees_with_the_mark_is_ours() {
        let rebase = |branch: &str, head: &str, onto: &str| Unfinished::Rebase {
            branch: text(branch),
            head: text(head),
            onto: text(onto),
        };
        assert!(mark().has_begun(&rebase("refs/heads/main", "aa", "bb")));
        assert!(mark().has_begun(&Unfinished::Rebase { branch: None, head: None, onto: None }));
        assert!(!mark().has_begun(&rebase("refs/heads/other", "aa", "bb")));
        assert!(!mark().has_begun(&rebase("refs/heads/main", "cc", "bb")));
        assert!(!mark().has_begun(&rebase("refs/heads/main", "aa", "cc")));
        assert!(mark().has_begun(&Unfinished::Merge { theirs: "bb".to_owned() }));
        assert!(!mark().has_begun(&Unfinished::Merge { theirs: "cc".to_owned() }));
        assert!(!mark().has_begun(&Unfinished::Other("revert")));
    }

    #[test]
    fn what_was_changed_before_is_known() {
        assert!(mark().was_clean("a.txt"));
        assert!(!mark().was_clean("dirty.txt"));
        assert!(!mark().was_clean("new/file"));
    }

    #[test]
    fn a_mark_is_read_back_and_half_a_mark_is_none() {
        let own = tempfile::tempdir().unwrap();
        assert_eq!(Mark::read(own.path()), None);
        mark().write(own.path()).unwrap();
        assert_eq!(Mark::read(own.path()), Some(mark()));
        fs::write(own.path().join(FILE), "{\"operation\":").unwrap();
        assert_eq!(Mark::read(own.path()), None);
        Mark::remove(own.path());
        Mark::remove(own.path());
        assert!(!own.path().join(FILE).exists());
    }

    #[test]
    fn what_is_not_finished_is_seen() {
        let own = tempfile::tempdir().unwrap();
        assert_eq!(Unfinished::find(own.path()), None);
        fs::write(own.path().join("MERGE_HEAD"), "bb\n").unwrap();
        assert_eq!(Unfinished::find(own.path()), Some(Unfinished::Merge { theirs: "bb".to_owned() }));
        let rebase = own.path().join("rebase-merge");
        fs::create_dir(&rebase).unwrap();
        fs::write(rebase.join("onto"), "bb\n").unwrap();
        let found = Unfinished::Rebase { branch: None, head: None, onto: text("bb") };
        assert_eq!(Unfinished::find(own.path()), Some(found));
    }
}
