//! A device as a client author would write it: one WebSocket, everything that comes is kept, nothing is repaired.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::server::PATIENCE;

/// A connected device that has said hello.
pub(crate) struct TestDevice {
    pub(crate) name: String,
    send: mpsc::UnboundedSender<Value>,
    seen: Arc<Seen>,
    next_ref: AtomicU64,
}

#[derive(Default)]
struct Seen {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Default)]
struct Inner {
    frames: Vec<Value>,
    answers: HashMap<String, Value>,
    close_code: Option<u16>,
    is_closed: bool,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl TestDevice {
    pub(crate) async fn connect(address: &str, token: &str, name: &str) -> Self {
        let mut socket = open(address, token).await;
        let hello =
            json!({"type": "hello", "protocol": 1, "deviceId": name, "deviceName": name, "kind": "test"});
        socket.send(Message::text(hello.to_string())).await.expect("hello is sent");
        let welcome = socket.next().await.expect("a welcome").expect("a welcome");
        let welcome: Value = serde_json::from_str(welcome.to_text().expect("text")).expect("JSON");
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        let seen = Arc::new(Seen::default());
        let (send, outgoing) = mpsc::unbounded_channel();
        tokio::spawn(run(socket, outgoing, seen.clone()));
        Self { name: name.to_owned(), send, seen, next_ref: AtomicU64::new(1) }
    }

    /// Sends a frame as it is.
    pub(crate) fn send(&self, frame: Value) {
        self.send.send(frame).expect("the device is connected");
    }

    /// Sends a frame with a mark of its own and waits for the direct answer.
    pub(crate) async fn ask(&self, frame: Value) -> Value {
        let mark = self.begin(frame);
        self.answer(&mark).await
    }

    /// Sends a frame and returns the mark under which its answer will come.
    pub(crate) fn begin(&self, mut frame: Value) -> String {
        let mark = format!("r{}", self.next_ref.fetch_add(1, Ordering::Relaxed));
        frame["ref"] = json!(mark);
        self.send(frame);
        mark
    }

    /// Sends a frame to a server that may be killed in between; `None`: the connection is gone, the outcome unknown.
    pub(crate) async fn try_ask(&self, mut frame: Value) -> Option<Value> {
        let mark = format!("r{}", self.next_ref.fetch_add(1, Ordering::Relaxed));
        frame["ref"] = json!(mark);
        self.send.send(frame).ok()?;
        self.until_gone(|inner| inner.answers.get(&mark).cloned()).await
    }

    /// Waits for an event of a session on a connection that may be cut; `None`: it is, and the event has not come.
    pub(crate) async fn try_event(&self, session: &str, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let is_event =
            |frame: &&Value| frame["type"] == "event" && frame["sessionId"] == session && is_it(frame);
        self.until_gone(|inner| inner.frames.iter().find(is_event).cloned()).await
    }

    async fn until_gone<T>(&self, look: impl Fn(&Inner) -> Option<T>) -> Option<T> {
        let look = |inner: &Inner| look(inner).map(Some).or_else(|| inner.is_closed.then_some(None));
        self.until("an answer or the end", look).await
    }

    pub(crate) async fn answer(&self, mark: &str) -> Value {
        self.until(&format!("the answer to {mark}"), |inner| inner.answers.get(mark).cloned()).await
    }

    /// Subscribes behind event `after` and returns `subscribed`.
    pub(crate) async fn subscribe(&self, session: &str, after: u64) -> Value {
        let answer = self.ask(json!({"type": "subscribe", "sessionId": session, "after": after})).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        answer
    }

    /// Submits a text and returns `accepted`.
    pub(crate) async fn submit(&self, session: &str, text: &str) -> Value {
        let answer = self.ask(json!({"type": "submit", "sessionId": session, "content": text})).await;
        assert_eq!(answer["type"], "accepted", "{answer}");
        answer
    }

    /// All events of a session so far, in the order in which they came.
    pub(crate) fn events(&self, session: &str) -> Vec<Value> {
        self.of_type("event", session)
    }

    /// All frames so far that are no direct answers, in the order in which they came.
    pub(crate) fn frames(&self) -> Vec<Value> {
        self.seen.inner.lock().expect("no test panics with this lock").frames.clone()
    }

    fn of_type(&self, kind: &str, session: &str) -> Vec<Value> {
        let inner = self.seen.inner.lock().expect("no test panics with this lock");
        let of_session =
            inner.frames.iter().filter(|frame| frame["type"] == kind && frame["sessionId"] == session);
        of_session.cloned().collect()
    }

    /// Waits for the event that satisfies a condition.
    pub(crate) async fn event(&self, session: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let is_event =
            |frame: &&Value| frame["type"] == "event" && frame["sessionId"] == session && is_it(frame);
        self.until(what, |inner| inner.frames.iter().find(is_event).cloned()).await
    }

    /// Waits for so many events of a kind.
    pub(crate) async fn kind(&self, session: &str, kind: &str, times: usize) -> Value {
        let is_it = |frame: &&Value| {
            frame["sessionId"] == session && frame["kind"] == kind && frame["type"] == "event"
        };
        self.until(&format!("{kind} ×{times}"), |inner| {
            inner.frames.iter().filter(is_it).nth(times - 1).cloned()
        })
        .await
    }

    /// Waits for a frame that satisfies a condition.
    pub(crate) async fn frame(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |inner| inner.frames.iter().find(|frame| is_it(frame)).cloned()).await
    }

    /// Says that it goes.
    pub(crate) async fn close(self) {
        self.send(Value::Null);
        self.closed().await;
    }

    /// Waits until the server has closed the connection, and returns the code.
    pub(crate) async fn closed(&self) -> Option<u16> {
        self.until("closed", |inner| inner.is_closed.then_some(inner.close_code)).await
    }

    async fn until<T>(&self, what: &str, look: impl Fn(&Inner) -> Option<T>) -> T {
        let looking = async {
            loop {
                let news = self.seen.news.notified();
                if let Some(found) = look(&self.seen.inner.lock().expect("no test panics with this lock")) {
                    return found;
                }
                news.await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => {
                let inner = self.seen.inner.lock().expect("no test panics with this lock");
                let last: Vec<String> = inner.frames.iter().rev().take(8).map(ToString::to_string).collect();
                panic!("{} never saw {what}; closed: {}; last frames: {last:#?}", self.name, inner.is_closed);
            }
        }
    }
}

async fn open(address: &str, token: &str) -> Socket {
    let url = format!("{}/ws", address.replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a URL");
    let bearer = format!("Bearer {token}").parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let (socket, _) = tokio_tungstenite::connect_async_with_config(request, Some(config), true)
        .await
        .expect("the server takes the connection");
    socket
}

async fn run(mut socket: Socket, mut outgoing: mpsc::UnboundedReceiver<Value>, seen: Arc<Seen>) {
    loop {
        let message = tokio::select! {
            frame = outgoing.recv() => {
                let Some(frame) = frame else { break };
                if frame.is_null() {
                    socket.close(None).await.ok();
                    continue;
                }
                if socket.send(Message::text(frame.to_string())).await.is_err() { break }
                continue;
            }
            message = socket.next() => message,
        };
        match message {
            Some(Ok(Message::Text(text))) => seen.take(&text),
            Some(Ok(Message::Close(reason))) => {
                seen.inner.lock().expect("a lock").close_code = reason.map(|reason| reason.code.into());
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    seen.inner.lock().expect("a lock").is_closed = true;
    seen.news.notify_waiters();
}

impl Seen {
    fn take(&self, text: &Utf8Bytes) {
        let frame = parse(text);
        let mut inner = self.inner.lock().expect("no test panics with this lock");
        match frame["ref"].as_str() {
            Some(mark) => {
                let before = inner.answers.insert(mark.to_owned(), frame.clone());
                assert!(before.is_none(), "two direct answers to {mark}");
            }
            None => inner.frames.push(frame),
        }
        drop(inner);
        self.news.notify_waiters();
    }
}

/// Reads a frame. A number that no `f64` can hold is JSON all the same; the part with it is kept as text.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let parts: HashMap<String, Box<RawValue>> =
            serde_json::from_str(text).expect("the server sends JSON");
        let part = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or_else(|_| json!(raw.get()));
        parts.iter().map(|(name, raw)| (name.clone(), part(raw))).collect()
    })
}
