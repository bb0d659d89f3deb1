//! A server that is restarted under load: devices notice, and nothing else does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use serde_json::Value;
use tandem::client::{BackoffPolicy, Client, ClientConfig, Incoming, IncomingStream, StartFrom, Submission};
use tandem_actors::content::Content;
use tandem_actors::ids::{Seq, SessionId};
use tokio::time::timeout;

use crate::support::faults::marked;
use crate::support::figures::{agents, figure};
use crate::support::server::{Home, PATIENCE, TestServer, eventually};
use crate::support::signal;

const DEVICES: [&str; 3] = ["phone", "laptop", "terminal"];
const RESTARTS: usize = 3;

/// Said by each device at a time: while the server stops, and again while there is none.
const MESSAGES_EACH: usize = 6;

/// All of them: 108.
const MESSAGES: usize = DEVICES.len() * RESTARTS * 2 * MESSAGES_EACH;

/// A port outside of the range from which the kernel gives ports to others in between.
fn quiet_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = first..first + 1_000;
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}

async fn connect(server: &TestServer, home: &Home, device: &str) -> (Client, IncomingStream) {
    let token = std::fs::read_to_string(home.data().join("token")).unwrap();
    let config = ClientConfig::new(server.url(""), token.trim(), device.parse().unwrap());
    let backoff = BackoffPolicy { base: Duration::from_millis(20), cap: Duration::from_millis(200) };
    Client::connect(ClientConfig { backoff, ..config }).await.unwrap()
}

/// Says so many messages, all at once, and returns their ids and where they were accepted, in the order of saying.
async fn say(client: &Client, session: SessionId, device: &str, round: usize) -> Vec<(String, Seq)> {
    let mut saying = FuturesOrdered::new();
    for number in 0..MESSAGES_EACH {
        let content = Content::text(format!("{device} says {round}.{number}")).unwrap();
        let submission = Submission::new(content);
        let id = submission.message_id.to_string();
        saying.push_back(async move { (id, client.submit(session, submission).await.unwrap().seq) });
    }
    timeout(PATIENCE * 2, saying.collect()).await.expect("everything is accepted in the end")
}

/// The same, for all devices at once.
async fn all_say(clients: &[Client], session: SessionId, round: usize) -> Vec<Vec<(String, Seq)>> {
    let saying = clients.iter().zip(DEVICES).map(|(client, device)| say(client, session, device, round));
    futures_util::future::join_all(saying).await
}

/// What a device has heard.
#[derive(Default)]
struct Heard {
    events: Vec<(String, String)>,
    turns: usize,
    disconnects: usize,
    resumes: usize,
}

/// Hears everything until so many turns have ended; every event once, in order.
async fn hear(mut incoming: IncomingStream) -> Heard {
    let mut heard = Heard::default();
    while heard.turns < MESSAGES {
        match timeout(PATIENCE * 2, incoming.next()).await.expect("more is heard").unwrap() {
            Incoming::Event(event) => {
                assert_eq!(event.seq, heard.events.len() as u64 + 1, "every event once, in order");
                heard.turns += usize::from(event.kind == "turn_ended");
                heard.events.push((event.kind, event.data.get().to_owned()));
            }
            Incoming::Disconnected { .. } => heard.disconnects += 1,
            Incoming::Resumed(_) => heard.resumes += 1,
            Incoming::Reset(_) => panic!("the history is the same"),
            Incoming::Closed { reason } => panic!("closed: {reason}"),
            _ => {}
        }
    }
    heard
}

/// How often each message was accepted, and where.
fn accepted(events: &[(String, String)]) -> BTreeMap<String, Vec<Seq>> {
    let mut accepted: BTreeMap<String, Vec<Seq>> = BTreeMap::new();
    for ((kind, data), seq) in events.iter().zip(1..) {
        if kind == "message_accepted" {
            let data: Value = serde_json::from_str(data).unwrap();
            accepted.entry(data["messageId"].as_str().unwrap().to_owned()).or_default().push(seq);
        }
    }
    accepted
}

#[tokio::test]
async fn three_restarts_under_load_lose_and_double_nothing() {
    let home = Home::new();
    let port = quiet_port();
    let mut server = home.serve_on(port).await;
    let session: SessionId = server.session(&home).await.parse().unwrap();
    let (mut clients, mut hearing) = (Vec::new(), Vec::new());
    for device in DEVICES {
        let (client, incoming) = connect(&server, &home, device).await;
        client.subscribe(session, StartFrom::Start).await.unwrap();
        hearing.push(tokio::spawn(hear(incoming)));
        clients.push(client);
    }
    let begun = Instant::now();
    let mut said = vec![Vec::new(); DEVICES.len()];
    for restart in 0..RESTARTS {
        // What is said while it stops may be accepted before or after; what is said while there is none waits.
        let stopping = async {
            server.stop().await;
            tokio::join!(home.serve_on(port), all_say(&clients, session, restart * 2 + 1))
        };
        let (early, (started, late)) = tokio::join!(all_say(&clients, session, restart * 2), stopping);
        server = started;
        for (said, of_device) in said.iter_mut().zip(early) {
            said.extend(of_device);
        }
        for (said, of_device) in said.iter_mut().zip(late) {
            said.extend(of_device);
        }
    }
    let mut heard = Vec::new();
    for task in hearing {
        heard.push(task.await.unwrap());
    }
    let took = begun.elapsed();
    for device in &heard {
        assert!(device.events == heard[0].events, "every device has heard the same");
        assert!(device.disconnects >= RESTARTS && device.resumes >= RESTARTS);
    }
    let journal = server.events(&session.to_string()).await;
    assert!(journal.len() >= heard[0].events.len());
    for ((kind, data), event) in heard[0].events.iter().zip(&journal) {
        assert_eq!(
            (&event["kind"], &event["data"]),
            (&Value::from(kind.as_str()), &serde_json::from_str(data).unwrap())
        );
    }
    let accepted = accepted(&heard[0].events);
    assert_eq!(accepted.len(), MESSAGES);
    for (device, said) in DEVICES.iter().zip(&said) {
        for (id, seq) in said {
            assert_eq!(accepted[id], [*seq], "a message of {device} is there once, where it was accepted");
        }
        assert!(said.is_sorted_by_key(|(_, seq)| *seq), "{device}'s messages keep their order");
    }
    let of_kind = |wanted: &str| heard[0].events.iter().filter(|(kind, _)| kind == wanted).count();
    figure(
        "rolling restarts",
        &format!(
            "{MESSAGES} messages of 3 devices over {RESTARTS} restarts in {:.1} s: each accepted once, in each device's \
             order; 3 devices saw the same {} events; {} turns for {MESSAGES} messages",
            took.as_secs_f64(),
            heard[0].events.len(),
            of_kind("turn_dispatched"),
        ),
    );
    server.stop().await;
}

#[tokio::test]
async fn the_first_signal_says_goodbye_and_the_second_does_not_wait() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let devices = [server.device("phone").await, server.device("laptop").await];
    for device in &devices {
        device.subscribe(&session, 0).await;
    }
    devices[0].submit(&session, "/sleep 600000").await;
    devices[1].kind(&session, "turn_started", 1).await;
    assert_eq!(agents(&server), 1);
    let pid = server.pid();
    signal("INT", pid);
    for device in &devices {
        let goodbye = device.frame("goodbye", |frame| frame["type"] == "goodbye").await;
        assert_eq!((&goodbye["code"], &goodbye["resume"]), (&"going_away".into(), &true.into()), "{goodbye}");
        assert_eq!(device.closed().await, Some(1001));
    }
    let begun = Instant::now();
    signal("INT", pid);
    assert_eq!(server.ended().await, Some(130));
    let took = begun.elapsed();
    eventually("no agent is left", async || marked(&session).is_empty()).await;

    let server = home.serve().await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "hello again").await;
    phone.event(&session, "the answer", |event| event["data"]["text"] == "echo: hello again").await;
    figure(
        "a second signal",
        &format!("ended the server {:.2} s after it, in the middle of a turn", took.as_secs_f64()),
    );
    server.kill().await;
}
