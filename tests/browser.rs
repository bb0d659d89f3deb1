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

use tokio::sync::{Mutex, MutexGuard};

use crate::support::node::{holds, live};
use crate::support::server::{Home, TestServer};

/// Whoever has it may start a browser.
static MACHINE: Mutex<()> = Mutex::const_new(());

/// The files that tests here run; [`every_scenario_is_run`] looks whether one is missing.
const SCENARIOS: &[&str] = &["conflict", "locks", "server", "shell", "token"];

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
        let home = Home::new();
        let server = home.serve().await;
        let session = server.session(&home).await;
        Self { home, server, session, file: format!("browser/{name}.test.mjs"), _machine: machine }
    }

    async fn holds(self) {
        holds(live(&self.file, &self.server, &self.home, &self.session)).await;
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
async fn a_wrong_token_is_asked_for_again() {
    Scenario::new("token").await.holds().await;
}

#[tokio::test]
async fn the_page_opens_without_a_network_and_takes_new_versions() {
    Scenario::new("shell").await.holds().await;
}
