//! How agents are held to the locks, project by project: chosen by people, kept through kill -9, and told as it is.

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::server::{Home, TestServer, eventually};

async fn choose(server: &TestServer, home: &Home, enforcement: &str) -> (u16, Value) {
    let body = json!({"projectPath": home.project(), "enforcement": enforcement, "deviceId": "phone"});
    server.call("PATCH", "/api/projects", body).await
}

async fn listed(server: &TestServer) -> Value {
    server.get("/api/projects").await["projects"][0]["enforcement"].clone()
}

async fn follow(device: &TestDevice, home: &Home) -> Value {
    device.ask(json!({"type": "subscribe_project", "projectPath": home.project(), "after": 0})).await
}

/// What is said of a lock that was had this moment.
async fn is_enforced(device: &TestDevice, kind: &str) -> Value {
    let acquired = device.ask(json!({"type": "lock_request", "resourceId": "main", "lockType": kind})).await;
    assert_eq!(acquired["type"], "lock_acquired", "{acquired}");
    acquired["enforced"].clone()
}

/// Has the agent write a file, and returns what it answers.
async fn writes(device: &TestDevice, session: &str, home: &Home, file: &str, text: &str) -> String {
    let path = home.project().canonicalize().unwrap().join(file);
    let message =
        device.submit(session, &format!("/write {} {text}", path.display())).await["messageId"].clone();
    let is_end = |event: &Value| event["kind"] == "turn_ended" && event["data"]["messageId"] == message;
    let ended = device.event(session, "the end of the turn", is_end).await;
    ended["data"]["text"].as_str().unwrap().to_owned()
}

async fn session(server: &TestServer, home: &Home) -> String {
    let body = json!({"projectPath": home.project(), "permissionMode": "acceptEdits"});
    let (_, created) = server.call("POST", "/api/sessions", body).await;
    created["sessionId"].as_str().expect("a session").to_owned()
}

#[tokio::test]
async fn what_was_chosen_is_told_and_outlives_kill_9() {
    let home = Home::new();
    let server = home.serve().await;
    let phone = server.device("phone").await;
    assert_eq!(follow(&phone, &home).await["enforcement"], "on");
    assert_eq!(is_enforced(&phone, "file").await, true);
    let (status, answer) = choose(&server, &home, "warn").await;
    assert_eq!((status, &answer["enforcement"]), (200, &json!("warn")), "{answer}");
    let is_told = |frame: &Value| frame["kind"] == "enforcement_changed";
    eventually("it is told", || async { phone.frames().iter().any(is_told) }).await;
    let told = phone.frames().into_iter().find(is_told).unwrap();
    assert_eq!(told["data"], json!({"enforcement": "warn", "by": {"deviceId": "phone", "userId": "owner"}}));
    assert_eq!(is_enforced(&phone, "file").await, false);
    server.kill().await;

    let server = home.serve().await;
    assert_eq!(listed(&server).await, "warn", "before anybody has asked for the project");
    let phone = server.device("phone").await;
    assert_eq!(follow(&phone, &home).await["enforcement"], "warn");
    let project = home.project().display().to_string();
    let output =
        home.run(&["locks", "--url", &server.address, "--project", &project, "--enforcement", "off"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("Locks in {project} are off for agents now.\n"));
    assert_eq!(listed(&server).await, "off");
    choose(&server, &home, "on").await;
    assert_eq!(is_enforced(&phone, "file").await, true);
    assert_eq!(is_enforced(&phone, "database").await, false, "agents are never held to those");
    server.stop().await;
}

#[tokio::test]
async fn the_configuration_counts_where_nobody_has_chosen() {
    let mut home = Home::new();
    home.set("LOCK_ENFORCEMENT", "off");
    let server = home.serve().await;
    let phone = server.device("phone").await;
    assert_eq!(follow(&phone, &home).await["enforcement"], "off");
    assert_eq!(is_enforced(&phone, "file").await, false);
    let session = session(&server, &home).await;
    phone.subscribe(&session, 0).await;
    std::fs::write(home.project().join("a.txt"), "by hand").unwrap();
    assert!(writes(&phone, &session, &home, "a.txt", "unseen").await.contains("created"));
    choose(&server, &home, "on").await;
    std::fs::write(home.project().join("a.txt"), "by hand again").unwrap();
    let told = writes(&phone, &session, &home, "a.txt", "unseen again").await;
    assert!(told.contains("nothing was written"), "{told}");
    server.stop().await;
}

#[tokio::test]
async fn where_locks_only_warn_both_versions_are_there_for_everybody() {
    let home = Home::new();
    std::fs::write(home.project().join("a.txt"), "by hand").unwrap();
    let server = home.serve().await;
    choose(&server, &home, "warn").await;
    let session = session(&server, &home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    assert!(writes(&phone, &session, &home, "a.txt", "by the agent").await.contains("created"));
    assert_eq!(std::fs::read_to_string(home.project().join("a.txt")).unwrap(), "by the agent");
    let listed = server.get("/api/conflicts?status=open").await;
    let conflict = &listed["conflicts"][0];
    assert_eq!(conflict["conflictType"], "file_edit", "{listed}");
    assert_eq!(conflict["ours"]["holder"], json!({"sessionId": session}));
    let version = async |side: &str| {
        let hash = conflict[side]["hash"].as_str().expect("a version");
        let request = server.request("GET", &format!("/api/blobs/{hash}"));
        let response = request.header("X-Tandem-Device", "stranger").send().await.unwrap();
        assert_eq!(response.status(), 200, "{side}");
        response.text().await.unwrap()
    };
    assert_eq!(version("ours").await, "by the agent");
    assert_eq!(version("theirs").await, "by hand");
    let resolve = format!("/api/conflicts/{}/resolve", conflict["conflictId"].as_str().unwrap());
    let (status, answer) = server.call("POST", &resolve, json!({"resolution": "theirs"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(std::fs::read_to_string(home.project().join("a.txt")).unwrap(), "by hand");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_chosen_is_refused() {
    let home = Home::new();
    let server = home.serve().await;
    let code = async |body: Value| {
        let (status, answer) = server.call("PATCH", "/api/projects", body).await;
        (status, answer["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let project = home.project();
    let bad = "bad_request".to_owned();
    assert_eq!(code(json!({"projectPath": project, "enforcement": "maybe"})).await, (400, bad.clone()));
    assert_eq!(code(json!({"projectPath": project})).await, (400, bad.clone()));
    assert_eq!(code(json!({"enforcement": "on"})).await, (400, bad));
    let nowhere = json!({"projectPath": project.join("none"), "enforcement": "on"});
    assert_eq!(code(nowhere).await, (404, "project_not_found".to_owned()));
    let outside = json!({"projectPath": "/etc", "enforcement": "off"});
    assert_eq!(code(outside).await, (403, "project_not_allowed".to_owned()));
    server.stop().await;
}
