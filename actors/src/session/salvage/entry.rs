//! One line of a transcript, understood as far as it matters here; the rest passes through verbatim or is passed over.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::clock::Timestamp;

/// How the agent notes that a person ended a turn.
const INTERRUPTION: &str = "[Request interrupted by user";

/// The model's name on answers that the agent made up itself.
const SYNTHETIC: &str = "<synthetic>";

/// A line of the conversation, or the mark behind a turn.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) kind: Kind,
    pub(super) uuid: Option<Uuid>,
    pub(super) at: Option<Timestamp>,
    /// The tool calls that begin here.
    pub(super) calls: Vec<String>,
    /// The tool calls that end here.
    pub(super) outcomes: Vec<String>,
    /// Its text, of all blocks together.
    pub(super) text: String,
    /// The name of the model's answer of which this is a block.
    pub(super) answer: Option<String>,
    fields: HashMap<Cow<'a, str>, &'a RawValue>,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message that begins a turn.
    Prompt,
    /// A block of an answer; `is_last`: the model has nothing to add.
    Answer { is_last: bool },
    /// The agent's report of an error of the model or on the way to it.
    Failure,
    /// What came out of tools.
    ToolOutcome,
    /// A person ended the turn.
    Interruption,
    /// The agent's own word to the model.
    Aside,
    /// The mark that the agent puts behind a turn, and at some other moments too.
    LastPrompt,
}

impl<'a> Entry<'a> {
    /// `None`: nothing of the conversation. A field of an unexpected type counts as missing.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let fields: HashMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(line).ok()?;
        let message: Message<'a> = get(&fields, "message").unwrap_or_default();
        let blocks = message.blocks();
        let mut entry = Self {
            kind: Kind::Aside,
            uuid: get(&fields, "uuid"),
            at: get(&fields, "timestamp"),
            calls: blocks.iter().filter_map(|block| block.of("tool_use", block.id.as_deref())).collect(),
            outcomes: blocks
                .iter()
                .filter_map(|block| block.of("tool_result", block.tool_use_id.as_deref()))
                .collect(),
            text: blocks.iter().filter_map(|block| block.of("text", block.text.as_deref())).collect(),
            answer: message.id.and_then(text_of),
            fields,
        };
        if entry.is("isSidechain") {
            return None;
        }
        let kind: String = get(&entry.fields, "type")?;
        entry.kind = match kind.as_str() {
            "user" => entry.kind_of_user_line(),
            "assistant" if entry.is("isApiErrorMessage") => Kind::Failure,
            "assistant" if message.model.and_then(text_of).as_deref() == Some(SYNTHETIC) => return None,
            "assistant" => Kind::Answer {
                is_last: message.stop_reason.and_then(text_of).is_some_and(|reason| is_final(&reason)),
            },
            "last-prompt" => Kind::LastPrompt,
            _ => return None,
        };
        Some(entry)
    }

    fn kind_of_user_line(&self) -> Kind {
        if !self.outcomes.is_empty() {
            Kind::ToolOutcome
        } else if self.text.starts_with(INTERRUPTION) {
            Kind::Interruption
        } else if ["isMeta", "isCompactSummary", "isVisibleInTranscriptOnly"].iter().any(|flag| self.is(flag))
        {
            Kind::Aside
        } else {
            Kind::Prompt
        }
    }

    fn is(&self, flag: &str) -> bool {
        get(&self.fields, flag).unwrap_or(false)
    }

    /// The line as the agent prints it, with a mark that it was not heard but read; `None` for what it does not print.
    pub(super) fn as_printed(&self) -> Option<Arc<RawValue>> {
        let kind = match self.kind {
            Kind::Answer { .. } | Kind::Failure => "assistant",
            Kind::ToolOutcome | Kind::Interruption => "user",
            Kind::Prompt | Kind::Aside | Kind::LastPrompt => return None,
        };
        let raw = |name: &str| self.fields.get(name).map_or("null", |value| value.get());
        let mut line = format!(
            r#"{{"type":"{kind}","message":{},"parent_tool_use_id":null,"session_id":{},"uuid":{}"#,
            raw("message"),
            raw("sessionId"),
            raw("uuid"),
        );
        for (name, printed_name) in [("timestamp", "timestamp"), ("toolUseResult", "tool_use_result")] {
            if let Some(value) = self.fields.get(name) {
                line.push_str(&format!(r#","{printed_name}":{}"#, value.get()));
            }
        }
        line.push_str(r#","recovered":true}"#);
        RawValue::from_string(line).ok().map(Arc::from)
    }
}

/// The model goes on by itself after a call of a tool and after a pause.
fn is_final(stop_reason: &str) -> bool {
    !matches!(stop_reason, "tool_use" | "pause_turn")
}

#[derive(Deserialize, Default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    tool_use_id: Option<String>,
    text: Option<String>,
}

impl Message<'_> {
    /// A content that is a plain text is one block of text.
    fn blocks(&self) -> Vec<Block> {
        let Some(content) = self.content else { return Vec::new() };
        match text_of(content) {
            Some(text) => {
                vec![Block { kind: "text".to_owned(), id: None, tool_use_id: None, text: Some(text) }]
            }
            None => serde_json::from_str(content.get()).unwrap_or_default(),
        }
    }
}

impl Block {
    fn of(&self, kind: &str, value: Option<&str>) -> Option<String> {
        value.filter(|_| self.kind == kind).map(str::to_owned)
    }
}

fn get<'a, T: Deserialize<'a>>(fields: &HashMap<Cow<'a, str>, &'a RawValue>, name: &str) -> Option<T> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}
