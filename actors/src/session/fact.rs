//! What a batch means for those who watch the server: counted and logged once it is durable, never with contents. Pure but for that.

use super::state::State;
use crate::event::{Event, Outcome, Resolution, StopReason};
use crate::ids::{DeviceId, MessageId, SessionId};
use crate::metrics::{Metrics, Worded};

/// One of the events that are counted; the others lead to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The session exists.
    Created,
    /// It was cut off, and is brought to rest by so many events.
    Recovered { events: usize },
    /// A device was linked, or the lead has moved: somebody may have to take over.
    LeadMayMove,
    /// A person's message was taken in.
    Accepted { message: MessageId, device: DeviceId },
    /// The agent has taken a message up.
    TurnStarted { turn: u64 },
    /// A turn is over.
    TurnEnded { turn: u64, outcome: Outcome, duration_ms: u64 },
    /// The agent asks.
    Asked,
    /// Its question is settled.
    Resolved { decision: Resolution, waited_ms: u64 },
    /// An agent is ready.
    Started { resumed: bool },
    /// An agent is gone; it may never have been ready.
    Stopped { reason: StopReason, exit_code: Option<i32>, was_ready: bool },
    /// The session's time is over.
    Expired,
    /// It was closed for good.
    Closed,
}

impl Fact {
    /// What an event means, given how things were before it.
    #[must_use]
    pub fn of(event: &Event, before: &State) -> Option<Self> {
        Some(match event {
            Event::SessionCreated { .. } => Self::Created,
            Event::DeviceLinked { .. } | Event::PrimaryChanged { .. } => Self::LeadMayMove,
            Event::MessageAccepted { message_id, device_id, .. } => {
                Self::Accepted { message: *message_id, device: device_id.clone() }
            }
            Event::TurnStarted { turn, .. } => Self::TurnStarted { turn: *turn },
            Event::TurnEnded { turn, outcome, duration_ms, .. } => {
                Self::TurnEnded { turn: *turn, outcome: *outcome, duration_ms: *duration_ms }
            }
            Event::ApprovalRequested(_) => Self::Asked,
            Event::ApprovalResolved { decision, waited_ms, .. } => {
                Self::Resolved { decision: *decision, waited_ms: *waited_ms }
            }
            Event::AgentStarted { resumed, .. } => Self::Started { resumed: *resumed },
            Event::AgentStopped { reason, exit_code, .. } => {
                Self::Stopped { reason: *reason, exit_code: *exit_code, was_ready: before.has_agent }
            }
            Event::SessionExpired { .. } => Self::Expired,
            Event::SessionClosed { .. } => Self::Closed,
            _ => return None,
        })
    }

    /// Counts it.
    pub fn count(&self, metrics: &Metrics) {
        match self {
            Self::Created => metrics.sessions_created.add(1),
            Self::Recovered { events } => metrics.recovery_events.add(*events as u64),
            Self::Accepted { .. } => metrics.messages_accepted.add(1),
            Self::TurnEnded { outcome, .. } => metrics.turns.add(*outcome),
            Self::Asked => metrics.approvals_requested.add(1),
            Self::Resolved { decision, .. } => metrics.approvals_resolved.add(*decision),
            Self::Started { .. } => metrics.agent_start_ended(true),
            Self::Stopped { reason, was_ready: true, .. } => metrics.agent_stops.add(*reason),
            Self::Stopped { .. } => metrics.agent_start_ended(false),
            Self::LeadMayMove | Self::TurnStarted { .. } | Self::Expired | Self::Closed => {}
        }
    }

    /// Logs it: the life of sessions and agents at `info`, each message at `debug`.
    pub fn log(&self, session: SessionId) {
        match self {
            Self::Created => tracing::info!(%session, "session created"),
            Self::Recovered { events } => tracing::info!(%session, events, "session recovered after a stop"),
            Self::LeadMayMove => {}
            Self::Accepted { message, device } => {
                tracing::debug!(%session, %device, %message, "message accepted");
            }
            Self::TurnStarted { turn } => tracing::debug!(%session, turn, "turn started"),
            Self::TurnEnded { turn, outcome, duration_ms } => {
                tracing::debug!(%session, turn, outcome = outcome.word(), duration_ms, "turn ended");
            }
            Self::Asked => tracing::debug!(%session, "approval requested"),
            Self::Resolved { decision, waited_ms } => {
                tracing::debug!(%session, decision = decision.word(), waited_ms, "approval resolved");
            }
            Self::Started { resumed } => tracing::info!(%session, resumed, "agent started"),
            Self::Stopped { reason, exit_code, was_ready } => {
                tracing::info!(%session, reason = reason.word(), exit_code, was_ready, "agent stopped");
            }
            Self::Expired => tracing::info!(%session, "session expired"),
            Self::Closed => tracing::info!(%session, "session closed"),
        }
    }
}
