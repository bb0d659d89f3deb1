//! Records of conflicts, by what they are about.

use std::sync::Arc;

use serde_json::Value;

use crate::blobs::BlobHash;
use crate::clock::Timestamp;
use crate::event;
use crate::ids::SessionId;
use crate::locks::{Denied, Holder, Resource};
use crate::project::{Conflict, ConflictId, ConflictKind, Resolution, Side};

/// A value is quoted in a record so far; whoever needs all of it reads the state.
const MAX_QUOTED_CHARS: usize = 200;

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

/// Somebody did not get a lock. Nothing is left to decide: whoever has it keeps it, and a person may take it away.
#[must_use]
pub fn lock_denied(
    project: Arc<str>,
    wanted: &[Resource],
    by: Holder,
    denied: &Denied,
    at: Timestamp,
) -> Conflict {
    let subject = wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = if denied.holder.is_some() { "holds it" } else { "nobody in particular holds it" };
    let ours = Version { holder: denied.holder.clone(), what: what.into(), hash: None };
    let theirs = Version { holder: Some(by), what: "wanted it and did not get it".into(), hash: None };
    let sides = (ours.side(denied.since.unwrap_or(at)), theirs.side(at));
    let conflict = open(ConflictKind::ResourceLock, ConflictId::random(), project, subject, sides, at);
    Conflict { resolution: Some(Resolution::Ours), ..conflict }
}

/// Two devices wrote the same key of a session's shared state. The later one has won; the other value may be brought back.
#[must_use]
pub fn state_divergence(
    project: Arc<str>,
    session: SessionId,
    diverged: &event::Conflict,
    at: Timestamp,
) -> Conflict {
    let side = |what: &str, value: &Value| {
        let value: String = value.to_string().chars().take(MAX_QUOTED_CHARS).collect();
        Version { holder: None, what: format!("{what} {value}"), hash: None }.side(at)
    };
    let sides = (side("it holds", &diverged.kept), side("it does not hold", &diverged.dropped));
    let subject = format!("{} of session {session}", diverged.key);
    let conflict = open(ConflictKind::StateDivergence, ConflictId::random(), project, subject, sides, at);
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
    use serde_json::json;

    use super::*;
    use crate::locks::Why;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_lock_that_was_denied_is_settled_already() {
        let phone = Holder::DeviceId("phone".parse().unwrap());
        let session = Holder::SessionId(SessionId::random());
        let denied = Denied { holder: Some(phone.clone()), since: None, until: None, why: Why::TimedOut };
        let wanted = [Resource::file(std::path::Path::new("/p/a.txt"))];
        let conflict = lock_denied("/p".into(), &wanted, session.clone(), &denied, NOW);
        assert_eq!(conflict.subject, "/p/a.txt");
        assert_eq!((conflict.ours.holder, conflict.theirs.holder), (Some(phone), Some(session)));
        assert_eq!(conflict.resolution, Some(Resolution::Ours));
    }

    #[test]
    fn a_value_is_quoted_and_cut() {
        let kept = json!("x".repeat(9_000));
        let diverged = event::Conflict { key: "plan".into(), kept, dropped: json!(2) };
        let conflict = state_divergence("/p".into(), SessionId::random(), &diverged, NOW);
        assert!(conflict.subject.starts_with("plan of session"));
        assert!(conflict.ours.what.chars().count() < 220, "{}", conflict.ours.what);
        assert_eq!(conflict.theirs.what, "it does not hold 2");
    }

    #[test]
    fn a_changed_branch_names_what_was_read() {
        let files: Vec<String> = (0..25).map(|file| format!("{file}.txt")).collect();
        let conflict = context_switch("/p".into(), "refs/heads/x", SessionId::random(), &files, NOW);
        assert!(conflict.theirs.what.ends_with("19.txt and 5 more"), "{}", conflict.theirs.what);
        assert_eq!(conflict.resolution, None);
    }
}
