//! A session as devices see it at one moment (docs/protocol.md, session state), and as the list shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shared_state::SharedValue;
use crate::clock::Timestamp;
use crate::content::Content;
use crate::event::{Approval, ChainHash};
use crate::ids::{DeviceId, MessageId, Seq, SessionId};
use crate::room::Activity;

/// The whole state of a session as of `head`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub struct View {
    /// The last event that is in it; sent beside the state and not inside it.
    #[serde(skip)]
    pub head: Seq,
    #[serde(skip)]
    pub hash: Option<ChainHash>,
    pub session_id: SessionId,
    pub project_path: String,
    pub title: Option<String>,
    pub model: Option<String>,
    pub permission_mode: Option<String>,
    pub status: Status,
    pub agent: AgentView,
    pub queue: Vec<QueuedView>,
    pub turn: Option<TurnView>,
    pub approvals: Vec<Approval>,
    pub devices: Vec<DeviceView>,
    pub primary_device_id: Option<DeviceId>,
    pub shared: BTreeMap<String, SharedValue>,
    pub created_at: Timestamp,
    pub last_activity_at: Timestamp,
    pub expires_at: Timestamp,
    pub turns: u64,
    pub messages: u64,
    pub cost_usd: f64,
    pub usage: BTreeMap<String, u64>,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Status {
    #[default]
    Idle,
    Running,
    WaitingForApproval,
    WaitingForSlot,
    Expired,
    Closed,
}

impl Status {
    /// Whether there is something that goes on by itself.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Running | Self::WaitingForApproval | Self::WaitingForSlot)
    }

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::Running,
        Self::WaitingForApproval,
        Self::WaitingForSlot,
        Self::Expired,
        Self::Closed,
    ];

    /// As on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::WaitingForApproval => "waiting_for_approval",
            Self::WaitingForSlot => "waiting_for_slot",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }
}

/// The agent process of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct AgentView {
    pub state: AgentState,
    pub pid: Option<u32>,
    pub memory_bytes: Option<u64>,
    pub version: Option<String>,
    /// Why no agent is started, and what a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Whether there is a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum AgentState {
    #[default]
    None,
    Starting,
    Ready,
    Stopping,
}

/// A message that waits.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct QueuedView {
    pub message_id: MessageId,
    pub device_id: DeviceId,
    pub content: Content,
    pub mode: crate::event::SubmitMode,
}

/// The turn that runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnView {
    /// Whose message it answers.
    pub message_id: MessageId,
    /// 1, 2, …
    pub turn: u64,
    /// When the agent took it up; none while it is on its way there.
    pub started_at: Option<Timestamp>,
    /// The answer as it grows: what is not in an `agent_message` yet.
    pub text: String,
}

/// A linked device.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct DeviceView {
    pub device_id: DeviceId,
    pub device_name: Option<String>,
    pub kind: Option<String>,
    pub online: bool,
    pub activity: Option<Activity>,
    pub acked_seq: Seq,
    /// Where the person is in the client, by its last word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Arc<Value>>,
}

/// A session in the list. Written beside every append, so that the list needs no session to be loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub struct Summary {
    pub session_id: SessionId,
    pub project_path: String,
    pub title: Option<String>,
    pub status: Status,
    pub head: Seq,
    pub created_at: Timestamp,
    pub last_activity_at: Timestamp,
    pub expires_at: Timestamp,
    pub turns: u64,
    pub messages: u64,
    pub queued: usize,
    pub approvals: usize,
    /// How many things there were that a person wants to know of: ended turns, questions of the agent.
    #[serde(default)]
    pub notable: u64,
    pub cost_usd: f64,
    pub devices: Vec<DeviceId>,
    /// Which of them are online; put in by the list, and never true on disk.
    #[serde(default)]
    pub online: Vec<DeviceId>,
    /// The agent's process, while there is one. Stale after a crash of the server.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Whether it was said that it will expire, since the last activity.
    #[serde(default)]
    pub is_warned: bool,
}
