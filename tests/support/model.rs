//! A stand-in for the Messages API on a loopback port: the real CLI talks to it as to the model.
//!
//! What it answers is decided by the last text of the user:
//!
//! | text | answer |
//! |---|---|
//! | `recall` | all earlier texts of the user, as `you said: A; B` |
//! | `slow N MS` | N pieces of text, one every MS milliseconds |
//! | `write PATH TEXT` | a call of the tool Write |
//! | `edit PATH OLD NEW` | a call of the tool Edit |
//! | `bash COMMAND` | a call of the tool Bash |
//! | `background COMMAND` | the same, without waiting for its end |
//! | `read PATH …` | one call of the tool Read for each path, all at once |
//! | `call NAME INPUT` | a call of any tool, with that JSON |
//! | `insist COMMAND` | a call of the tool Bash, and another one whenever that one was not allowed |
//! | `fail STATUS` | that HTTP status |
//! | anything else | `echo: TEXT` |
//!
//! To the outcome of a tool it answers `tool said: OUTCOME`, with the first line of each outcome.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

/// The model, listening until it is dropped.
pub(crate) struct Model {
    url: String,
    requests: Requests,
    server: ServerHandle,
}

type Requests = Arc<Mutex<Vec<Value>>>;

impl Model {
    /// Listens on a free port of the loopback interface.
    pub(crate) async fn start() -> Self {
        Self::start_at(0).await
    }

    /// Listens on this port; 0 takes a free one.
    #[expect(clippy::unused_async, reason = "actix-web looks for a running runtime when it starts")]
    pub(crate) async fn start_at(port: u16) -> Self {
        let requests = Requests::default();
        let shared = web::Data::from(requests.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::JsonConfig::default().limit(256 * 1024 * 1024))
                .route("/", web::head().to(HttpResponse::Ok))
                .route("/v1/messages", web::post().to(messages))
                .route("/v1/messages/count_tokens", web::post().to(count_tokens))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .bind(("127.0.0.1", port))
        .expect("a loopback port can be taken");
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, requests, server: handle }
    }

    /// What belongs into `ANTHROPIC_BASE_URL`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The bodies of all requests for a message so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The texts with which turns were begun, oldest first; what comes back from a tool begins none.
    pub(crate) fn turns(&self) -> Vec<String> {
        let mut turns = Vec::new();
        for request in self.requests() {
            let offers_tools = request["tools"].as_array().is_some_and(|tools| !tools.is_empty());
            if offers_tools && tool_outcome(&request).is_none() {
                turns.extend(user_texts(&request).pop());
            }
        }
        turns
    }

    /// The last texts of the user in all requests for an answer with tools, oldest first.
    pub(crate) fn prompts(&self) -> Vec<String> {
        let mut prompts = Vec::new();
        for request in self.requests() {
            let offers_tools = request["tools"].as_array().is_some_and(|tools| !tools.is_empty());
            if offers_tools && let Some(last) = user_texts(&request).pop() {
                prompts.push(last);
            }
        }
        prompts
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // The order to stop is sent at once; nobody needs to wait for its end.
        drop(self.server.stop(false));
    }
}

async fn count_tokens() -> HttpResponse {
    HttpResponse::Ok().json(json!({"input_tokens": 10}))
}

async fn messages(requests: web::Data<Mutex<Vec<Value>>>, request: web::Json<Value>) -> HttpResponse {
    let request = request.into_inner();
    let answer = Answer::to(&request);
    let is_streamed = request["stream"] == json!(true);
    let model = request["model"].clone();
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    if let Some(status) = answer.status {
        let error = json!({"type": "error", "error": {"type": "api_error", "message": "asked to fail"}});
        return HttpResponse::build(status).json(error);
    }
    if !is_streamed {
        return HttpResponse::Ok().json(answer.message(&model));
    }
    let Answer { pause, .. } = answer;
    let events = stream::iter(answer.events(&model)).then(move |event| async move {
        let is_piece = event["type"] == "content_block_delta";
        if is_piece && !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let kind = event["type"].as_str().unwrap_or_default();
        Ok::<_, actix_web::Error>(Bytes::from(format!("event: {kind}\ndata: {event}\n\n")))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(Box::pin(events))
}

/// What the model says to one request.
struct Answer {
    status: Option<StatusCode>,
    pieces: Vec<String>,
    pause: Duration,
    calls: Vec<(String, Value)>,
}

impl Answer {
    fn to(request: &Value) -> Self {
        let mut texts = user_texts(request);
        let last = texts.pop().unwrap_or_default();
        let (verb, rest) = last.split_once(' ').unwrap_or((last.as_str(), ""));
        if let Some(outcome) = tool_outcome(request).filter(|_| verb != "insist" || !was_refused(request)) {
            return Self::text(format!("tool said: {outcome}"));
        }
        match verb {
            "recall" => Self::text(format!("you said: {}", texts.join("; "))),
            "slow" => {
                let (count, pause_ms) = rest.split_once(' ').unwrap_or((rest, "10"));
                let count: u32 = count.trim().parse().unwrap_or(10);
                let pause_ms = pause_ms.trim().parse().unwrap_or(10);
                Self {
                    pieces: (0..count).map(|piece| format!("piece {piece} ")).collect(),
                    pause: Duration::from_millis(pause_ms),
                    ..Self::text(String::new())
                }
            }
            "write" => {
                let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
                Self::call("Write", json!({"file_path": path, "content": text}))
            }
            "edit" => {
                let mut words = rest.splitn(3, ' ');
                let mut word = || words.next().unwrap_or_default();
                let (path, old, new) = (word(), word(), word());
                Self::call("Edit", json!({"file_path": path, "old_string": old, "new_string": new}))
            }
            "call" => {
                let (tool, input) = rest.split_once(' ').unwrap_or((rest, "{}"));
                Self::call(tool, serde_json::from_str(input).unwrap_or_default())
            }
            "bash" | "insist" => {
                Self::call("Bash", json!({"command": rest, "description": "Runs a command"}))
            }
            // The CLI reports the end of the command by itself, in a turn of its own.
            "background" if request["messages"].to_string().contains("<task-notification>") => {
                Self::text("noted".to_owned())
            }
            "background" => Self::call(
                "Bash",
                json!({"command": rest, "description": "Runs a command", "run_in_background": true}),
            ),
            "read" => Self {
                calls: rest
                    .split_whitespace()
                    .map(|path| ("Read".to_owned(), json!({"file_path": path})))
                    .collect(),
                ..Self::text("reading".to_owned())
            },
            "fail" => Self {
                status: rest.trim().parse().ok().and_then(|code| StatusCode::from_u16(code).ok()),
                ..Self::text(String::new())
            },
            _ => Self::text(format!("echo: {last}")),
        }
    }

    fn text(text: String) -> Self {
        Self { status: None, pieces: vec![text], pause: Duration::ZERO, calls: Vec::new() }
    }

    fn call(tool: &str, input: Value) -> Self {
        Self { calls: vec![(tool.to_owned(), input)], ..Self::text("calling".to_owned()) }
    }

    fn stop_reason(&self) -> &'static str {
        if self.calls.is_empty() { "end_turn" } else { "tool_use" }
    }

    /// The whole answer as one message.
    fn message(&self, model: &Value) -> Value {
        let mut content = vec![json!({"type": "text", "text": self.pieces.concat()})];
        for (tool, input) in &self.calls {
            content.push(json!({"type": "tool_use", "id": id("toolu"), "name": tool, "input": input}));
        }
        json!({
            "id": id("msg"), "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": self.stop_reason(), "stop_sequence": null,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        })
    }

    /// The same as a stream of events.
    fn events(&self, model: &Value) -> Vec<Value> {
        let mut message = self.message(model);
        message["content"] = json!([]);
        message["stop_reason"] = Value::Null;
        let mut events = vec![json!({"type": "message_start", "message": message})];
        let start =
            |index, block| json!({"type": "content_block_start", "index": index, "content_block": block});
        let delta = |index, delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
        let stop = |index| json!({"type": "content_block_stop", "index": index});
        events.push(start(0, json!({"type": "text", "text": ""})));
        for piece in &self.pieces {
            events.push(delta(0, json!({"type": "text_delta", "text": piece})));
        }
        events.push(stop(0));
        for (call, (tool, input)) in self.calls.iter().enumerate() {
            let index = call + 1;
            let block = json!({"type": "tool_use", "id": id("toolu"), "name": tool, "input": {}});
            events.push(start(index, block));
            events.push(delta(index, json!({"type": "input_json_delta", "partial_json": input.to_string()})));
            events.push(stop(index));
        }
        events.push(json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null},
            "usage": {"output_tokens": 5},
        }));
        events.push(json!({"type": "message_stop"}));
        events
    }
}

/// A name as the API gives them; the CLI takes two answers of one name for one answer.
fn id(kind: &str) -> String {
    format!("{kind}_{}", uuid::Uuid::new_v4().simple())
}

/// The texts of the user, one for each message that has any, oldest first.
fn user_texts(request: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    for message in request["messages"].as_array().into_iter().flatten() {
        if message["role"] != "user" {
            continue;
        }
        let mut parts = Vec::new();
        match &message["content"] {
            Value::String(text) => parts.push(own_words(text)),
            Value::Array(blocks) => {
                for block in blocks {
                    if let Some(text) = block["text"].as_str() {
                        parts.push(own_words(text));
                    }
                }
            }
            _ => {}
        }
        parts.retain(|part| !is_the_clis_own(part));
        if !parts.is_empty() {
            texts.push(parts.join("\n"));
        }
    }
    texts
}

/// Whether the CLI put this text beside the user's: an interruption, or a command that it ran by itself.
fn is_the_clis_own(text: &str) -> bool {
    let marks = ["[Request interrupted", "<local-command-", "<command-name>"];
    text.is_empty() || marks.iter().any(|mark| text.starts_with(mark))
}

/// A text without what the CLI adds to it.
fn own_words(text: &str) -> String {
    const START: &str = "<system-reminder>";
    const END: &str = "</system-reminder>";
    let mut rest = text;
    let mut own = String::new();
    while let Some((before, reminder)) = rest.split_once(START) {
        own.push_str(before);
        rest = reminder.split_once(END).map_or("", |(_, after)| after);
    }
    own.push_str(rest);
    own.trim().to_owned()
}

/// Whether the last tool call came to nothing.
fn was_refused(request: &Value) -> bool {
    let last = request["messages"].as_array().and_then(|messages| messages.last());
    let blocks = last.and_then(|last| last["content"].as_array());
    blocks.is_some_and(|blocks| blocks.iter().any(|block| block["is_error"] == true))
}

/// The first lines of the tools' outcomes, if the last message of the user holds any.
fn tool_outcome(request: &Value) -> Option<String> {
    let last = request["messages"].as_array()?.last()?;
    let mut outcomes = Vec::new();
    for block in last["content"].as_array()? {
        if block["type"] != "tool_result" {
            continue;
        }
        let text = match &block["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            other => other.to_string(),
        };
        outcomes.push(text.lines().next().unwrap_or_default().to_owned());
    }
    (!outcomes.is_empty()).then(|| outcomes.join("; "))
}
