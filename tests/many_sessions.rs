//! Two hundred conversations on ten places for agents.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::interval;

use crate::support::figures::{agents, figure};
use crate::support::server::{Home, PATIENCE, TestServer};

const SESSIONS: usize = 200;
const MESSAGES: usize = 3;
const SLOTS: usize = 10;

fn text(session: usize, message: usize) -> String {
    format!("message {message} of conversation {session}")
}

/// Sends all messages of all sessions over one connection, the first of each before the second of any.
async fn send_all(server: &TestServer, sessions: &[String]) {
    let device = server.device("desk").await;
    let mut marks = Vec::new();
    for message in 0..MESSAGES {
        for (number, session) in sessions.iter().enumerate() {
            let content = text(number, message);
            marks.push(device.begin(json!({"type": "submit", "sessionId": session, "content": content})));
        }
    }
    for mark in marks {
        let answer = device.answer(&mark).await;
        assert_eq!((&answer["type"], &answer["duplicate"]), (&json!("accepted"), &json!(false)), "{answer}");
    }
}

/// The sessions of the list, by what each is doing, and how many turns all have had.
async fn progress(server: &TestServer) -> (BTreeMap<String, usize>, u64) {
    let list = server.get(&format!("/api/sessions?limit={SESSIONS}")).await;
    let list = list["sessions"].as_array().expect("a list").clone();
    assert_eq!(list.len(), SESSIONS);
    let mut doing = BTreeMap::new();
    for session in &list {
        let is_done = session["queued"] == 0 && session["status"] == "idle";
        let status = if is_done { "idle" } else { session["status"].as_str().expect("a status") };
        *doing.entry(status.to_owned()).or_default() += 1;
    }
    (doing, list.iter().filter_map(|session| session["turns"].as_u64()).sum())
}

/// Waits until all is answered, as long as there is progress; the most agents that lived at a time, and the most sessions
/// that waited for a place.
async fn all_answered(server: &TestServer) -> (usize, usize) {
    let mut look = interval(Duration::from_millis(20));
    let (mut most_agents, mut most_waiting) = (0, 0);
    let (mut turns_before, mut patience) = (0, Instant::now() + PATIENCE);
    loop {
        for _ in 0..10 {
            look.tick().await;
            most_agents = most_agents.max(agents(server));
        }
        let (doing, turns) = progress(server).await;
        most_waiting = most_waiting.max(doing.get("waiting_for_slot").copied().unwrap_or_default());
        if turns == SESSIONS as u64 * MESSAGES as u64 && doing.get("idle") == Some(&SESSIONS) {
            return (most_agents, most_waiting);
        }
        if turns > turns_before {
            (turns_before, patience) = (turns, Instant::now() + PATIENCE);
        }
        assert!(Instant::now() < patience, "nothing goes on: {turns} turns, {doing:?}");
    }
}

fn texts<'a>(events: &'a [Value], kind: &str, field: &str) -> Vec<&'a str> {
    let of_kind = events.iter().filter(|event| event["kind"] == kind);
    of_kind.map(|event| event["data"][field].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn two_hundred_conversations_on_ten_places_are_all_answered_in_order() {
    let mut home = Home::new();
    home.set("MAX_CONCURRENT_SESSIONS", &SLOTS.to_string());
    let server = home.serve().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(server.session(&home).await);
    }
    let begun = Instant::now();
    send_all(&server, &sessions).await;
    let (most_agents, most_waiting) = all_answered(&server).await;
    let took = begun.elapsed();

    let mut evicted = 0;
    for (number, session) in sessions.iter().enumerate() {
        let events = server.events(session).await;
        let sent: Vec<String> = (0..MESSAGES).map(|message| text(number, message)).collect();
        let answers: Vec<String> = sent.iter().map(|text| format!("echo: {text}")).collect();
        assert_eq!(texts(&events, "message_accepted", "content"), sent);
        assert_eq!(texts(&events, "turn_ended", "text"), answers);
        assert_eq!(texts(&events, "turn_ended", "outcome"), ["completed"; MESSAGES]);
        let reasons = texts(&events, "agent_stopped", "reason");
        assert!(reasons.iter().all(|reason| *reason == "evicted"), "{reasons:?}");
        evicted += reasons.len();
    }
    let slots = server.get("/health").await["slots"].clone();
    assert_eq!((&slots["max"], &slots["waiting"]), (&json!(SLOTS), &json!(0)), "{slots}");
    assert!(most_agents <= SLOTS, "{most_agents} agents lived at a time");
    assert!(agents(&server) <= SLOTS);
    assert!(evicted >= SESSIONS - SLOTS, "{evicted}");
    figure(
        "many conversations",
        &format!(
            "{} messages of {SESSIONS} conversations on {SLOTS} places were answered in order in {:.1} s; at most \
             {most_agents} agents at a time, {most_waiting} conversations waiting, {evicted} agents gave up their place",
            SESSIONS * MESSAGES,
            took.as_secs_f64()
        ),
    );
    server.stop().await;
}
