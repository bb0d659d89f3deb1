//! What people who look at a project are told of its locks.

use serde::{Deserialize, Serialize};

use super::keeper::{Denied, Lease, Why};
use super::{Ended, Fence, Holder, Kind, Mode, Resource, Waiting};
use crate::clock::Timestamp;

/// Something that happened to a lock; on the wire `kind` and `data` (docs/protocol.md, projects).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum Fact {
    /// Somebody holds these now.
    LockAcquired { holder: Holder, locks: Vec<Named>, fence: Fence, expires_at: Timestamp },
    /// Somebody waits for these.
    LockWaiting { holder: Holder, locks: Vec<Named>, position: usize, behind: Holder },
    /// Somebody did not get these.
    LockDenied {
        holder: Holder,
        locks: Vec<Named>,
        reason: Reason,
        #[serde(skip_serializing_if = "Option::is_none")]
        held_by: Option<Holder>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cycle: Option<Vec<Holder>>,
    },
    /// Somebody holds these no more.
    LockReleased {
        holder: Holder,
        locks: Vec<Named>,
        #[serde(skip_serializing_if = "Option::is_none")]
        fence: Option<Fence>,
        /// Who took them away.
        #[serde(skip_serializing_if = "Option::is_none")]
        forced_by: Option<Holder>,
    },
    /// Somebody did not renew these in time.
    LockExpired {
        holder: Holder,
        locks: Vec<Named>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fence: Option<Fence>,
    },
}

/// A resource as the wire names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// As clients name it.
    pub resource_id: String,
    /// What sort of thing it is.
    pub lock_type: Kind,
    /// Whether it is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// Why somebody did not get a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Reason {
    Busy,
    TimedOut,
    Deadlock,
    QueueFull,
    Withdrawn,
    Storage,
}

impl Fact {
    pub(super) fn acquired(lease: &Lease, holder: &Holder, wants: &[(Resource, Mode)]) -> Self {
        let named = |(resource, mode): &(Resource, Mode)| Named { mode: Some(*mode), ..Named::of(resource) };
        Self::LockAcquired {
            holder: holder.clone(),
            locks: wants.iter().map(named).collect(),
            fence: lease.fence,
            expires_at: lease.until,
        }
    }

    pub(super) fn waiting(waiting: &Waiting, holder: &Holder, resources: &[Resource]) -> Self {
        Self::LockWaiting {
            holder: holder.clone(),
            locks: resources.iter().map(Named::of).collect(),
            position: waiting.position,
            behind: waiting.holder.clone(),
        }
    }

    pub(super) fn denied(denied: &Denied, holder: &Holder, resources: &[Resource]) -> Self {
        let cycle = match &denied.why {
            Why::Deadlock(cycle) => Some(cycle.to_vec()),
            _ => None,
        };
        Self::LockDenied {
            holder: holder.clone(),
            locks: resources.iter().map(Named::of).collect(),
            reason: denied.why.reason(),
            held_by: denied.holder.clone(),
            cycle,
        }
    }

    pub(super) fn released(ended: &Ended, forced_by: Option<&Holder>) -> Self {
        Self::LockReleased {
            holder: ended.holder.clone(),
            locks: ended.resources.iter().map(Named::of).collect(),
            fence: ended.fence,
            forced_by: forced_by.cloned(),
        }
    }

    pub(super) fn expired(ended: &Ended) -> Self {
        let locks = ended.resources.iter().map(Named::of).collect();
        Self::LockExpired { holder: ended.holder.clone(), locks, fence: ended.fence }
    }
}

impl Named {
    fn of(resource: &Resource) -> Self {
        Self { resource_id: resource.id(), lock_type: resource.kind(), mode: None }
    }
}

impl Why {
    /// The word on the wire.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Busy => Reason::Busy,
            Self::TimedOut => Reason::TimedOut,
            Self::Deadlock(_) => Reason::Deadlock,
            Self::Full => Reason::QueueFull,
            Self::Gone => Reason::Withdrawn,
            Self::Storage => Reason::Storage,
        }
    }
}
