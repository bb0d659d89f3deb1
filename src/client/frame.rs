//! The frames of docs/protocol.md §2 as a device writes and reads them. Pure.

mod request;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tandem_actors::clock::{Stamp, Timestamp};
use tandem_actors::ids::{MessageId, NoticeId, Seq, SessionId};
use tandem_actors::session::Summary;

use super::error::Rejection;

pub use request::NoticeTo;
pub(super) use request::{Hello, Remark, Request, encode};

/// The protocol that this client speaks.
pub(super) const PROTOCOL: u32 = 1;

/// What the server says.
#[derive(Debug)]
pub(super) enum ServerFrame {
    Welcome(Welcome),
    Event(EventFrame),
    Signal {
        session: SessionId,
        kind: String,
        data: Box<RawValue>,
    },
    Summary(Box<Summary>),
    Notice {
        id: Option<NoticeId>,
        from: Value,
        message: Value,
        at: Option<Timestamp>,
    },
    Goodbye {
        reason: String,
    },
    Error(Rejection),
    /// The direct answer to the request of this number.
    Answer(u64, Result<Answer, Rejection>),
    /// A type that this client does not know: to be ignored.
    Unknown,
}

/// The answer to `hello`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Welcome {
    pub(super) heartbeat_seconds: u64,
    pub(super) max_message_bytes: usize,
}

/// One durable event, as it came.
#[derive(Debug)]
pub(super) struct EventFrame {
    pub(super) session: SessionId,
    pub(super) seq: Seq,
    pub(super) hash: String,
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) data: Box<RawValue>,
}

/// A direct answer that is no refusal.
#[derive(Debug)]
pub(super) enum Answer {
    Subscribed(Subscribed),
    SessionList(Vec<Summary>),
    Accepted(Accepted),
    Ok(Done),
    Pong { server_time: Timestamp },
}

/// What an `ok` tells beside itself; most tell nothing.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Done {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) seq: Option<Seq>,
    pub(super) at: Option<Stamp>,
    pub(super) delivered: Option<usize>,
    pub(super) waiting: Option<usize>,
}

/// A patch of the shared state is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateSet {
    /// Where its `state_changed` stands.
    pub seq: Seq,
    /// Its place among all writes.
    pub at: Stamp,
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notified {
    /// To how many devices it went over an open connection.
    pub delivered: usize,
    /// How many devices it waits for.
    pub waiting: usize,
}

/// The start of a session's stream.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscribed {
    /// Which session.
    pub session_id: SessionId,
    /// The history that it has now.
    pub epoch: String,
    /// Its last event as of `state`.
    pub head: Seq,
    /// The first event that comes.
    pub from: Seq,
    /// Whether what was held before is of another history and must be dropped.
    #[serde(default)]
    pub reset: bool,
    /// The whole state as of `head` (docs/protocol.md, session state).
    #[serde(default)]
    pub state: Value,
}

/// A message is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Its id.
    pub message_id: MessageId,
    /// Where its `message_accepted` stands.
    pub seq: Seq,
    /// Whether it was accepted before.
    #[serde(default)]
    pub duplicate: bool,
}

/// Everything that an event, a signal and the choice of what to do next need, read in one pass.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    frame_type: Cow<'a, str>,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<Cow<'a, str>>,
    #[serde(default)]
    session_id: Option<SessionId>,
    #[serde(default)]
    seq: Option<Seq>,
    #[serde(default)]
    hash: Option<String>,
    #[serde(borrow, default)]
    at: Option<&'a RawValue>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WithSession {
    session: Box<Summary>,
}

#[derive(Deserialize)]
struct WithSessions {
    sessions: Vec<Summary>,
}

#[derive(Deserialize)]
struct WithError {
    error: Rejection,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    server_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NoticeFields {
    notice_id: Option<NoticeId>,
    #[serde(default)]
    from: Value,
    #[serde(default)]
    message: Value,
}

#[derive(Deserialize)]
struct GoodbyeFields {
    #[serde(default)]
    reason: String,
}

/// Reads a frame of the server.
///
/// # Errors
/// When it is no JSON, or a frame of a known type lacks what that type needs.
pub(super) fn decode(text: &str) -> Result<ServerFrame, serde_json::Error> {
    let envelope: Envelope<'_> = serde_json::from_str(text)?;
    let number = envelope.reference.as_deref().and_then(|reference| reference.parse().ok());
    match &*envelope.frame_type {
        "event" => return Ok(event(envelope)),
        "signal" => return Ok(signal(envelope)),
        "welcome" => return Ok(ServerFrame::Welcome(serde_json::from_str(text)?)),
        "session_summary" => {
            let WithSession { session } = serde_json::from_str(text)?;
            return Ok(ServerFrame::Summary(session));
        }
        "notice" => {
            let NoticeFields { notice_id, from, message } = serde_json::from_str(text)?;
            return Ok(ServerFrame::Notice { id: notice_id, from, message, at: moment(envelope.at) });
        }
        "goodbye" => {
            let GoodbyeFields { reason } = serde_json::from_str(text)?;
            return Ok(ServerFrame::Goodbye { reason });
        }
        "error" if number.is_none() => {
            let WithError { error } = serde_json::from_str(text)?;
            return Ok(ServerFrame::Error(error));
        }
        _ => {}
    }
    let Some(number) = number else { return Ok(ServerFrame::Unknown) };
    let answer = match &*envelope.frame_type {
        "rejected" | "error" => {
            let WithError { error } = serde_json::from_str(text)?;
            Err(error)
        }
        "subscribed" => Ok(Answer::Subscribed(serde_json::from_str(text)?)),
        "accepted" => Ok(Answer::Accepted(serde_json::from_str(text)?)),
        "session_list" => {
            let WithSessions { sessions } = serde_json::from_str(text)?;
            Ok(Answer::SessionList(sessions))
        }
        "ok" => Ok(Answer::Ok(serde_json::from_str(text)?)),
        "pong" => match serde_json::from_str(text)? {
            Moment { server_time: Some(server_time) } => Ok(Answer::Pong { server_time }),
            Moment { server_time: None } => return Ok(ServerFrame::Unknown),
        },
        _ => return Ok(ServerFrame::Unknown),
    };
    Ok(ServerFrame::Answer(number, answer))
}

/// The time of a frame. An `ok` has a stamp there.
fn moment(at: Option<&RawValue>) -> Option<Timestamp> {
    serde_json::from_str(at?.get()).ok()
}

fn event(envelope: Envelope<'_>) -> ServerFrame {
    let Envelope { session_id, seq, hash, at, kind, data, .. } = envelope;
    let fields = (session_id, seq, hash, moment(at), kind, data);
    let (Some(session), Some(seq), Some(hash), Some(at), Some(kind), Some(data)) = fields else {
        return ServerFrame::Unknown;
    };
    ServerFrame::Event(EventFrame { session, seq, hash, at, kind, data: data.to_owned() })
}

fn signal(envelope: Envelope<'_>) -> ServerFrame {
    let Envelope { session_id: Some(session), kind: Some(kind), data: Some(data), .. } = envelope else {
        return ServerFrame::Unknown;
    };
    ServerFrame::Signal { session, kind, data: data.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use tandem_actors::content::Content;
    use tandem_actors::event::SubmitMode;
    use tandem_actors::ids::{DeviceId, UserId};
    use tandem_actors::room::Activity;
    use tandem_actors::session::Verdict;

    use super::*;

    const ID: &str = "0197a2c4-0000-7000-8000-000000000001";

    fn frame_of(request: &Request) -> Value {
        serde_json::from_str(&encode(request, 7).unwrap()).unwrap()
    }

    fn id<T: std::str::FromStr<Err = uuid::Error>>() -> T {
        ID.parse().unwrap()
    }

    #[test]
    fn requests_are_written_as_the_protocol_says() {
        let (session_id, message_id) = (id(), id());
        let content = Content::text("hi").unwrap();
        let watch = frame_of(&Request::Watch {});
        assert_eq!(watch, json!({"type": "watch", "ref": "7"}));
        let submit = Request::Submit { session_id, content, message_id, mode: SubmitMode::Queue };
        assert_eq!(
            frame_of(&submit),
            json!({"type": "submit", "sessionId": ID, "content": "hi", "messageId": ID, "mode": "queue", "ref": "7"})
        );
        let last = Request::Move { session_id, message_id, before: None };
        assert_eq!(
            frame_of(&last),
            json!({"type": "move", "sessionId": ID, "messageId": ID, "before": null, "ref": "7"})
        );
        let keep_alive = frame_of(&Request::KeepAlive { session_id });
        assert_eq!(keep_alive, json!({"type": "keep_alive", "sessionId": ID, "ref": "7"}));
    }

    #[test]
    fn shared_state_the_lead_and_notices_are_written_as_the_protocol_says() {
        let (session_id, at) = (id(), Stamp::parse("7574310182400000000/9f").unwrap());
        let patch = BTreeMap::from([("a".to_owned(), json!(1)), ("b".to_owned(), Value::Null)]);
        assert_eq!(
            frame_of(&Request::State { session_id, patch, at }),
            json!({"type": "state", "sessionId": ID, "patch": {"a": 1, "b": null},
                   "at": "7574310182400000000/9f", "ref": "7"})
        );
        let to_device_id: DeviceId = "laptop".parse().unwrap();
        assert_eq!(
            frame_of(&Request::Handoff { session_id, to_device_id: to_device_id.clone() }),
            json!({"type": "handoff", "sessionId": ID, "toDeviceId": "laptop", "ref": "7"})
        );
        let notify = |to, exclude| frame_of(&Request::Notify { to, exclude, message: "hi".into() });
        assert_eq!(
            notify(NoticeTo::EVERYBODY, vec![to_device_id.clone()]),
            json!({"type": "notify", "to": {"all": true}, "exclude": ["laptop"], "message": "hi", "ref": "7"})
        );
        for (to, written) in [
            (NoticeTo::Device { device_id: to_device_id }, json!({"deviceId": "laptop"})),
            (NoticeTo::User { user_id: UserId::owner() }, json!({"userId": "owner"})),
            (NoticeTo::Session { session_id }, json!({"sessionId": ID})),
        ] {
            assert_eq!(
                notify(to, Vec::new()),
                json!({"type": "notify", "to": written, "message": "hi", "ref": "7"})
            );
        }
        let unlink = frame_of(&Request::Unlink { session_id, device_id: None });
        assert_eq!(unlink, json!({"type": "unlink", "sessionId": ID, "ref": "7"}));
    }

    #[test]
    fn remarks_have_no_reference() {
        let session_id = id();
        let typing =
            Remark::Activity { session_id, activity: Activity::Typing, cursor: Some(json!({"at": 3})) };
        assert_eq!(
            serde_json::to_value(typing).unwrap(),
            json!({"type": "activity", "sessionId": ID, "activity": "typing", "cursor": {"at": 3}})
        );
        let ack = serde_json::to_value(Remark::Ack { session_id, seq: 9 }).unwrap();
        assert_eq!(ack, json!({"type": "ack", "sessionId": ID, "seq": 9}));
    }

    #[test]
    fn an_ok_tells_what_it_has_to_tell() {
        let ok = |text: &str| match decode(text).unwrap() {
            ServerFrame::Answer(4, Ok(Answer::Ok(done))) => done,
            other => panic!("another frame: {other:?}"),
        };
        let set = ok(r#"{"type":"ok","seq":8,"at":"7574310182400000000/9f","ref":"4"}"#);
        assert_eq!((set.seq, set.at.unwrap().to_string().as_str()), (Some(8), "7574310182400000000/9f"));
        let notified = ok(r#"{"type":"ok","delivered":2,"waiting":1,"ref":"4"}"#);
        assert_eq!((notified.delivered, notified.waiting), (Some(2), Some(1)));
        assert!(ok(r#"{"type":"ok","ref":"4"}"#).seq.is_none());
    }

    #[test]
    fn an_approval_says_what_was_decided() {
        let approve = |verdict: Verdict| {
            let answer = verdict.into();
            frame_of(&Request::Approve { session_id: id(), request_id: "q".parse().unwrap(), answer })
        };
        let updated_input = Some(RawValue::from_string(r#"{"a":1}"#.into()).unwrap().into());
        assert_eq!(
            approve(Verdict::Allow { updated_input, for_session: true }),
            json!({"type": "approve", "sessionId": ID, "requestId": "q", "decision": "allow",
                   "updatedInput": {"a": 1}, "scope": "session", "ref": "7"})
        );
        assert_eq!(
            approve(Verdict::Deny { message: Some("no".into()) }),
            json!({"type": "approve", "sessionId": ID, "requestId": "q", "decision": "deny",
                   "message": "no", "ref": "7"})
        );
    }

    #[test]
    fn an_event_keeps_its_data_to_the_letter() {
        let text = format!(
            r#"{{"type":"event","sessionId":"{ID}","seq":3,"hash":"ab","at":"2026-01-01T12:00:00.000Z","kind":"agent_message","data":{{"n": 1.00}}}}"#
        );
        let ServerFrame::Event(event) = decode(&text).unwrap() else { panic!("another frame") };
        assert_eq!((event.seq, event.hash.as_str(), event.data.get()), (3, "ab", r#"{"n": 1.00}"#));
    }

    #[test]
    fn answers_are_known_by_their_number() {
        let accepted = format!(r#"{{"type":"accepted","messageId":"{ID}","seq":9,"ref":"4"}}"#);
        let ServerFrame::Answer(4, Ok(Answer::Accepted(accepted))) = decode(&accepted).unwrap() else {
            panic!("another frame")
        };
        assert_eq!((accepted.seq, accepted.duplicate), (9, false));
        let rejected =
            r#"{"type":"rejected","error":{"code":"new_code","message":"No.","effect":"odd"},"ref":"4"}"#;
        let ServerFrame::Answer(4, Err(rejection)) = decode(rejected).unwrap() else {
            panic!("another frame")
        };
        assert_eq!(rejection.effect, super::super::error::RejectedEffect::Unknown);
    }

    #[test]
    fn what_is_not_known_is_ignored() {
        for text in [
            r#"{"type":"from_the_future","x":1}"#,
            r#"{"type":"from_the_future","ref":"1"}"#,
            r#"{"type":"event"}"#,
            r#"{"type":"accepted","messageId":"x"}"#,
        ] {
            assert!(matches!(decode(text), Ok(ServerFrame::Unknown)), "{text}");
        }
        assert!(decode("not json").is_err());
    }
}
