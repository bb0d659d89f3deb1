//! What the agent prints, understood.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::encode::{failure, success};
use super::{BEFORE, INITIALIZE, Line, OUR_PREFIX};
use crate::agent::{AgentOutput, Hook, Init, Moment, TurnResult};
use crate::event::Approval;
use crate::ids::RequestId;
use crate::journal::TranscriptLine;
use crate::nesting::is_too_deep;

/// How much of a line that is no JSON is shown.
const GARBAGE_CHARS: usize = 200;

/// Understands one line, given without its newline.
///
/// Fields are read one by one: a field of an unexpected type counts as missing, and only that field.
#[must_use]
pub fn parse(line: &[u8]) -> Line {
    if line.trim_ascii().is_empty() {
        return Line::Nothing;
    }
    let Some(text) = std::str::from_utf8(line).ok().map(str::trim_ascii) else {
        return Line::Output(garbage(line, line.len()));
    };
    if !text.starts_with('{') {
        return Line::Output(garbage(line, line.len()));
    }
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
        return Line::Output(garbage(line, line.len()));
    };
    understand(raw).unwrap_or_else(|| Line::Output(AgentOutput::Message(keep(raw))))
}

/// Reports bytes that are no message: `bytes` is their whole length, of which `start` is the beginning.
#[must_use]
pub fn garbage(start: &[u8], bytes: usize) -> AgentOutput {
    let head = &start[..start.len().min(4 * GARBAGE_CHARS)];
    let start = String::from_utf8_lossy(head)
        .chars()
        .take(GARBAGE_CHARS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    AgentOutput::Garbage { start, bytes }
}

/// The fields by which lines are told apart.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    subtype: Option<&'a RawValue>,
    #[serde(borrow, rename = "isReplay")]
    is_replay: Option<&'a RawValue>,
}

/// `None`: a line for everyone, as it is.
fn understand(raw: &RawValue) -> Option<Line> {
    let header: Header<'_> = fields(raw)?;
    match header.kind?.get() {
        r#""stream_event""# => Some(stream_event(raw).unwrap_or(Line::Nothing)),
        r#""user""# if header.is_replay.is_some_and(|flag| flag.get() == "true") => {
            Some(replay(raw).unwrap_or(Line::Nothing))
        }
        r#""command_lifecycle""# => Some(lifecycle(raw).unwrap_or(Line::Nothing)),
        r#""system""# if header.subtype?.get() == r#""init""# => Some(init(raw)),
        r#""result""# => Some(result(raw)),
        r#""transcript_mirror""# => Some(transcript(raw).unwrap_or(Line::Nothing)),
        r#""control_request""# => control_request(raw),
        r#""control_cancel_request""# => {
            let request = Some(fields::<RequestName<'_>>(raw)?.request_id?.get()).and_then(text)?;
            Some(Line::Output(AgentOutput::Withdraws(request_id(&request))))
        }
        r#""control_response""# => Some(control_response(raw).unwrap_or(Line::Nothing)),
        _ => None,
    }
}

#[derive(Deserialize)]
struct StreamEvent<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(default)]
    parent_tool_use_id: Value,
}

#[derive(Deserialize)]
struct BlockDelta {
    #[serde(default)]
    index: u64,
    delta: TextDelta,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum TextDelta {
    #[serde(rename = "text_delta")]
    Text { text: String },
}

/// Only text that grows is of interest, and not that of the agent's own helpers.
fn stream_event(raw: &RawValue) -> Option<Line> {
    let line: StreamEvent<'_> = fields(raw)?;
    if !line.parent_tool_use_id.is_null() || !line.event.get().contains("text_delta") {
        return None;
    }
    let BlockDelta { index, delta } = fields(line.event)?;
    let TextDelta::Text { text } = delta;
    Some(Line::Output(AgentOutput::Delta { block: index, text }))
}

#[derive(Deserialize)]
struct Lifecycle<'a> {
    #[serde(borrow)]
    state: &'a RawValue,
    command_uuid: Uuid,
}

fn lifecycle(raw: &RawValue) -> Option<Line> {
    let Lifecycle { state, command_uuid } = fields(raw)?;
    let is_started = state.get() == r#""started""#;
    is_started.then(|| Line::Output(AgentOutput::Started(command_uuid.into())))
}

#[derive(Deserialize)]
struct Replay {
    uuid: Uuid,
}

fn replay(raw: &RawValue) -> Option<Line> {
    let Replay { uuid } = fields(raw)?;
    Some(Line::Replayed(uuid.into()))
}

fn init(raw: &RawValue) -> Line {
    Line::Output(AgentOutput::Init(Init::of(keep(raw))))
}

#[derive(Deserialize, Default)]
struct ResultFields<'a> {
    #[serde(borrow)]
    is_error: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    total_cost_usd: Option<&'a RawValue>,
    #[serde(borrow)]
    terminal_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    user_message_uuids: Option<&'a RawValue>,
}

/// The end of a turn is told whatever its fields look like: a session that waits for it would wait forever.
fn result(raw: &RawValue) -> Line {
    let found: ResultFields<'_> = fields(raw).unwrap_or_default();
    let errors: Option<Vec<String>> = found.errors.and_then(fields);
    let answers: Option<Vec<Value>> = found.user_message_uuids.and_then(fields);
    let reason: Option<String> = found.terminal_reason.and_then(fields);
    Line::Output(AgentOutput::Result(TurnResult {
        line: keep(raw),
        answers: answers.unwrap_or_default().iter().filter_map(|uuid| uuid.as_str()?.parse().ok()).collect(),
        is_error: found.is_error.and_then(fields).unwrap_or(false),
        is_interrupted: reason.is_some_and(|reason| reason.starts_with("aborted_")),
        text: found.result.and_then(fields).or_else(|| errors.map(|errors| errors.join("\n"))),
        usage: found.usage.and_then(fields).filter(|usage| !is_too_deep(usage)),
        total_cost_usd: found.total_cost_usd.and_then(fields),
    }))
}

#[derive(Deserialize)]
struct Mirror<'a> {
    #[serde(rename = "filePath")]
    file: Arc<str>,
    #[serde(borrow)]
    entries: Vec<&'a RawValue>,
}

fn transcript(raw: &RawValue) -> Option<Line> {
    let Mirror { file, entries } = fields(raw)?;
    let lines =
        entries.iter().map(|entry| TranscriptLine { file: file.clone(), line: entry.get().into() }).collect();
    Some(Line::Output(AgentOutput::Transcript(lines)))
}

#[derive(Deserialize)]
struct RequestName<'a> {
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolRequest {
    tool_name: String,
    input: Arc<RawValue>,
    #[serde(default)]
    description: Value,
    #[serde(default)]
    permission_suggestions: Option<Arc<RawValue>>,
    #[serde(default)]
    tool_use_id: Value,
}

fn control_request(raw: &RawValue) -> Option<Line> {
    let named: RequestName<'_> = fields(raw)?;
    let id = text(named.request_id?.get())?;
    let subtype = named
        .request
        .and_then(fields::<Header<'_>>)
        .and_then(|header| header.subtype.and_then(|subtype| text(subtype.get())));
    let line = match (subtype.as_deref(), named.request) {
        (Some("can_use_tool"), Some(request)) => match fields::<ToolRequest>(request) {
            Some(request) => Line::Output(AgentOutput::Asks(Approval {
                request_id: request_id(&id),
                tool: request.tool_name,
                input: request.input,
                description: request.description.as_str().map(str::to_owned),
                suggestions: request.permission_suggestions,
                tool_use_id: request.tool_use_id.as_str().map(str::to_owned),
            })),
            None => Line::Reply(failure(&id, "can_use_tool needs tool_name and input")),
        },
        (Some("hook_callback"), Some(request)) => hook_callback(&id, request),
        (subtype, _) => {
            let what = subtype.unwrap_or("without a subtype");
            Line::Reply(failure(&id, &format!("unsupported control request: {what}")))
        }
    };
    Some(line)
}

#[derive(Deserialize)]
struct HookRequest<'a> {
    #[serde(default)]
    callback_id: Value,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct HookInput {
    hook_event_name: String,
    tool_name: String,
    tool_input: Arc<RawValue>,
    #[serde(default)]
    tool_use_id: Value,
    #[serde(default)]
    agent_id: Value,
    #[serde(default)]
    cwd: Value,
}

fn hook_callback(id: &str, request: &RawValue) -> Line {
    let Some(HookRequest { callback_id, input }) = fields(request) else {
        return Line::Reply(success(id, "{}"));
    };
    match input.and_then(|input| hook(id, input)) {
        Some(hook) => Line::Output(AgentOutput::Hook(hook)),
        // Nobody can say what this tool would touch: it does not run.
        None if callback_id == BEFORE => {
            Line::Reply(failure(id, "PreToolUse needs tool_name and tool_input"))
        }
        // What only tells, and what nobody asked for, must not hold the agent.
        None => Line::Reply(success(id, "{}")),
    }
}

fn hook(id: &str, input: &RawValue) -> Option<Hook> {
    let input: HookInput = fields(input)?;
    let moment = match input.hook_event_name.as_str() {
        "PreToolUse" => Moment::Before,
        "PostToolUse" => Moment::After,
        _ => return None,
    };
    let words = |value: &Value| value.as_str().map(str::to_owned);
    Some(Hook {
        request: request_id(id),
        moment,
        tool: input.tool_name,
        input: input.tool_input,
        tool_use_id: words(&input.tool_use_id),
        helper: words(&input.agent_id),
        cwd: input.cwd.as_str().map(Into::into),
    })
}

#[derive(Deserialize)]
struct ControlResponse<'a> {
    #[serde(borrow)]
    response: Response<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    subtype: String,
    request_id: String,
    #[serde(default)]
    error: Value,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Initialized {
    #[serde(default)]
    claude_code_version: Value,
}

fn control_response(raw: &RawValue) -> Option<Line> {
    let ControlResponse { response } = fields(raw)?;
    if !response.request_id.starts_with(OUR_PREFIX) {
        return None;
    }
    if response.subtype != "success" {
        let error = response.error.as_str().unwrap_or("no reason was given");
        return Some(Line::Refused { error: error.to_owned(), request_id: response.request_id });
    }
    if response.request_id != INITIALIZE {
        return None;
    }
    let version = response
        .response
        .and_then(fields::<Initialized>)
        .and_then(|answer| answer.claude_code_version.as_str().map(str::to_owned));
    Some(Line::Initialized { version })
}

fn keep(raw: &RawValue) -> Arc<RawValue> {
    Arc::from(raw.to_owned())
}

fn fields<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

fn request_id(text: &str) -> RequestId {
    match text.parse() {
        Ok(id) => id,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests;
