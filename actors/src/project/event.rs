//! What is told in a project, as it is journalled and sent.

use serde::{Deserialize, Serialize};

use super::conflict::{Conflict, ConflictId, Resolution};
use super::enforcement::Enforcement;
use crate::event::By;
use crate::ids::SessionId;
use crate::locks::{Fact, Holder};

/// One fact about a project; on the wire `kind` and `data` (docs/protocol.md, projects). As for
/// [`crate::event::Event`], names are the journal's format.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProjectEvent {
    /// About a lock.
    Lock(Fact),
    /// About everything else.
    Other(Happening),
}

/// See [`ProjectEvent`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum Happening {
    /// A file has other content.
    FileChanged {
        /// Within the project.
        file_path: String,
        change_type: ChangeType,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<String>,
        /// Who did it; none for a program that nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<Holder>,
    },
    /// Two got in each other's way.
    ConflictDetected(Box<Conflict>),
    /// And it is settled.
    ConflictResolved { conflict_id: ConflictId, resolution: Resolution, by: Option<By> },
    /// A conversation works here.
    SessionConnected { session_id: SessionId, role: Role },
    /// It does not any more.
    SessionDisconnected { session_id: SessionId },
    /// It has another role.
    RoleChanged { session_id: SessionId, role: Role },
    /// Agents are held to the locks in another way.
    EnforcementChanged { enforcement: Enforcement, by: By },
    /// So many events about locks and files are missing before this one: they came faster than the disk took them.
    FactsDropped { count: u64 },
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ChangeType {
    Created,
    Modified,
    Deleted,
}

/// What a conversation is in its project. Advisory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The oldest one there.
    Primary,
    /// Any other.
    Secondary,
}

impl From<Fact> for ProjectEvent {
    fn from(fact: Fact) -> Self {
        Self::Lock(fact)
    }
}

impl From<Happening> for ProjectEvent {
    fn from(happening: Happening) -> Self {
        Self::Other(happening)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_kinds_are_kind_and_data_and_are_read_back() {
        let changed = json!({"kind": "file_changed", "data": {"filePath": "a.txt", "changeType": "modified", "hash": "ab"}});
        let expired = json!({"kind": "lock_expired", "data": {"holder": {"deviceId": "phone"}, "locks": [], "fence": 7}});
        for value in [changed, expired] {
            let event: ProjectEvent = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&event).unwrap(), value);
        }
    }
}
