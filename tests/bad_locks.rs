//! What cannot be meant of a lock is refused clearly, and over HTTP and WebSocket the same.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::server::{Home, TestServer, eventually};

/// A request for a lock, and how it is refused.
struct Bad {
    why: &'static str,
    fields: Value,
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
}

fn bad(
    why: &'static str,
    fields: Value,
    status: u16,
    code: &'static str,
    field: Option<&'static str>,
) -> Bad {
    Bad { why, fields, status, code, field }
}

fn with(base: Value, more: &Value) -> Value {
    let mut whole = base;
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    whole
}

/// Sends the same over both ways in, and returns what is said over each.
async fn both_ways(
    server: &TestServer,
    device: &TestDevice,
    home: &Home,
    (method, kind): (&str, &str),
    fields: &Value,
) -> (u16, [Value; 2]) {
    let ask = json!({"projectPath": home.project(), "resourceId": "a.txt", "lockType": "file"});
    let body = with(with(ask.clone(), &json!({"deviceId": "laptop"})), fields);
    let (status, answer) = server.call(method, "/api/locks", body).await;
    let rejected = device.ask(with(with(ask, &json!({"type": kind})), fields)).await;
    assert_eq!(rejected["type"], "rejected", "{fields}: {rejected}");
    (status, [answer["error"].clone(), rejected["error"].clone()])
}

#[tokio::test]
async fn bad_requests_for_locks_are_refused_the_same_over_both_ways_in() {
    let home = Home::new();
    std::fs::write(home.path().join("secret"), "").unwrap();
    std::os::unix::fs::symlink("../secret", home.project().join("out")).unwrap();
    std::os::unix::fs::symlink("..", home.project().join("up")).unwrap();
    let server = home.serve().await;
    let laptop = server.device("laptop").await;
    let outside = |why, id: &str| bad(why, json!({"resourceId": id}), 403, "project_not_allowed", None);
    let ttl =
        |why, seconds: i64| bad(why, json!({"ttlSeconds": seconds}), 400, "bad_request", Some("ttlSeconds"));
    let asks = [
        outside("an absolute path outside", "/etc/passwd"),
        outside("a path that climbs out", "../secret"),
        outside("a link that leads out", "out"),
        outside("a folder that leads out", "up/secret"),
        bad("no such folder", json!({"resourceId": "no/such/file"}), 400, "bad_request", Some("resourceId")),
        bad("no name", json!({"resourceId": ""}), 400, "bad_request", Some("resourceId")),
        bad("no such type", json!({"lockType": "chair"}), 400, "bad_request", Some("lockType")),
        bad("no such mode", json!({"mode": "mine"}), 400, "bad_request", Some("mode")),
        bad("a project outside", json!({"projectPath": "/etc"}), 403, "project_not_allowed", None),
        bad(
            "no such project",
            json!({"projectPath": home.project().join("x")}),
            404,
            "project_not_found",
            None,
        ),
        ttl("no time", 0),
        ttl("a year", 31_536_000),
        ttl("a day and a second", 86_401),
        ttl("less than no time", -1),
    ];
    for Bad { why, fields, status, code, field } in asks {
        let (answered, errors) = both_ways(&server, &laptop, &home, ("POST", "lock_request"), &fields).await;
        assert_eq!(answered, status, "{why}");
        for error in &errors {
            assert_eq!(error["code"], code, "{why}: {error}");
            assert_eq!(error["effect"], "none", "{why}: {error}");
            assert_eq!(error["details"]["field"].as_str(), field, "{why}: {error}");
            let message = error["message"].as_str().unwrap();
            let home = home.path().display().to_string();
            assert!(message.ends_with('.') && !message.contains(&home), "{why}: {message}");
        }
        assert_eq!(errors[0], errors[1], "{why}");
    }
    assert_eq!(server.get("/api/locks").await["locks"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_held_or_not_by_whom_asks_cannot_be_given_back() {
    let home = Home::new();
    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    let release = ("DELETE", "lock_release");
    let (status, errors) = both_ways(&server, &laptop, &home, release, &json!({})).await;
    assert_eq!(status, 404);
    assert!(errors.iter().all(|error| error["code"] == "lock_not_found"), "{errors:?}");
    let ask = json!({
        "type": "lock_request", "projectPath": home.project(), "resourceId": "a.txt", "lockType": "file",
    });
    assert_eq!(phone.ask(ask.clone()).await["type"], "lock_acquired");
    let (status, errors) = both_ways(&server, &laptop, &home, release, &json!({})).await;
    assert_eq!(status, 409);
    for error in errors {
        assert_eq!(error["code"], "lock_not_held");
        assert_eq!(error["details"]["holder"], json!({"deviceId": "phone"}), "{error}");
    }
    let renew = with(ask, &json!({"type": "lock_renew"}));
    assert_eq!(laptop.ask(renew.clone()).await["error"]["code"], "lock_not_held");
    assert_eq!(phone.ask(with(renew, &json!({"ttlSeconds": 0}))).await["error"]["code"], "bad_request");
    assert_eq!(server.get("/api/locks").await["locks"][0]["holder"], json!({"deviceId": "phone"}));
    server.stop().await;
}

#[tokio::test]
async fn the_sixty_fifth_who_waits_is_refused_over_both_ways_in() {
    let home = Home::new();
    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    let ask = json!({
        "type": "lock_request", "projectPath": home.project(), "resourceId": "orders", "lockType": "database",
    });
    assert_eq!(phone.ask(ask.clone()).await["type"], "lock_acquired");
    let waits = |device: String| {
        let body = with(ask.clone(), &json!({"deviceId": device, "wait": 30}));
        server.call("POST", "/api/locks", body)
    };
    let all_wait = join_all((0..64).map(|number| waits(format!("waiter-{number}"))));
    let last = async {
        let is_waiting = |lock: &Value| lock["isWaiting"] == true;
        eventually("64 wait", || async {
            let locks = server.get("/api/locks").await;
            locks["locks"].as_array().unwrap().iter().filter(|lock| is_waiting(lock)).count() == 64
        })
        .await;
        let fields = json!({"resourceId": "orders", "lockType": "database", "wait": 30});
        let (status, errors) = both_ways(&server, &laptop, &home, ("POST", "lock_request"), &fields).await;
        assert_eq!(status, 429);
        for error in errors {
            assert_eq!((&error["code"], &error["retryAfterSeconds"]), (&json!("lock_queue_full"), &json!(1)));
        }
        // Everybody has it in turn when it is given back.
        let force = with(ask.clone(), &json!({"deviceId": "phone", "force": true}));
        for _ in 0..65 {
            assert_eq!(server.call("DELETE", "/api/locks", force.clone()).await.0, 200);
        }
    };
    let (answers, ()) = tokio::join!(all_wait, last);
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_is_missing_is_refused_clearly() {
    let home = Home::new();
    let server = home.serve().await;
    let read = format!("/api/projects/file?project={}&path=none.txt", home.project().display());
    let (status, answer) = server.call("GET", &read, Value::Null).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("not_found")), "{answer}");
    let phone = server.device("phone").await;
    let follow = json!({"type": "subscribe_project", "projectPath": home.project()});
    assert_eq!(phone.ask(follow).await["type"], "subscribed_project");
    let changed = json!({"type": "file_change", "filePath": "no/such/file", "changeType": "modified"});
    let refused = phone.ask(changed).await;
    assert_eq!(refused["error"]["code"], "bad_request", "{refused}");
    assert_eq!(refused["error"]["details"]["field"], "filePath");
    server.stop().await;
}
