//! Events as lines for a person. Pure: the same events give the same text.

mod agent;
mod content;
mod table;
mod text;

use std::collections::HashMap;

use serde_json::Value;
use tandem_actors::clock::Timestamp;

use super::answer::Answer;
use content::plain_text;

pub use agent::{Block, blocks};
pub use table::{columns, plain_time};
pub use text::{Style, brief, clean, tool_line};

/// Shows one conversation as it goes.
#[derive(Debug)]
pub struct Renderer {
    style: Style,
    /// What devices are called, by their ids.
    names: HashMap<String, String>,
    answer: Answer,
    is_mid_line: bool,
}

impl Renderer {
    /// Begins with nothing shown.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { style, names: HashMap::new(), answer: Answer::default(), is_mid_line: false }
    }

    /// The head of the page: what the conversation is, and who is there. Called before the events.
    pub fn title(&mut self, state: &Value) -> String {
        for device in state["devices"].as_array().into_iter().flatten() {
            self.learn_name(device);
        }
        let name = state["title"].as_str().or(state["projectPath"].as_str()).unwrap_or("a conversation");
        let id = state["sessionId"].as_str().unwrap_or_default();
        let status = word(&state["status"]).replace('_', " ");
        self.line(&self.style.bold(&format!("── {} · {id} · {status} ──", clean(name))))
    }

    /// What waits and what runs, as of the state; called when the events up to it have been shown.
    pub fn present(&mut self, state: &Value) -> String {
        let so_far = state["turn"]["text"].as_str().unwrap_or_default();
        let mut out = String::new();
        if !so_far.is_empty() {
            self.answer = Answer::continuing(so_far);
            out.push_str(&self.piece(&clean(so_far)));
        }
        out
    }

    /// The queue, one line a message.
    pub fn queue(&mut self, state: &Value) -> String {
        let queue = state["queue"].as_array().map(Vec::as_slice).unwrap_or_default();
        if queue.is_empty() {
            return self.note("nothing waits");
        }
        let lines: Vec<String> = queue
            .iter()
            .map(|message| {
                let (id, from) = (word(&message["messageId"]), self.name(&message["deviceId"]));
                format!("{id}  {from}  {}", brief(&plain_text(&message["content"])))
            })
            .collect();
        lines.iter().map(|line| self.line(line)).collect()
    }

    /// One event.
    pub fn event(&mut self, at: Timestamp, kind: &str, data: &Value) -> String {
        match kind {
            "message_accepted" => self.message(at, data),
            "agent_message" => self.agent_message(&data["message"]),
            "turn_ended" => self.turn_ended(data),
            "approval_requested" => self.approval_requested(data),
            "turn_dispatched" | "turn_started" | "state_changed" | "session_extended" => String::new(),
            _ => match self.sentence(kind, data) {
                Some(sentence) => self.note(&sentence),
                None => String::new(),
            },
        }
    }

    /// A passing hint; only the growing answer is shown.
    pub fn signal(&mut self, kind: &str, data: &Value) -> String {
        if kind != "delta" {
            return String::new();
        }
        let new = self.answer.delta(data);
        self.piece(&clean(&new))
    }

    /// What somebody sends to people and not to the agent.
    pub fn notice(&mut self, from: &Value, message: &Value) -> String {
        let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        let from = self.name(&from["deviceId"]);
        let text = self.style.yellow(&format!("✉ {from}: {}", clean(&text)));
        self.line(&text)
    }

    /// A remark in a line of its own.
    pub fn note(&mut self, text: &str) -> String {
        let text = self.style.dim(&format!("· {text}"));
        self.line(&text)
    }

    /// A remark that something went wrong.
    pub fn warning(&mut self, text: &str) -> String {
        let text = self.style.red(&format!("! {text}"));
        self.line(&text)
    }

    fn message(&mut self, at: Timestamp, data: &Value) -> String {
        let time = at.to_string();
        let clock = time.get(11..19).unwrap_or_default();
        let from = self.name(&data["deviceId"]);
        let head = self.style.bold(&format!("{clock} {from} ›"));
        self.line(&format!("{head} {}", clean(&plain_text(&data["content"]))))
    }

    fn agent_message(&mut self, message: &Value) -> String {
        let mut out = String::new();
        for block in blocks(message) {
            match block {
                Block::Text(text) => {
                    let rest = clean(&self.answer.complete(text));
                    out.push_str(&self.piece(&rest));
                }
                Block::Tool { name, input } => {
                    let text = self.style.cyan(&format!("⚒ {}", tool_line(name, input)));
                    out.push_str(&self.line(&text));
                }
                Block::ToolFailed(text) => out.push_str(&self.warning(&brief(&text))),
            }
        }
        out
    }

    fn turn_ended(&mut self, data: &Value) -> String {
        self.answer.end();
        let seconds = data["durationMs"].as_f64().unwrap_or_default() / 1000.0;
        let cost = data["costUsd"].as_f64().map_or_else(String::new, |cost| format!(", ${cost:.4}"));
        match data["outcome"].as_str() {
            Some("completed") => self.note(&format!("done in {seconds:.1} s{cost}")),
            Some("interrupted") => {
                let by = self.by(data);
                let why = data["error"].as_str().map(|why| format!(": {}", brief(why))).unwrap_or_default();
                self.warning(&format!("interrupted{by} after {seconds:.1} s{why}"))
            }
            Some("lost") => {
                self.warning("lost: the agent went away and left no answer; send the message again")
            }
            _ => {
                let why = data["error"].as_str().or(data["text"].as_str()).unwrap_or("no reason was given");
                self.warning(&format!("failed: {}", brief(why)))
            }
        }
    }

    fn approval_requested(&mut self, data: &Value) -> String {
        let tool = tool_line(data["tool"].as_str().unwrap_or("a tool"), &data["input"]);
        let question = self.style.yellow(&format!("? may it: {tool}"));
        let how = format!("/approve or /deny REASON; of several, name {}", word(&data["requestId"]));
        [self.line(&question), self.note(&how)].concat()
    }

    /// What happened, for events that need no more than a sentence.
    fn sentence(&mut self, kind: &str, data: &Value) -> Option<String> {
        let by = self.by(data);
        let message = word(&data["messageId"]);
        Some(match kind {
            "session_created" => format!("began in {}", clean(word(&data["projectPath"]))),
            "session_changed" => changed(data)?,
            "session_closed" => format!("closed{by}"),
            "device_linked" => {
                self.learn_name(data);
                format!("{} joined", self.name(&data["deviceId"]))
            }
            "device_unlinked" => format!("{} left", self.name(&data["deviceId"])),
            "primary_changed" if data["deviceId"].is_null() => "no device leads now".to_owned(),
            "primary_changed" => format!("{} leads now{by}", self.name(&data["deviceId"])),
            "message_cancelled" => format!("message {message} was taken back{by}"),
            "message_edited" => {
                format!("message {message} was changed{by}: {}", brief(&plain_text(&data["content"])))
            }
            "queue_moved" => format!("message {message} was moved{by}"),
            "approval_resolved" => format!("{}{by}", resolution(word(&data["decision"]))),
            "agent_started" => "the agent is there".to_owned(),
            "agent_stopped" => {
                let detail = data["detail"].as_str().map(|detail| format!(": {}", brief(detail)));
                format!("the agent stopped ({}){}", word(&data["reason"]), detail.unwrap_or_default())
            }
            _ => kind.replace('_', " "),
        })
    }

    fn learn_name(&mut self, device: &Value) {
        if let (Some(id), Some(name)) = (device["deviceId"].as_str(), device["deviceName"].as_str()) {
            self.names.insert(id.to_owned(), clean(name));
        }
    }

    fn name(&self, device_id: &Value) -> String {
        let id = word(device_id);
        self.names.get(id).map_or_else(|| clean(id), Clone::clone)
    }

    fn by(&self, data: &Value) -> String {
        match &data["by"]["deviceId"] {
            Value::Null => String::new(),
            device_id => format!(" by {}", self.name(device_id)),
        }
    }

    /// A whole line, in front of which a line that was begun is ended.
    fn line(&mut self, text: &str) -> String {
        let start = if self.is_mid_line { "\n" } else { "" };
        self.is_mid_line = false;
        format!("{start}{text}\n")
    }

    /// A part of a line.
    fn piece(&mut self, text: &str) -> String {
        if let Some(last) = text.chars().last() {
            self.is_mid_line = last != '\n';
        }
        text.to_owned()
    }
}

fn resolution(decision: &str) -> String {
    match decision {
        "allow" => "allowed".to_owned(),
        "deny" => "denied".to_owned(),
        "withdrawn" => "the agent asks no more".to_owned(),
        "lost" => "the question is gone with the agent".to_owned(),
        other => other.replace('_', " "),
    }
}

fn changed(data: &Value) -> Option<String> {
    let fields = [("title", "title"), ("model", "model"), ("permissionMode", "permission mode")];
    let changes: Vec<String> = fields
        .iter()
        .filter_map(|(field, name)| Some(format!("{name} is now {}", clean(data[*field].as_str()?))))
        .collect();
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
