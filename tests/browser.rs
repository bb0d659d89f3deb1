//! The page in a real browser: each test runs one file of tests/web/browser with Node, which drives a headless Chromium
//! against a server of its own.
//!
//! A test program of its own, because it measures: what runs beside it would count. For the same reason one scenario runs
//! at a time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "it serves another test program too")]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::support::node::{holds_within, live};
use crate::support::server::{Home, TestServer};

/// How long one file may take: some open a dozen windows, and a busy machine draws them slowly.
const PATIENCE: Duration = Duration::from_secs(900);

/// Whoever has it may start a browser.
static MACHINE: Mutex<()> = Mutex::const_new(());

/// The files that tests here run; [`every_scenario_is_run`] looks whether one is missing.
const SCENARIOS: &[&str] = &[
    "approval",
    "conflict",
    "first-visit",
    "locks",
    "look",
    "many-events",
    "network",
    "offline",
    "queue",
    "restart",
    "server",
    "shell",
    "token",
    "two-windows",
];

struct Scenario {
    home: Home,
    server: TestServer,
    session: String,
    file: String,
    _machine: MutexGuard<'static, ()>,
}

impl Scenario {
    async fn new(name: &str) -> Self {
        assert!(SCENARIOS.contains(&name), "{name} is on the list");
        let machine = MACHINE.lock().await;
        let mut home = Home::new();
        // Under this name the browser takes the server for another machine.
        home.set("TANDEM_ALLOWED_ORIGINS", "http://tandem.test");
        let server = home.serve().await;
        let session = server.session(&home).await;
        Self { home, server, session, file: format!("browser/{name}.test.mjs"), _machine: machine }
    }

    async fn holds(self) {
        holds_within(PATIENCE, live(&self.file, &self.server, &self.home, &self.session)).await;
        self.server.stop().await;
    }
}

#[test]
fn every_scenario_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/browser");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> =
        names.filter_map(|name| Some(name.strip_suffix(".test.mjs")?.to_owned())).collect();
    assert_eq!(there, SCENARIOS.iter().map(|name| (*name).to_owned()).collect());
}

#[tokio::test]
async fn a_conflict_is_seen_and_decided() {
    Scenario::new("conflict").await.holds().await;
}

#[tokio::test]
async fn locks_are_seen_and_taken_away() {
    Scenario::new("locks").await.holds().await;
}

#[tokio::test]
async fn the_server_is_seen_and_conversations_live_longer() {
    Scenario::new("server").await.holds().await;
}

#[tokio::test]
async fn a_link_leads_to_the_first_answer() {
    Scenario::new("first-visit").await.holds().await;
}

#[tokio::test]
async fn a_wrong_token_is_asked_for_again() {
    Scenario::new("token").await.holds().await;
}

#[tokio::test]
async fn a_phone_in_the_network_has_a_conversation_over_plain_http() {
    Scenario::new("network").await.holds().await;
}

#[tokio::test]
async fn two_windows_stay_in_step_with_a_device() {
    Scenario::new("two-windows").await.holds().await;
}

#[tokio::test]
async fn what_is_written_offline_is_sent_later() {
    Scenario::new("offline").await.holds().await;
}

#[tokio::test]
async fn the_page_opens_without_a_network_and_takes_new_versions() {
    Scenario::new("shell").await.holds().await;
}

#[tokio::test]
async fn an_approval_is_answered_in_the_other_window() {
    Scenario::new("approval").await.holds().await;
}

#[tokio::test]
async fn what_waits_is_edited_moved_and_cancelled() {
    Scenario::new("queue").await.holds().await;
}

#[tokio::test]
async fn ten_thousand_events_are_scrolled_smoothly() {
    Scenario::new("many-events").await.holds().await;
}

#[tokio::test]
async fn the_main_views_are_accessible_and_fit_every_width() {
    Scenario::new("look").await.holds().await;
}

#[tokio::test]
async fn a_server_that_is_killed_is_waited_for() {
    let Scenario { home, server, session, file, _machine } = Scenario::new("restart").await;
    let port = server.url("").rsplit_once(':').unwrap().1.parse().unwrap();
    let testing = holds_within(PATIENCE, live(&file, &server, &home, &session));
    tokio::pin!(testing);
    // The scenario kills the server; here it is only started again.
    let server = tokio::select! {
        code = server.ended() => {
            assert_eq!(code, None, "it was killed");
            home.serve_on(port).await
        }
        () = &mut testing => panic!("the server was not killed"),
    };
    testing.await;
    let events = server.events(&session).await;
    let accepted = events.iter().filter(|event| event["kind"] == "message_accepted");
    let texts: Vec<&Value> = accepted.map(|event| &event["data"]["content"]).collect();
    assert_eq!(texts, ["before", "meanwhile", "after"], "each once, in order");
    server.stop().await;
}
