//! Agents that crash, hang, fall silent or flood, seen from a device: the turn ends for a reason, and the queue goes on.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::figures::figure;
use crate::support::follower::{Follower, Reach};
use crate::support::recorded::recorder;
use crate::support::server::{Home, TestServer, eventually};

/// What every rung of the interrupt ladder may take, and what a killed process may take to be gone: 5 s, 5 s, 2 s.
const LADDER: Duration = Duration::from_secs(12);

/// A line of this size is within the limit of 64 MiB for a line.
const HUGE_BYTES: usize = 60 << 20;

/// A session in which one message was sent that an agent does not survive, and another one behind it.
async fn two_turns(home: &Home, server: &TestServer, first: &str) -> Vec<Value> {
    let session = server.session(home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, first).await;
    phone.submit(&session, "after").await;
    let after = phone.kind(&session, "turn_ended", 2).await;
    assert_eq!(after["data"]["text"], "echo: after", "the queue goes on: {after}");
    phone.events(&session)
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    events.iter().find(|event| event["kind"] == kind).map(|event| &event["data"]).expect("there is one")
}

#[tokio::test]
async fn a_crash_fails_its_turn_and_says_why() {
    let home = Home::new();
    let server = home.serve().await;
    let events = two_turns(&home, &server, "/crash 3").await;
    let ended = of_kind(&events, "turn_ended");
    assert_eq!(ended["outcome"], "failed", "{ended}");
    let error = ended["error"].as_str().expect("a reason");
    assert!(error.contains('3') && error.contains("crashes, as it was told to"), "{error}");
    let stopped = of_kind(&events, "agent_stopped");
    assert_eq!((&stopped["reason"], &stopped["exitCode"]), (&"crashed".into(), &3.into()), "{stopped}");
    server.stop().await;
}

#[tokio::test]
async fn an_agent_that_closes_its_output_and_lives_on_is_ended() {
    let home = Home::new();
    let server = home.serve().await;
    let begun = Instant::now();
    let events = two_turns(&home, &server, "/mute").await;
    let took = begun.elapsed();
    let ended = of_kind(&events, "turn_ended");
    assert_eq!(ended["outcome"], "failed", "{ended}");
    assert!(ended["error"].as_str().expect("a reason").contains("closed its output"), "{ended}");
    figure(
        "an agent that closes its output",
        &format!("the next message was answered after {:.1} s", took.as_secs_f64()),
    );
    server.stop().await;
}

#[tokio::test]
async fn an_agent_that_ignores_every_signal_is_interrupted_all_the_same() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/hang hard").await;
    phone.kind(&session, "turn_started", 1).await;
    phone.submit(&session, "after").await;
    let begun = Instant::now();
    let answer = phone.ask(serde_json::json!({"type": "interrupt", "sessionId": session})).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    let ended = phone.kind(&session, "turn_ended", 1).await;
    let took = begun.elapsed();
    assert_eq!(ended["data"]["outcome"], "interrupted", "{ended}");
    assert!(took < LADDER * 2, "it took {took:?}");
    let after = phone.kind(&session, "turn_ended", 2).await;
    assert_eq!(after["data"]["text"], "echo: after", "{after}");
    figure(
        "an agent that ignores SIGINT and SIGTERM",
        &format!(
            "its turn ended {:.1} s after the interrupt; the next message was answered",
            took.as_secs_f64()
        ),
    );
    server.stop().await;
}

#[tokio::test]
async fn garbage_is_kept_to_the_letter_where_it_is_json() {
    let home = Home::new();
    let server = home.serve().await;
    let events = two_turns(&home, &server, "/garbage").await;
    let notes: Vec<&str> =
        events.iter().filter_map(|event| event["data"]["message"]["text"].as_str()).collect();
    assert!(notes.contains(&"windows"), "a line that ends in CRLF: {notes:?}");
    let exact = events
        .iter()
        .any(|event| event.to_string().contains("a\u{2028}b") && event.to_string().contains("1e999"));
    assert!(exact, "U+2028 ends no line, and a number that nobody can hold is kept");
    assert_eq!(of_kind(&events, "turn_ended")["outcome"], "completed");
    server.stop().await;
}

#[tokio::test]
async fn a_line_of_60_mib_arrives_whole() {
    let mut home = Home::new();
    home.set("MAX_MEMORY_PER_SESSION_MB", "2000");
    let server = home.serve().await;
    let session = server.session(&home).await;
    let reach = Reach::to(&server, &home);
    let mut phone = Follower::new("phone", &recorder(&session));
    phone.connect(&reach).await.unwrap();
    let begun = Instant::now();
    phone.say(format!("/huge {HUGE_BYTES}")).await.unwrap();
    phone.say("after").await.unwrap();
    phone.until("both turns", |phone| phone.turns == 2).await;
    let took = begun.elapsed();
    phone.is_whole();
    assert!(phone.largest_bytes() > HUGE_BYTES, "{} bytes", phone.largest_bytes());
    eventually("the session is at rest", async || {
        server.get(&format!("/api/sessions/{session}")).await["status"] == "idle"
    })
    .await;
    figure(
        "a line of 60 MiB",
        &format!("it arrived whole, and the next answer, after {:.1} s", took.as_secs_f64()),
    );
    server.stop().await;
}
