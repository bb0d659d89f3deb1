//! Two that got in each other's way: what a person is shown, and how it was settled.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::event::By;
use crate::locks::Holder;

/// The name of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConflictId(pub Uuid);

/// What sort of conflict it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Two wrote the same file.
    FileEdit,
    /// Two histories of a branch do not merge by themselves.
    GitMerge,
    /// A file or branch became another one under the hands of a conversation.
    ContextSwitch,
    /// Two wanted the same lock, and one of them in vain.
    ResourceLock,
    /// What a conversation goes on from after its own write is not what is there.
    StateDivergence,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Who; none for a program that nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// What they did, in a sentence.
    pub what: String,
    /// SHA-256 of the content that they wrote or wanted to write, in hexadecimal; it can be fetched as a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A conflict, from when it was found until it is settled, and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Its name.
    pub conflict_id: ConflictId,
    /// What sort it is.
    #[serde(rename = "conflictType")]
    pub kind: ConflictKind,
    /// In which project; canonical.
    pub project_path: Arc<str>,
    /// What it is about: a path within the project, a branch, a key.
    pub subject: String,
    /// When it was found.
    pub found_at: Timestamp,
    /// What is there.
    pub ours: Side,
    /// What was to be there, or has come to be.
    pub theirs: Side,
    /// SHA-256 of what both began from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The places that do not fit, as a merge marks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<String>,
    /// How it was settled; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Who settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<By>,
}

/// How a conflict was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// What is there stays.
    Ours,
    /// What was to be there is there now.
    Theirs,
    /// Both are in it.
    Merged,
    /// It went away by itself: whoever was in the way has gone.
    Waited,
}

/// What a session did whose file became another one: it was told of after the fact, and wanted nothing.
pub const KNEW_ANOTHER: &str = "had read or written another version";

/// The same, of a session that had only begun to.
pub const HOLDS_ITS_LOCK: &str = "holds the lock of it";

impl Conflict {
    /// Whether it is only about what a conversation knows: that ends with the conversation, and with the server.
    #[must_use]
    pub fn is_of_what_was_known(&self) -> bool {
        match self.kind {
            ConflictKind::ContextSwitch => true,
            ConflictKind::FileEdit => [KNEW_ANOTHER, HOLDS_ITS_LOCK].contains(&&*self.theirs.what),
            ConflictKind::GitMerge | ConflictKind::ResourceLock | ConflictKind::StateDivergence => false,
        }
    }
}

impl ConflictId {
    /// A new one; later ones are larger.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// That of a branch which does not take something in: the same one, however often that is tried.
    #[must_use]
    pub fn of_merge(project: &str, branch: &str, theirs: &str) -> Self {
        const NAMESPACE: Uuid = uuid::uuid!("5b1f8a52-6c0d-4f0e-9d38-2f6f3f0c7a11");
        // No path and no name in git holds NUL.
        Self(Uuid::new_v5(&NAMESPACE, format!("{project}\0{branch}\0{theirs}").as_bytes()))
    }
}

impl FromStr for ConflictId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

impl fmt::Display for ConflictId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
