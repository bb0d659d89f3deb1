//! The client of `tandem::client` against a real server, over a wire that is cut again and again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tandem::client::{
    Activity, BackoffPolicy, Client, ClientConfig, Incoming, IncomingStream, StartFrom, Submission,
};
use tandem_actors::content::Content;
use tandem_actors::ids::SessionId;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::server::{Home, PATIENCE, TestServer, eventually};

/// Stands between a client and a server, so that the wire can be cut and the server be another one.
struct Relay {
    url: String,
    state: Arc<Mutex<RelayState>>,
}

struct RelayState {
    server: String,
    wires: JoinSet<()>,
}

impl Relay {
    async fn open(server: &TestServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = RelayState { server: authority(server), wires: JoinSet::new() };
        let state = Arc::new(Mutex::new(state));
        let relayed = state.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut state = relayed.lock().unwrap();
                let server = state.server.clone();
                state.wires.spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    // It ends when either side does, or when it is cut.
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { url, state }
    }

    fn cut(&self) {
        self.state.lock().unwrap().wires.abort_all();
    }

    fn lead_to(&self, server: &TestServer) {
        self.state.lock().unwrap().server = authority(server);
    }

    async fn connect(&self, home: &Home, device: &str) -> (Client, IncomingStream) {
        let token = std::fs::read_to_string(home.data().join("token")).unwrap();
        let config = ClientConfig::new(&*self.url, token.trim(), device.parse().unwrap());
        let backoff = BackoffPolicy { base: Duration::from_millis(5), cap: Duration::from_millis(50) };
        Client::connect(ClientConfig { backoff, ..config }).await.unwrap()
    }
}

fn authority(server: &TestServer) -> String {
    server.url("").trim_start_matches("http://").to_owned()
}

fn says(text: &str) -> Submission {
    Submission::new(Content::text(text).unwrap())
}

/// What a device heard until so many turns had ended: kind and data of each event.
async fn hears_turns(incoming: &mut IncomingStream, turns: usize) -> Vec<(String, String)> {
    let mut heard = Vec::new();
    let mut ended = 0;
    while ended < turns {
        match timeout(PATIENCE, incoming.next()).await.expect("more is heard").unwrap() {
            Incoming::Event(event) => {
                assert_eq!(event.seq, heard.len() as u64 + 1, "every event once, in order");
                ended += usize::from(event.kind == "turn_ended");
                heard.push((event.kind, event.data.get().to_owned()));
            }
            Incoming::Reset(_) => panic!("the history is the same"),
            Incoming::Closed { reason } => panic!("closed: {reason}"),
            _ => {}
        }
    }
    heard
}

async fn hears_of(incoming: &mut IncomingStream, wanted: &str) {
    loop {
        match timeout(PATIENCE, incoming.next()).await.expect("more is heard").unwrap() {
            Incoming::Event(event) if event.kind == wanted => return,
            Incoming::Closed { reason } => panic!("closed: {reason}"),
            _ => {}
        }
    }
}

fn accepted_ids(events: &[(String, String)]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for (_, data) in events.iter().filter(|(kind, _)| kind == "message_accepted") {
        let data: Value = serde_json::from_str(data).unwrap();
        *times.entry(data["messageId"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    times
}

#[tokio::test]
async fn a_wire_that_is_cut_at_every_message_loses_nothing_and_doubles_nothing() {
    let home = Home::new();
    let server = home.serve().await;
    let session: SessionId = server.session(&home).await.parse().unwrap();
    let relay = Relay::open(&server).await;
    let (client, mut incoming) = relay.connect(&home, "phone").await;
    client.subscribe(session, StartFrom::Start).await.unwrap();
    for number in 0..20 {
        let submission = says(&format!("message {number}"));
        let submitting = client.submit(session, submission);
        // Cut before, while or after it is accepted: whatever the moment, it is said once.
        let cutting = async {
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            relay.cut();
        };
        let (accepted, ()) = tokio::join!(timeout(PATIENCE, submitting), cutting);
        accepted.expect("it is accepted in the end").unwrap();
    }
    let heard = hears_turns(&mut incoming, 20).await;
    let times = accepted_ids(&heard);
    assert_eq!(times.len(), 20);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    client.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_killed_server_is_waited_for_and_the_stream_goes_on() {
    let home = Home::new();
    let server = home.serve().await;
    let session: SessionId = server.session(&home).await.parse().unwrap();
    let relay = Relay::open(&server).await;
    let (client, mut incoming) = relay.connect(&home, "phone").await;
    client.subscribe(session, StartFrom::Start).await.unwrap();
    client.submit(session, says("before")).await.unwrap();
    let before = hears_turns(&mut incoming, 1).await;
    server.kill().await;
    let asked = client.clone();
    let submitting = tokio::spawn(async move { asked.submit(session, says("after")).await });
    let server = home.serve().await;
    relay.lead_to(&server);
    timeout(PATIENCE, submitting).await.expect("the message waits for the server").unwrap().unwrap();
    let mut is_resumed = false;
    let mut last = before.len() as u64;
    loop {
        match timeout(PATIENCE, incoming.next()).await.expect("more is heard").unwrap() {
            Incoming::Resumed(_) => is_resumed = true,
            Incoming::Event(event) => {
                assert_eq!(event.seq, last + 1);
                last = event.seq;
                if event.kind == "turn_ended" {
                    break;
                }
            }
            Incoming::Reset(_) => panic!("the history is the same"),
            _ => {}
        }
    }
    assert!(is_resumed);
    server.stop().await;
}

#[tokio::test]
async fn the_client_speaks_with_the_server_as_the_protocol_says() {
    let home = Home::new();
    let server = home.serve().await;
    let relay = Relay::open(&server).await;
    let (client, mut incoming) = relay.connect(&home, "phone").await;
    client.ping().await.unwrap();
    let project_path = home.project().display().to_string();
    let new = tandem::client::NewSession { project_path, title: Some("t".into()), ..Default::default() };
    let session = client.create_session(&new).await.unwrap();
    assert!(client.watch().await.unwrap().iter().any(|summary| summary.session_id == session));
    client.subscribe(session, StartFrom::Newest(0)).await.unwrap();
    assert!(client.keep_alive(session).await.unwrap().is_some());
    let running = client.submit(session, says("/sleep 60000")).await.unwrap();
    hears_of(&mut incoming, "turn_started").await;
    let first = client.submit(session, says("first")).await.unwrap();
    let second = client.submit(session, says("second")).await.unwrap();
    client.edit(session, first.message_id, Content::text("changed").unwrap()).await.unwrap();
    client.move_(session, second.message_id, Some(first.message_id)).await.unwrap();
    client.cancel(session, first.message_id).await.unwrap();
    let refused = client.cancel(session, running.message_id).await.unwrap_err();
    assert!(matches!(refused, tandem::client::ClientError::Rejected(_)), "{refused}");
    client.interrupt(session, true).await.unwrap();
    let patch = BTreeMap::from([("theme".to_owned(), Value::from("dark"))]);
    let set = client.set_state(session, patch).await.unwrap();
    hears_of(&mut incoming, "state_changed").await;
    let state = server.get(&format!("/api/sessions/{session}")).await;
    let theme = &state["shared"]["theme"];
    assert_eq!((&theme["value"], &theme["at"]), (&Value::from("dark"), &Value::from(set.at.to_string())));
    client.handoff(session, "phone".parse().unwrap()).await.unwrap();
    client.activity(session, Activity::Typing, None).await.unwrap();
    client.ack(session, set.seq).await.unwrap();
    let here = || async {
        let devices = server.get(&format!("/api/sessions/{session}")).await["devices"].clone();
        let phone = devices.as_array().unwrap().iter().find(|device| device["deviceId"] == "phone").cloned();
        phone.is_some_and(|phone| phone["activity"] == "typing" && phone["ackedSeq"] == set.seq)
    };
    eventually("the server knows what the device does and has seen", here).await;
    client.unlink(session, None).await.unwrap();
    hears_of(&mut incoming, "device_unlinked").await;
    client.unsubscribe(session).await.unwrap();
    let nowhere = client.subscribe(SessionId::random(), StartFrom::Start).await.unwrap_err();
    assert!(
        matches!(nowhere, tandem::client::ClientError::Rejected(rejection) if rejection.code == "session_not_found")
    );
    client.close().await;
    server.stop().await;
}
