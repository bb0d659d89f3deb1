//! In which order sessions are shown. Pure.

use std::cmp::Reverse;

use clap::ValueEnum;
use tandem_actors::session::Status;

use crate::overview::report::SessionEntry;

/// By which column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// What needs a person first, then what works, then what rests
    Status,
    /// By name
    Project,
    /// The largest first
    Memory,
    /// The longest first
    Queue,
    /// The most first
    Turns,
    /// The dearest first
    Cost,
    /// The latest first
    Activity,
    /// The soonest first
    Expires,
}

impl Order {
    const ALL: [Self; 8] = [
        Self::Status,
        Self::Project,
        Self::Memory,
        Self::Queue,
        Self::Turns,
        Self::Cost,
        Self::Activity,
        Self::Expires,
    ];

    /// The one to the right, and behind the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// The one to the left.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
    }

    /// Puts sessions in order; what is equal keeps its place.
    pub fn sort(self, sessions: &mut [&SessionEntry]) {
        match self {
            Self::Status => sessions.sort_by_key(|session| urgency(session.status)),
            Self::Project => sessions.sort_by(|one, other| one.project_path.cmp(&other.project_path)),
            Self::Memory => sessions.sort_by_key(|session| Reverse(session.memory_bytes)),
            Self::Queue => sessions.sort_by_key(|session| Reverse(session.queued)),
            Self::Turns => sessions.sort_by_key(|session| Reverse(session.turns)),
            Self::Cost => sessions.sort_by(|one, other| other.cost_usd.total_cmp(&one.cost_usd)),
            Self::Activity => sessions.sort_by_key(|session| Reverse(session.last_activity_at)),
            Self::Expires => sessions.sort_by_key(|session| {
                (matches!(session.status, Status::Expired | Status::Closed), session.expires_at)
            }),
        }
    }
}

fn urgency(status: Status) -> u8 {
    match status {
        Status::WaitingForApproval => 0,
        Status::WaitingForSlot => 1,
        Status::Running => 2,
        Status::Idle => 3,
        Status::Expired => 4,
        Status::Closed => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_right_and_left_ends_where_it_began() {
        for order in Order::ALL {
            assert_eq!(order.next().previous(), order);
        }
        assert_eq!(Order::Expires.next(), Order::Status);
    }
}
