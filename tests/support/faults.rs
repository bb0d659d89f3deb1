//! What fault runs stand on: processes that are found by their marker, people who come back.

use serde_json::{Value, json};
use tandem::history::{Answer, Asked, Moment, Recorder, Tape, What};
use tandem_actors::content::Content;
use tandem_actors::ids::MessageId;

use super::device::TestDevice;
use super::recorded::saw;
use super::server::TestServer;

/// How often a fault run strikes: `TANDEM_FAULT_ROUNDS`, or 50 times.
pub(crate) fn rounds() -> usize {
    rounds_or(50)
}

/// The same, where a run has another number of its own.
pub(crate) fn rounds_or(own: usize) -> usize {
    std::env::var("TANDEM_FAULT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(own)
}

/// The processes that live and carry the marker of a session.
pub(crate) fn marked(session: &str) -> Vec<u32> {
    let marker = format!("TANDEM_SESSION={session}:");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("there is /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_marked = environment.split(|byte| *byte == 0).any(|one| one.starts_with(marker.as_bytes()));
        if is_marked && super::is_running(pid) {
            found.push(pid);
        }
    }
    found
}

/// The children of a process that are dead and that it has not collected.
pub(crate) fn zombies_of(parent: u32) -> usize {
    let stats = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let of_parent = format!(" Z {parent} ");
    stats.filter(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(&of_parent))).count()
}

/// A person with a device: remembers what was seen and sent over all connections, and sends again what is not known to
/// have arrived.
pub(crate) struct Person {
    name: &'static str,
    /// Everything ever seen, asked and told.
    pub(crate) tape: Tape,
    last_hash: Value,
    epoch: Value,
    /// Everything ever sent, oldest first.
    pub(crate) sent: Vec<Sent>,
}

/// A message, and what is known of it.
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) text: String,
    asked: Option<Asked>,
    /// Where its `message_accepted` stands, once that was told.
    pub(crate) accepted_at: Option<u64>,
}

impl Person {
    pub(crate) fn new(name: &'static str, recorder: &Recorder) -> Self {
        let tape = recorder.tape(name);
        Self { name, tape, last_hash: Value::Null, epoch: Value::Null, sent: Vec::new() }
    }

    /// Comes back and follows on from the last event that was seen; nothing may be told to be forgotten.
    pub(crate) async fn connect(&mut self, server: &TestServer, session: &str) -> TestDevice {
        let device = server.device(self.name).await;
        let mut frame = json!({"type": "subscribe", "sessionId": session, "after": 0});
        let last = self.tape.last();
        if last > 0 {
            frame = json!({
                "type": "subscribe", "sessionId": session, "after": last, "epoch": self.epoch, "hash": self.last_hash,
            });
        }
        let answer = device.ask(frame).await;
        assert_eq!((&answer["type"], &answer["reset"]), (&json!("subscribed"), &json!(false)), "{answer}");
        self.tape.began(answer["from"].as_u64().expect("a beginning"), false);
        self.epoch = answer["epoch"].clone();
        device
    }

    /// Writes a message down, to be sent by [`Person::send`].
    pub(crate) fn compose(&mut self, text: String) {
        let id = MessageId::random().to_string();
        self.sent.push(Sent { id, text, asked: None, accepted_at: None });
    }

    /// Sends what is not known to have arrived, and the last one that is; says yes to every question of the agent; until
    /// the connection is cut.
    pub(crate) async fn act(&mut self, device: &TestDevice, session: &str) {
        let first = self.sent.iter().position(|sent| sent.accepted_at.is_none()).unwrap_or(self.sent.len());
        let last_accepted = first.saturating_sub(1);
        tokio::join!(self.send(last_accepted, device, session), approve(device, session));
    }

    /// Sends everything from this message on; false if the connection was cut before all of it was accepted.
    pub(crate) async fn send(&mut self, from: usize, device: &TestDevice, session: &str) -> bool {
        for message in &mut self.sent[from..] {
            let Sent { id, text, .. } = message;
            let frame = json!({"type": "submit", "sessionId": session, "messageId": id, "content": text});
            let (message_id, content) = (id.parse().expect("an id"), Content::text(&**text).expect("a text"));
            let what = What::Submit { message: message_id, content };
            // What is not known to have arrived is the same question again.
            let asked = message.asked.filter(|_| message.accepted_at.is_none());
            let asked = asked.unwrap_or_else(|| self.tape.asks(what, Moment::now()));
            message.asked = Some(asked);
            let Some(answer) = device.try_ask(frame).await else { return false };
            assert_eq!(answer["type"], "accepted", "{answer}");
            let seq = answer["seq"].as_u64().expect("a number");
            let is_duplicate = answer["duplicate"] == true;
            assert!(is_duplicate || message.accepted_at.is_none(), "{answer}");
            self.tape.is_told(asked, Answer::Accepted { seq, is_duplicate }, Moment::now());
            message.accepted_at = Some(seq);
        }
        true
    }

    /// Notes what a connection has shown.
    pub(crate) fn keep(&mut self, device: &TestDevice, session: &str) {
        for event in device.events(session) {
            saw(&mut self.tape, &event);
            self.last_hash = event["hash"].clone();
        }
    }
}

/// Says yes to everything.
pub(crate) async fn approve(device: &TestDevice, session: &str) {
    let mut last = 0;
    loop {
        let is_new =
            |event: &Value| event["kind"] == "approval_requested" && event["seq"].as_u64() > Some(last);
        let Some(asked) = device.try_event(session, is_new).await else { return };
        last = asked["seq"].as_u64().expect("a number");
        let request = &asked["data"]["requestId"];
        let frame =
            json!({"type": "approve", "sessionId": session, "requestId": request, "decision": "allow"});
        // Somebody else may have been quicker, and an old question may be gone: both are fine.
        if device.try_ask(frame).await.is_none() {
            return;
        }
    }
}
