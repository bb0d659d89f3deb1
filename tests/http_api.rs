//! The HTTP API as far as it needs no session: access, bad input, lists, the page, health.

use serde_json::{Value, json};
use tandem_actors::blobs::{BlobHash, PART_BYTES};
use tandem_actors::clock::Timestamp;
use tandem_actors::event::{ChainHash, Event, Record};
use tandem_actors::ids::{SessionId, Term};
use tandem_actors::journal::{Append, Journal as _};
use tandem_actors::session::{Status, Summary};

use crate::support::wire::{TOKEN, Wire};

/// Status and JSON of the answer.
async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// Status, code and field of a refusal.
async fn refusal(request: reqwest::RequestBuilder) -> (u16, String, Option<String>) {
    let (status, body) = answer(request).await;
    let error = &body["error"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    assert!(error["message"].is_string(), "{body}");
    (status, text(&error["code"]).unwrap(), text(&error["details"]["field"]))
}

fn summary(last_activity: i64, status: Status) -> Summary {
    let at = Timestamp::from_millis(1_700_000_000_000 + last_activity);
    Summary {
        session_id: SessionId::random(),
        project_path: "/project".into(),
        title: None,
        status,
        head: 1,
        created_at: at,
        last_activity_at: at,
        expires_at: Timestamp::from_millis(4_000_000_000_000),
        turns: 0,
        messages: 2,
        queued: 0,
        approvals: 0,
        notable: 0,
        cost_usd: 0.0,
        devices: Vec::new(),
        online: Vec::new(),
        pid: None,
        is_warned: false,
    }
}

#[actix::test]
async fn the_api_needs_a_token_and_a_good_origin() {
    let wire = Wire::start();
    let without = reqwest::Client::new().get(wire.url("/api/sessions"));
    assert_eq!(refusal(without).await.1, "unauthorized");
    let wrong = reqwest::Client::new().get(wire.url("/api/sessions")).bearer_auth("wrong");
    assert_eq!(refusal(wrong).await.0, 401);
    let foreign = wire.request("GET", "/api/sessions").header("Origin", "http://evil.example");
    assert_eq!(refusal(foreign).await, (403, "origin_not_allowed".into(), None));
    let own = wire.request("GET", "/api/sessions").header("Origin", "http://app.example");
    assert_eq!(answer(own).await, (200, json!({"sessions": [], "nextCursor": null})));
    wire.stop().await;
}

#[actix::test]
async fn unknown_paths_and_wrong_methods_are_refused_in_json() {
    let wire = Wire::start();
    for path in ["/api/nothing", "/api/sessions/x/y/z", "/nothing", "/a/b"] {
        assert_eq!(refusal(wire.request("GET", path)).await.0, 404, "{path}");
    }
    for (method, path) in [("DELETE", "/api/chat"), ("PUT", "/api/sessions"), ("POST", "/health")] {
        assert_eq!(refusal(wire.request(method, path)).await.0, 405, "{path}");
    }
    wire.stop().await;
}

#[actix::test]
async fn a_bad_body_names_its_field() {
    let wire = Wire::start();
    let session = SessionId::random();
    let cases = [
        ("POST", "/api/chat".to_owned(), "not json", None),
        ("POST", "/api/chat".into(), "[]", None),
        ("POST", "/api/chat".into(), "{}", Some("message")),
        ("POST", "/api/chat".into(), r#"{"message":"hi"}"#, Some("projectPath")),
        ("POST", "/api/chat".into(), r#"{"message":7,"projectPath":"/p"}"#, Some("message")),
        ("POST", "/api/chat".into(), r#"{"message":"a","sessionId":"x"}"#, Some("sessionId")),
        (
            "POST",
            "/api/chat".into(),
            r#"{"message":"a","projectPath":"/p","deviceId":"a b"}"#,
            Some("deviceId"),
        ),
        ("POST", "/api/chat".into(), r#"{"message":"a","projectPath":"/p","wait":"no"}"#, Some("wait")),
        (
            "POST",
            "/api/chat".into(),
            r#"{"message":"a","projectPath":"/p","attachments":[{"mimeType":"image/png","data":"AAAA"}]}"#,
            Some("attachments[0].data"),
        ),
        ("POST", "/api/chat/interrupt".into(), "", Some("sessionId")),
        ("POST", "/api/sessions".into(), "{}", Some("projectPath")),
        ("PATCH", format!("/api/sessions/{session}"), "{}", Some("title")),
        (
            "POST",
            "/api/sessions/keep-alive".into(),
            r#"{"session_id":"0197a2c4-0000-7000-8000-000000000001","action":"nap"}"#,
            Some("action"),
        ),
        ("PATCH", format!("/api/sessions/{session}/queue/{session}"), "{}", Some("content")),
        ("POST", format!("/api/sessions/{session}/approvals/r"), "{}", Some("decision")),
        ("PUT", format!("/api/sessions/{session}/devices/a%20b"), "{}", Some("deviceId")),
    ];
    for (method, path, body, field) in cases {
        let (status, code, named) = refusal(wire.request(method, &path).body(body)).await;
        assert_eq!((status, code.as_str()), (400, "bad_request"), "{method} {path} {body}");
        assert_eq!(named.as_deref(), field, "{method} {path} {body}");
    }
    wire.stop().await;
}

#[actix::test]
async fn a_bad_query_names_its_parameter() {
    let wire = Wire::start();
    let session = SessionId::random();
    for (path, parameter) in [
        ("/api/sessions?limit=0".to_owned(), "limit"),
        ("/api/sessions?limit=many".into(), "limit"),
        ("/api/sessions?status=asleep".into(), "status"),
        ("/api/sessions?cursor=here".into(), "cursor"),
        (format!("/api/sessions/{session}/events?limit=1001"), "limit"),
        (format!("/api/sessions/{session}/events?after=-1"), "after"),
    ] {
        let (status, _, named) = refusal(wire.request("GET", &path)).await;
        assert_eq!((status, named.as_deref()), (400, Some(parameter)), "{path}");
    }
    wire.stop().await;
}

#[actix::test]
async fn an_unknown_session_is_not_found_whatever_is_wanted_of_it() {
    let wire = Wire::start();
    let session = SessionId::random();
    let approval = json!({"decision": "allow"});
    let cases = [
        ("GET", format!("/api/sessions/{session}"), json!({})),
        ("GET", "/api/sessions/no-id".into(), json!({})),
        ("PATCH", format!("/api/sessions/{session}"), json!({"title": "new"})),
        ("DELETE", format!("/api/sessions/{session}"), json!({})),
        ("GET", format!("/api/sessions/{session}/events"), json!({})),
        ("GET", format!("/api/sessions/{session}/queue"), json!({})),
        ("DELETE", format!("/api/sessions/{session}/queue/{session}"), json!({})),
        ("GET", format!("/api/sessions/{session}/approvals"), json!({})),
        ("POST", format!("/api/sessions/{session}/approvals/r"), approval),
        ("GET", format!("/api/sessions/{session}/devices"), json!({})),
        ("PUT", format!("/api/sessions/{session}/devices/watch"), json!({})),
        ("GET", format!("/api/sessions/interactive/{session}/status"), json!({})),
        ("DELETE", format!("/api/sessions/interactive/{session}"), json!({})),
        ("POST", "/api/sessions/keep-alive".into(), json!({"sessionId": session})),
        ("POST", "/api/chat/interrupt".into(), json!({"sessionId": session})),
        ("POST", "/api/chat".into(), json!({"sessionId": session, "message": "hi"})),
    ];
    for (method, path, body) in cases {
        let (status, code, _) = refusal(wire.request(method, &path).json(&body)).await;
        assert_eq!((status, code.as_str()), (404, "session_not_found"), "{method} {path}");
    }
    wire.stop().await;
}

#[actix::test]
async fn a_body_that_is_too_large_is_refused() {
    let wire = Wire::start();
    let large = json!({"title": "x".repeat(65 * 1024)});
    let path = format!("/api/sessions/{}", SessionId::random());
    let (status, code, _) = refusal(wire.request("PATCH", &path).json(&large)).await;
    assert_eq!((status, code.as_str()), (413, "too_large"));
    wire.stop().await;
}

#[actix::test]
async fn what_carries_content_may_be_long() {
    let wire = Wire::start();
    let session = SessionId::random();
    let long = "x".repeat(10 * 1024 * 1024);
    for (method, path, body) in [
        ("PATCH", format!("/api/sessions/{session}/queue/{session}"), json!({"content": long})),
        (
            "POST",
            format!("/api/sessions/{session}/approvals/r"),
            json!({"decision": "allow", "updatedInput": {"file": long}}),
        ),
    ] {
        let (_, code, _) = refusal(wire.request(method, &path).json(&body)).await;
        assert_eq!(code, "session_not_found", "{method} {path}");
    }
    wire.stop().await;
}

#[actix::test]
async fn the_list_has_filters_and_pages() {
    let wire = Wire::start();
    for last_activity in 0..5 {
        wire.board.post(summary(last_activity, Status::Idle));
    }
    wire.board.post(summary(9, Status::Closed));
    let mut seen = Vec::new();
    let mut path = "/api/sessions?status=idle&project=/project/&limit=2".to_owned();
    loop {
        let (status, page) = answer(wire.request("GET", &path)).await;
        assert_eq!(status, 200);
        let sessions = page["sessions"].as_array().unwrap();
        seen.extend(sessions.iter().map(|session| session["lastActivityAt"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/sessions?status=idle&limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
    wire.stop().await;
}

#[actix::test]
async fn what_is_alive_is_listed_with_the_room_that_is_left() {
    let wire = Wire::start();
    let mut with_agent = summary(1, Status::Running);
    with_agent.pid = Some(std::process::id());
    let session = with_agent.session_id;
    wire.board.post(with_agent);
    wire.board.post(summary(2, Status::Closed));
    let (_, active) = answer(wire.request("GET", "/api/sessions/active")).await;
    assert_eq!(active["stats"]["totalSessions"], 1);
    assert_eq!(active["stats"]["maxSessions"], 10);
    assert_eq!(active["stats"]["availableSlots"], 9);
    assert_eq!(active["sessions"][0]["messageCount"], 2);
    if cfg!(target_os = "linux") {
        assert!(active["sessions"][0]["memoryBytes"].as_u64().unwrap() > 1_000_000);
    }
    let path = format!("/api/sessions/interactive/{session}/status");
    let (_, status) = answer(wire.request("GET", &path)).await;
    assert_eq!(status["isExpired"], false);
    assert_eq!(status["needsWarning"], false);
    assert!(status["timeRemaining"].as_u64().unwrap() > 1_000_000);
    wire.stop().await;
}

#[actix::test]
async fn the_history_is_read_page_by_page() {
    let wire = Wire::start();
    let mut summary = summary(1, Status::Idle);
    summary.head = 3;
    let session = summary.session_id;
    let mut last = (0, ChainHash::start(session));
    let records: Vec<Record> = (0..3)
        .map(|_| {
            let event = Event::DeviceUnlinked { device_id: "phone".parse().unwrap(), reason: "left".into() };
            let record = Record::new(last, Term(1), Timestamp::from_millis(0), &event).unwrap();
            last = (record.seq, record.hash);
            record
        })
        .collect();
    let term = wire.journal.claim(session).await.unwrap().term;
    let append =
        Append { session, term, records, transcript: Vec::new(), blobs: Vec::new(), summary: "{}".into() };
    wire.journal.append(append).await.unwrap();
    wire.board.post(summary);
    let path = format!("/api/sessions/{session}/events?after=1&limit=1");
    let (_, page) = answer(wire.request("GET", &path)).await;
    assert_eq!((&page["head"], &page["nextAfter"]), (&json!(3), &json!(2)));
    assert_eq!(page["events"][0]["seq"], 2);
    assert_eq!(page["events"][0]["kind"], "device_unlinked");
    wire.stop().await;
}

#[actix::test]
async fn health_and_the_page_need_no_token() {
    let wire = Wire::start();
    let (status, health) = answer(reqwest::Client::new().get(wire.url("/health"))).await;
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    assert_eq!(health["storage"]["ok"], true);
    for path in ["/health/live", "/health/ready", "/style/base.css", "/icon.svg"] {
        let response = reqwest::get(wire.url(path)).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
    let page = reqwest::get(wire.url("/")).await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for path in ["/icon.svg", "/sw.js"] {
        let alone = reqwest::get(wire.url(path)).await.unwrap();
        assert_eq!(alone.headers()["content-security-policy"], policy, "{path} is shown or run by itself");
    }
    let tag = page.headers()["etag"].clone();
    let again = reqwest::Client::new().get(wire.url("/")).header("If-None-Match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    assert!(!page.text().await.unwrap().contains(TOKEN));
    wire.stop().await;
}

#[actix::test]
async fn the_client_for_programs_is_served_part_by_part_and_nothing_beside_it() {
    let wire = Wire::start();
    for path in ["/client.js", "/client/outbox.js"] {
        let part = reqwest::get(wire.url(path)).await.unwrap();
        assert_eq!(part.status(), 200, "{path}");
        assert_eq!(part.headers()["content-type"], "text/javascript; charset=utf-8");
        let tag = part.headers()["etag"].clone();
        let again = reqwest::Client::new().get(wire.url(path)).header("If-None-Match", tag);
        assert_eq!(again.send().await.unwrap().status(), 304, "{path}");
    }
    for path in ["/client", "/client/", "/client/nothing.js", "/client%2F..%2F..%2Flib.rs", "/..%2Flib.rs"]
        .into_iter()
        .chain(["/vendor/update", "/vendor/preact/preact.d.ts"])
    {
        assert_eq!(refusal(reqwest::Client::new().get(wire.url(path))).await.0, 404, "{path}");
    }
    wire.stop().await;
}

#[actix::test]
async fn the_page_is_squeezed_for_those_who_take_it() {
    let wire = Wire::start();
    let ask = |path: &str, accept: &str, known: &str| {
        let request = reqwest::Client::new().get(wire.url(path));
        request.header("Accept-Encoding", accept).header("If-None-Match", known.to_owned()).send()
    };
    let plain = ask("/client.js", "identity", "").await.unwrap();
    let squeezed = ask("/client.js", "gzip, deflate, br, zstd", "").await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    assert_eq!(squeezed.headers()["content-encoding"], "gzip");
    assert_eq!(squeezed.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(squeezed.headers()["vary"], "accept-encoding");
    let tags = [&plain, &squeezed].map(|response| response.headers()["etag"].to_str().unwrap().to_owned());
    assert_ne!(tags[0], tags[1], "each form has its own");
    for (accept, known, status) in [
        ("gzip", tags[1].clone(), 304),
        ("gzip", format!("\"other\", W/{}", tags[1]), 304),
        ("gzip", tags[0].clone(), 200),
        ("identity", tags[1].clone(), 200),
        ("gzip;q=0, identity", tags[0].clone(), 304),
    ] {
        let answer = ask("/client.js", accept, &known).await.unwrap();
        assert_eq!(answer.status(), status, "{accept} {known}");
    }
    let (plain, squeezed) = (plain.bytes().await.unwrap(), squeezed.bytes().await.unwrap());
    assert!(squeezed.starts_with(&[0x1f, 0x8b]) && squeezed.len() * 2 < plain.len());
    wire.stop().await;
}

#[actix::test]
async fn the_page_says_what_it_consists_of() {
    let wire = Wire::start();
    let shell = reqwest::get(wire.url("/shell.js")).await.unwrap();
    assert_eq!(shell.headers()["content-type"], "text/javascript; charset=utf-8");
    let tag = reqwest::get(wire.url("/client.js")).await.unwrap().headers()["etag"].clone();
    let hash = tag.to_str().unwrap().trim_matches('"').to_owned();
    let shell = shell.text().await.unwrap();
    assert!(shell.contains(&format!("\"client.js\":\"{hash}\"")), "{shell}");
    wire.stop().await;
}

#[actix::test]
async fn a_disk_that_takes_no_writes_shows_in_health_without_details() {
    let wire = Wire::start_with(|settings| settings.agent.command = "/home/somebody/bin/claude".into());
    wire.journal.refuse_appends(Some("disk I/O error at /home/somebody/tandem.db"));
    let (status, ready) = answer(reqwest::Client::new().get(wire.url("/health/ready"))).await;
    assert_eq!(status, 503);
    assert!(ready["reason"].as_str().unwrap().contains("the server cannot write"), "{ready}");
    let (_, health) = answer(reqwest::Client::new().get(wire.url("/health"))).await;
    assert_eq!((&health["storage"]["ok"], &health["agent"]["command"]), (&json!(false), &json!("claude")));
    for shown in [ready, health] {
        assert!(!shown.to_string().contains("somebody"), "{shown}");
    }
    wire.stop().await;
}

#[actix::test]
async fn a_damaged_attachment_is_never_given_out_as_a_whole_one() {
    let wire = Wire::start();
    for (bytes, is_one_part) in [(PART_BYTES, true), (PART_BYTES + 9, false)] {
        let (whole, mut damaged) = (vec![b'a'; bytes], vec![b'a'; bytes]);
        damaged[bytes - 1] = b'b';
        let hash = BlobHash::of(&whole);
        let path = format!("/api/blobs/{hash}");
        let (status, _) = answer(wire.request("PUT", &path).body(whole.clone())).await;
        assert_eq!(status, 200);
        let response = wire.request("GET", &path).send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), whole);
        wire.journal.damage_blob(hash, Some(damaged.leak()));
        let response = wire.request("GET", &path).send().await.unwrap();
        if is_one_part {
            assert_eq!(response.status(), 503);
            let refusal: Value = response.json().await.unwrap();
            assert_eq!(refusal["error"]["code"], "storage_unavailable");
        } else {
            assert!(response.bytes().await.is_err(), "it is cut off before its end");
        }
    }
    wire.stop().await;
}
