//! What fault runs stand on: processes that are found by their marker, people who come back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::device::TestDevice;
use super::server::TestServer;

/// How often a fault run strikes: `TANDEM_FAULT_ROUNDS`, or 50 times.
pub(crate) fn rounds() -> usize {
    std::env::var("TANDEM_FAULT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(50)
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
    /// Every event ever seen, by its number.
    pub(crate) held: BTreeMap<u64, Value>,
    epoch: Value,
    /// Everything ever sent, oldest first.
    pub(crate) sent: Vec<Sent>,
}

/// A message, and what is known of it.
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) text: String,
    /// Where its `message_accepted` stands, once that was told.
    pub(crate) accepted_at: Option<u64>,
}

impl Person {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, held: BTreeMap::new(), epoch: Value::Null, sent: Vec::new() }
    }

    /// Comes back and follows on from the last event that was seen; nothing may be told to be forgotten.
    pub(crate) async fn connect(&mut self, server: &TestServer, session: &str) -> TestDevice {
        let device = server.device(self.name).await;
        let mut frame = json!({"type": "subscribe", "sessionId": session, "after": 0});
        let last = self.held.last_key_value();
        if let Some((seq, event)) = last {
            frame = json!({
                "type": "subscribe", "sessionId": session, "after": seq, "epoch": self.epoch, "hash": event["hash"],
            });
        }
        let answer = device.ask(frame).await;
        assert_eq!((&answer["type"], &answer["reset"]), (&json!("subscribed"), &json!(false)), "{answer}");
        assert_eq!(answer["from"].as_u64(), Some(last.map_or(0, |(seq, _)| *seq) + 1), "{answer}");
        self.epoch = answer["epoch"].clone();
        device
    }

    /// Writes a message down, to be sent by [`Person::send`].
    pub(crate) fn compose(&mut self, text: String) {
        self.sent.push(Sent { id: uuid::Uuid::now_v7().to_string(), text, accepted_at: None });
    }

    /// Sends what is not known to have arrived, and the last one that is; says yes to every question of the agent; until
    /// the connection is cut.
    pub(crate) async fn act(&mut self, device: &TestDevice, session: &str) {
        tokio::join!(Self::send(&mut self.sent, device, session), approve(device, session));
    }

    async fn send(sent: &mut [Sent], device: &TestDevice, session: &str) {
        let first = sent.iter().position(|sent| sent.accepted_at.is_none()).unwrap_or(sent.len());
        for message in &mut sent[first.saturating_sub(1)..] {
            let frame = json!({
                "type": "submit", "sessionId": session, "messageId": message.id, "content": message.text,
            });
            let Some(answer) = device.try_ask(frame).await else { return };
            assert_eq!(answer["type"], "accepted", "{answer}");
            let seq = answer["seq"].as_u64();
            if message.accepted_at.is_some() {
                assert_eq!((seq, &answer["duplicate"]), (message.accepted_at, &json!(true)), "{answer}");
            }
            message.accepted_at = seq;
        }
    }

    /// Keeps what a connection has shown; nothing that was seen before may look different.
    pub(crate) fn keep(&mut self, device: &TestDevice, session: &str) {
        for event in device.events(session) {
            let seq = event["seq"].as_u64().expect("a number");
            let expected = self.held.last_key_value().map_or(0, |(last, _)| *last) + 1;
            assert_eq!(seq, expected, "{} sees every event once, in order", self.name);
            self.held.insert(seq, event);
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
