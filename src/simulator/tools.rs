//! Tools, and the questions that come before them.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::engine::Engine;
use super::hooks::Hooked;
use super::turn::Outcome;

/// How often a running command is looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

const INTERRUPTED: Outcome = Outcome::Interrupted("aborted_tools");

/// One call of a tool.
pub(super) struct Call {
    pub(super) tool: &'static str,
    pub(super) tool_use_id: String,
    pub(super) input: Value,
}

/// A call, and the question whether it may be made; none when no leave is needed.
struct Asked {
    call: Call,
    question: Option<String>,
}

/// What became of a call before the tool was used.
enum Leave {
    /// With this input.
    Given(Value),
    Refused(String),
}

impl Engine {
    /// Runs a shell command, if it may.
    pub(super) fn run_tool(&mut self, command: &str) -> Outcome {
        let input = json!({"command": command, "description": "Runs a command"});
        self.use_tool("Bash", input, |engine, input| {
            let command = input["command"].as_str().unwrap_or_default().to_owned();
            engine.shell(&command)
        })
    }

    /// Writes a file, if it may.
    pub(super) fn write_file(&mut self, path: &Path, text: &str) -> Outcome {
        self.use_tool("Write", json!({"file_path": path, "content": text}), |_, input| {
            let path = input["file_path"].as_str().unwrap_or_default();
            let written = put(Path::new(path), input["content"].as_str().unwrap_or_default());
            Some(told_of(written.map(|()| format!("File created successfully at: {path}"))))
        })
    }

    /// Puts one text in the place of another, which stands in the file once, if it may.
    pub(super) fn edit_file(&mut self, path: &Path, old: &str, new: &str) -> Outcome {
        let input = json!({"file_path": path, "old_string": old, "new_string": new, "replace_all": false});
        self.use_tool("Edit", input, |_, input| {
            let [path, old, new] = ["file_path", "old_string", "new_string"]
                .map(|field| input[field].as_str().unwrap_or_default());
            let text = match fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => return Some((error.to_string(), true)),
            };
            match text.matches(old).count() {
                0 => return Some(("String to replace not found in file.".to_owned(), true)),
                1 => {}
                several => return Some((format!("Found {several} matches of the string to replace."), true)),
            }
            let written = put(Path::new(path), &text.replacen(old, new, 1));
            Some(told_of(written.map(|()| format!("The file {path} has been updated successfully."))))
        })
    }

    /// Reads a file, for which nobody's leave is needed.
    pub(super) fn read_file(&mut self, path: &Path) -> Outcome {
        self.use_tool("Read", json!({"file_path": path}), |_, input| {
            Some(told_of(fs::read_to_string(input["file_path"].as_str().unwrap_or_default())))
        })
    }

    /// Asks many questions before the first is answered.
    pub(super) fn ask_often(&mut self, count: u64) -> Outcome {
        let mut calls = Vec::new();
        for number in 0..count {
            let call = self.call("Read", json!({"file_path": format!("/simulated/{number}")}));
            let needs_leave = !self.is_free("Read");
            let Some(asked) = self.ask(call, needs_leave) else { return INTERRUPTED };
            calls.push(asked);
        }
        let mut outcomes = Vec::new();
        for asked in calls {
            let (call, leave) = match asked {
                Ok(asked) => {
                    let Some(leave) = self.leave(&asked) else { return INTERRUPTED };
                    (asked.call, leave)
                }
                Err((call, reason)) => (call, Leave::Refused(reason)),
            };
            let (text, is_refused) = match leave {
                Leave::Given(_) => ("allowed".to_owned(), false),
                Leave::Refused(message) => (message, true),
            };
            self.outcome_of(&call, &text, is_refused);
            outcomes.push(text);
        }
        self.say(&format!("tool said: {}", outcomes.join("; ")))
    }

    /// Calls a tool: hooks, leave, the tool itself, hooks again. `act` tells what came of it and whether that is an error;
    /// none when it was interrupted.
    fn use_tool(
        &mut self,
        tool: &'static str,
        input: Value,
        act: impl FnOnce(&mut Self, &Value) -> Option<(String, bool)>,
    ) -> Outcome {
        let call = self.call(tool, input);
        // What is read with it lies in the project.
        let needs_leave = tool != "Read" && !self.is_free(tool);
        let asked = match self.ask(call, needs_leave) {
            Some(Ok(asked)) => asked,
            Some(Err((call, reason))) => return self.told(&call, &reason, true),
            None => return INTERRUPTED,
        };
        let input = match self.leave(&asked) {
            Some(Leave::Given(input)) => input,
            Some(Leave::Refused(message)) => return self.told(&asked.call, &message, true),
            None => return INTERRUPTED,
        };
        let Some((text, is_error)) = act(self, &input) else { return INTERRUPTED };
        if !is_error && self.hooks_after(&asked.call, &input, &text).is_none() {
            return INTERRUPTED;
        }
        self.told(&asked.call, &text, is_error)
    }

    /// Prints the call.
    pub(super) fn call(&mut self, tool: &'static str, input: Value) -> Call {
        let tool_use_id = format!("toolu_{}", Uuid::new_v4().simple());
        self.message(&json!([{"type": "tool_use", "id": tool_use_id, "name": tool, "input": input}]));
        Call { tool, tool_use_id, input }
    }

    /// Whether a tool may be used without anybody's leave.
    fn is_free(&self, tool: &str) -> bool {
        let mode = self.options.permission_mode.as_str();
        mode == "bypassPermissions"
            || (mode == "acceptEdits" && (tool == "Write" || tool == "Edit"))
            || self.always_allowed.iter().any(|allowed| allowed == tool)
    }

    /// Asks the hooks, then prints the question where leave is needed. An error is the hooks' reason against the call.
    /// `None`: interrupted.
    fn ask(&mut self, call: Call, needs_leave: bool) -> Option<Result<Asked, (Call, String)>> {
        let call = match self.hooks_before(&call)? {
            Hooked::Passed(input) => Call { input, ..call },
            Hooked::Blocked(reason) => return Some(Err((call, reason))),
        };
        let question = needs_leave.then(|| {
            let id = Uuid::new_v4().to_string();
            let Call { tool, tool_use_id, input } = &call;
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
        Some(Ok(Asked { call, question }))
    }

    /// Waits for the answer as long as it takes. `None`: interrupted.
    fn leave(&mut self, asked: &Asked) -> Option<Leave> {
        let Asked { call, question: Some(question) } = asked else {
            return Some(Leave::Given(asked.call.input.clone()));
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

    pub(super) fn outcome_of(&mut self, call: &Call, text: &str, is_error: bool) {
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

/// Writes a file whole or not at all, as the CLI does: beside it, then in its place.
fn put(path: &Path, text: &str) -> io::Result<()> {
    // Links lead to the file that is meant.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".tmp.{}", Uuid::new_v4().simple()));
    let written = fs::write(&beside, text).and_then(|()| match fs::metadata(&path) {
        Ok(old) => fs::set_permissions(&beside, old.permissions()),
        Err(_) => Ok(()),
    });
    let replaced = written.and_then(|()| fs::rename(&beside, &path));
    if replaced.is_err() {
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// What the model is told of an operation on files, and whether it is an error.
fn told_of(done: io::Result<String>) -> (String, bool) {
    match done {
        Ok(text) => (text, false),
        Err(error) => (error.to_string(), true),
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
