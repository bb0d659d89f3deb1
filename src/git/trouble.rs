//! Why an operation did not get through, and how that is said.

use std::path::Path;

use serde::Serialize;
use serde_json::json;
use tandem_actors::refusal::{Code, Effect, Refusal};

use super::conflict::Unmerged;
use super::program::{NotRun, Ran};

/// Why an operation did not get through.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Git said no.
    #[error("git failed")]
    Failed { reason: Reason, sentence: String, code: Option<i32>, words: String },
    /// The operation makes no sense here and now.
    #[error("{sentence}")]
    Refused { reason: Reason, sentence: String },
    /// Two histories do not agree; everything is as it was.
    #[error("{} does not merge", .0.branch)]
    Unmerged(Box<Unmerged>),
    /// There is no repository.
    #[error("not a repository")]
    NotARepository,
    /// Refused in other words already.
    #[error("{0}")]
    Other(Refusal),
    /// Git did not come to an end of its own.
    #[error(transparent)]
    NotRun(#[from] NotRun),
    /// What it was doing may be done in part.
    #[error("{sentence}")]
    InDoubt { reason: Reason, sentence: String, words: String },
}

/// `details.reason` of `git_failed`; stable, programs act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// Changes are in the way that are in no commit.
    UncommittedChanges,
    /// A person's rebase, merge or the like is not finished.
    InProgress,
    /// Somebody else's git works on the index, or has died over it.
    IndexLocked,
    /// Another lock file of git's is in the way; the sentence names it.
    LockFile,
    /// Nothing differs.
    NothingToCommit,
    /// No name and address are configured.
    NoIdentity,
    /// A hook said no.
    Hook,
    /// There is no branch, remote or commit of that name.
    NoSuchName,
    /// There is one already.
    Exists,
    /// It is on no branch.
    DetachedHead,
    /// There is no commit yet.
    NoCommits,
    /// The branch follows one of another name, and where it is to be pushed was not said.
    FollowsAnother,
    /// It cannot be had by going forward.
    Diverged,
    /// The branch holds commits that nothing else holds.
    NotMerged,
    /// The remote has moved at each try.
    RemoteMoved,
    /// The remote does not want it.
    Declined,
    /// The branch's lock was taken away meanwhile.
    LockLost,
    /// What was to be as before is not.
    NotRestored,
    /// It took too long.
    TooLate,
    /// There is no git.
    NoGit,
    /// Something else; its last words say what.
    Other,
}

impl Trouble {
    pub(super) fn refused(reason: Reason, sentence: impl Into<String>) -> Self {
        Self::Refused { reason, sentence: sentence.into() }
    }

    /// What git's own words and exit code say; the tree is as it was.
    pub(super) fn failed(ran: &Ran, visible: &Path) -> Self {
        let (code, words) = (ran.code, ran.words(visible));
        if let Some(file) = lock_file(&ran.stderr, visible) {
            let (reason, sentence) = (Reason::LockFile, lock_file_is_there(&file));
            return Self::Failed { reason, sentence, code, words };
        }
        let (reason, sentence) = sort(&ran.stderr, &String::from_utf8_lossy(&ran.stdout));
        Self::Failed { reason, sentence: sentence.to_owned(), code, words }
    }

    /// Not everything is as it was, and nobody can say more.
    pub(super) fn not_restored() -> Self {
        let sentence = "Git did not do this, and not everything is as it was before. Look at the tree with `git status`.";
        Self::InDoubt { reason: Reason::NotRestored, sentence: sentence.to_owned(), words: String::new() }
    }

    /// The same where not everything could be put back: histories that do not merge are told of in any case.
    pub(super) fn with_something_left(self, left: Self) -> Self {
        match (self, left) {
            (Self::Unmerged(unmerged), _) => {
                Self::Unmerged(Box::new(Unmerged { is_undone: false, ..*unmerged }))
            }
            (_, in_doubt @ Self::InDoubt { .. }) => in_doubt,
            (_, _unseen) => Self::not_restored(),
        }
    }

    /// Whether something may be done in part.
    pub(super) fn is_in_doubt(&self) -> bool {
        match self {
            Self::InDoubt { .. } => true,
            Self::Unmerged(unmerged) => !unmerged.is_undone,
            _ => false,
        }
    }

    /// Whether git did not end by itself, so that it may have left anything half done.
    pub(super) const fn is_of_a_killed_git(&self) -> bool {
        matches!(self, Self::Failed { code: None, .. } | Self::NotRun(NotRun::TooLate(_) | NotRun::Stopped))
    }

    /// The same with a reason that is known better.
    pub(super) fn failed_because(reason: Reason, sentence: &str, ran: &Ran, visible: &Path) -> Self {
        let sentence = sentence.to_owned();
        Self::Failed { reason, sentence, code: ran.code, words: ran.words(visible) }
    }
}

/// The sentence for what git words in this way. What is not in the table is passed on in git's own words.
const SORTS: [(&str, Reason, &str); 15] = [
    ("index.lock", Reason::IndexLocked, INDEX_LOCKED),
    ("would be overwritten", Reason::UncommittedChanges, UNCOMMITTED),
    ("You have unstaged changes", Reason::UncommittedChanges, UNCOMMITTED),
    ("Your index contains uncommitted changes", Reason::UncommittedChanges, UNCOMMITTED),
    ("contains uncommitted changes", Reason::UncommittedChanges, UNCOMMITTED),
    ("Please tell me who you are", Reason::NoIdentity, NO_IDENTITY),
    ("empty ident name", Reason::NoIdentity, NO_IDENTITY),
    ("no email was given", Reason::NoIdentity, NO_IDENTITY),
    ("no name was given", Reason::NoIdentity, NO_IDENTITY),
    ("nothing to commit", Reason::NothingToCommit, NOTHING),
    ("nothing added to commit", Reason::NothingToCommit, NOTHING),
    ("no changes added to commit", Reason::NothingToCommit, NOTHING),
    ("is not fully merged", Reason::NotMerged, NOT_MERGED),
    ("not fully merged", Reason::NotMerged, NOT_MERGED),
    ("did not match any file", Reason::NoSuchName, NO_SUCH_FILE),
];

pub(super) const INDEX_LOCKED: &str = "Another git works on this repository's index, or has died over it. Try again in a moment; if no git runs there any more, remove the file index.lock in its git folder.";
pub(super) const UNCOMMITTED: &str = "Changes that are in no commit are in the way, and nothing is stashed silently. Commit them or put them away first.";
pub(super) const NO_IDENTITY: &str = "Git does not know in whose name to commit. Set user.name and user.email (`git config --global user.email …`).";
pub(super) const NOTHING: &str = "Nothing of what was named differs from the last commit.";
const NOT_MERGED: &str =
    "The branch holds commits that nothing else holds; it is not deleted, so that they are not lost.";
const NO_SUCH_FILE: &str = "Something that paths names is neither in the tree nor in the last commit.";
const OTHER: &str = "Git did not do this; everything is as it was. Its own words say why.";

fn sort(stderr: &str, stdout: &str) -> (Reason, &'static str) {
    let is_said = |words: &str| stderr.contains(words) || stdout.contains(words);
    let known = SORTS.iter().find(|(words, ..)| is_said(words));
    known.map_or((Reason::Other, OTHER), |(_, reason, sentence)| (*reason, *sentence))
}

/// The lock file other than that of the index which git says is there, as far as it may be shown.
fn lock_file(stderr: &str, visible: &Path) -> Option<String> {
    let (_, rest) = stderr.split_once("Unable to create '")?;
    let (path, rest) = rest.split_once('\'')?;
    let is_in_the_way = rest.starts_with(": File exists") && path.ends_with(".lock");
    let path = Some(Path::new(path)).filter(|path| is_in_the_way && !path.ends_with("index.lock"))?;
    let shown = path.strip_prefix(visible).ok().or_else(|| path.file_name().map(Path::new))?;
    Some(shown.display().to_string())
}

fn lock_file_is_there(file: &str) -> String {
    format!(
        "A lock file of git is in the way: `{file}`. Try again in a moment; if no git runs there any more, one has died over it, and the file is yours to remove."
    )
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        let failed = |reason: Reason, sentence: String, code: Option<i32>, words: &str| {
            let details = json!({ "reason": reason, "exitCode": code, "output": words });
            Self::new(Code::GitFailed, sentence).with_details(details)
        };
        match trouble {
            Trouble::Failed { reason, sentence, code, words } => failed(reason, sentence, code, &words),
            Trouble::Refused { reason, sentence } => failed(reason, sentence, None, ""),
            Trouble::InDoubt { reason, sentence, words } => {
                Self { effect: Effect::Unknown, ..failed(reason, sentence, None, &words) }
            }
            Trouble::Unmerged(unmerged) => unmerged.refusal(None),
            Trouble::NotARepository => Self::new(
                Code::NotARepository,
                "There is no git repository with a working tree at this projectPath. Run `git init` there first.",
            ),
            Trouble::Other(refusal) => refusal,
            Trouble::NotRun(NotRun::Start(error)) => {
                tracing::error!(%error, "git cannot be run");
                failed(Reason::NoGit, "The server cannot run git.".to_owned(), None, "")
            }
            Trouble::NotRun(NotRun::TooLate(seconds)) => {
                let sentence = format!("Git had not finished within {seconds} s and was ended.");
                failed(Reason::TooLate, sentence, None, "")
            }
            Trouble::NotRun(NotRun::Stopped) => Self::shutting_down(),
            Trouble::NotRun(NotRun::TooMuch) => {
                failed(Reason::Other, "Git printed more than the server takes.".to_owned(), None, "")
            }
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_words_are_sorted_into_reasons() {
        for (words, reason) in [
            ("fatal: Unable to create '/a/.git/index.lock': File exists.", Reason::IndexLocked),
            (
                "error: Your local changes to the following files would be overwritten by merge:",
                Reason::UncommittedChanges,
            ),
            (
                "error: The following untracked working tree files would be overwritten by checkout:",
                Reason::UncommittedChanges,
            ),
            ("error: cannot rebase: You have unstaged changes.", Reason::UncommittedChanges),
            ("*** Please tell me who you are.", Reason::NoIdentity),
            ("On branch main\nnothing to commit, working tree clean", Reason::NothingToCommit),
            ("error: the branch 'x' is not fully merged", Reason::NotMerged),
            ("something new", Reason::Other),
        ] {
            assert_eq!(sort(words, "").0, reason, "{words}");
            assert_eq!(sort("", words).0, reason, "{words}");
        }
    }

    #[test]
    fn a_lock_file_is_named_as_far_as_it_may_be_shown() {
        let named = |path: &str| {
            let words =
                format!("fatal: cannot lock ref 'HEAD': Unable to create '{path}': File exists.\n\nAnother");
            lock_file(&words, Path::new("/srv/app"))
        };
        assert_eq!(named("/srv/app/.git/HEAD.lock").as_deref(), Some(".git/HEAD.lock"));
        assert_eq!(named("/srv/main/.git/refs/heads/x.lock").as_deref(), Some("x.lock"));
        assert_eq!(named("/srv/app/.git/index.lock"), None);
        assert_eq!(lock_file("Unable to create '/a/b': Permission denied", Path::new("/")), None);
    }

    #[test]
    fn a_refusal_says_how_git_ended() {
        let ran = Ran { code: Some(128), stdout: Vec::new(), stderr: "fatal: no\n".to_owned() };
        let refusal = Refusal::from(Trouble::failed(&ran, Path::new("/p")));
        assert_eq!((refusal.code, refusal.effect), (Code::GitFailed, Effect::None));
        assert_eq!(
            refusal.details.unwrap(),
            json!({"reason": "other", "exitCode": 128, "output": "fatal: no"})
        );
    }
}
