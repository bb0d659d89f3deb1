//! Locks between conversations that share files, branches and databases: a pure table of leases, and what guards with it.
//!
//! Times are milliseconds of a clock that never goes back; the table is told what time it is and looks at no clock.

mod fact;
mod keeper;
mod resource;
mod table;
mod tree;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, SessionId};

pub use fact::{Fact, Named, Reason};
pub use keeper::{Answer, Denied, Held, Keeper, Lease, Life, Pending, Request, Verdict, Why};
pub use resource::{Kind, Resource};
pub use table::{Ask, Ended, Entry, Grant, News, Outcome, Table, Waiting};

/// Whether others may hold the same thing beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nobody else.
    #[default]
    Exclusive,
    /// Others who share.
    Shared,
}

/// Who holds a lock: a conversation for its agent, or a device for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// The agent of a session.
    SessionId(SessionId),
    /// A person's device, or a program.
    DeviceId(DeviceId),
}

/// A request for locks, from when it comes in until its last lock is given back. Later ones are larger: they wait behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

/// A number that rises with every grant, over restarts too: what checks it takes nothing from a holder that is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fence(pub u64);

/// A moment, in milliseconds of the server's steady clock.
pub type Millis = u64;

/// Who waits for whom, in a ring.
pub type Cycle = Arc<[Holder]>;

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionId(session) => write!(out, "session {session}"),
            Self::DeviceId(device) => write!(out, "device {device}"),
        }
    }
}
