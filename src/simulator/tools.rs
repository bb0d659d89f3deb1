//! Tools, and the questions that come before them.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::engine::Engine;
use super::turn::Outcome;

/// How often a running command is looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

const INTERRUPTED: Outcome = Outcome::Interrupted("aborted_tools");

/// One call of a tool, and the question whether it may be made.
struct Call {
    tool: &'static str,
    tool_use_id: String,
    input: Value,
    /// The question's name; none when no leave is needed.
    question: Option<String>,
}

/// What a person said to a call.
enum Leave {
    /// With this input.
    Given(Value),
    Refused(String),
}

impl Engine {
    /// Runs a shell command, if it may.
    pub(super) fn run_tool(&mut self, command: &str) -> Outcome {
        let call = self.call("Bash", json!({"command": command, "description": "Runs a command"}));
        let Some(leave) = self.leave(&call) else {
            return INTERRUPTED;
        };
        match leave {
            Leave::Refused(message) => self.told(&call, &message, true),
            Leave::Given(input) => {
                let command = input["command"].as_str().unwrap_or_default().to_owned();
                match self.shell(&command) {
                    Some((output, is_error)) => self.told(&call, &output, is_error),
                    None => INTERRUPTED,
                }
            }
        }
    }

    /// Writes a file, if it may.
    pub(super) fn write_file(&mut self, path: &Path, text: &str) -> Outcome {
        let call = self.call("Write", json!({"file_path": path, "content": text}));
        let Some(leave) = self.leave(&call) else {
            return INTERRUPTED;
        };
        match leave {
            Leave::Refused(message) => self.told(&call, &message, true),
            Leave::Given(input) => {
                let path = input["file_path"].as_str().unwrap_or_default().to_owned();
                match fs::write(&path, input["content"].as_str().unwrap_or_default()) {
                    Ok(()) => self.told(&call, &format!("File created successfully at: {path}"), false),
                    Err(error) => self.told(&call, &error.to_string(), true),
                }
            }
        }
    }

    /// Asks many questions before the first is answered.
    pub(super) fn ask_often(&mut self, count: u64) -> Outcome {
        let mut calls = Vec::new();
        for number in 0..count {
            calls.push(self.call("Read", json!({"file_path": format!("/simulated/{number}")})));
        }
        let mut outcomes = Vec::new();
        for call in &calls {
            let Some(leave) = self.leave(call) else {
                return INTERRUPTED;
            };
            let (text, is_refused) = match leave {
                Leave::Given(_) => ("allowed".to_owned(), false),
                Leave::Refused(message) => (message, true),
            };
            self.outcome_of(call, &text, is_refused);
            outcomes.push(text);
        }
        self.say(&format!("tool said: {}", outcomes.join("; ")))
    }

    /// Prints the call and, where leave is needed, the question.
    fn call(&mut self, tool: &'static str, input: Value) -> Call {
        let tool_use_id = format!("toolu_{}", Uuid::new_v4().simple());
        self.message(&json!([{"type": "tool_use", "id": tool_use_id, "name": tool, "input": input}]));
        let mode = self.options.permission_mode.as_str();
        let is_free = mode == "bypassPermissions"
            || (mode == "acceptEdits" && tool == "Write")
            || self.always_allowed.iter().any(|allowed| allowed == tool);
        let question = (!is_free).then(|| {
            let id = Uuid::new_v4().to_string();
            self.output.line(&json!({
                "type": "control_request", "request_id": id,
                "request": {
                    "subtype": "can_use_tool", "tool_name": tool, "display_name": tool, "input": input,
                    "description": "Runs in the simulator", "tool_use_id": tool_use_id,
                    "permission_suggestions": [{
                        "type": "addRules", "rules": [{"toolName": tool}], "behavior": "allow", "destination": "session",
                    }],
                },
            }));
            id
        });
        Call { tool, tool_use_id, input, question }
    }

    /// Waits for the answer as long as it takes. `None`: interrupted.
    fn leave(&mut self, call: &Call) -> Option<Leave> {
        let Some(question) = &call.question else {
            return Some(Leave::Given(call.input.clone()));
        };
        self.listen_until(None, |engine| engine.answers.contains_key(question));
        let answer = self.answers.remove(question)?;
        if answer["behavior"] != "allow" {
            let message = answer["message"].as_str().unwrap_or("denied");
            return Some(Leave::Refused(message.to_owned()));
        }
        if answer["updatedPermissions"].is_array() {
            self.always_allowed.push(call.tool.to_owned());
        }
        Some(Leave::Given(answer["updatedInput"].clone()))
    }

    /// Prints the outcome, and the model's answer to it.
    fn told(&mut self, call: &Call, text: &str, is_error: bool) -> Outcome {
        self.outcome_of(call, text, is_error);
        let first = text.lines().next().unwrap_or_default();
        self.say(&format!("tool said: {first}"))
    }

    fn outcome_of(&mut self, call: &Call, text: &str, is_error: bool) {
        let content = json!([{
            "type": "tool_result", "tool_use_id": call.tool_use_id, "content": text, "is_error": is_error,
        }]);
        self.outcome_line(&content, &json!({"stdout": text, "interrupted": false}));
    }

    /// Runs a command in a process group of its own. `None`: interrupted, and the command was killed.
    fn shell(&mut self, command: &str) -> Option<(String, bool)> {
        let started = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => return Some((error.to_string(), true)),
        };
        let output = Reading::start(&mut child);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    let text = output.text();
                    let text =
                        if text.is_empty() { "(Bash completed with no output)".to_owned() } else { text };
                    return Some((text, !status.success()));
                }
                Ok(None) => {}
                Err(error) => return Some((error.to_string(), true)),
            }
            if !self.listen_for(Some(LOOK_AGAIN_AFTER)) {
                // It may have ended in this moment.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Reads what a command prints while it runs, so that a full pipe does not hold it.
struct Reading(Vec<thread::JoinHandle<String>>);

impl Reading {
    fn start(child: &mut Child) -> Self {
        let stdout = child.stdout.take().map(|pipe| thread::spawn(|| all_of(pipe)));
        let stderr = child.stderr.take().map(|pipe| thread::spawn(|| all_of(pipe)));
        Self(stdout.into_iter().chain(stderr).collect())
    }

    fn text(self) -> String {
        let texts = self.0.into_iter().filter_map(|reader| reader.join().ok());
        texts.collect::<String>().trim_end().to_owned()
    }
}

fn all_of(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // Half of an output is better than none.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
