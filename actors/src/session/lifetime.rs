//! How long a session lives: it is warned, it expires, it is extended, it is revived. Pure.
//!
//! ```text
//!  activity ────────────── 20 h ──────▶ warned ─── 4 h ──▶ expired ──▶ (message, keep-alive) revived
//!     ▲                                    │
//!     └──── activity, keep-alive ──────────┘
//! ```

use super::decide::Policy;
use super::state::State;
use crate::clock::Timestamp;
use crate::event::Event;

/// What has become due, if anything.
#[must_use]
pub fn due(state: &State, now: Timestamp, policy: &Policy) -> Option<Event> {
    if state.is_closed || state.is_expired {
        return None;
    }
    let expires_at = state.expires_at(policy.timeout);
    if now >= expires_at {
        return Some(Event::SessionExpired { expires_at });
    }
    let warns_at = expires_at.plus(-policy.warn_before);
    let is_due = policy.warn_before > chrono::TimeDelta::zero() && now >= warns_at && !state.is_warned;
    is_due.then_some(Event::SessionWarned { expires_at })
}

/// What a person's message does first: an expired session is alive again.
#[must_use]
pub fn revive(state: &State, now: Timestamp, policy: &Policy) -> Option<Event> {
    state.is_expired.then(|| Event::SessionRevived { expires_at: now.plus(policy.timeout) })
}
