//! Hooks: what the simulator asks before it uses a tool and tells after it, for those who said at the start that they want it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::engine::Engine;
use super::tools::Call;

/// Who wants to be told, as `initialize` said.
#[derive(Debug, Default)]
pub(super) struct Hooks(Vec<Wanted>);

#[derive(Debug)]
struct Wanted {
    event: &'static str,
    /// Empty for all tools.
    tools: Vec<String>,
    callback: String,
    /// Whether an answer that is none keeps the tool from being used.
    blocks: bool,
}

/// The events that there are here.
const EVENTS: [&str; 2] = ["PreToolUse", "PostToolUse"];

impl Hooks {
    /// Reads the `hooks` of `initialize`.
    pub(super) fn of(hooks: &Value) -> Self {
        let mut wanted = Vec::new();
        for event in EVENTS {
            for matcher in hooks[event].as_array().into_iter().flatten() {
                let tools = matcher["matcher"].as_str().unwrap_or_default().split('|');
                let tools: Vec<String> =
                    tools.filter(|tool| !tool.is_empty() && *tool != "*").map(str::to_owned).collect();
                let blocks = matcher["onFailure"] == "block";
                let callbacks = matcher["hookCallbackIds"].as_array().into_iter().flatten();
                wanted.extend(callbacks.filter_map(Value::as_str).map(|callback| Wanted {
                    event,
                    tools: tools.clone(),
                    callback: callback.to_owned(),
                    blocks,
                }));
            }
        }
        Self(wanted)
    }

    fn for_tool(&self, event: &str, tool: &str) -> Vec<(String, bool)> {
        let is_wanted = |wanted: &&Wanted| {
            wanted.event == event
                && (wanted.tools.is_empty() || wanted.tools.iter().any(|known| known == tool))
        };
        self.0.iter().filter(is_wanted).map(|wanted| (wanted.callback.clone(), wanted.blocks)).collect()
    }
}

/// What came of the hooks before a tool.
pub(super) enum Hooked {
    /// It may be used, with this input.
    Passed(Value),
    /// It may not, for this reason.
    Blocked(String),
}

impl Engine {
    /// Asks whether a tool may be used. `None`: interrupted.
    pub(super) fn hooks_before(&mut self, call: &Call) -> Option<Hooked> {
        let mut input = call.input.clone();
        for (callback, blocks) in self.hooks.for_tool("PreToolUse", call.tool) {
            let answer = self.hook(&callback, &about("PreToolUse", call, &input))?;
            let decision = &answer["hookSpecificOutput"];
            if decision["permissionDecision"] == "deny" {
                let reason = decision["permissionDecisionReason"].as_str().unwrap_or("no reason was given");
                return Some(Hooked::Blocked(format!("PreToolUse:{} hook error: {reason}", call.tool)));
            }
            if blocks && !answer.is_object() {
                return Some(Hooked::Blocked(format!("PreToolUse:{} hook error: no answer", call.tool)));
            }
            if decision["updatedInput"].is_object() {
                input = decision["updatedInput"].clone();
            }
        }
        Some(Hooked::Passed(input))
    }

    /// Tells that a tool was used. `None`: interrupted.
    pub(super) fn hooks_after(&mut self, call: &Call, input: &Value, response: &str) -> Option<()> {
        for (callback, _) in self.hooks.for_tool("PostToolUse", call.tool) {
            let mut told = about("PostToolUse", call, input);
            told["tool_response"] = json!(response);
            self.hook(&callback, &told)?;
        }
        Some(())
    }

    /// Waits for the answer as long as it takes, and takes the question back when somebody interrupts.
    fn hook(&mut self, callback: &str, about: &Value) -> Option<Value> {
        let id = Uuid::new_v4().to_string();
        let mut input = about.clone();
        input["session_id"] = json!(self.transcript.session);
        input["permission_mode"] = json!(self.options.permission_mode);
        self.output.line(&json!({
            "type": "control_request", "request_id": id,
            "request": {
                "subtype": "hook_callback", "callback_id": callback, "input": input,
                "tool_use_id": about["tool_use_id"],
            },
        }));
        if !self.listen_until(None, |engine| engine.answers.contains_key(&id)) {
            self.output.line(&json!({"type": "control_cancel_request", "request_id": id}));
            return None;
        }
        self.answers.remove(&id)
    }
}

fn about(event: &str, call: &Call, input: &Value) -> Value {
    json!({
        "hook_event_name": event, "tool_name": call.tool, "tool_input": input, "tool_use_id": call.tool_use_id,
        "cwd": std::env::current_dir().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_for_the_tools_that_were_named() {
        let hooks = Hooks::of(&json!({
            "PreToolUse": [
                {"matcher": "Edit|Write", "hookCallbackIds": ["a"], "onFailure": "block"},
                {"hookCallbackIds": ["b"]},
            ],
            "PostToolUse": [{"matcher": "*", "hookCallbackIds": ["c"]}],
            "Stop": [{"hookCallbackIds": ["d"]}],
        }));
        let named = |name: &str, blocks: bool| (name.to_owned(), blocks);
        assert_eq!(hooks.for_tool("PreToolUse", "Write"), [named("a", true), named("b", false)]);
        assert_eq!(hooks.for_tool("PreToolUse", "Bash"), [named("b", false)]);
        assert_eq!(hooks.for_tool("PostToolUse", "Bash"), [named("c", false)]);
        assert_eq!(Hooks::of(&Value::Null).for_tool("PreToolUse", "Bash"), []);
    }
}
