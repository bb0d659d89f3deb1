//! What a chat request asks for.

use std::path::PathBuf;

use actix_web::HttpRequest;
use actix_web::http::header;
use serde_json::{Value, json};
use tandem_actors::content::Content;
use tandem_actors::event::{By, SubmitMode};
use tandem_actors::ids::{DeviceId, MessageId, SessionId};
use tandem_actors::refusal::Refusal;
use tandem_actors::session::Submit;
use uuid::Uuid;

use super::attachments;
use crate::fields::Fields;
use crate::http::caller;

/// A chat request, understood.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) by: By,
    pub(super) place: Place,
    pub(super) submit: Submit,
    pub(super) wanted: Wanted,
}

/// Where the message belongs.
#[derive(Debug)]
pub(super) enum Place {
    /// To a conversation that there is.
    Session(SessionId),
    /// To a new one, in this folder.
    Project(PathBuf),
}

/// When to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// When the message is durable.
    Acceptance,
    /// When its turn has ended.
    Answer,
    /// As it goes, with server-sent events.
    Stream,
}

impl Order {
    /// Reads the request.
    ///
    /// # Errors
    /// `bad_request` that names the field, or `too_large` for an attachment.
    pub(super) fn read(request: &HttpRequest, fields: &Fields) -> Result<Self, Refusal> {
        let submit = Submit {
            content: content(fields)?,
            message_id: message_id(request, fields)?,
            mode: SubmitMode::Queue,
            device_seq: None,
        };
        Ok(Self { by: by(request, fields)?, place: place(fields)?, submit, wanted: wanted(request, fields)? })
    }
}

fn content(fields: &Fields) -> Result<Content, Refusal> {
    let message: Value = fields.required("message")?;
    let attachments = attachments::blocks(fields)?;
    let value = match message {
        Value::String(text) if !attachments.is_empty() => {
            let mut blocks = vec![json!({ "type": "text", "text": text })];
            blocks.extend(attachments);
            Value::Array(blocks)
        }
        Value::Array(mut blocks) => {
            blocks.extend(attachments);
            Value::Array(blocks)
        }
        other => other,
    };
    Content::from_value(value)
        .map_err(|bad| Refusal::bad_field("message", format!("The message cannot be sent: {bad}.")))
}

/// The id of the message: `messageId`, else `Idempotency-Key`. A key that is no UUID stands for one that is made of it.
fn message_id(request: &HttpRequest, fields: &Fields) -> Result<Option<MessageId>, Refusal> {
    if let Some(message_id) = fields.optional("messageId")? {
        return Ok(Some(message_id));
    }
    let Some(key) = request.headers().get("Idempotency-Key") else {
        return Ok(None);
    };
    let key = key.as_bytes();
    let uuid = Uuid::try_parse_ascii(key).unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, key));
    Ok(Some(uuid.into()))
}

/// Who asks; `deviceToken` is the name that older clients have for `deviceId`.
fn by(request: &HttpRequest, fields: &Fields) -> Result<By, Refusal> {
    let by = caller::by(request, fields)?;
    let older_name = fields.optional::<String>("deviceToken").unwrap_or_default();
    match older_name.and_then(|token| token.parse::<DeviceId>().ok()) {
        Some(device_id) if !fields.is_named("deviceId") => Ok(By { device_id, ..by }),
        Some(_) | None => Ok(by),
    }
}

fn place(fields: &Fields) -> Result<Place, Refusal> {
    if let Some(session) = fields.optional("sessionId")? {
        return Ok(Place::Session(session));
    }
    let project_path: Option<String> = fields.optional("projectPath")?;
    let missing = || {
        let message = "Say where: sessionId to go on, or projectPath to begin.";
        Refusal::bad_field("projectPath", message)
    };
    Ok(Place::Project(project_path.ok_or_else(missing)?.into()))
}

fn wanted(request: &HttpRequest, fields: &Fields) -> Result<Wanted, Refusal> {
    let waits = fields.optional("wait")?.unwrap_or(true);
    let accepts = request.headers().get(header::ACCEPT);
    let takes_events = accepts
        .is_some_and(|accepts| accepts.to_str().is_ok_and(|accepts| accepts.contains("text/event-stream")));
    Ok(match (waits, takes_events) {
        (false, _) => Wanted::Acceptance,
        (true, true) => Wanted::Stream,
        (true, false) => Wanted::Answer,
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn order(request: TestRequest, body: &Value) -> Result<Order, Refusal> {
        let fields = Fields::parse(body.to_string().as_bytes()).unwrap();
        Order::read(&request.to_http_request(), &fields)
    }

    #[test]
    fn a_message_needs_a_place() {
        let refusal = order(TestRequest::post(), &json!({"message": "hi"})).unwrap_err();
        assert_eq!(refusal.details.unwrap()["field"], "projectPath");
        let order = order(TestRequest::post(), &json!({"message": "hi", "projectPath": "/p"})).unwrap();
        assert!(matches!(order.place, Place::Project(path) if path == *"/p"));
        assert_eq!(order.by.device_id.as_str(), "http");
    }

    #[test]
    fn an_idempotency_key_is_a_message_id() {
        let body = json!({"message": "hi", "projectPath": "/p"});
        let with_key = |key: &str| {
            let request = TestRequest::post().insert_header(("Idempotency-Key", key));
            order(request, &body).unwrap().submit.message_id.unwrap()
        };
        let uuid = "0197a2c4-0000-7000-8000-000000000001";
        assert_eq!(with_key(uuid).to_string(), uuid);
        assert_eq!(with_key("order 7"), with_key("order 7"));
        assert_ne!(with_key("order 7"), with_key("order 8"));
    }

    #[test]
    fn a_device_token_is_a_device_id_when_it_can_be() {
        let by = |body: Value| order(TestRequest::post(), &body).unwrap().by.device_id;
        let with = |name: &str, value: &str| json!({"message": "hi", "projectPath": "/p", name: value});
        assert_eq!(by(with("deviceToken", "watch")).as_str(), "watch");
        assert_eq!(by(with("deviceToken", "not an id")).as_str(), "http");
        let mut both = with("deviceToken", "watch");
        both["deviceId"] = json!("phone");
        assert_eq!(by(both).as_str(), "phone");
    }

    #[test]
    fn how_to_answer_is_asked_for() {
        let body = json!({"message": "hi", "projectPath": "/p"});
        let events = || TestRequest::post().insert_header(("Accept", "text/event-stream"));
        assert_eq!(order(TestRequest::post(), &body).unwrap().wanted, Wanted::Answer);
        assert_eq!(order(events(), &body).unwrap().wanted, Wanted::Stream);
        let mut at_once = body;
        at_once["wait"] = json!(false);
        assert_eq!(order(events(), &at_once).unwrap().wanted, Wanted::Acceptance);
    }
}
