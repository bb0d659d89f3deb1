//! What clients are answered of locks, as it goes over the wire.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::locks::{Cycle, Fence, Held, Holder, Kind, Mode, Reason, Why};

/// The answer to what a client asked of a lock (docs/protocol.md, projects).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum LockAnswer {
    /// It is yours.
    LockAcquired {
        resource_id: String,
        lock_type: Kind,
        mode: Mode,
        fence: Fence,
        expires_at: Timestamp,
        enforced: bool,
    },
    /// It is not.
    LockDenied {
        resource_id: String,
        lock_type: Kind,
        holder: Option<Holder>,
        since: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        reason: Reason,
        #[serde(skip_serializing_if = "Option::is_none")]
        cycle: Option<Cycle>,
    },
    /// It is yours for longer.
    #[serde(rename = "ok")]
    Renewed { expires_at: Timestamp, fence: Fence },
    /// It is yours no more.
    #[serde(rename = "ok")]
    Released,
}

/// A lock in a list: who holds or wants what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockEntry {
    /// In which project.
    pub project_path: std::sync::Arc<str>,
    /// What, as it can be asked for.
    pub resource_id: String,
    /// What sort of thing it is.
    pub lock_type: Kind,
    /// Alone, or with others.
    pub mode: Mode,
    /// Who holds it, or waits for it.
    pub holder: Holder,
    /// Whether it is waited for and not held.
    pub is_waiting: bool,
    /// Its number, if it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<Fence>,
    /// Since when it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until when, unless it is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl LockAnswer {
    pub(super) fn denied(
        resource_id: String,
        lock_type: Kind,
        holder: Option<Holder>,
        since: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        why: &Why,
    ) -> Self {
        let cycle = match why {
            Why::Deadlock(cycle) => Some(cycle.clone()),
            _ => None,
        };
        Self::LockDenied { resource_id, lock_type, holder, since, expires_at, reason: why.reason(), cycle }
    }
}

impl LockEntry {
    /// One for each thing that a request is about.
    pub(super) fn of(held: &Held) -> impl Iterator<Item = Self> + '_ {
        held.wants.iter().map(|(resource, mode)| Self {
            project_path: held.project.clone(),
            resource_id: resource.id(),
            lock_type: resource.kind(),
            mode: *mode,
            holder: held.holder.clone(),
            is_waiting: held.fence.is_none(),
            fence: held.fence,
            since: held.since,
            expires_at: held.until,
        })
    }
}
