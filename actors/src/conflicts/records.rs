//! Records of conflicts, by what they are about.

use std::sync::Arc;

use crate::blobs::BlobHash;
use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::locks::{Denied, Holder};
use crate::project::{Conflict, ConflictId, ConflictKind, Resolution, Side};

/// How many files of a changed branch are named.
const MAX_NAMED_FILES: usize = 20;

/// Two versions of one file.
#[derive(Debug, Clone)]
pub struct FileEdit {
    /// In which project; canonical.
    pub project: Arc<str>,
    /// Within the project.
    pub file: String,
    /// What both began from.
    pub base: Option<BlobHash>,
    /// What is there.
    pub ours: Version,
    /// What was to be there.
    pub theirs: Version,
}

/// One of two versions.
#[derive(Debug, Clone)]
pub struct Version {
    /// Whose it is; none for a program that nobody knows.
    pub holder: Option<Holder>,
    /// What that one did, in a sentence.
    pub what: String,
    /// The content; none where there is no file.
    pub hash: Option<BlobHash>,
}

impl Version {
    fn side(self, at: Timestamp) -> Side {
        Side { holder: self.holder, what: self.what, hash: self.hash.map(|hash| hash.to_string()), at }
    }
}

/// Two wrote the same file, or one wrote over what another had read.
#[must_use]
pub fn file_edit(edit: FileEdit, id: ConflictId, at: Timestamp) -> Conflict {
    let FileEdit { project, file, base, ours, theirs } = edit;
    let base = base.map(|hash| hash.to_string());
    Conflict { base, ..open(ConflictKind::FileEdit, id, project, file, (ours.side(at), theirs.side(at)), at) }
}

/// Another branch came under the hands of a conversation; `files` are those that it had read, within the project.
#[must_use]
pub fn context_switch(
    project: Arc<str>,
    head: &str,
    session: SessionId,
    files: &[String],
    at: Timestamp,
) -> Conflict {
    let named = files.iter().take(MAX_NAMED_FILES).cloned().collect::<Vec<_>>().join(", ");
    let more = files.len().saturating_sub(MAX_NAMED_FILES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let ours = Version { holder: None, what: format!("changed to {head}"), hash: None };
    let what = format!("had read other versions of {named}{more}");
    let theirs = Version { holder: Some(Holder::SessionId(session)), what, hash: None };
    let sides = (ours.side(at), theirs.side(at));
    open(ConflictKind::ContextSwitch, ConflictId::random(), project, head.to_owned(), sides, at)
}

/// Somebody did not get a lock; `what` came of that. Nothing is left to decide: whoever has it keeps it, and a person may
/// take it away.
#[must_use]
pub fn lock_denied(
    project: Arc<str>,
    subject: String,
    by: Holder,
    denied: &Denied,
    what: &str,
    at: Timestamp,
) -> Conflict {
    let held = if denied.holder.is_some() { "holds it" } else { "nobody in particular holds it" };
    let ours = Version { holder: denied.holder.clone(), what: held.to_owned(), hash: None };
    let theirs = Version { holder: Some(by), what: what.to_owned(), hash: None };
    let sides = (ours.side(denied.since.unwrap_or(at)), theirs.side(at));
    let conflict = open(ConflictKind::ResourceLock, ConflictId::random(), project, subject, sides, at);
    Conflict { resolution: Some(Resolution::Ours), ..conflict }
}

fn open(
    kind: ConflictKind,
    conflict_id: ConflictId,
    project_path: Arc<str>,
    subject: String,
    (ours, theirs): (Side, Side),
    found_at: Timestamp,
) -> Conflict {
    Conflict {
        conflict_id,
        kind,
        project_path,
        subject,
        found_at,
        ours,
        theirs,
        base: None,
        hunks: None,
        resolution: None,
        resolved_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::Why;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_lock_that_was_denied_is_settled_already() {
        let phone = Holder::DeviceId("phone".parse().unwrap());
        let session = Holder::SessionId(SessionId::random());
        let denied = Denied { holder: Some(phone.clone()), since: None, until: None, why: Why::TimedOut };
        let conflict = lock_denied("/p".into(), "a.txt".into(), session.clone(), &denied, "waited", NOW);
        assert_eq!(conflict.subject, "a.txt");
        assert_eq!((conflict.ours.holder, conflict.theirs.holder), (Some(phone), Some(session)));
        assert_eq!(conflict.resolution, Some(Resolution::Ours));
    }

    #[test]
    fn a_changed_branch_names_what_was_read() {
        let files: Vec<String> = (0..25).map(|file| format!("{file}.txt")).collect();
        let conflict = context_switch("/p".into(), "refs/heads/x", SessionId::random(), &files, NOW);
        assert!(conflict.theirs.what.ends_with("19.txt and 5 more"), "{}", conflict.theirs.what);
        assert_eq!(conflict.resolution, None);
    }
}
