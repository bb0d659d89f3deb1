//! How an agent describes itself at the start of each turn. Pure; used live and by the fold, so that both agree.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The agent's description of itself at the start of a turn.
#[derive(Debug, Clone)]
pub struct Init {
    /// The line, verbatim.
    pub line: Arc<RawValue>,
    /// The line without what is new in every turn (`uuid`), for comparison.
    pub comparable: Value,
    /// The conversation that it continues; `/clear` changes it.
    pub conversation: Option<Uuid>,
    /// The agent's version.
    pub version: Option<String>,
}

/// Fields that are new in every turn or every process, and tell nobody anything (measured on 2.1.328).
const NEW_IN_EVERY_TURN: [&str; 5] =
    ["uuid", "user_message_uuid", "user_message_uuids", "messaging_socket_path", "timestamp"];

impl Init {
    /// Reads a line; `None` when it is something else.
    #[must_use]
    pub fn read(line: &Arc<RawValue>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
            #[serde(borrow)]
            subtype: Option<Cow<'a, str>>,
        }
        // A cheap look first: nearly all lines are something else, and recovery reads millions of them.
        if !line.get().contains("\"init\"") {
            return None;
        }
        let head: Head<'_> = serde_json::from_str(line.get()).ok()?;
        let is_init = head.kind == "system" && head.subtype.as_deref() == Some("init");
        is_init.then(|| Self::of(line.clone()))
    }

    /// Takes a line that is known to be one.
    #[must_use]
    pub fn of(line: Arc<RawValue>) -> Self {
        let mut comparable: Value = serde_json::from_str(line.get()).unwrap_or_default();
        let conversation = comparable["session_id"].as_str().and_then(|id| id.parse().ok());
        let version = comparable["claude_code_version"].as_str().map(str::to_owned);
        if let Value::Object(fields) = &mut comparable {
            for field in NEW_IN_EVERY_TURN {
                fields.remove(field);
            }
        }
        Self { line, comparable, conversation, version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Arc<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap().into()
    }

    #[test]
    fn two_descriptions_that_differ_only_in_what_is_always_new_are_equal() {
        let one = r#"{"type":"system","subtype":"init","model":"m","uuid":"1","user_message_uuid":"a",
            "user_message_uuids":["a"],"messaging_socket_path":"/a","timestamp":"1"}"#;
        let two = r#"{"uuid":"2","type":"system","subtype":"init","model":"m","user_message_uuid":"b",
            "user_message_uuids":["b"],"messaging_socket_path":"/b","timestamp":"2"}"#;
        let other = r#"{"type":"system","subtype":"init","model":"another"}"#;
        let read = |text| Init::read(&raw(text)).unwrap().comparable;
        assert_eq!(read(one), read(two));
        assert_ne!(read(one), read(other));
        assert!(Init::read(&raw(r#"{"type":"assistant","text":"init"}"#)).is_none());
    }
}
