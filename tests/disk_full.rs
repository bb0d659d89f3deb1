//! The disk becomes full at each step of a conversation, and has space again: nothing is half done, nothing lost.
//!
//! The step is a group commit; the order to fail lies in a file (`tandem::store::Faults`), whose removal is the space.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::figures::figure;
use crate::support::server::{Home, TestServer, eventually};

/// Steps that a conversation has at least; fewer would mean that the order did not reach the journal.
const FEWEST_STEPS: usize = 8;

struct Trial<'a> {
    home: &'a Home,
    server: &'a TestServer,
    devices: [&'a TestDevice; 2],
    order: PathBuf,
    has_been_full: bool,
}

impl Trial<'_> {
    /// Begins a conversation, runs a command with leave in it, and compares what everyone has seen.
    async fn run(&mut self) {
        let [phone, laptop] = self.devices;
        let session = self.session().await;
        for device in self.devices {
            let subscribe = json!({"type": "subscribe", "sessionId": session, "after": 0});
            self.insist(device, &session, subscribe).await;
        }
        let submit = json!({"type": "submit", "sessionId": session, "content": "/tool echo done"});
        self.insist(phone, &session, submit).await;
        let asked = self.event(laptop, &session, "approval_requested").await;
        let request = &asked["data"]["requestId"];
        let approve =
            json!({"type": "approve", "sessionId": session, "requestId": request, "decision": "allow"});
        self.insist(laptop, &session, approve).await;
        let ended = self.event(phone, &session, "turn_ended").await;
        assert_eq!(ended["data"]["outcome"], "completed", "{ended}");
        self.all_agree(&session).await;
    }

    async fn session(&mut self) -> String {
        let body = json!({ "projectPath": self.home.project() });
        loop {
            let (status, answer) = self.server.call("POST", "/api/sessions", body.clone()).await;
            if status < 300 {
                return answer["sessionId"].as_str().expect("a session id").to_owned();
            }
            assert_eq!(status, 503, "{answer}");
            assert_refused(&answer["error"]);
            self.look_at_full_disk(None).await;
            self.make_space();
        }
    }

    /// Asks until it is done; on a full disk it is refused, and nothing of it is stored.
    async fn insist(&mut self, device: &TestDevice, session: &str, frame: Value) {
        loop {
            let answer = device.ask(frame.clone()).await;
            if answer["type"] != "rejected" {
                return;
            }
            assert_refused(&answer["error"]);
            self.look_at_full_disk(Some(session)).await;
            self.make_space();
        }
    }

    /// Waits for an event; when the disk is full before it comes, looks around and makes space.
    async fn event(&mut self, device: &TestDevice, session: &str, kind: &str) -> Value {
        let is_there = || device.events(session).iter().any(|event| event["kind"] == kind);
        eventually("the event, or a full disk", async || is_there() || self.is_full()).await;
        if !is_there() {
            self.look_at_full_disk(Some(session)).await;
            self.make_space();
        }
        device.kind(session, kind, 1).await
    }

    async fn look_at_full_disk(&mut self, session: Option<&str>) {
        assert!(self.is_full(), "refused for another reason");
        self.has_been_full = true;
        eventually("the server says that it is not ready", async || {
            self.server.call("GET", "/health/ready", Value::Null).await.0 == 503
        })
        .await;
        let health = self.server.get("/health").await;
        assert!(health["storage"]["trouble"].as_str().expect("trouble").contains("full"), "{health}");
        self.server.get("/api/sessions").await;
        let Some(session) = session else { return };
        let [phone, _] = self.devices;
        let refused = phone.ask(json!({"type": "submit", "sessionId": session, "content": "too much"})).await;
        assert_eq!(refused["type"], "rejected", "{refused}");
        assert_refused(&refused["error"]);
        // Reads go on, and what devices have seen is what the disk has.
        let durable = self.server.events(session).await;
        for (seq, event) in (1_u64..).zip(&durable) {
            assert_eq!(event["seq"], seq, "nothing is half done");
        }
        for device in self.devices {
            for (seen, kept) in device.events(session).iter().zip(&durable) {
                assert_eq!(seen["hash"], kept["hash"]);
            }
            assert!(device.events(session).len() <= durable.len(), "more was seen than is on the disk");
        }
    }

    async fn all_agree(&self, session: &str) {
        eventually("the session is at rest", async || {
            self.server.get(&format!("/api/sessions/{session}")).await["status"] == "idle"
        })
        .await;
        let durable = self.server.events(session).await;
        let count = |kind: &str| durable.iter().filter(|event| event["kind"] == kind).count();
        assert_eq!((count("message_accepted"), count("turn_ended")), (1, 1), "{durable:#?}");
        assert_eq!((count("approval_requested"), count("approval_resolved")), (1, 1), "{durable:#?}");
        let seq = |event: &Value| event["seq"].as_u64().expect("a number");
        assert_eq!(
            durable.iter().map(seq).collect::<Vec<_>>(),
            (1..=durable.len() as u64).collect::<Vec<_>>()
        );
        for device in self.devices {
            eventually("all is seen", async || device.events(session).len() >= durable.len()).await;
            let hashes =
                |events: &[Value]| events.iter().map(|event| event["hash"].clone()).collect::<Vec<_>>();
            assert_eq!(hashes(&device.events(session)), hashes(&durable), "{}", device.name);
        }
    }

    fn is_full(&self) -> bool {
        fs::read_to_string(&self.order).is_ok_and(|order| order == "disk-full 0")
    }

    fn make_space(&self) {
        fs::remove_file(&self.order).expect("the disk was full");
    }
}

fn assert_refused(error: &Value) {
    let outcome = (&error["code"], &error["effect"]);
    assert_eq!(outcome, (&json!("storage_unavailable"), &json!("none")), "{error}");
}

#[tokio::test]
async fn a_disk_full_at_any_step_holds_the_conversation_up_and_changes_nothing_in_it() {
    let mut home = Home::new();
    let order = home.path().join("order");
    home.set("TANDEM_TEST_FAULT", order.to_str().unwrap());
    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    let mut steps = 0;
    loop {
        let step = steps + 1;
        fs::write(&order, format!("disk-full {step}")).unwrap();
        let devices = [&phone, &laptop];
        let mut trial =
            Trial { home: &home, server: &server, devices, order: order.clone(), has_been_full: false };
        trial.run().await;
        if !trial.has_been_full && !trial.is_full() {
            break;
        }
        let _ = fs::remove_file(&order);
        steps = step;
    }
    figure(
        "disk full",
        &format!("{steps} steps, each refused with effect none, and everything went on with space"),
    );
    assert!(steps >= FEWEST_STEPS, "only {steps} steps");
    fs::remove_file(&order).unwrap();
    assert_eq!(server.get("/health").await["status"], "ok");
    let whole = home.run(&["doctor", "--check"]).await;
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
    server.stop().await;
}
