//! Conversations over HTTP, against the program itself with the simulator as agent.

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::server::{Home, PATIENCE, TestServer, eventually};

async fn chat(server: &TestServer, body: Value) -> (u16, Value) {
    server.call("POST", "/api/chat", body).await
}

#[tokio::test]
async fn a_chat_creates_its_session_waits_and_answers() {
    let home = Home::new();
    let server = home.serve().await;
    let (status, first) = chat(&server, json!({"projectPath": home.project(), "message": "hello"})).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(
        (&first["success"], &first["status"], &first["reply"]),
        (&json!(true), &json!("completed"), &json!("echo: hello"))
    );
    let session = &first["sessionId"];
    let (_, second) = chat(&server, json!({"session_id": session, "message": "again"})).await;
    assert_eq!((&second["sessionId"], &second["reply"]), (session, &json!("echo: again")));
    let active = server.get("/api/sessions/active").await;
    assert_eq!(active["sessions"][0]["messageCount"], 2, "{active}");
    assert_eq!(active["stats"]["availableSlots"], 9, "{active}");
    let status =
        server.get(&format!("/api/sessions/interactive/{}/status", session.as_str().expect("an id"))).await;
    assert_eq!((&status["isExpired"], &status["needsWarning"]), (&json!(false), &json!(false)), "{status}");
    server.stop().await;
}

#[tokio::test]
async fn a_chat_that_does_not_wait_is_accepted_and_the_same_again_is_a_duplicate() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let id = "0197a2c4-0000-7000-8000-00000000abcd";
    let body = json!({"sessionId": session, "message": "once", "messageId": id, "wait": false});
    let (status, first) = chat(&server, body.clone()).await;
    assert_eq!((status, &first["duplicate"]), (202, &json!(false)), "{first}");
    let (status, again) = chat(&server, body).await;
    assert_eq!((status, &again["duplicate"], &again["seq"]), (202, &json!(true), &first["seq"]));
    let waited = json!({"sessionId": session, "message": "once", "messageId": id});
    let (_, answer) = chat(&server, waited).await;
    assert_eq!(
        (&answer["duplicate"], &answer["reply"]),
        (&json!(true), &json!("echo: once")),
        "a duplicate has the first answer"
    );
    let (status, reused) =
        chat(&server, json!({"sessionId": session, "message": "other", "messageId": id})).await;
    assert_eq!((status, &reused["error"]["code"]), (409, &json!("message_id_reused")));
    server.stop().await;
}

#[tokio::test]
async fn a_chat_that_begins_a_session_is_safe_to_repeat() {
    let home = Home::new();
    let server = home.serve().await;
    let id = "0197a2c4-0000-7000-8000-00000000beef";
    let body = json!({"projectPath": home.project(), "message": "once", "messageId": id});
    let at_once = [chat(&server, body.clone()), chat(&server, body.clone()), chat(&server, body.clone())];
    let answers = futures_util::future::join_all(at_once).await;
    let session = answers[0].1["sessionId"].clone();
    for (status, answer) in &answers {
        assert_eq!((*status, &answer["reply"]), (200, &json!("echo: once")), "{answer}");
        assert_eq!(answer["sessionId"], session);
    }
    assert_eq!(answers.iter().filter(|(_, answer)| answer["duplicate"] == false).count(), 1);
    server.stop().await;

    let server = home.serve().await;
    let (_, again) = chat(&server, body).await;
    assert_eq!((&again["sessionId"], &again["duplicate"]), (&session, &json!(true)), "{again}");
    let events = server.events(session.as_str().expect("an id")).await;
    assert_eq!(events.iter().filter(|event| event["kind"] == "turn_dispatched").count(), 1);
    let other = json!({"projectPath": home.project(), "message": "other", "messageId": id});
    let (status, reused) = chat(&server, other).await;
    assert_eq!((status, &reused["error"]["code"]), (409, &json!("message_id_reused")));
    std::fs::create_dir(home.path().join("elsewhere")).expect("a folder can be made");
    let elsewhere = json!({"projectPath": home.path().join("elsewhere"), "message": "once", "messageId": id});
    let (status, elsewhere) = chat(&server, elsewhere).await;
    assert_eq!((status, &elsewhere["duplicate"]), (200, &json!(false)), "{elsewhere}");
    assert_ne!(elsewhere["sessionId"], session);
    server.stop().await;
}

#[tokio::test]
async fn content_without_end_is_refused_and_its_session_goes_on() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(120), "]".repeat(120))).expect("JSON");
    let blocks = json!([{ "type": "text", "text": "hi", "more": deep }]);
    let (status, refused) = chat(&server, json!({"sessionId": session, "message": blocks})).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("bad_request")), "{refused}");
    let deeper = format!(
        r#"{{"sessionId":"{session}","message":[{{"type":"text","text":"hi","more":{}{}}}]}}"#,
        "[".repeat(126),
        "]".repeat(126)
    );
    let response = server.request("POST", "/api/chat").body(deeper).send().await.expect("an answer");
    assert_eq!(response.status(), 400);
    let device = server.device("phone").await;
    let submit = json!({"type": "submit", "sessionId": session, "content": blocks});
    assert_eq!(device.ask(submit).await["error"]["code"], "bad_request");
    server.stop().await;
    let server = home.serve().await;
    let (status, answer) = chat(&server, json!({"sessionId": session, "message": "still there?"})).await;
    assert_eq!((status, &answer["reply"]), (200, &json!("echo: still there?")), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_chat_can_be_followed_as_server_sent_events() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let body = json!({"sessionId": session, "message": "/slow 20 20"});
    let request = server.request("POST", "/api/chat").header("accept", "text/event-stream").json(&body);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    let reading = async {
        while let Some(part) = stream.next().await {
            text.push_str(std::str::from_utf8(&part.expect("a part")).expect("text"));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the stream ends with the turn");
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((names.first(), names.last()), (Some(&"accepted"), Some(&"done")), "{text}");
    assert!(names.contains(&"signal"), "deltas come as they are written: {text}");
    let done = text.lines().rev().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let done: Value = serde_json::from_str(done).expect("JSON");
    assert_eq!(done["status"], "completed", "{done}");
    server.stop().await;
}

#[tokio::test]
async fn the_queue_is_seen_and_changed_over_http() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let path = |rest: &str| format!("/api/sessions/{session}{rest}");
    let mut ids = Vec::new();
    for message in ["/hang soft", "b", "c", "d"] {
        let (_, answer) =
            chat(&server, json!({"sessionId": session, "message": message, "wait": false})).await;
        ids.push(answer["messageId"].as_str().expect("an id").to_owned());
    }
    eventually("the first turn runs", async || {
        server.events(&session).await.iter().any(|event| event["kind"] == "turn_started")
    })
    .await;
    let (status, _) = server.call("DELETE", &path(&format!("/queue/{}", ids[1])), Value::Null).await;
    assert_eq!(status, 200);
    let change = json!({"content": "D", "before": ids[2]});
    let (status, answer) = server.call("PATCH", &path(&format!("/queue/{}", ids[3])), change).await;
    assert_eq!(status, 200, "{answer}");
    let queue = server.get(&path("/queue")).await;
    let texts: Vec<&Value> =
        queue["queue"].as_array().expect("a list").iter().map(|one| &one["content"]).collect();
    assert_eq!(texts, ["D", "c"]);
    let (status, answer) = server.call("DELETE", &path(&format!("/queue/{}", ids[0])), Value::Null).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("not_queued")), "it has begun");
    let (status, _) = server.call("POST", "/api/chat/interrupt", json!({"sessionId": session})).await;
    assert_eq!(status, 200);
    eventually("the rest has run", async || server.get(&path("")).await["status"] == "idle").await;
    let events = server.events(&session).await;
    let ended: Vec<&Value> = events
        .iter()
        .filter(|event| event["kind"] == "turn_ended")
        .map(|event| &event["data"]["outcome"])
        .collect();
    assert_eq!(ended, ["interrupted", "completed", "completed"]);
    server.stop().await;
}

#[tokio::test]
async fn approvals_are_seen_and_answered_over_http() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    chat(&server, json!({"sessionId": session, "message": "/approvals 3", "wait": false})).await;
    let path = format!("/api/sessions/{session}/approvals");
    eventually("three approvals wait", async || {
        server.get(&path).await["approvals"].as_array().is_some_and(|approvals| approvals.len() == 3)
    })
    .await;
    let approvals = server.get(&path).await;
    for (approval, answer) in approvals["approvals"].as_array().expect("a list").iter().zip([
        json!({"decision": "allow"}),
        json!({"decision": "deny", "message": "not now"}),
        json!({"decision": "allow", "scope": "session"}),
    ]) {
        let request = approval["requestId"].as_str().expect("an id");
        let (status, answered) = server.call("POST", &format!("{path}/{request}"), answer).await;
        assert_eq!(status, 200, "{answered}");
        let (status, again) =
            server.call("POST", &format!("{path}/{request}"), json!({"decision": "allow"})).await;
        assert_eq!((status, &again["error"]["code"]), (409, &json!("already_resolved")));
    }
    eventually("the turn has ended", async || {
        server.get(&format!("/api/sessions/{session}")).await["status"] == "idle"
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_changed_and_closed() {
    let home = Home::new();
    let server = home.serve().await;
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(server.session(&home).await);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/sessions?limit=2{cursor}")).await;
        let ids = page["sessions"].as_array().expect("a list").iter().map(|one| one["sessionId"].clone());
        seen.extend(ids.map(|id| id.as_str().expect("an id").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    created.sort();
    assert_eq!(seen, created);
    let path = format!("/api/sessions/{}", created[0]);
    let (status, changed) = server.call("PATCH", &path, json!({"title": "Birds"})).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(server.get(&path).await["title"], "Birds");
    let (status, bad) = server.call("PATCH", &path, json!({"permissionMode": "chaos"})).await;
    assert_eq!((status, &bad["error"]["details"]["field"]), (400, &json!("permissionMode")));
    let (status, _) = server.call("DELETE", &path, Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(server.get("/api/sessions?status=closed").await["sessions"].as_array().map(Vec::len), Some(1));
    let (status, refused) = chat(&server, json!({"sessionId": created[0], "message": "hello"})).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("session_closed")));
    assert!(!server.events(&created[0]).await.is_empty(), "the history stays");
    server.stop().await;
}

#[tokio::test]
async fn devices_are_linked_listed_and_unlinked_over_http() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let path = format!("/api/sessions/{session}/devices/tablet");
    let (status, _) = server.call("PUT", &path, json!({"deviceName": "Tablet", "kind": "tablet"})).await;
    assert_eq!(status, 200);
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    let devices = server.get(&format!("/api/sessions/{session}/devices")).await;
    let online: Vec<(&Value, &Value)> = devices["devices"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (&one["deviceId"], &one["online"]))
        .collect();
    assert_eq!(online, [(&json!("phone"), &json!(true)), (&json!("tablet"), &json!(false))]);
    let all = server.get("/api/devices").await;
    assert_eq!(all["devices"][0]["sessions"][0], *session, "{all}");
    let (status, _) = server.call("DELETE", &path, Value::Null).await;
    assert_eq!(status, 200);
    let (status, gone) = server.call("DELETE", &path, Value::Null).await;
    assert_eq!((status, &gone["error"]["code"]), (404, &json!("device_not_found")));
    server.stop().await;
}

#[tokio::test]
async fn a_project_must_be_a_folder_that_is_allowed() {
    let home = Home::new();
    let server = home.serve().await;
    std::fs::write(home.path().join("file"), "").expect("a file can be written");
    for (path, expected) in [
        (home.path().join("missing"), (404, "project_not_found")),
        (home.path().join("file"), (404, "project_not_found")),
        ("/etc".into(), (403, "project_not_allowed")),
        ("relative".into(), (400, "bad_request")),
    ] {
        let (status, answer) = server.call("POST", "/api/sessions", json!({"projectPath": path})).await;
        assert_eq!((status, answer["error"]["code"].as_str().expect("a code")), expected, "{answer}");
        assert_eq!(answer["error"]["effect"], "none");
    }
    assert_eq!(server.get("/api/sessions").await["sessions"].as_array().map(Vec::len), Some(0));
    server.stop().await;
}

#[tokio::test]
async fn attachments_reach_the_agent_as_blocks() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let png =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let body = json!({
        "sessionId": session, "message": "look",
        "attachments": [{"name": "dot.png", "mimeType": "image/png", "data": png}],
    });
    let (status, answer) = chat(&server, body).await;
    assert_eq!((status, &answer["status"]), (200, &json!("completed")), "{answer}");
    let accepted =
        server.events(&session).await.into_iter().find(|event| event["kind"] == "message_accepted");
    let content = accepted.expect("an event")["data"]["content"].clone();
    assert!(content.as_array().expect("blocks").iter().any(|block| block["type"] == "image"), "{content}");
    let lie = json!({
        "sessionId": session, "message": "look",
        "attachments": [{"name": "dot.png", "mimeType": "image/png", "data": "AAAA"}],
    });
    assert_eq!(chat(&server, lie).await.0, 400, "the content counts, not the name");
    server.stop().await;
}
