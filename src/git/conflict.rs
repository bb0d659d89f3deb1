//! Two histories that do not merge, as people are told of it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tandem_actors::clock::Timestamp;
use tandem_actors::locks::Holder;
use tandem_actors::project::{Conflict, ConflictId, ConflictKind, Side};
use tandem_actors::refusal::{Code, Effect, Refusal};

use super::hunks::{Hunks, MAX_BYTES};
use super::status::{Changes, Clash};

/// What is read of one file: its marked places may lie at its end.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Files that are looked into; more than that nobody reads.
const MAX_FILES: usize = 100;

/// Two histories that do not merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unmerged {
    /// The branch that was to take something in.
    pub(super) branch: String,
    /// Where it stands, in words.
    pub(super) ours: String,
    /// What it was to take in, as people call it.
    pub(super) name: String,
    /// The same in words, with where it stands.
    pub(super) theirs: String,
    /// The files, from the top of the tree.
    pub(super) files: Vec<String>,
    /// Their marked places.
    pub(super) hunks: String,
    /// Whether everything is as it was.
    pub(super) is_undone: bool,
}

impl Unmerged {
    /// The record of it.
    pub(super) fn record(&self, project: &Arc<str>, holder: &Holder, at: Timestamp) -> Conflict {
        let side = |holder: Option<&Holder>, what: &str| Side {
            holder: holder.cloned(),
            what: what.to_owned(),
            hash: None,
            at,
        };
        Conflict {
            conflict_id: ConflictId::of_merge(project, &self.branch, &self.name),
            kind: ConflictKind::GitMerge,
            project_path: project.clone(),
            subject: self.branch.clone(),
            found_at: at,
            ours: side(Some(holder), &self.ours),
            theirs: side(None, &self.theirs),
            base: None,
            hunks: Some(self.hunks.clone()),
            resolution: None,
            resolved_by: None,
        }
    }

    /// The answer to who wanted it.
    pub(super) fn refusal(&self, conflict: Option<ConflictId>) -> Refusal {
        let (state, effect) = if self.is_undone {
            ("Everything is as it was", Effect::None)
        } else {
            ("Not everything is as it was before (look at the tree with `git status`)", Effect::Unknown)
        };
        let sentence = format!(
            "{} and {} do not merge by themselves. {state}; the conflict is on record, and a person decides.",
            self.ours, self.theirs
        );
        let details = json!({ "conflictId": conflict, "branch": self.branch, "files": self.files });
        Refusal { effect, ..Refusal::new(Code::Conflict, sentence).with_details(details) }
    }
}

/// The files that do not merge and their marked places, as they lie in the tree at this moment. Blocks.
pub(super) fn places(top: &Path, changes: &Changes) -> (Vec<String>, String) {
    let mut hunks = Hunks::default();
    for (path, clash) in changes.unmerged().take(MAX_FILES) {
        let is_marked = matches!(clash, Clash::BothChanged | Clash::BothAdded);
        let content = is_marked.then(|| text_of(&top.join(path))).flatten();
        hunks.add(path, clash, content.as_deref());
    }
    let text = hunks.into_text();
    debug_assert!(text.len() <= MAX_BYTES);
    (changes.unmerged().take(MAX_FILES).map(|(path, _)| path.to_owned()).collect(), text)
}

/// What a plain file says; None for links, folders and what is no text.
fn text_of(path: &Path) -> Option<String> {
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    (!text.contains('\0')).then(|| text.into_owned())
}
