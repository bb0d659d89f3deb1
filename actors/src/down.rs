//! Death notices: an actor that goes away, however it does, tells its supervisor.
//!
//! `actix::Supervisor` neither survives a panic nor rebuilds state (docs/architecture.md), so supervision is ours.

use actix::{Message, Recipient};

use crate::ids::SessionId;

/// A session's actor is gone.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Down {
    /// Which session.
    pub session: SessionId,
    /// Which of its actors: an older notice says nothing about a newer actor.
    pub incarnation: u64,
    /// Whether it panicked.
    pub panicked: bool,
}

/// Held by an actor; tells of its end by being dropped, so that no way out can forget to.
#[derive(Debug)]
pub struct DownGuard {
    session: SessionId,
    incarnation: u64,
    supervisor: Recipient<Down>,
}

impl DownGuard {
    /// Promises a notice to the supervisor.
    #[must_use]
    pub fn new(session: SessionId, incarnation: u64, supervisor: Recipient<Down>) -> Self {
        Self { session, incarnation, supervisor }
    }
}

impl Drop for DownGuard {
    #[expect(
        clippy::disallowed_methods,
        reason = "losing a notice is worse than a queue of one notice per actor"
    )]
    fn drop(&mut self) {
        let down =
            Down { session: self.session, incarnation: self.incarnation, panicked: std::thread::panicking() };
        self.supervisor.do_send(down);
    }
}
