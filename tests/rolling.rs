//! A server that is restarted under load: devices notice, and nothing else does.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tandem::client::{BackoffPolicy, Client, ClientConfig, Incoming, IncomingStream, StartFrom, Submission};
use tandem::history::{Answer, End, Moment, Recorder, Seen, Tape, What};
use tandem_actors::content::Content;
use tandem_actors::ids::{Seq, SessionId};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::faults::marked;
use crate::support::figures::{agents, figure};
use crate::support::recorded::{have_no_faults, recorder};
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

/// Says so many messages, all at once, and returns where they were accepted, in the order of saying.
async fn say(client: &Client, session: SessionId, tape: &mut Tape, round: usize) -> Vec<Seq> {
    let mut saying = FuturesOrdered::new();
    for number in 0..MESSAGES_EACH {
        let content = Content::text(format!("round {round}, message {number}")).unwrap();
        let submission = Submission::new(content.clone());
        let asked = tape.asks(What::Submit { message: submission.message_id, content }, Moment::now());
        saying.push_back(async move {
            let accepted = client.submit(session, submission).await.unwrap();
            (asked, accepted, Moment::now())
        });
    }
    let said =
        timeout(PATIENCE * 2, saying.collect::<Vec<_>>()).await.expect("everything is accepted in the end");
    for (asked, accepted, at) in &said {
        let answer = Answer::Accepted { seq: accepted.seq, is_duplicate: accepted.duplicate };
        tape.is_told(*asked, answer, *at);
    }
    said.into_iter().map(|(_, accepted, _)| accepted.seq).collect()
}

/// The same, for all devices at once.
async fn all_say(clients: &[Client], session: SessionId, tapes: &mut [Tape], round: usize) -> Vec<Vec<Seq>> {
    let saying = clients.iter().zip(tapes).map(|(client, tape)| say(client, session, tape, round));
    futures_util::future::join_all(saying).await
}

/// What a device has heard.
struct Heard {
    tape: Tape,
    turns: usize,
    disconnects: usize,
    resumes: usize,
}

/// Hears everything until so many turns have ended.
async fn hear(mut incoming: IncomingStream, tape: Tape) -> Heard {
    let mut heard = Heard { tape, turns: 0, disconnects: 0, resumes: 0 };
    while heard.turns < MESSAGES {
        match timeout(PATIENCE * 2, incoming.next()).await.expect("more is heard").unwrap() {
            Incoming::Event(event) => {
                heard.turns += usize::from(event.kind == "turn_ended");
                let (hash, kind) = (event.hash.as_bytes(), event.kind.as_bytes());
                let data = event.data.get().as_bytes();
                heard.tape.saw(&Seen { seq: event.seq, hash, at: event.at, kind, data });
            }
            Incoming::Disconnected { .. } => heard.disconnects += 1,
            Incoming::Resumed(resumed) => {
                heard.resumes += 1;
                heard.tape.began(resumed.from, resumed.reset);
            }
            Incoming::Reset(_) => panic!("the history is the same"),
            Incoming::Closed { reason } => panic!("closed: {reason}"),
            _ => {}
        }
    }
    heard
}

/// A device of this name that follows from the first event; the second tape is for what it says.
async fn follow(
    server: &TestServer,
    home: &Home,
    recorder: &Recorder,
    device: &str,
) -> (Client, JoinHandle<Heard>, Tape) {
    let (client, incoming) = connect(server, home, device).await;
    let subscribed = client.subscribe(recorder.session(), StartFrom::Start).await.unwrap();
    let mut tape = recorder.tape(device);
    tape.began(subscribed.from, subscribed.reset);
    (client, tokio::spawn(hear(incoming, tape)), recorder.tape(device))
}

#[tokio::test]
async fn three_restarts_under_load_lose_and_double_nothing() {
    let home = Home::new();
    let port = quiet_port();
    let mut server = home.serve_on(port).await;
    let recorder = recorder(&server.session(&home).await);
    let session = recorder.session();
    let (mut clients, mut hearing, mut saying) = (Vec::new(), Vec::new(), Vec::new());
    for device in DEVICES {
        let (client, heard, tape) = follow(&server, &home, &recorder, device).await;
        clients.push(client);
        hearing.push(heard);
        saying.push(tape);
    }
    let begun = Instant::now();
    let mut said = vec![Vec::new(); DEVICES.len()];
    for restart in 0..RESTARTS {
        // What is said while it stops may be accepted before or after; what is said while there is none waits.
        let mut saying_late: Vec<Tape> = DEVICES.iter().map(|device| recorder.tape(*device)).collect();
        let stopping = async {
            server.stop().await;
            let late = all_say(&clients, session, &mut saying_late, restart * 2 + 1);
            tokio::join!(home.serve_on(port), late)
        };
        let (early, (started, late)) =
            tokio::join!(all_say(&clients, session, &mut saying, restart * 2), stopping);
        saying.extend(saying_late);
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
        assert!(device.disconnects >= RESTARTS && device.resumes >= RESTARTS);
    }
    for (device, said) in DEVICES.iter().zip(&said) {
        assert!(said.is_sorted(), "{device}'s messages keep their order");
    }
    let journal = server.events(&session.to_string()).await;
    let events = heard[0].tape.events();
    let of_kind = |wanted: &str| journal[..events].iter().filter(|event| event["kind"] == wanted).count();
    let (accepted, turns) = (of_kind("message_accepted"), of_kind("turn_dispatched"));
    assert_eq!(accepted, MESSAGES);
    let heard = heard.into_iter().map(|heard| heard.tape);
    have_no_faults(&recorder, saying.into_iter().chain(heard).collect(), &journal[..events], End::AtRest);
    figure(
        "rolling restarts",
        &format!(
            "{MESSAGES} messages of 3 devices over {RESTARTS} restarts in {:.1} s: each accepted once, in each device's \
             order; 3 devices saw the same {events} events; {turns} turns for {MESSAGES} messages",
            took.as_secs_f64(),
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
