//! One turn: what is printed and kept from the first acknowledgement to the result.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::attachments;
use super::engine::{Engine, Message, version};
use super::input;
use super::output::assistant;
use super::script::{Deafness, Script};

/// What a turn costs, in US dollars.
const COST_USD: f64 = 0.0001;

/// How a turn went.
pub(super) enum Outcome {
    Answered(String),
    Failed(String),
    /// With its `terminal_reason`.
    Interrupted(&'static str),
}

impl Engine {
    /// Runs everything that is queued as one turn, as the CLI does.
    pub(super) fn turn(&mut self) {
        let started = Instant::now();
        let messages: Vec<_> = self.queue.drain(..).collect();
        let ids: Vec<Uuid> = messages.iter().filter_map(|message| message.id).collect();
        let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
        let script = Script::of(&texts.join("\n"));
        for message in &messages {
            self.lifecycle(message.id, "started");
        }
        if script == Script::Clear {
            self.begin_anew();
        }
        self.init(&ids);
        for message in &messages {
            self.replay(message.id, &message.content);
            // Commands that never reach the model are no part of the conversation either.
            if script.local_command().is_none() {
                let message_line = json!({"role": "user", "content": message.content});
                let uuid = message.id.unwrap_or_else(Uuid::new_v4);
                self.keep(
                    json!({"type": "user", "uuid": uuid, "message": message_line, "isSidechain": false}),
                );
            }
        }
        self.mirror();
        let outcome = self.perform(&script, &messages);
        if script.local_command().is_none() {
            self.transcript.texts.extend(messages.into_iter().map(|message| message.text));
            self.transcript.cost_usd += COST_USD;
        }
        self.end_turn(&script, &ids, &outcome, started.elapsed());
    }

    fn init(&mut self, ids: &[Uuid]) {
        let cwd = std::env::current_dir().unwrap_or_default();
        self.output.line(&json!({
            "type": "system", "subtype": "init", "cwd": cwd, "session_id": self.transcript.session,
            "tools": ["Bash", "Edit", "Read", "Write"], "mcp_servers": [], "model": self.options.model,
            "permissionMode": self.options.permission_mode, "slash_commands": ["clear", "recap"],
            "claude_code_version": version(), "uuid": Uuid::new_v4(), "user_message_uuids": ids,
        }));
    }

    fn begin_anew(&mut self) {
        let old = self.transcript.session;
        let id = Uuid::new_v4();
        self.mirror();
        self.transcript = self.transcript.next();
        self.output.line(&json!({
            "type": "conversation_reset", "new_conversation_id": id, "uuid": id, "trigger": "clear", "session_id": old,
        }));
        self.keep(json!({"type": "mode", "mode": "normal"}));
    }

    fn perform(&mut self, script: &Script, messages: &[Message]) -> Outcome {
        match script {
            Script::Attachments => {
                let lines = messages.iter().flat_map(|message| attachments::list(&message.content));
                self.say(&lines.collect::<Vec<_>>().join("\n"))
            }
            Script::Echo(text) => self.say(&format!("echo: {text}")),
            Script::Slow { count, pause } => self.grow(*count, Some(*pause)),
            Script::Deltas(count) => self.grow(*count, None),
            Script::Burst { count, bytes } => {
                let (session, model) = (self.transcript.session, &self.options.model);
                self.output.burst(session, model, *count, *bytes);
                Outcome::Answered(format!("{count} messages"))
            }
            Script::Huge(bytes) => self.say(&"x".repeat(*bytes)),
            Script::Tool(command) => self.run_tool(command),
            Script::Write { path, text } => self.write_file(path, text),
            Script::Edit { path, old, new } => self.edit_file(path, old, new),
            Script::Read(path) => self.read_file(path),
            Script::Hooks { count, path } => self.time_hooks(path, *count),
            Script::Approvals(count) => self.ask_often(*count),
            Script::Recall => {
                let answer = format!("you said: {}", self.transcript.texts.join("; "));
                self.say(&answer)
            }
            Script::Recap => {
                let answer = format!("{} messages so far.", self.transcript.texts.len());
                self.say(&answer)
            }
            Script::Clear => Outcome::Answered(String::new()),
            Script::Error(text) => {
                self.say(text);
                Outcome::Failed(text.clone())
            }
            Script::Garbage => self.print_garbage(),
            Script::Sleep(duration) => {
                if self.listen_for(Some(*duration)) {
                    self.say("awake")
                } else {
                    Outcome::Interrupted("aborted_streaming")
                }
            }
            Script::Crash(code) => {
                self.output.flush();
                eprintln!("the simulator crashes, as it was told to, with exit code {code}");
                std::process::exit(i32::from(*code));
            }
            Script::Hang(deafness) => self.hang(*deafness),
            Script::Mute => self.fall_silent(),
        }
    }

    fn print_garbage(&mut self) -> Outcome {
        let lines: [&[u8]; 5] = [
            b"plain text, as a library prints it\n\n",
            b"{\"type\":\"assistant\",\"half\":\n[1,2]\nnull\n",
            b"{\"type\":\"note\",\"text\":\"\xc3\x28\"}\n",
            b"{\"type\":\"note\",\"text\":\"windows\"}\r\n",
            "{\"type\":\"note\",\"text\":\"a\u{2028}b\",\"n\":1e999}\n".as_bytes(),
        ];
        for line in lines {
            self.output.raw(line);
        }
        self.say("garbage")
    }

    fn hang(&mut self, deafness: Deafness) -> Outcome {
        if deafness == Deafness::Hard {
            self.is_deaf.store(true, Ordering::Relaxed);
            // Where it cannot be ignored it ends the process, as ever.
            let _ = input::ignore_sigint();
        }
        while self.listen_for(None) || deafness != Deafness::Soft {
            self.is_interrupted = false;
        }
        Outcome::Interrupted("aborted_streaming")
    }

    /// Lives on as a process whose output is closed. Another program has to take this one's place: the standard library
    /// closes its own stdout never.
    fn fall_silent(&mut self) -> Outcome {
        self.output.flush();
        let error = Command::new("sleep").arg("1000000").stdout(Stdio::null()).exec();
        Outcome::Failed(error.to_string())
    }

    /// Says one text at once.
    pub(super) fn say(&mut self, text: &str) -> Outcome {
        self.delta(text);
        self.message(&json!([{"type": "text", "text": text}]));
        Outcome::Answered(text.to_owned())
    }

    fn grow(&mut self, count: u64, pause: Option<Duration>) -> Outcome {
        let mut text = String::new();
        for piece in 0..count {
            if pause.is_some() && !self.listen_for(pause) {
                self.message(&json!([{"type": "text", "text": text}]));
                return Outcome::Interrupted("aborted_streaming");
            }
            let piece = format!("piece {piece} ");
            self.delta(&piece);
            text.push_str(&piece);
        }
        self.message(&json!([{"type": "text", "text": text}]));
        Outcome::Answered(text)
    }

    fn delta(&mut self, text: &str) {
        self.output.line(&json!({
            "type": "stream_event",
            "event": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
            "session_id": self.transcript.session, "parent_tool_use_id": null, "uuid": Uuid::new_v4(),
        }));
    }

    /// Prints and keeps one message of the model.
    pub(super) fn message(&mut self, content: &Value) {
        let uuid = Uuid::new_v4();
        let line = assistant(self.transcript.session, &self.options.model, &uuid.to_string(), content);
        // The transcript knows why the model stopped, which is not known yet when the block is printed.
        let is_call =
            content.as_array().is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "tool_use"));
        let mut message = line["message"].clone();
        message["stop_reason"] = json!(if is_call { "tool_use" } else { "end_turn" });
        self.keep(json!({"type": "assistant", "uuid": uuid, "message": message, "isSidechain": false}));
        self.output.line(&line);
    }

    pub(super) fn keep(&mut self, entry: Value) {
        self.transcript.append(entry);
    }

    fn mirror(&mut self) {
        if let Some(line) = self.transcript.mirror()
            && self.options.is_mirrored
        {
            self.output.line(&line);
        }
    }

    fn end_turn(&mut self, script: &Script, ids: &[Uuid], outcome: &Outcome, took: Duration) {
        if let Outcome::Interrupted(reason) = outcome {
            let tool = if *reason == "aborted_tools" { " for tool use" } else { "" };
            let words = format!("[Request interrupted by user{tool}]");
            self.outcome_line(&json!([{"type": "text", "text": words}]), &Value::Null);
        }
        let last = self.transcript.texts.last().cloned();
        self.keep(json!({"type": "last-prompt", "lastPrompt": last}));
        self.keep(json!({"type": "cost-state", "totalCostUSD": self.transcript.cost_usd}));
        self.transcript.completed.extend(ids);
        self.in_hand.retain(|id| !ids.contains(id));
        self.mirror();
        let mut result = json!({
            "type": "result", "session_id": self.transcript.session, "uuid": Uuid::new_v4(),
            "total_cost_usd": self.transcript.cost_usd, "usage": {"input_tokens": 10, "output_tokens": 5},
            "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "permission_denials": [],
            "user_message_uuids": ids, "num_turns": u64::from(script.local_command().is_none()),
        });
        if let Some(command) = script.local_command() {
            result["local_command"] = json!(command);
        }
        let (subtype, is_error, reason) = match outcome {
            Outcome::Answered(text) => {
                result["result"] = json!(text);
                ("success", false, "completed")
            }
            Outcome::Failed(text) => {
                result["result"] = json!(text);
                ("success", true, "completed")
            }
            Outcome::Interrupted(reason) => {
                result["errors"] = json!(["interrupted"]);
                ("error_during_execution", true, *reason)
            }
        };
        result["subtype"] = json!(subtype);
        result["is_error"] = json!(is_error);
        result["terminal_reason"] = json!(reason);
        self.output.line(&result);
        let state = if matches!(outcome, Outcome::Interrupted(_)) { "cancelled" } else { "completed" };
        for id in ids {
            self.lifecycle(Some(*id), state);
        }
    }

    /// Prints and keeps what came back to the model: outcomes of tools, or an interruption.
    pub(super) fn outcome_line(&mut self, content: &Value, tool_use_result: &Value) {
        let uuid = Uuid::new_v4();
        let message = json!({"role": "user", "content": content});
        self.keep(json!({"type": "user", "uuid": uuid, "message": message, "isSidechain": false}));
        self.output.line(&json!({
            "type": "user", "message": message, "parent_tool_use_id": null, "session_id": self.transcript.session,
            "uuid": uuid, "tool_use_result": tool_use_result,
        }));
    }
}
