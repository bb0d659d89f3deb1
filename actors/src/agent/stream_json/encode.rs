//! What we say to the agent, as lines.

use serde_json::json;
use serde_json::value::RawValue;

use super::{AFTER, BEFORE, INITIALIZE, OUR_PREFIX};
use crate::agent::{ASKING_TOOLS, AgentInput, Decision, HookAnswer, TELLING_TOOLS};

/// For how long the agent may wait for the answer to a hook, in seconds: a day. Whoever answers has deadlines of their own,
/// and one that is over here would let the tool run.
const HOOK_SECONDS: u32 = 86_400;

/// The first line that an agent is given.
#[must_use]
pub fn initialize() -> String {
    let hook = |id: &str, tools: &[&str]| {
        json!([{
            "matcher": tools.join("|"),
            "hookCallbackIds": [id],
            "timeout": HOOK_SECONDS,
            // An answer that the agent does not understand must not let a tool run.
            "onFailure": "block",
        }])
    };
    let hooks =
        json!({"PreToolUse": hook(BEFORE, &ASKING_TOOLS), "PostToolUse": hook(AFTER, &TELLING_TOOLS)});
    request(INITIALIZE, &json!({"subtype": "initialize", "hooks": hooks}))
}

/// One input as a line with its newline; `number` makes the names of requests unique within a process.
#[must_use]
pub fn input(input: &AgentInput, number: u64) -> String {
    match input {
        AgentInput::Message { id, content } => line(&json!({
            "type": "user",
            "message": {"role": "user", "content": content},
            "uuid": id,
            "parent_tool_use_id": null,
        })),
        AgentInput::Interrupt => {
            let name = format!("{OUR_PREFIX}interrupt-{number}");
            request(&name, &json!({"subtype": "interrupt"}))
        }
        AgentInput::SetModel(model) => {
            let name = format!("{OUR_PREFIX}model-{number}");
            request(&name, &json!({"subtype": "set_model", "model": model}))
        }
        AgentInput::SetPermissionMode(mode) => {
            let name = format!("{OUR_PREFIX}permission-mode-{number}");
            request(&name, &json!({"subtype": "set_permission_mode", "mode": mode}))
        }
        AgentInput::Answer { request, decision } => success(request.as_str(), &answer(decision)),
        AgentInput::HookAnswer { request, answer } => success(request.as_str(), &hook_answer(answer)),
    }
}

/// Answers a request of the agent that needs nothing but an answer. `response` is JSON on one line.
pub(super) fn success(request_id: &str, response: &str) -> String {
    let request_id = json!(request_id);
    format!(
        r#"{{"type":"control_response","response":{{"subtype":"success","request_id":{request_id},"response":{response}}}}}{}"#,
        '\n'
    )
}

/// Answers a request that we do not understand.
pub(super) fn failure(request_id: &str, error: &str) -> String {
    line(&json!({
        "type": "control_response",
        "response": {"subtype": "error", "request_id": request_id, "error": error},
    }))
}

fn request(name: &str, request: &serde_json::Value) -> String {
    line(&json!({"type": "control_request", "request_id": name, "request": request}))
}

fn answer(decision: &Decision) -> String {
    match decision {
        Decision::Allow { input, remember } => {
            let input = on_one_line(input);
            match remember.as_deref().map(on_one_line) {
                Some(rules) => {
                    format!(r#"{{"behavior":"allow","updatedInput":{input},"updatedPermissions":{rules}}}"#)
                }
                None => format!(r#"{{"behavior":"allow","updatedInput":{input}}}"#),
            }
        }
        Decision::Deny { message } => json!({"behavior": "deny", "message": message}).to_string(),
    }
}

/// Neither a denial nor another input is said of a hook after the tool, so only the one before it is named.
fn hook_answer(answer: &HookAnswer) -> String {
    match answer {
        HookAnswer::Pass => "{}".to_owned(),
        HookAnswer::Instead { input } => {
            // Without a decision, so that people are asked for leave as ever.
            let input = on_one_line(input);
            format!(r#"{{"hookSpecificOutput":{{"hookEventName":"PreToolUse","updatedInput":{input}}}}}"#)
        }
        HookAnswer::Deny { reason } => json!({"hookSpecificOutput": {
            "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason,
        }})
        .to_string(),
    }
}

/// Line breaks in JSON text are white space between tokens (inside strings they are escaped), so a blank does as well.
fn on_one_line(raw: &RawValue) -> String {
    raw.get().replace(['\n', '\r'], " ")
}

fn line(value: &serde_json::Value) -> String {
    let mut line = value.to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::content::Content;

    fn raw(text: &str) -> Arc<RawValue> {
        Arc::from(RawValue::from_string(text.to_owned()).unwrap())
    }

    fn encoded(what: &AgentInput) -> Value {
        let line = input(what, 7);
        assert_eq!(line.find('\n'), Some(line.len() - 1), "one line: {line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_message_carries_its_id_as_uuid() {
        let message = AgentInput::Message {
            id: "0198f9a2-1111-7000-8000-000000000001".parse().unwrap(),
            content: Content::text("two\nlines").unwrap(),
        };
        assert_eq!(
            encoded(&message),
            json!({"type": "user", "message": {"role": "user", "content": "two\nlines"},
                   "uuid": "0198f9a2-1111-7000-8000-000000000001", "parent_tool_use_id": null})
        );
    }

    #[test]
    fn the_first_line_asks_for_the_hooks_and_blocks_where_they_fail() {
        let value: Value = serde_json::from_str(&initialize()).unwrap();
        let before = &value["request"]["hooks"]["PreToolUse"][0];
        assert_eq!(before["matcher"], "Edit|Write|MultiEdit|NotebookEdit|Bash|Read");
        assert_eq!((&before["hookCallbackIds"], &before["onFailure"]), (&json!([BEFORE]), &json!("block")));
        let after = &value["request"]["hooks"]["PostToolUse"][0];
        assert_eq!(after["matcher"], "Edit|Write|MultiEdit|NotebookEdit|Read");
    }

    #[test]
    fn a_hook_is_answered_in_the_agents_words() {
        let answer = |answer| {
            encoded(&AgentInput::HookAnswer { request: "r1".parse().unwrap(), answer })["response"].clone()
        };
        assert_eq!(
            answer(HookAnswer::Pass),
            json!({"subtype": "success", "request_id": "r1", "response": {}})
        );
        let denied = answer(HookAnswer::Deny { reason: "taken".into() })["response"].clone();
        assert_eq!(
            denied["hookSpecificOutput"],
            json!({"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "taken"})
        );
        let instead = answer(HookAnswer::Instead { input: raw("{\n\"content\":\"merged\"}") });
        assert_eq!(
            instead["response"]["hookSpecificOutput"],
            json!({"hookEventName": "PreToolUse", "updatedInput": {"content": "merged"}}),
            "nothing is decided for the people who are asked for leave"
        );
    }

    #[test]
    fn requests_are_named_and_numbered() {
        assert_eq!(
            encoded(&AgentInput::Interrupt),
            json!({"type": "control_request", "request_id": "tandem-interrupt-7", "request": {"subtype": "interrupt"}})
        );
        assert_eq!(encoded(&AgentInput::SetModel("m".into()))["request"]["model"], "m");
        let mode = encoded(&AgentInput::SetPermissionMode("plan".into()));
        assert_eq!(mode["request"], json!({"subtype": "set_permission_mode", "mode": "plan"}));
    }

    #[test]
    fn an_allowed_input_is_handed_back_exactly() {
        let input = r#"{"n":123456789012345678901234567890.5,"s":"a\nb\u2028"}"#;
        let allow =
            Decision::Allow { input: raw(input), remember: Some(raw("[\n{\"type\":\"addRules\"}\r\n]")) };
        let line = super::input(&AgentInput::Answer { request: "r\"1".parse().unwrap(), decision: allow }, 1);
        assert!(line.contains(&format!(r#""updatedInput":{input}"#)), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["response"]["request_id"], "r\"1");
        assert_eq!(value["response"]["response"]["updatedPermissions"][0]["type"], "addRules");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_denial_gives_its_reason() {
        let answer = encoded(&AgentInput::Answer {
            request: "r1".parse().unwrap(),
            decision: Decision::Deny { message: "not now".into() },
        });
        assert_eq!(
            answer["response"],
            json!({"subtype": "success", "request_id": "r1", "response": {"behavior": "deny", "message": "not now"}})
        );
    }
}
