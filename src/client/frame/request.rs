//! What a device writes. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tandem_actors::clock::Stamp;
use tandem_actors::content::Content;
use tandem_actors::event::SubmitMode;
use tandem_actors::ids::{DeviceId, MessageId, RequestId, Seq, SessionId, UserId};
use tandem_actors::room::Activity;
use tandem_actors::session::Verdict;

/// What a device says first.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "hello", rename_all = "camelCase")]
pub(in crate::client) struct Hello<'a> {
    pub(in crate::client) protocol: u32,
    pub(in crate::client) device_id: &'a DeviceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::client) device_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::client) kind: Option<&'a str>,
}

/// What a device asks for.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(in crate::client) enum Request {
    Subscribe {
        session_id: SessionId,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        hash: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tail: Option<u64>,
    },
    Unsubscribe {
        session_id: SessionId,
    },
    Watch {},
    Submit {
        session_id: SessionId,
        content: Content,
        message_id: MessageId,
        mode: SubmitMode,
    },
    Cancel {
        session_id: SessionId,
        message_id: MessageId,
    },
    Edit {
        session_id: SessionId,
        message_id: MessageId,
        content: Content,
    },
    Move {
        session_id: SessionId,
        message_id: MessageId,
        before: Option<MessageId>,
    },
    Interrupt {
        session_id: SessionId,
        cancel_queued: bool,
    },
    Approve {
        session_id: SessionId,
        request_id: RequestId,
        #[serde(flatten)]
        answer: ApprovalAnswer,
    },
    State {
        session_id: SessionId,
        patch: BTreeMap<String, Value>,
        at: Stamp,
    },
    Handoff {
        session_id: SessionId,
        to_device_id: DeviceId,
    },
    Notify {
        to: NoticeTo,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        exclude: Vec<DeviceId>,
        message: String,
    },
    Unlink {
        session_id: SessionId,
        #[serde(skip_serializing_if = "Option::is_none")]
        device_id: Option<DeviceId>,
    },
    KeepAlive {
        session_id: SessionId,
    },
    Ping {},
}

/// What a device says without being answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(in crate::client) enum Remark {
    Activity {
        session_id: SessionId,
        activity: Activity,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<Value>,
    },
    Ack {
        session_id: SessionId,
        seq: Seq,
    },
}

/// Whom a notice is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum NoticeTo {
    /// One device, connected or not.
    Device {
        /// Which.
        device_id: DeviceId,
    },
    /// All connected devices of a person.
    User {
        /// Whose.
        user_id: UserId,
    },
    /// All connected devices that are linked to a session.
    Session {
        /// Which.
        session_id: SessionId,
    },
    /// Every connected device.
    All {
        /// Always true.
        all: bool,
    },
}

impl NoticeTo {
    /// Every connected device.
    pub const EVERYBODY: Self = Self::All { all: true };
}

/// The fields of `approve` that depend on the answer.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(in crate::client) enum ApprovalAnswer {
    Allow {
        #[serde(skip_serializing_if = "Option::is_none")]
        updated_input: Option<Value>,
        scope: &'static str,
    },
    Deny {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

impl From<Verdict> for ApprovalAnswer {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow { updated_input, for_session } => Self::Allow {
                updated_input: updated_input.and_then(|input| serde_json::from_str(input.get()).ok()),
                scope: if for_session { "session" } else { "once" },
            },
            Verdict::Deny { message } => Self::Deny { message },
        }
    }
}

#[derive(Serialize)]
struct WithReference<'a> {
    #[serde(flatten)]
    request: &'a Request,
    #[serde(rename = "ref")]
    reference: String,
}

/// Writes a request; the answer to it carries the same number.
///
/// # Errors
/// Never for the requests there are: none holds a map whose keys are no strings.
pub(in crate::client) fn encode(request: &Request, number: u64) -> Result<String, serde_json::Error> {
    serde_json::to_string(&WithReference { request, reference: number.to_string() })
}
