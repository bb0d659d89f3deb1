//! What a device sends.

mod projects;

use serde_json::Value;
use tandem_actors::device::{Request, Subscribe, Wish};
use tandem_actors::event::SubmitMode;
use tandem_actors::ids::{DeviceId, SessionId};
use tandem_actors::nesting::{MAX_NESTING, is_too_deep};
use tandem_actors::refusal::{Code, Refusal};
use tandem_actors::room::Activity;
use tandem_actors::session::{Command, DeviceCard, Submit};

use crate::fields::Fields;

/// A place in a text, or a selection; everybody in the session is sent each of them.
const MAX_CURSOR_BYTES: usize = 4 * 1024;

/// A frame of which only the type has been looked at.
#[derive(Debug)]
pub(in crate::ws) struct Frame {
    kind: Result<String, Refusal>,
    reference: Option<String>,
    fields: Fields,
}

/// How a device introduces itself.
#[derive(Debug)]
pub(in crate::ws) struct Hello {
    pub(in crate::ws) protocol: u32,
    pub(in crate::ws) card: DeviceCard,
}

impl Frame {
    /// Reads the text of a frame, whatever it is.
    pub(in crate::ws) fn parse(text: &str) -> Self {
        let (fields, broken) = match Fields::parse(text.as_bytes()) {
            Ok(fields) => (fields, None),
            Err(refusal) => (Fields::default(), Some(refusal)),
        };
        let reference = fields.optional("ref");
        let kind = match (broken, &reference) {
            (Some(refusal), _) => Err(refusal),
            (None, Err(wrong)) => Err(wrong.clone()),
            (None, Ok(_)) => fields.required("type"),
        };
        Self { kind, reference: reference.unwrap_or_default(), fields }
    }

    /// What the direct answer carries.
    pub(in crate::ws) fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The introduction, when that is what the frame is.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(in crate::ws) fn hello(&self) -> Option<Result<Hello, Refusal>> {
        let is_hello = self.kind.as_ref().is_ok_and(|kind| kind == "hello");
        is_hello.then(|| {
            Ok(Hello { protocol: self.fields.required("protocol")?, card: self.fields.device_card()? })
        })
    }

    /// What a device that has said hello wants with it.
    pub(in crate::ws) fn request(self, own: &DeviceId) -> Request {
        let wish = match &self.kind {
            Ok(kind) if projects::is_of_project(kind) => {
                projects::wish(kind, &self.fields.with_snake_case_twins())
                    .map_or_else(Wish::Bad, Wish::Project)
            }
            Ok(kind) => wish(kind, &self.fields, own),
            Err(refusal) if self.reference.is_some() => Wish::Bad(refusal.clone()),
            Err(refusal) => Wish::Unknown(refusal.clone()),
        };
        Request { reference: self.reference, wish }
    }
}

fn wish(kind: &str, fields: &Fields, own: &DeviceId) -> Wish {
    let wish = match kind {
        "subscribe" => subscribe(fields).map(Wish::Subscribe),
        "unsubscribe" => session(fields).map(Wish::Unsubscribe),
        "watch" => Ok(Wish::Watch),
        "ack" => ack(fields),
        "activity" => activity(fields),
        "notify" => fields.notify().map(Wish::Notify),
        "ping" => Ok(Wish::Ping),
        "hello" => Err(Refusal::bad_field(
            "type",
            "This connection has said hello already; open another one for another device.",
        )),
        _ => match command(kind, fields, own) {
            Some(command) => command.and_then(|command| Ok(Wish::Command(session(fields)?, command))),
            None => return Wish::Unknown(unknown(kind)),
        },
    };
    wish.unwrap_or_else(Wish::Bad)
}

fn command(kind: &str, fields: &Fields, own: &DeviceId) -> Option<Result<Command, Refusal>> {
    Some(match kind {
        "submit" => submit(fields).map(Command::Submit),
        "cancel" => fields.required("messageId").map(|message| Command::Cancel { message }),
        "edit" => edit(fields),
        "move" => r#move(fields),
        "interrupt" => fields
            .optional("cancelQueued")
            .map(|cancel_queued| Command::Interrupt { cancel_queued: cancel_queued.unwrap_or(false) }),
        "approve" => approve(fields),
        "state" => fields.shared_patch().map(|(patch, at)| Command::SetState { patch, at }),
        "handoff" => fields.required("toDeviceId").map(|to| Command::Handoff { to }),
        "keep_alive" => Ok(Command::KeepAlive),
        "unlink" => fields
            .optional("deviceId")
            .map(|device| Command::Unlink { device: device.unwrap_or_else(|| own.clone()) }),
        _ => return None,
    })
}

fn session(fields: &Fields) -> Result<SessionId, Refusal> {
    fields.required("sessionId")
}

fn subscribe(fields: &Fields) -> Result<Subscribe, Refusal> {
    Ok(Subscribe {
        session: session(fields)?,
        after: fields.optional("after")?,
        epoch: fields.optional("epoch")?,
        hash: fields.optional("hash")?,
        tail: fields.optional("tail")?,
    })
}

fn submit(fields: &Fields) -> Result<Submit, Refusal> {
    session(fields)?;
    let device_seq = fields.optional("deviceSeq")?;
    if device_seq == Some(0) {
        return Err(Refusal::bad_field("deviceSeq", "The field deviceSeq counts from 1."));
    }
    Ok(Submit {
        content: fields.content("content")?,
        message_id: fields.optional("messageId")?,
        mode: fields.optional("mode")?.unwrap_or(SubmitMode::Queue),
        device_seq,
    })
}

fn edit(fields: &Fields) -> Result<Command, Refusal> {
    Ok(Command::Edit { message: fields.required("messageId")?, content: fields.content("content")? })
}

fn r#move(fields: &Fields) -> Result<Command, Refusal> {
    if !fields.is_named("before") {
        let message = "The field before is missing: name a message, or null for last.";
        return Err(Refusal::bad_field("before", message));
    }
    Ok(Command::Move { message: fields.required("messageId")?, before: fields.optional("before")? })
}

fn approve(fields: &Fields) -> Result<Command, Refusal> {
    let request: String = fields.required("requestId")?;
    let Ok(request) = request.parse();
    Ok(Command::Approve { request, verdict: fields.verdict()? })
}

fn ack(fields: &Fields) -> Result<Wish, Refusal> {
    Ok(Wish::Ack(session(fields)?, fields.required("seq")?))
}

fn activity(fields: &Fields) -> Result<Wish, Refusal> {
    let words = [
        ("viewing", Activity::Viewing),
        ("typing", Activity::Typing),
        ("idle", Activity::Idle),
        ("away", Activity::Away),
    ];
    let activity = fields.required_word("activity", &words)?;
    Ok(Wish::Activity(session(fields)?, activity, cursor(fields)?))
}

fn cursor(fields: &Fields) -> Result<Option<Value>, Refusal> {
    if fields.raw("cursor").is_some_and(|cursor| cursor.get().len() > MAX_CURSOR_BYTES) {
        let message = format!("The field cursor has at most {MAX_CURSOR_BYTES} bytes of JSON.");
        return Err(Refusal::bad_field("cursor", message));
    }
    let cursor: Option<Value> = fields.optional("cursor")?;
    if cursor.as_ref().is_some_and(is_too_deep) {
        let message = format!("The field cursor is nested deeper than {MAX_NESTING} levels.");
        return Err(Refusal::bad_field("cursor", message));
    }
    Ok(cursor)
}

fn unknown(kind: &str) -> Refusal {
    let shown: String = kind.chars().take(40).collect();
    let message = format!("This server does not know frames of type {shown:?}.");
    Refusal { code: Code::BadRequest, ..Refusal::bad_field("type", message) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tandem_actors::session::Verdict;

    use super::*;

    const SESSION: &str = "0197a2c4-0000-7000-8000-000000000001";
    const MESSAGE: &str = "0197a2c4-0000-7000-8000-000000000002";

    fn request(text: &str) -> Request {
        Frame::parse(text).request(&"phone".parse().unwrap())
    }

    fn wish(value: &Value) -> Wish {
        request(&value.to_string()).wish
    }

    fn command(value: &Value) -> Command {
        match wish(value) {
            Wish::Command(session, command) => {
                assert_eq!(session.to_string(), SESSION);
                command
            }
            other => panic!("{other:?}"),
        }
    }

    fn wrong_field(wish: &Wish) -> &str {
        let (Wish::Bad(refusal) | Wish::Unknown(refusal)) = wish else { panic!("understood: {wish:?}") };
        assert_eq!(refusal.code, Code::BadRequest);
        refusal.details.as_ref().unwrap()["field"].as_str().unwrap()
    }

    #[test]
    fn hello() {
        let text = r#"{"type":"hello","protocol":1,"deviceId":"phone-1","deviceName":"Pixel","kind":"phone","more":[]}"#;
        let hello = Frame::parse(text).hello().unwrap().unwrap();
        assert_eq!((hello.protocol, hello.card.device_id.as_str()), (1, "phone-1"));
        assert_eq!(hello.card.device_name.as_deref(), Some("Pixel"));
        assert!(Frame::parse(r#"{"type":"ping"}"#).hello().is_none());
        for wrong in [
            r#"{"type":"hello"}"#,
            r#"{"type":"hello","protocol":1}"#,
            r#"{"type":"hello","protocol":"1","deviceId":"a"}"#,
            r#"{"type":"hello","protocol":1,"deviceId":"a b"}"#,
        ] {
            assert!(Frame::parse(wrong).hello().unwrap().is_err(), "{wrong}");
        }
    }

    #[test]
    fn subscribe() {
        let Wish::Subscribe(subscribe) = wish(&json!({
            "type": "subscribe", "sessionId": SESSION, "after": 41, "epoch": "e", "hash": "a1b2c3d4e5f60718"
        })) else {
            panic!("no subscribe")
        };
        assert_eq!((subscribe.after, subscribe.tail), (Some(41), None));
        assert_eq!(subscribe.epoch.unwrap().as_str(), "e");
        let bad = wish(&json!({"type": "subscribe", "sessionId": SESSION, "after": -1}));
        assert_eq!(wrong_field(&bad), "after");
    }

    #[test]
    fn commands() {
        assert!(matches!(
            command(
                &json!({"type": "submit", "sessionId": SESSION, "content": "hi", "mode": "now", "deviceSeq": 3})
            ),
            Command::Submit(Submit { mode: SubmitMode::Now, device_seq: Some(3), message_id: None, .. })
        ));
        assert!(matches!(
            command(&json!({"type": "cancel", "sessionId": SESSION, "messageId": MESSAGE})),
            Command::Cancel { message } if message.to_string() == MESSAGE
        ));
        assert!(matches!(
            command(&json!({"type": "edit", "sessionId": SESSION, "messageId": MESSAGE, "content": "new"})),
            Command::Edit { .. }
        ));
        assert!(matches!(
            command(&json!({"type": "move", "sessionId": SESSION, "messageId": MESSAGE, "before": null})),
            Command::Move { before: None, .. }
        ));
        assert!(matches!(
            command(&json!({"type": "interrupt", "sessionId": SESSION, "cancelQueued": true})),
            Command::Interrupt { cancel_queued: true }
        ));
        assert!(matches!(
            command(
                &json!({"type": "approve", "sessionId": SESSION, "requestId": "r", "decision": "deny", "message": "no"})
            ),
            Command::Approve { verdict: Verdict::Deny { message: Some(_) }, .. }
        ));
        assert!(matches!(
            command(&json!({"type": "state", "sessionId": SESSION, "patch": {"a": 1, "b": null}})),
            Command::SetState { patch, at: None } if patch["a"] == 1 && patch["b"].is_null()
        ));
        assert!(matches!(
            command(&json!({"type": "state", "sessionId": SESSION, "patch": {"a": 1}, "at": "7574310182400000000/9f"})),
            Command::SetState { at: Some(at), .. } if at.to_string() == "7574310182400000000/9f"
        ));
        assert!(matches!(
            command(&json!({"type": "handoff", "sessionId": SESSION, "toDeviceId": "laptop"})),
            Command::Handoff { to } if to.as_str() == "laptop"
        ));
        assert!(matches!(command(&json!({"type": "keep_alive", "sessionId": SESSION})), Command::KeepAlive));
        assert!(matches!(
            command(&json!({"type": "unlink", "sessionId": SESSION})),
            Command::Unlink { device } if device.as_str() == "phone"
        ));
    }

    #[test]
    fn what_needs_no_answer() {
        assert!(matches!(wish(&json!({"type": "ack", "sessionId": SESSION, "seq": 9})), Wish::Ack(_, 9)));
        assert!(matches!(
            wish(&json!({"type": "activity", "sessionId": SESSION, "activity": "typing", "cursor": 3})),
            Wish::Activity(_, Activity::Typing, Some(cursor)) if cursor == 3
        ));
    }

    #[test]
    fn the_reference_comes_back() {
        assert_eq!(request(r#"{"type":"ping","ref":"a"}"#).reference.as_deref(), Some("a"));
        assert_eq!(
            wrong_field(&request(r#"{"type":"ping","ref":7}"#).wish),
            "ref",
            "a reference is a string"
        );
    }

    #[test]
    fn a_wrong_field_is_named_and_rejected() {
        for (frame, field) in [
            (json!({"type": "submit", "content": "hi"}), "sessionId"),
            (json!({"type": "submit", "sessionId": "x", "content": "hi"}), "sessionId"),
            (json!({"type": "submit", "sessionId": SESSION}), "content"),
            (json!({"type": "submit", "sessionId": SESSION, "content": [{"type": "hologram"}]}), "content"),
            (json!({"type": "submit", "sessionId": SESSION, "content": "a", "mode": "soon"}), "mode"),
            (json!({"type": "submit", "sessionId": SESSION, "content": "a", "deviceSeq": 0}), "deviceSeq"),
            (json!({"type": "move", "sessionId": SESSION, "messageId": MESSAGE}), "before"),
            (json!({"type": "approve", "sessionId": SESSION, "requestId": "r"}), "decision"),
            (json!({"type": "activity", "sessionId": SESSION, "activity": "dancing"}), "activity"),
            (
                json!({"type": "activity", "sessionId": SESSION, "activity": "idle", "cursor": "x".repeat(4096)}),
                "cursor",
            ),
            (json!({"type": "ack", "sessionId": SESSION}), "seq"),
            (json!({"type": "state", "sessionId": SESSION}), "patch"),
            (json!({"type": "state", "sessionId": SESSION, "patch": [1]}), "patch"),
            (json!({"type": "state", "sessionId": SESSION, "patch": {"a": 1}, "at": "noon"}), "at"),
            (json!({"type": "handoff", "sessionId": SESSION}), "toDeviceId"),
            (json!({"type": "notify", "to": {"all": true}}), "message"),
            (json!({"type": "hello", "protocol": 1, "deviceId": "again"}), "type"),
        ] {
            let wish = wish(&frame);
            assert!(matches!(wish, Wish::Bad(_)), "{frame}");
            assert_eq!(wrong_field(&wish), field, "{frame}");
        }
    }

    #[test]
    fn what_cannot_be_tied_to_a_command_is_an_error() {
        for text in ["", "no json", "[]", "7", "{}", r#"{"type":7}"#, r#"{"type":"teleport"}"#] {
            assert!(matches!(request(text).wish, Wish::Unknown(_)), "{text}");
        }
        assert_eq!(wrong_field(&request(r#"{"type":"teleport"}"#).wish), "type");
        assert!(matches!(request(r#"{"ref":"a"}"#).wish, Wish::Bad(_)));
    }
}
