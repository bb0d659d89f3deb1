//! The JavaScript client of src/web/client.js: its parts by themselves, and against a real server. Each test runs one file
//! of tests/web with Node's own test runner.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::node::{holds, live, node};
use crate::support::server::{Home, PATIENCE};

async fn holds_against_a_server(file: &str) {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    holds(live(&format!("live/{file}"), &server, &home, &session)).await;
    server.stop().await;
}

#[tokio::test]
async fn pauses_grow_with_jitter() {
    holds(node("backoff.test.mjs")).await;
}

#[tokio::test]
async fn a_cursor_takes_the_next_event_only() {
    holds(node("cursor.test.mjs")).await;
}

#[tokio::test]
async fn the_outbox_keeps_the_order() {
    holds(node("outbox.test.mjs")).await;
}

#[tokio::test]
async fn its_stamps_are_those_of_a_hybrid_clock() {
    holds(node("hybrid.test.mjs")).await;
}

#[tokio::test]
async fn shared_state_is_merged_and_shown_at_once() {
    holds(node("shared.test.mjs")).await;
}

#[tokio::test]
async fn messages_are_kept_until_they_are_accepted() {
    holds(node("messages.test.mjs")).await;
}

#[tokio::test]
async fn streams_have_no_gap_and_no_duplicate() {
    holds(node("streams.test.mjs")).await;
}

#[tokio::test]
async fn channels_of_projects_are_streams_too() {
    holds(node("projects.test.mjs")).await;
}

#[tokio::test]
async fn connections_are_watched_got_back_and_ended() {
    holds(node("connection.test.mjs")).await;
}

#[tokio::test]
async fn places_in_the_app_have_addresses() {
    holds(node("app/routes.test.mjs")).await;
}

#[tokio::test]
async fn numbers_times_and_names_are_told_shortly() {
    holds(node("app/format.test.mjs")).await;
}

#[tokio::test]
async fn the_list_of_conversations_is_grouped_and_searched() {
    holds(node("app/session-list.test.mjs")).await;
}

#[tokio::test]
async fn the_first_view_is_light_and_loads_at_once() {
    holds(node("app/weight.test.mjs")).await;
}

#[tokio::test]
async fn events_are_folded_into_what_a_conversation_looks_like() {
    holds(node("app/transcript.test.mjs")).await;
}

#[tokio::test]
async fn the_state_of_a_conversation_follows_its_events() {
    holds(node("app/session-state.test.mjs")).await;
}

#[tokio::test]
async fn of_a_long_list_the_part_in_view_is_drawn() {
    holds(node("app/window.test.mjs")).await;
}

#[tokio::test]
async fn calls_changes_questions_and_drafts_are_told() {
    holds(node("app/content.test.mjs")).await;
}

#[tokio::test]
async fn markdown_never_becomes_markup() {
    holds(node("app/markdown.test.mjs")).await;
}

#[tokio::test]
async fn what_the_server_serves_can_be_imported_and_talks_to_it() {
    holds_against_a_server("served.test.mjs").await;
}

#[tokio::test]
async fn three_devices_see_the_same_events_in_the_same_order() {
    holds_against_a_server("agreement.test.mjs").await;
}

#[tokio::test]
async fn a_wire_cut_twenty_times_loses_nothing_and_doubles_nothing() {
    holds_against_a_server("cut.test.mjs").await;
}

#[tokio::test]
async fn a_wrong_token_is_told_and_not_tried_for_ever() {
    holds_against_a_server("token.test.mjs").await;
}

#[tokio::test]
async fn approvals_are_answered() {
    holds_against_a_server("approval.test.mjs").await;
}

#[tokio::test]
async fn shared_state_ends_equal_on_all_devices_whatever_they_missed() {
    holds_against_a_server("shared.test.mjs").await;
}

#[tokio::test]
async fn the_next_run_of_a_device_goes_on_where_the_last_one_was() {
    holds_against_a_server("reload.test.mjs").await;
}

#[tokio::test]
async fn the_example_says_what_is_typed_and_shows_what_happens() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let token = std::fs::read_to_string(home.data().join("token")).unwrap();
    let mut command = Command::new("node");
    command.args(["--experimental-websocket", "--no-warnings", "examples/device.mjs"]);
    command.args([&*server.url(""), token.trim(), &session]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").await.unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    let (shown, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && shown.contains("1 session_created"), "{shown}{told}");
    let said = server.events(&session).await;
    let is_said = |event: &Value| event["kind"] == "message_accepted" && event["data"]["content"] == "hello";
    assert_eq!(said.iter().filter(|event| is_said(event)).count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_killed_is_waited_for() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let port = server.url("").rsplit_once(':').unwrap().1.parse().unwrap();
    let testing = holds(live("live/killed.test.mjs", &server, &home, &session));
    tokio::pin!(testing);
    // The device kills the server; here it is only started again.
    let server = tokio::select! {
        code = server.ended() => {
            assert_eq!(code, None, "it was killed");
            home.serve_on(port).await
        }
        () = &mut testing => panic!("the server was not killed"),
    };
    testing.await;
    let events = server.events(&session).await;
    let accepted: Vec<&Value> = events.iter().filter(|event| event["kind"] == "message_accepted").collect();
    let texts: Vec<&str> = accepted.iter().map(|event| event["data"]["content"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..20).map(|number| format!("message {number}")).collect();
    assert_eq!(texts, expected, "each once, in order");
    server.stop().await;
}
