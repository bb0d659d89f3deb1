//! A wire that drops, doubles or swaps an event: the check of the history sees it where a device takes whatever it is given,
//! and Tandem's own client heals it.

use std::time::Duration;

use tandem::client::{BackoffPolicy, Client, ClientConfig, Incoming, StartFrom, Submission};
use tandem::history::{Answer, End, History, Moment, Recorder, Seen, Tape, What, Wrong, check};
use tandem_actors::content::Content;
use tokio::time::timeout;

use crate::support::follower::{Follower, Reach};
use crate::support::meddler::{Meddler, Meddling};
use crate::support::recorded::{have_no_faults, recorder, saw};
use crate::support::server::{Home, PATIENCE, TestServer};

/// The event that is meddled with: in the middle of the first turn.
const MEDDLED: u64 = 5;

/// What a naive device is given when its wire does this.
async fn naive_device(meddling: Meddling) -> Vec<Wrong> {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let recorder = recorder(&session);
    let meddler = Meddler::open(&server, meddling, MEDDLED).await;
    let mut phone = Follower::new("phone", &recorder);
    phone.connect(&Reach::to(&server, &home).over(meddler.authority.clone())).await.unwrap();
    phone.say("one").await.unwrap();
    phone.say("two").await.unwrap();
    phone.until("both turns", |phone| phone.turns == 2 && phone.is_heard()).await;
    assert!(meddler.has_struck());
    let mut journal = recorder.tape("the journal");
    server.events(&session).await.iter().for_each(|event| saw(&mut journal, event));
    server.stop().await;
    let conversation = recorder.conversation(vec![phone.tape, journal], End::AtRest);
    check(&History { conversations: vec![conversation] }).into_iter().map(|fault| fault.what).collect()
}

#[tokio::test]
async fn an_event_that_the_wire_drops_is_missed() {
    let lost = Wrong::Lost { device: "phone".into(), first: MEDDLED, last: MEDDLED };
    assert_eq!(naive_device(Meddling::Drop).await, [lost]);
}

#[tokio::test]
async fn an_event_that_the_wire_doubles_is_noticed() {
    let doubled = Wrong::Doubled { device: "phone".into(), seq: MEDDLED };
    assert_eq!(naive_device(Meddling::Double).await, [doubled]);
}

#[tokio::test]
async fn events_that_the_wire_swaps_are_noticed() {
    let swapped = Wrong::OutOfOrder { device: "phone".into(), seq: MEDDLED };
    assert_eq!(naive_device(Meddling::Swap).await, [swapped]);
}

/// Says something over a client and writes down how that went.
async fn say(client: &Client, recorder: &Recorder, tape: &mut Tape, text: &str) {
    let content = Content::text(text).unwrap();
    let submission = Submission::new(content.clone());
    let asked = tape.asks(What::Submit { message: submission.message_id, content }, Moment::now());
    let accepted = timeout(PATIENCE, client.submit(recorder.session(), submission)).await;
    let accepted = accepted.expect("it is accepted in the end").unwrap();
    let answer = Answer::Accepted { seq: accepted.seq, is_duplicate: accepted.duplicate };
    tape.is_told(asked, answer, Moment::now());
}

/// The same wire, with the client that Tandem brings: its program must not notice anything.
async fn own_client(meddling: Meddling) {
    let home = Home::new();
    let server = home.serve().await;
    let recorder = recorder(&server.session(&home).await);
    let meddler = Meddler::open(&server, meddling, MEDDLED).await;
    let token = std::fs::read_to_string(home.data().join("token")).unwrap();
    let config =
        ClientConfig::new(format!("http://{}", meddler.authority), token.trim(), "phone".parse().unwrap());
    let backoff = BackoffPolicy { base: Duration::from_millis(5), cap: Duration::from_millis(50) };
    let (client, mut incoming) = Client::connect(ClientConfig { backoff, ..config }).await.unwrap();
    let mut tape = recorder.tape("phone");
    let subscribed = client.subscribe(recorder.session(), StartFrom::Start).await.unwrap();
    tape.began(subscribed.from, subscribed.reset);
    say(&client, &recorder, &mut tape, "one").await;
    say(&client, &recorder, &mut tape, "two").await;
    let mut turns = 0;
    while turns < 2 {
        match timeout(PATIENCE, incoming.next()).await.expect("more is heard").unwrap() {
            Incoming::Event(event) => {
                turns += usize::from(event.kind == "turn_ended");
                let (hash, kind, data) =
                    (event.hash.as_bytes(), event.kind.as_bytes(), event.data.get().as_bytes());
                tape.saw(&Seen { seq: event.seq, hash, at: event.at, kind, data });
            }
            Incoming::Resumed(resumed) => tape.began(resumed.from, resumed.reset),
            Incoming::Reset(_) => panic!("the history is the same"),
            _ => {}
        }
    }
    assert!(meddler.has_struck());
    have_no_faults(&recorder, vec![tape], &events(&server, &recorder).await, End::AtRest);
    client.close().await;
    server.stop().await;
}

async fn events(server: &TestServer, recorder: &Recorder) -> Vec<serde_json::Value> {
    server.events(&recorder.session().to_string()).await
}

#[tokio::test]
async fn the_client_asks_again_for_an_event_that_was_dropped() {
    own_client(Meddling::Drop).await;
}

#[tokio::test]
async fn the_client_takes_a_doubled_event_once() {
    own_client(Meddling::Double).await;
}

#[tokio::test]
async fn the_client_puts_swapped_events_in_order() {
    own_client(Meddling::Swap).await;
}
