//! What the server sends, apart from events and signals, which the tail of each session encodes.

use serde::Serialize;
use serde_json::Value;
use tandem_actors::clock::{Stamp, Timestamp};
use tandem_actors::device::{Reply, SubscribedProject};
use tandem_actors::ids::{ConnectionId, DeviceId, Epoch, MessageId, Seq, SessionId, UserId};
use tandem_actors::notice::{Delivery, Notice};
use tandem_actors::project::LockAnswer;
use tandem_actors::refusal::Refusal;
use tandem_actors::registry::Listed;
use tandem_actors::session::{Answer, View};

use crate::ws::frame;

/// One frame; the fields are the wire's own (docs/protocol.md).
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(in crate::ws) enum ServerFrame<'a> {
    /// The answer to `hello`.
    Welcome(Welcome<'a>),
    /// The start of a session's events.
    Subscribed { session_id: SessionId, epoch: &'a Epoch, head: Seq, from: Seq, reset: bool, state: &'a View },
    /// The start of a project's events.
    SubscribedProject(&'a SubscribedProject),
    /// The list of sessions.
    SessionList { sessions: &'a [Listed] },
    /// One of them has changed.
    SessionSummary { session: &'a Listed },
    /// The message is durable.
    Accepted { message_id: MessageId, seq: Seq, duplicate: bool },
    /// Done.
    Ok {
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Stamp>,
        #[serde(flatten)]
        more: Option<&'a Value>,
    },
    /// What became of a notice.
    #[serde(rename = "ok")]
    Notified(Delivery),
    /// A word from another device.
    Notice(&'a Notice),
    /// Here.
    Pong { server_time: Timestamp },
    /// A command was refused.
    Rejected { error: &'a Refusal },
    /// Something was wrong that is no command.
    Error { error: &'a Refusal },
    /// The last frame before a close.
    Goodbye(Goodbye<'a>),
    /// What became of a request for a lock.
    #[serde(untagged)]
    Lock(&'a LockAnswer),
}

/// What a device must know about the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::ws) struct Welcome<'a> {
    pub(in crate::ws) protocol: u32,
    pub(in crate::ws) connection_id: ConnectionId,
    pub(in crate::ws) device_id: &'a DeviceId,
    pub(in crate::ws) user_id: &'a UserId,
    pub(in crate::ws) server_time: Timestamp,
    pub(in crate::ws) heartbeat_seconds: u64,
    pub(in crate::ws) max_message_bytes: usize,
}

/// Why the connection ends.
#[derive(Debug, Serialize)]
pub(in crate::ws) struct Goodbye<'a> {
    /// Stable; programs act on it.
    pub(in crate::ws) code: &'a str,
    /// A sentence for a person.
    pub(in crate::ws) reason: &'a str,
    /// Whether to connect again and go on.
    pub(in crate::ws) resume: bool,
}

#[derive(Serialize)]
struct WithReference<'a> {
    #[serde(flatten)]
    frame: &'a ServerFrame<'a>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
}

impl<'a> ServerFrame<'a> {
    /// The frame for an answer of the Device actor.
    pub(in crate::ws) fn answering(reply: &'a Reply, now: Timestamp) -> Self {
        match reply {
            Reply::Subscribed { session, epoch, head, from, reset, state } => Self::Subscribed {
                session_id: *session,
                epoch,
                head: *head,
                from: *from,
                reset: *reset,
                state,
            },
            Reply::SubscribedProject(subscribed) => Self::SubscribedProject(subscribed),
            Reply::Lock(answer) => Self::Lock(answer),
            Reply::SessionList(sessions) => Self::SessionList { sessions },
            Reply::Answer(Answer::Accepted { message_id, seq, duplicate }) => {
                Self::Accepted { message_id: *message_id, seq: *seq, duplicate: *duplicate }
            }
            Reply::Answer(Answer::Extended { expires_at }) => {
                Self::Ok { expires_at: Some(*expires_at), seq: None, at: None, more: None }
            }
            Reply::Answer(Answer::StateSet { seq, at }) => {
                Self::Ok { expires_at: None, seq: Some(*seq), at: Some(*at), more: None }
            }
            // No frame asks for a view alone.
            Reply::Answer(Answer::Done | Answer::View(_)) | Reply::Ok => Self::ok(None),
            Reply::Notified(delivery) => Self::Notified(*delivery),
            Reply::OkWith(more) => Self::ok(Some(more)),
            Reply::Pong => Self::Pong { server_time: now },
            Reply::Rejected(error) => Self::Rejected { error },
            Reply::Error(error) => Self::Error { error },
        }
    }

    /// Appends the frame, ready for the wire.
    pub(in crate::ws) fn write(&self, reference: Option<&str>, out: &mut Vec<u8>) {
        let with_reference = WithReference { frame: self, reference };
        match serde_json::to_vec(&with_reference) {
            Ok(payload) => frame::encode(&payload, out),
            // Only a map whose keys are no strings cannot be written, and no frame holds one.
            Err(error) => tracing::error!(%error, "a frame could not be written"),
        }
    }

    fn ok(more: Option<&'a Value>) -> Self {
        Self::Ok { expires_at: None, seq: None, at: None, more }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::json;
    use serde_json::value::RawValue;
    use tandem_actors::event::{Approval, By};
    use tandem_actors::locks::{Fence, Holder, Kind, Mode, Reason};
    use tandem_actors::project::Enforcement;
    use tandem_actors::refusal::Code;
    use tandem_actors::session::{AgentView, Status, Summary};

    use super::*;

    const ID: &str = "0197a2c4-0000-7000-8000-000000000001";
    const NOON: &str = "2026-01-01T12:00:00.000Z";

    fn noon() -> Timestamp {
        serde_json::from_value(json!(NOON)).unwrap()
    }

    fn text_of(frame: &ServerFrame<'_>, reference: Option<&str>) -> String {
        let mut frames = Vec::new();
        frame.write(reference, &mut frames);
        let payload = frame::payloads(&frames.into()).next().unwrap();
        String::from_utf8(payload.to_vec()).unwrap()
    }

    fn answer(reply: &Reply) -> String {
        text_of(&ServerFrame::answering(reply, noon()), Some("r1"))
    }

    fn summary() -> Summary {
        Summary {
            session_id: ID.parse().unwrap(),
            project_path: "/p".into(),
            title: None,
            status: Status::Idle,
            head: 3,
            created_at: noon(),
            last_activity_at: noon(),
            expires_at: noon(),
            turns: 1,
            messages: 1,
            queued: 0,
            approvals: 0,
            notable: 4,
            cost_usd: 0.5,
            devices: vec!["phone".parse().unwrap()],
            online: vec!["phone".parse().unwrap()],
            pid: None,
            is_warned: false,
        }
    }

    #[test]
    fn welcome() {
        let welcome = ServerFrame::Welcome(Welcome {
            protocol: 1,
            connection_id: ID.parse().unwrap(),
            device_id: &"phone-1".parse().unwrap(),
            user_id: &UserId::owner(),
            server_time: noon(),
            heartbeat_seconds: 30,
            max_message_bytes: 10_485_760,
        });
        assert_eq!(
            text_of(&welcome, None),
            format!(
                r#"{{"type":"welcome","protocol":1,"connectionId":"{ID}","deviceId":"phone-1","userId":"owner","serverTime":"{NOON}","heartbeatSeconds":30,"maxMessageBytes":10485760}}"#
            )
        );
    }

    #[test]
    fn subscribed() {
        let state = View {
            head: 57,
            hash: None,
            session_id: ID.parse().unwrap(),
            project_path: "/p".into(),
            title: None,
            model: None,
            permission_mode: None,
            status: Status::Idle,
            agent: AgentView::default(),
            queue: Vec::new(),
            turn: None,
            approvals: vec![Approval {
                request_id: "q".parse().unwrap(),
                tool: "Bash".into(),
                input: RawValue::from_string(r#"{"n": 1.00}"#.into()).unwrap().into(),
                description: None,
                suggestions: None,
                tool_use_id: None,
            }],
            devices: Vec::new(),
            primary_device_id: None,
            shared: BTreeMap::new(),
            created_at: noon(),
            last_activity_at: noon(),
            expires_at: noon(),
            turns: 0,
            messages: 0,
            cost_usd: 0.0,
            usage: BTreeMap::new(),
        };
        let reply = Reply::Subscribed {
            session: ID.parse().unwrap(),
            epoch: Epoch::stored("e1"),
            head: 57,
            from: 42,
            reset: false,
            state: Arc::new(state),
        };
        assert_eq!(
            answer(&reply),
            format!(
                r#"{{"type":"subscribed","sessionId":"{ID}","epoch":"e1","head":57,"from":42,"reset":false,"state":{{"sessionId":"{ID}","projectPath":"/p","title":null,"model":null,"permissionMode":null,"status":"idle","agent":{{"state":"none","pid":null,"memoryBytes":null,"version":null}},"queue":[],"turn":null,"approvals":[{{"requestId":"q","tool":"Bash","input":{{"n": 1.00}}}}],"devices":[],"primaryDeviceId":null,"shared":{{}},"createdAt":"{NOON}","lastActivityAt":"{NOON}","expiresAt":"{NOON}","turns":0,"messages":0,"costUsd":0.0,"usage":{{}}}},"ref":"r1"}}"#
            )
        );
    }

    #[test]
    fn accepted_ok_and_pong() {
        let accepted =
            Reply::Answer(Answer::Accepted { message_id: ID.parse().unwrap(), seq: 7, duplicate: false });
        assert_eq!(
            answer(&accepted),
            format!(r#"{{"type":"accepted","messageId":"{ID}","seq":7,"duplicate":false,"ref":"r1"}}"#)
        );
        assert_eq!(answer(&Reply::Ok), r#"{"type":"ok","ref":"r1"}"#);
        assert_eq!(answer(&Reply::Answer(Answer::Done)), r#"{"type":"ok","ref":"r1"}"#);
        assert_eq!(
            answer(&Reply::Answer(Answer::Extended { expires_at: noon() })),
            format!(r#"{{"type":"ok","expiresAt":"{NOON}","ref":"r1"}}"#)
        );
        let at = Stamp::parse("7574310182400000000/9f").unwrap();
        assert_eq!(
            answer(&Reply::Answer(Answer::StateSet { seq: 9, at })),
            r#"{"type":"ok","seq":9,"at":"7574310182400000000/9f","ref":"r1"}"#
        );
        assert_eq!(answer(&Reply::OkWith(json!({"seq": 4}))), r#"{"type":"ok","seq":4,"ref":"r1"}"#);
        assert_eq!(answer(&Reply::Pong), format!(r#"{{"type":"pong","serverTime":"{NOON}","ref":"r1"}}"#));
    }

    #[test]
    fn rejected_and_error() {
        let refusal = Refusal::new(Code::QueueFull, "Wait.").with_retry_after(2);
        let error = r#"{"code":"queue_full","message":"Wait.","effect":"none","retryAfterSeconds":2}"#;
        assert_eq!(
            answer(&Reply::Rejected(refusal.clone())),
            format!(r#"{{"type":"rejected","error":{error},"ref":"r1"}}"#)
        );
        assert_eq!(
            answer(&Reply::Error(refusal)),
            format!(r#"{{"type":"error","error":{error},"ref":"r1"}}"#)
        );
    }

    #[test]
    fn session_list_and_session_summary() {
        let listed = Listed { summary: Arc::new(summary()), unread: Some(3) };
        let session = format!(
            r#"{{"sessionId":"{ID}","projectPath":"/p","title":null,"status":"idle","head":3,"createdAt":"{NOON}","lastActivityAt":"{NOON}","expiresAt":"{NOON}","turns":1,"messages":1,"queued":0,"approvals":0,"notable":4,"costUsd":0.5,"devices":["phone"],"online":["phone"],"pid":null,"isWarned":false,"unread":3}}"#
        );
        assert_eq!(
            answer(&Reply::SessionList(vec![listed.clone()])),
            format!(r#"{{"type":"session_list","sessions":[{session}],"ref":"r1"}}"#)
        );
        assert_eq!(
            text_of(&ServerFrame::SessionSummary { session: &listed }, None),
            format!(r#"{{"type":"session_summary","session":{session}}}"#)
        );
    }

    #[test]
    fn a_notice_and_what_became_of_it() {
        let notice = Notice {
            notice_id: ID.parse().unwrap(),
            from: By { device_id: "phone".parse().unwrap(), user_id: UserId::owner() },
            message: "dinner".into(),
            at: noon(),
        };
        assert_eq!(
            text_of(&ServerFrame::Notice(&notice), None),
            format!(
                r#"{{"type":"notice","noticeId":"{ID}","from":{{"deviceId":"phone","userId":"owner"}},"message":"dinner","at":"{NOON}"}}"#
            )
        );
        assert_eq!(
            answer(&Reply::Notified(Delivery { delivered: 2, waiting: 0 })),
            r#"{"type":"ok","delivered":2,"waiting":0,"ref":"r1"}"#
        );
    }

    #[test]
    fn locks() {
        let acquired = LockAnswer::LockAcquired {
            resource_id: "a.txt".into(),
            lock_type: Kind::File,
            mode: Mode::Exclusive,
            fence: Fence(7),
            expires_at: noon(),
            enforced: true,
        };
        assert_eq!(
            answer(&Reply::Lock(acquired)),
            format!(
                r#"{{"type":"lock_acquired","resourceId":"a.txt","lockType":"file","mode":"exclusive","fence":7,"expiresAt":"{NOON}","enforced":true,"ref":"r1"}}"#
            )
        );
        let phone = Holder::DeviceId("phone".parse().unwrap());
        let denied = LockAnswer::LockDenied {
            resource_id: "a.txt".into(),
            lock_type: Kind::File,
            holder: Some(phone.clone()),
            since: Some(noon()),
            expires_at: None,
            reason: Reason::Deadlock,
            cycle: Some(vec![phone].into()),
        };
        assert_eq!(
            answer(&Reply::Lock(denied)),
            format!(
                r#"{{"type":"lock_denied","resourceId":"a.txt","lockType":"file","holder":{{"deviceId":"phone"}},"since":"{NOON}","expiresAt":null,"reason":"deadlock","cycle":[{{"deviceId":"phone"}}],"ref":"r1"}}"#
            )
        );
        let renewed = LockAnswer::Renewed { expires_at: noon(), fence: Fence(7) };
        assert_eq!(
            answer(&Reply::Lock(renewed)),
            format!(r#"{{"type":"ok","expiresAt":"{NOON}","fence":7,"ref":"r1"}}"#)
        );
        assert_eq!(answer(&Reply::Lock(LockAnswer::Released)), r#"{"type":"ok","ref":"r1"}"#);
    }

    #[test]
    fn subscribed_project() {
        let subscribed = SubscribedProject {
            project_path: "/p".into(),
            head: 4,
            from: 2,
            epoch: Epoch::stored("e1"),
            reset: false,
            locks: Vec::new(),
            conflicts: Vec::new(),
            sessions: Vec::new(),
            enforcement: Enforcement::Warn,
        };
        assert_eq!(
            answer(&Reply::SubscribedProject(Box::new(subscribed))),
            r#"{"type":"subscribed_project","projectPath":"/p","head":4,"from":2,"epoch":"e1","reset":false,"locks":[],"conflicts":[],"sessions":[],"enforcement":"warn","ref":"r1"}"#
        );
    }

    #[test]
    fn goodbye() {
        let goodbye =
            ServerFrame::Goodbye(Goodbye { code: "going_away", reason: "Back soon.", resume: true });
        assert_eq!(
            text_of(&goodbye, None),
            r#"{"type":"goodbye","code":"going_away","reason":"Back soon.","resume":true}"#
        );
    }
}
