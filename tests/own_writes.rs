//! What agents write is theirs: it is told once, with who it was, and is no conflict with what they wrote.

use serde_json::{Value, json};

use crate::support::agent::Kind;
use crate::support::device::TestDevice;
use crate::support::model::Model;
use crate::support::server::{Home, eventually};

async fn turn(device: &TestDevice, session: &str, kind: Kind, says: &str) -> String {
    let slash = if kind == Kind::Simulator { "/" } else { "" };
    let message = device.submit(session, &format!("{slash}{says}")).await["messageId"].clone();
    let is_end = |event: &Value| event["kind"] == "turn_ended" && event["data"]["messageId"] == message;
    let ended = device.event(session, "the end of the turn", is_end).await;
    ended["data"]["text"].as_str().unwrap_or_else(|| panic!("no answer: {ended}")).to_owned()
}

async fn what_is_written_is_the_agents_own(kind: Kind) {
    let (_model, home) = match kind {
        Kind::Simulator => (None, Home::new()),
        Kind::Claude => {
            let model = Model::start().await;
            let home = Home::with_claude(model.url());
            (Some(model), home)
        }
    };
    let server = home.serve().await;
    let device = server.device("phone").await;
    device.ask(json!({"type": "subscribe_project", "projectPath": home.project()})).await;
    let body = json!({"projectPath": home.project(), "permissionMode": "acceptEdits"});
    let (_, created) = server.call("POST", "/api/sessions", body).await;
    let session = created["sessionId"].as_str().expect("a session").to_owned();
    device.subscribe(&session, 0).await;
    let path = home.project().canonicalize().unwrap().join("a.txt");
    std::fs::write(&path, "one\r\nlast").unwrap();
    let file = path.display();
    assert!(turn(&device, &session, kind, &format!("read {file}")).await.contains("one"));
    turn(&device, &session, kind, &format!("edit {file} one two")).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\r\nlast");
    turn(&device, &session, kind, &format!("write {file} three")).await;
    turn(&device, &session, kind, &format!("edit {file} three four")).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), "four");
    // What is written now is seen after everything before it.
    std::fs::write(home.project().join("last.txt"), "").unwrap();
    let changes = || {
        let is_change = |frame: &Value| frame["kind"] == "file_changed";
        device.frames().into_iter().filter(is_change).map(|frame| frame["data"].clone()).collect::<Vec<_>>()
    };
    eventually("the last is seen", || async {
        changes().iter().any(|change| change["filePath"] == "last.txt")
    })
    .await;
    let by: Vec<Value> = changes()
        .into_iter()
        .filter(|change| change["filePath"] == "a.txt" && change.get("holder").is_some())
        .map(|change| change["holder"]["sessionId"].clone())
        .collect();
    assert_eq!(by, [json!(session), json!(session), json!(session)]);
    assert_eq!(server.get("/api/conflicts").await["conflicts"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn what_a_simulator_writes_is_its_own() {
    what_is_written_is_the_agents_own(Kind::Simulator).await;
}

#[tokio::test]
async fn what_claude_writes_is_its_own() {
    what_is_written_is_the_agents_own(Kind::Claude).await;
}
