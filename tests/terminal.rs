//! `tandem sessions`, `send` and `attach` against a real server: what a person or a script sees.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use crate::support::server::{Home, PATIENCE, TestServer, eventually};

fn command(home: &Home, server: &TestServer, args: &[&str]) -> Command {
    let url = server.url("");
    let mut command = home.command(args);
    command.args(["--url", &url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(home: &Home, server: &TestServer, args: &[&str]) -> Output {
    timeout(PATIENCE, command(home, server, args).output()).await.expect("it ends").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_script_begins_a_conversation_and_goes_on_with_it() {
    let home = Home::new();
    let server = home.serve().await;
    let project = home.project();
    let new = run(&home, &server, &["send", "--new", project.to_str().unwrap(), "hello"]).await;
    assert_eq!(text(&new.stdout), "echo: hello\n", "{}", text(&new.stderr));
    assert!(new.status.success());
    let session = text(&new.stderr).trim().trim_start_matches("session ").to_owned();
    let again = run(&home, &server, &["send", &session[..30], "/deltas 5"]).await;
    assert!(again.status.success(), "{}", text(&again.stderr));
    let failing = run(&home, &server, &["send", &session, "/error no luck"]).await;
    assert_eq!(failing.status.code(), Some(1));
    assert!(text(&failing.stderr).contains("[failed"), "{}", text(&failing.stderr));

    let table = text(&run(&home, &server, &["sessions"]).await.stdout);
    assert!(table.contains(&session) && table.contains("idle"), "{table}");
    let list: Value =
        serde_json::from_slice(&run(&home, &server, &["sessions", "--json"]).await.stdout).unwrap();
    assert_eq!(list[0]["sessionId"], session.as_str());
    server.stop().await;
}

#[tokio::test]
async fn an_approval_of_a_script_is_answered_in_a_terminal() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let sending = command(&home, &server, &["send", &session, "/tool echo done"]).spawn().unwrap();
    let mut attached = command(&home, &server, &["attach", &session]).stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(attached.stdout.take().unwrap()).lines();
    let mut typed = attached.stdin.take().unwrap();
    let asked = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("may it: Bash echo done") {
                return;
            }
        }
        panic!("the question is never shown");
    };
    timeout(PATIENCE, asked).await.unwrap();
    typed.write_all(b"/approve\n").await.unwrap();
    let sent = timeout(PATIENCE, sending.wait_with_output()).await.expect("it ends").unwrap();
    assert!(text(&sent.stdout).contains("done"), "{}", text(&sent.stdout));
    assert!(text(&sent.stderr).contains("an approval waits: Bash echo done"), "{}", text(&sent.stderr));
    assert!(sent.status.success());
    typed.write_all(b"/quit\n").await.unwrap();
    assert!(timeout(PATIENCE, attached.wait()).await.unwrap().unwrap().success());
    server.stop().await;
}

#[tokio::test]
async fn lines_from_a_pipe_are_answered_before_attach_ends() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let mut attached = command(&home, &server, &["attach", &session]).stdin(Stdio::piped()).spawn().unwrap();
    attached.stdin.take().unwrap().write_all(b"one\ntwo\n").await.unwrap();
    let output = timeout(PATIENCE, attached.wait_with_output()).await.expect("it ends").unwrap();
    let shown = text(&output.stdout);
    assert!(shown.contains("echo: one\n") && shown.contains("echo: two\n"), "{shown}");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_work_says_what_to_do() {
    let home = Home::new();
    let server = home.serve().await;
    let unknown = run(&home, &server, &["send", "ffffffff", "hi"]).await;
    assert!(text(&unknown.stderr).contains("tandem sessions"), "{}", text(&unknown.stderr));
    std::fs::write(home.path().join("wrong"), "tdm_wrong").unwrap();
    let wrong = home.path().join("wrong");
    let wrong = run(&home, &server, &["sessions", "--token-file", wrong.to_str().unwrap()]).await;
    assert!(text(&wrong.stderr).contains("tandem token"), "{}", text(&wrong.stderr));
    let nobody = home.command(&["sessions", "--url", "http://127.0.0.1:1"]).output().await.unwrap();
    assert!(text(&nobody.stderr).contains("tandem serve"), "{}", text(&nobody.stderr));
    server.stop().await;
}

#[tokio::test]
async fn others_see_what_a_terminal_has_shown_and_that_somebody_is_there() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let watcher = server.device("watcher").await;
    watcher.subscribe(&session, 0).await;
    let mut attached = command(&home, &server, &["attach", &session]).stdin(Stdio::piped()).spawn().unwrap();
    let mut typed = attached.stdin.take().unwrap();
    let terminal = || async {
        let state = server.get(&format!("/api/sessions/{session}")).await;
        let devices = state["devices"].as_array().unwrap();
        devices.iter().find(|device| device["kind"] == "terminal").cloned().unwrap_or(Value::Null)
    };
    eventually("somebody looks", || async { terminal().await["activity"] == "viewing" }).await;
    typed.write_all(b"hello\n").await.unwrap();
    let is_typing = |frame: &Value| {
        frame["kind"] == "presence" && frame["data"].to_string().contains(r#""activity":"typing""#)
    };
    watcher.frame("somebody types", is_typing).await;
    eventually("all of it was shown", || async {
        let head = server.events(&session).await.last().unwrap()["seq"].clone();
        server.events(&session).await.iter().any(|event| event["kind"] == "turn_ended")
            && terminal().await["ackedSeq"] == head
    })
    .await;
    eventually("nothing more is typed", || async { terminal().await["activity"] == "viewing" }).await;
    drop(typed);
    assert!(timeout(PATIENCE, attached.wait()).await.expect("it ends").unwrap().success());
    server.stop().await;
}

/// Reads what a page shows until a line has these words.
async fn shows(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) {
    let shown = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(words) {
                return;
            }
        }
        panic!("{words:?} is never shown");
    };
    timeout(PATIENCE, shown).await.unwrap_or_else(|_| panic!("{words:?} is not shown"));
}

#[tokio::test]
async fn a_draft_and_the_lead_come_to_another_terminal_and_people_speak_beside_the_agent() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    let draft = serde_json::json!({"draft.laptop": "half a sen"});
    laptop.ask(serde_json::json!({"type": "state", "sessionId": session, "patch": draft})).await;
    let args = ["attach", &session, "--device", "desk"];
    let mut attached = command(&home, &server, &args).stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(attached.stdout.take().unwrap()).lines();
    let mut typed = attached.stdin.take().unwrap();
    shows(&mut lines, "desk joined").await;
    typed.write_all(b"/lead\n").await.unwrap();
    shows(&mut lines, "desk leads now by desk").await;
    shows(&mut lines, "begun elsewhere, not sent yet: half a sen").await;
    typed.write_all(b"/notify lunch?\n").await.unwrap();
    shows(&mut lines, "told one other device").await;
    let notice = laptop.frame("the notice", |frame| frame["type"] == "notice").await;
    assert_eq!((&notice["from"]["deviceId"], &notice["message"]), (&"desk".into(), &"lunch?".into()));
    laptop.ask(serde_json::json!({"type": "notify", "to": {"deviceId": "desk"}, "message": "yes"})).await;
    shows(&mut lines, "laptop: yes").await;
    typed.write_all(b"/quit\n").await.unwrap();
    assert!(timeout(PATIENCE, attached.wait()).await.unwrap().unwrap().success());
    server.stop().await;
}
