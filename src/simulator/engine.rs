//! The simulator between its turns, and its ear during them: the queue, and the control protocol.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::hooks::Hooks;
use super::input::{self, Event};
use super::options::{Options, PERMISSION_MODES};
use super::output::Output;
use super::transcript::{CannotOpen, Transcript, plain_text, uuid};

/// A message that was taken.
pub(super) struct Message {
    pub(super) id: Option<Uuid>,
    pub(super) content: Value,
    pub(super) text: String,
}

/// The simulator.
pub(super) struct Engine {
    pub(super) options: Options,
    pub(super) output: Output,
    pub(super) transcript: Transcript,
    /// Answers to our questions that nobody has looked at yet, by the question's name.
    pub(super) answers: HashMap<String, Value>,
    /// Whether somebody asked to end the running turn.
    pub(super) is_interrupted: bool,
    /// Tools that need no leave any more in this process.
    pub(super) always_allowed: Vec<String>,
    /// Who wants to be told of tools.
    pub(super) hooks: Hooks,
    /// Whether SIGTERM is ignored.
    pub(super) is_deaf: Arc<AtomicBool>,
    pub(super) queue: VecDeque<Message>,
    events: Receiver<Event>,
    is_closed: bool,
    /// Messages that are in the queue or in the running turn.
    pub(super) in_hand: Vec<Uuid>,
}

impl Engine {
    /// Opens the conversation, or says in the CLI's words why it cannot.
    pub(super) fn start(options: Options) -> Result<Self, String> {
        let mut output = Output::stdout().map_err(|error| error.to_string())?;
        let transcript = Transcript::open(options.conversation).map_err(|error| {
            if let CannotOpen::Unknown(_) = error {
                output.line(&json!({
                    "type": "result", "subtype": "error_during_execution", "is_error": true, "num_turns": 0,
                    "duration_ms": 0, "total_cost_usd": 0, "session_id": Uuid::new_v4(), "uuid": Uuid::new_v4(),
                    "errors": [error.to_string()],
                }));
                output.flush();
            }
            error.to_string()
        })?;
        let is_deaf = Arc::new(AtomicBool::new(false));
        input::end_at_sigterm(is_deaf.clone()).map_err(|error| error.to_string())?;
        Ok(Self {
            options,
            output,
            transcript,
            answers: HashMap::new(),
            is_interrupted: false,
            always_allowed: Vec::new(),
            hooks: Hooks::default(),
            is_deaf,
            queue: VecDeque::new(),
            events: input::listen().map_err(|error| error.to_string())?,
            is_closed: false,
            in_hand: Vec::new(),
        })
    }

    /// Answers until stdin is closed and all is answered; returns the exit code.
    pub(super) fn run(mut self) -> u8 {
        loop {
            if !self.queue.is_empty() {
                // The turn that follows is another one: what was asked before is done with.
                self.is_interrupted = false;
                self.turn();
                continue;
            }
            self.output.flush();
            if self.is_closed {
                return 0;
            }
            match self.events.recv() {
                Ok(event) => self.hear(event),
                Err(_) => return 0,
            }
        }
    }

    /// Listens for this long, or forever, or until somebody interrupts. `false`: somebody did.
    pub(super) fn listen_for(&mut self, duration: Option<Duration>) -> bool {
        self.listen_until(duration, |_| false)
    }

    /// The same, but ends as soon as `is_done`.
    pub(super) fn listen_until(
        &mut self,
        duration: Option<Duration>,
        is_done: impl Fn(&Self) -> bool,
    ) -> bool {
        self.output.flush();
        let end = duration.map(|duration| Instant::now() + duration);
        while !self.is_interrupted && !is_done(self) {
            // When stdin is closed nothing more is heard, and the waiting goes on.
            let left =
                end.map_or(Duration::from_secs(3600), |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return true;
            }
            match self.events.recv_timeout(left) {
                Ok(event) => self.hear(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(left),
            }
            self.output.flush();
        }
        !self.is_interrupted
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Closed => self.is_closed = true,
            Event::BadLine(chars) => {
                self.output.flush();
                eprintln!("Error parsing streaming input line (type=unknown, {chars} chars): SyntaxError");
                std::process::exit(1);
            }
            Event::Line(line) => match line["type"].as_str() {
                Some("user") => self.take(&line),
                Some("control_request") => self.control(&line["request_id"], &line["request"]),
                Some("control_response") => {
                    let answer = &line["response"];
                    if let Some(id) = answer["request_id"].as_str() {
                        self.answers.insert(id.to_owned(), answer["response"].clone());
                    }
                    // The CLI prints what it was answered; so do we.
                    self.output.line(&line);
                }
                _ => {}
            },
        }
    }

    fn take(&mut self, line: &Value) {
        let content = line["message"]["content"].clone();
        let id = uuid(&line["uuid"]);
        if let Some(id) = id {
            if self.transcript.completed.contains(&id) || self.in_hand.contains(&id) {
                self.replay(Some(id), &content);
                return;
            }
            self.in_hand.push(id);
        }
        self.lifecycle(id, "queued");
        let message = Message { id, text: plain_text(&content), content };
        if line["priority"] == "now" {
            self.is_interrupted = true;
            self.queue.push_front(message);
        } else {
            self.queue.push_back(message);
        }
    }

    fn control(&mut self, id: &Value, request: &Value) {
        let answer = match request["subtype"].as_str() {
            Some("initialize") => {
                self.hooks = Hooks::of(&request["hooks"]);
                Ok(json!({
                    "commands": [], "agents": [], "models": [], "output_style": "default", "pid": std::process::id(),
                    "claude_code_version": version(), "current_permission_mode": self.options.permission_mode,
                }))
            }
            Some("interrupt") => {
                self.is_interrupted = true;
                Ok(json!({"still_queued": []}))
            }
            Some("set_model") => {
                self.options.model = request["model"].as_str().unwrap_or("simulator").to_owned();
                Ok(json!({"model": self.options.model}))
            }
            Some("set_permission_mode") => self.set_permission_mode(&request["mode"]),
            other => Err((
                format!("Unsupported control request subtype: {}", other.unwrap_or("undefined")),
                "unsupported_request",
            )),
        };
        let response = match answer {
            Ok(response) => json!({"subtype": "success", "request_id": id, "response": response}),
            Err((error, code)) => {
                json!({"subtype": "error", "request_id": id, "error": error, "error_code": code})
            }
        };
        self.output.line(&json!({"type": "control_response", "response": response}));
    }

    fn set_permission_mode(&mut self, mode: &Value) -> Result<Value, (String, &'static str)> {
        match mode.as_str() {
            Some(mode) if PERMISSION_MODES.contains(&mode) => {
                mode.clone_into(&mut self.options.permission_mode);
                Ok(json!({"mode": mode}))
            }
            _ => {
                let allowed = PERMISSION_MODES.join(", ");
                Err((format!("Cannot set permission mode: must be one of {allowed}"), "invalid_mode"))
            }
        }
    }

    /// The simulator's own acknowledgement of a message; one without a proper id gets none.
    pub(super) fn lifecycle(&mut self, id: Option<Uuid>, state: &str) {
        if let Some(id) = id {
            self.output.line(&json!({
                "type": "command_lifecycle", "command_uuid": id, "state": state, "uuid": Uuid::new_v4(),
                "session_id": self.transcript.session,
            }));
        }
    }

    /// Repeats a message as taken.
    pub(super) fn replay(&mut self, id: Option<Uuid>, content: &Value) {
        self.output.line(&json!({
            "type": "user", "message": {"role": "user", "content": content}, "uuid": id, "isReplay": true,
            "parent_tool_use_id": null, "session_id": self.transcript.session,
        }));
    }
}

/// The version that the simulator gives as its own.
pub(super) fn version() -> String {
    format!("{}-simulator", env!("CARGO_PKG_VERSION"))
}
