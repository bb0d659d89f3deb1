//! Projects over real sockets: locks, the channel and conflicts, through kill -9.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::server::{Home, TestServer, eventually};

async fn follow(device: &TestDevice, home: &Home, more: Value) -> Value {
    let mut frame = json!({"type": "subscribe_project", "projectPath": home.project()});
    frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = device.ask(frame).await;
    assert_eq!(answer["type"], "subscribed_project", "{answer}");
    answer
}

async fn lock(device: &TestDevice, file: &str) -> Value {
    device.ask(json!({"type": "lock_request", "resource_id": file, "lock_type": "file"})).await
}

fn project_events(device: &TestDevice) -> Vec<Value> {
    device.frames().into_iter().filter(|frame| frame["type"] == "project_event").collect()
}

async fn has_kind(device: &TestDevice, kind: &str, times: usize) {
    eventually(&format!("{kind} ×{times}"), || async {
        project_events(device).iter().filter(|event| event["kind"] == kind).count() >= times
    })
    .await;
}

fn refusal(answer: &Value) -> &str {
    assert_eq!(answer["type"], "rejected", "{answer}");
    answer["error"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_lock_holds_against_the_others_and_everybody_sees_it() {
    let home = Home::new();
    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    follow(&phone, &home, json!({})).await;
    follow(&laptop, &home, json!({})).await;
    let acquired = lock(&phone, "a.txt").await;
    assert_eq!(acquired["type"], "lock_acquired", "{acquired}");
    assert_eq!((&acquired["resourceId"], &acquired["mode"]), (&json!("a.txt"), &json!("exclusive")));
    assert_eq!(acquired["enforced"], true);
    let denied = lock(&laptop, "./a.txt").await;
    assert_eq!((&denied["type"], &denied["reason"]), (&json!("lock_denied"), &json!("busy")), "{denied}");
    assert_eq!(denied["holder"]["deviceId"], "phone");

    let waits = laptop
        .begin(json!({"type": "lock_request", "resourceId": "a.txt", "lockType": "file", "wait": true}));
    has_kind(&phone, "lock_waiting", 1).await;
    let listed = server.get("/api/locks").await;
    let waiting: Vec<&Value> =
        listed["locks"].as_array().unwrap().iter().map(|one| &one["isWaiting"]).collect();
    assert_eq!(waiting, [false, true], "{listed}");
    let released =
        phone.ask(json!({"type": "lock_release", "resourceId": "a.txt", "lockType": "file"})).await;
    assert_eq!(released["type"], "ok", "{released}");
    let granted = laptop.answer(&waits).await;
    assert_eq!(granted["type"], "lock_acquired", "{granted}");
    assert!(granted["fence"].as_u64() > acquired["fence"].as_u64());
    let renewed = laptop
        .ask(json!({"type": "lock_renew", "resourceId": "a.txt", "lockType": "file", "ttlSeconds": 900}))
        .await;
    assert_eq!(renewed["fence"], granted["fence"], "{renewed}");
    assert!(renewed["expiresAt"].as_str() > granted["expiresAt"].as_str());

    has_kind(&phone, "lock_acquired", 2).await;
    has_kind(&laptop, "lock_acquired", 2).await;
    assert_eq!(project_events(&phone), project_events(&laptop));
    server.stop().await;
}

#[tokio::test]
async fn what_others_do_is_told() {
    let home = Home::new();
    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    follow(&phone, &home, json!({})).await;
    follow(&laptop, &home, json!({})).await;
    let changed = json!({"type": "file_change", "filePath": "b.txt", "changeType": "created"});
    assert_eq!(phone.ask(changed).await["type"], "ok");
    has_kind(&laptop, "file_changed", 1).await;
    let event = project_events(&laptop).pop().unwrap();
    assert_eq!(
        event["data"],
        json!({"filePath": "b.txt", "changeType": "created", "holder": {"deviceId": "phone"}})
    );
    let outside = json!({"type": "file_change", "filePath": "../b.txt", "changeType": "created"});
    assert_eq!(refusal(&phone.ask(outside).await), "project_not_allowed");

    let moved = json!({"type": "cursor_position", "file_path": "b.txt", "line": 3});
    assert_eq!(phone.ask(moved).await["type"], "ok");
    let is_signal = |frame: &Value| frame["type"] == "signal" && frame["kind"] == "cursor_update";
    eventually("the cursor", || async { laptop.frames().iter().any(is_signal) }).await;
    let signal = laptop.frames().into_iter().find(is_signal).unwrap();
    assert_eq!(signal["projectPath"], json!(home.project()));
    assert_eq!(signal["data"], json!({"deviceId": "phone", "filePath": "b.txt", "line": 3}));

    let session = server.session(&home).await;
    phone.subscribe(&session, 0).await;
    has_kind(&laptop, "session_connected", 1).await;
    let late = server.device("late").await;
    let subscribed = follow(&late, &home, json!({})).await;
    assert_eq!(subscribed["sessions"], json!([{"sessionId": session, "role": "primary"}]));
    let projects = server.get("/api/projects").await;
    assert_eq!(
        projects["projects"],
        json!([{"projectPath": home.project(), "sessions": [session], "openConflicts": 0, "locks": 0}])
    );
    assert_eq!(projects["allowedRoots"], json!([home.path()]));
    server.stop().await;
}

#[tokio::test]
async fn a_person_can_walk_to_a_project_and_nowhere_else() {
    let home = Home::new();
    for folder in ["project/Zoo", "project/api", "project/.git", "project/api/deep"] {
        std::fs::create_dir(home.path().join(folder)).unwrap();
    }
    std::fs::write(home.project().join("file"), "").unwrap();
    std::os::unix::fs::symlink("/etc", home.project().join("link")).unwrap();
    let server = home.serve().await;
    let at = |path: &Path| format!("/api/projects/folders?path={}", path.display());
    let listed = server.get(&at(&home.project())).await;
    let expected = json!({"path": home.project(), "parent": home.path(), "folders": ["api", "Zoo"]});
    assert_eq!(listed, expected);
    assert_eq!(server.get(&at(home.path())).await["parent"], Value::Null, "the top");
    for (path, status, code) in [
        (Path::new("/etc").to_path_buf(), 403, "project_not_allowed"),
        (home.project().join("link"), 403, "project_not_allowed"),
        (home.project().join("../.."), 403, "project_not_allowed"),
        (home.project().join("file"), 404, "project_not_found"),
        (home.project().join("missing"), 404, "project_not_found"),
        ("api".into(), 400, "bad_request"),
    ] {
        let (found, answer) = server.call("GET", &at(&path), Value::Null).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{}", path.display());
    }
    server.stop().await;
}

#[tokio::test]
async fn bad_frames_are_refused_with_a_stable_code() {
    let home = Home::new();
    let server = home.serve().await;
    let phone = server.device("phone").await;
    let ask = |frame: Value| async { refusal(&phone.ask(frame).await).to_owned() };
    let request = json!({"type": "lock_request", "resourceId": "a.txt", "lockType": "file"});
    assert_eq!(ask(request).await, "bad_request", "no project");
    follow(&phone, &home, json!({})).await;
    for (more, code) in [
        (json!({"ttlSeconds": 0}), "bad_request"),
        (json!({"ttlSeconds": 31_536_000}), "bad_request"),
        (json!({"resourceId": "/etc/passwd"}), "project_not_allowed"),
        (json!({"resourceId": "no/such/file"}), "bad_request"),
        (json!({"type": "lock_release"}), "lock_not_found"),
        (json!({"type": "lock_renew"}), "lock_not_found"),
        (json!({"projectPath": "/etc"}), "project_not_allowed"),
    ] {
        let mut frame = json!({"type": "lock_request", "resourceId": "a.txt", "lockType": "file"});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(ask(frame.clone()).await, code, "{frame}");
    }
    let unknown = json!({"type": "conflict_resolved", "conflictId": "0197a2c4-0000-7000-8000-000000000001", "resolution": "ours"});
    assert_eq!(ask(unknown).await, "conflict_not_found");
    server.stop().await;
}

#[tokio::test]
async fn a_device_that_goes_gives_back_what_it_held() {
    let home = Home::new();
    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    follow(&phone, &home, json!({})).await;
    follow(&laptop, &home, json!({})).await;
    assert_eq!(lock(&phone, "a.txt").await["type"], "lock_acquired");
    let waits = laptop
        .begin(json!({"type": "lock_request", "resourceId": "a.txt", "lockType": "file", "wait": true}));
    has_kind(&laptop, "lock_waiting", 1).await;
    phone.close().await;
    assert_eq!(laptop.answer(&waits).await["type"], "lock_acquired");
    server.stop().await;
}

#[tokio::test]
async fn fences_and_the_channel_go_on_after_kill_9() {
    let home = Home::new();
    let server = home.serve().await;
    let phone = server.device("phone").await;
    let first = follow(&phone, &home, json!({})).await;
    let mut last_fence = 0;
    for file in ["a", "b", "c"] {
        last_fence = lock(&phone, file).await["fence"].as_u64().unwrap();
    }
    has_kind(&phone, "lock_acquired", 3).await;
    let seen = project_events(&phone);
    server.kill().await;

    let server = home.serve().await;
    let phone = server.device("phone").await;
    let last = seen.last().unwrap();
    let cursor = json!({"after": last["seq"], "epoch": first["epoch"], "hash": last["hash"]});
    let resumed = follow(&phone, &home, cursor).await;
    assert_eq!((&resumed["reset"], &resumed["head"]), (&json!(false), &last["seq"]), "{resumed}");
    assert_eq!(resumed["locks"], json!([]), "leases end with the server");
    let acquired = lock(&phone, "a").await;
    assert!(acquired["fence"].as_u64().unwrap() > last_fence, "{acquired} after {last_fence}");
    has_kind(&phone, "lock_acquired", 1).await;
    let next = project_events(&phone).remove(0);
    assert_eq!(next["seq"], json!(last["seq"].as_u64().unwrap() + 1));

    let late = server.device("late").await;
    follow(&late, &home, json!({"after": 0})).await;
    has_kind(&late, "lock_acquired", 4).await;
    assert_eq!(project_events(&late)[..3], seen[..3]);
    server.stop().await;
    let checked = home.run(&["doctor", "--check", "--json"]).await;
    let findings: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(
        (&findings["ok"], &findings["sessions"], &findings["channels"]),
        (&json!(true), &json!(0), &json!(1))
    );
}

async fn over_http(
    server: &TestServer,
    home: &Home,
    method: &str,
    device: &str,
    more: Value,
) -> (u16, Value) {
    let mut body = json!({
        "resourceId": "a.txt", "lockType": "file", "projectPath": home.project(), "deviceId": device,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.call(method, "/api/locks", body).await
}

#[tokio::test]
async fn locks_over_http() {
    let home = Home::new();
    let server = home.serve().await;
    let (status, acquired) = over_http(&server, &home, "POST", "script", json!({})).await;
    assert_eq!((status, &acquired["success"]), (200, &json!(true)), "{acquired}");
    assert_eq!(acquired["type"], "lock_acquired");
    let (status, denied) = over_http(&server, &home, "POST", "other", json!({"wait": 0})).await;
    assert_eq!((status, &denied["holder"]["deviceId"]), (409, &json!("script")), "{denied}");
    let (status, denied) = over_http(&server, &home, "POST", "other", json!({"wait": 1})).await;
    assert_eq!((status, &denied["reason"]), (409, &json!("timed_out")), "{denied}");
    let (status, refused) = over_http(&server, &home, "DELETE", "other", json!({})).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("lock_not_held")));
    let query = format!("/api/locks?project={}", home.project().display());
    assert_eq!(server.get(&query).await["locks"][0]["holder"]["deviceId"], "script");

    let output = home.run(&["locks", "--url", &server.address]).await;
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("/project/a.txt") && table.contains("device script"), "{table}");
    let project = home.project().display().to_string();
    let output =
        home.run(&["locks", "--url", &server.address, "--project", &project, "--force", "a.txt"]).await;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Taken away from device script.\n");
    let (status, refused) = over_http(&server, &home, "DELETE", "script", json!({"force": true})).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("lock_not_found")));

    let watcher = server.device("watcher").await;
    follow(&watcher, &home, json!({"after": 0})).await;
    has_kind(&watcher, "lock_released", 1).await;
    let released =
        project_events(&watcher).into_iter().find(|event| event["kind"] == "lock_released").unwrap();
    assert!(
        released["data"]["forcedBy"]["deviceId"].as_str().unwrap().starts_with("terminal-"),
        "{released}"
    );
    let metrics = server.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    for line in
        ["tandem_locks_acquired_total 1", "tandem_locks_forced_total 1", "tandem_locks{state=\"held\"} 0"]
    {
        assert!(metrics.lines().any(|written| written == line), "{line} in {metrics}");
    }
    let (status, _) = over_http(&server, &home, "POST", "script", json!({"lockType": "chair"})).await;
    assert_eq!(status, 400);
    server.stop().await;
}

#[tokio::test]
async fn conflicts_over_http() {
    let home = Home::new();
    let server = home.serve().await;
    assert_eq!(server.get("/api/conflicts").await, json!({"conflicts": []}));
    assert_eq!(server.get("/api/conflicts?status=open").await, json!({"conflicts": []}));
    let (status, _) = server.call("GET", "/api/conflicts?status=lost", Value::Null).await;
    assert_eq!(status, 400);
    let unknown = "/api/conflicts/0197a2c4-0000-7000-8000-000000000001/resolve";
    for path in [unknown, "/api/conflicts/none/resolve"] {
        let (status, refused) = server.call("POST", path, json!({"resolution": "ours"})).await;
        assert_eq!((status, &refused["error"]["code"]), (404, &json!("conflict_not_found")), "{path}");
    }
    let output = home.run(&["conflicts", "--url", &server.address]).await;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "No conflicts.\n");
    server.stop().await;
}
