//! The facts of a conversation, and how they are kept: [`Event`] is what happened, [`Record`] is its
//! numbered, chained and encoded form in the journal.

mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock::{Stamp, Timestamp};
use crate::content::Content;
use crate::ids::{DeviceId, MessageId, RequestId, Seq, SessionId, UserId};

pub use record::{CannotDecode, ChainHash, Record, Subject};

/// One fact that all devices must agree on; on the wire `kind` and `data` (docs/protocol.md, events).
///
/// The names of variants and fields are the journal's format: a rename breaks every stored conversation.
/// New optional fields and new kinds may be added. `Option` fields that are `None` are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum Event {
    /// The conversation exists; always seq 1.
    SessionCreated {
        project_path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        permission_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        forked_from: Option<ForkPoint>,
    },
    /// Only what changed is named.
    SessionChanged {
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        permission_mode: Option<String>,
    },
    /// A device belongs to the conversation from here on.
    DeviceLinked {
        device_id: DeviceId,
        #[serde(skip_serializing_if = "Option::is_none")]
        device_name: Option<String>,
        #[serde(rename = "kind", skip_serializing_if = "Option::is_none")]
        device_kind: Option<String>,
    },
    /// A device belongs to it no more.
    DeviceUnlinked { device_id: DeviceId, reason: String },
    /// Another device leads from here on, or none. Advisory: no order depends on it.
    PrimaryChanged {
        device_id: Option<DeviceId>,
        reason: PrimaryReason,
        /// Who handed over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    /// Shared keys have other values now: `patch` holds those that won, null for a deleted one.
    StateChanged {
        patch: BTreeMap<String, Value>,
        at: Stamp,
        by: By,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<Conflict>,
        /// The writer's own stamp, where it was too far ahead to count.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claimed: Option<Stamp>,
    },
    /// A message of a person is in the queue and will not be lost.
    MessageAccepted {
        message_id: MessageId,
        device_id: DeviceId,
        user_id: UserId,
        content: Content,
        mode: SubmitMode,
        /// The device's own number of the message, where it gave one.
        #[serde(skip_serializing_if = "Option::is_none")]
        device_seq: Option<u64>,
    },
    /// A queued message says something else now.
    MessageEdited { message_id: MessageId, by: By, content: Content },
    /// A queued message will not run.
    MessageCancelled { message_id: MessageId, by: By },
    /// A queued message stands elsewhere: in front of `before`, or last.
    QueueMoved { message_id: MessageId, by: By, before: Option<MessageId> },
    /// About to be written to the agent; `attempt` counts from 1 and rises when it is written again.
    ///
    /// `made_up` names a turn that no message of a person asked for, for instance `recap`.
    TurnDispatched {
        message_id: MessageId,
        turn: u64,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_up: Option<MadeUp>,
    },
    /// The agent itself has acknowledged the message.
    TurnStarted { message_id: MessageId, turn: u64 },
    /// One line of the agent, verbatim.
    AgentMessage { message: Arc<RawValue> },
    /// The agent waits for a person's leave.
    ApprovalRequested(Approval),
    /// Somebody answered, or the question is gone.
    ApprovalResolved {
        request_id: RequestId,
        decision: Resolution,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<By>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        waited_ms: u64,
    },
    /// The turn is over, whatever became of it.
    TurnEnded {
        message_id: MessageId,
        turn: u64,
        outcome: Outcome,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        duration_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<Value>,
        /// What this turn cost in US dollars.
        #[serde(skip_serializing_if = "Option::is_none")]
        cost_usd: Option<f64>,
        /// Who interrupted it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<By>,
    },
    /// An agent process is ready.
    AgentStarted {
        resumed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// The agent process is gone.
    AgentStopped {
        reason: StopReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// It will expire then, unless somebody does something.
    SessionWarned { expires_at: Timestamp },
    /// The conversation lives until then.
    SessionExtended { expires_at: Timestamp },
    /// Its time is over: the agent is stopped, the conversation kept.
    SessionExpired { expires_at: Timestamp },
    /// It goes on after it had expired.
    SessionRevived { expires_at: Timestamp },
    /// Closed for good; the history stays.
    SessionClosed { by: By },
}

/// Where a fork leaves the older conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkPoint {
    /// The older conversation.
    pub session_id: SessionId,
    /// The last event that both know.
    pub seq: Seq,
}

/// Who did something: a person on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct By {
    /// The device that it came from.
    pub device_id: DeviceId,
    /// The person.
    pub user_id: UserId,
}

/// Two devices wrote the same key without knowing of each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Which key.
    pub key: String,
    /// What it holds now; null when it is deleted.
    pub kept: Value,
    /// What it does not hold, so that a person may bring it back.
    pub dropped: Value,
}

/// Why another device leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrimaryReason {
    /// It was the first one there.
    First,
    /// A person wanted it.
    Handoff,
    /// The one before is not there any more.
    Offline,
}

impl By {
    /// The server itself.
    #[must_use]
    pub fn server() -> Self {
        Self { device_id: DeviceId::server(), user_id: UserId::owner() }
    }
}

/// Whether a message waits for its turn or goes first and ends the running one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitMode {
    /// Last in the queue.
    #[default]
    Queue,
    /// First in the queue, and the running turn is interrupted.
    Now,
}

/// What the agent wants to do and may not do yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The agent's name for the question; the answer carries it.
    pub request_id: RequestId,
    /// The tool, for instance `Bash`.
    pub tool: String,
    /// The tool's input, verbatim.
    pub input: Arc<RawValue>,
    /// One line for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Rules that the agent would remember, verbatim; handed back they mean "for this session".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestions: Option<Arc<RawValue>>,
    /// The tool call that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A person said yes.
    Allow,
    /// A person said no.
    Deny,
    /// The agent no longer asks.
    Withdrawn,
    /// The agent is gone, and its question with it.
    Lost,
}

/// A turn that the server itself asked for. It counts as no activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeUp {
    /// The agent's own `/recap`.
    Recap,
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The agent answered.
    Completed,
    /// The agent, or what it depends on, reported an error.
    Failed,
    /// A person ended it.
    Interrupted,
    /// Nobody knows: the agent died and left no end. The sender may send it again.
    Lost,
}

/// Why an agent process is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Nothing to do for a while.
    Idle,
    /// Another conversation needed its place.
    Evicted,
    /// The conversation expired.
    Expired,
    /// A person closed the conversation.
    Closed,
    /// It ended by itself.
    Crashed,
    /// It did not answer any more.
    Hung,
    /// It took too much memory.
    Memory,
    /// The server stops.
    Shutdown,
}

impl StopReason {
    /// Whether it was not meant to end.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Crashed | Self::Hung | Self::Memory)
    }
}

impl MadeUp {
    /// What the agent is told.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Recap => "/recap",
        }
    }
}
