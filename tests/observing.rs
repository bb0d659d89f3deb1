//! What an operator sees of a server: metrics, health, the log, `tandem top`.

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::openmetrics::Samples;
use crate::support::server::{Home, TestServer, eventually};

const UUID: &str = "0197a2c4-0000-7000-8000-000000000001";

async fn scrape(server: &TestServer) -> Samples {
    let response = server.request("GET", "/metrics").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(media_type.starts_with("application/openmetrics-text"), "{media_type}");
    Samples::parse(&response.text().await.unwrap())
}

/// Two turns, one approval, one message that is sent twice, one that is refused.
async fn converse(phone: &TestDevice, session: &str, prompt: &str) {
    phone.subscribe(session, 0).await;
    let frame = json!({"type": "submit", "sessionId": session, "content": prompt, "messageId": UUID});
    assert_eq!(phone.ask(frame.clone()).await["duplicate"], false);
    assert_eq!(phone.ask(frame).await["duplicate"], true);
    let other = json!({"type": "submit", "sessionId": session, "content": "other", "messageId": UUID});
    assert_eq!(phone.ask(other).await["error"]["code"], "message_id_reused");
    phone.kind(session, "turn_ended", 1).await;
    phone.submit(session, "/tool echo secret-of-the-tool").await;
    let asked = phone.kind(session, "approval_requested", 1).await;
    let request = &asked["data"]["requestId"];
    let answer = phone
        .ask(json!({"type": "approve", "sessionId": session, "requestId": request, "decision": "allow"}));
    assert_eq!(answer.await["type"], "ok");
    let ended = phone.kind(session, "turn_ended", 2).await;
    phone.send(json!({"type": "ack", "sessionId": session, "seq": ended["seq"]}));
}

#[tokio::test]
async fn settings_in_force_are_those_that_the_command_line_shows() {
    let mut home = Home::new();
    home.set("LOCK_WAIT_TIMEOUT", "7");
    let server = home.serve().await;
    let answer = server.get("/api/config").await;
    let printed = home.run(&["config", "--json"]).await;
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let settings = answer["settings"].as_array().unwrap();
    assert_eq!(settings.len(), printed.as_object().unwrap().len());
    for setting in settings.iter().filter(|setting| setting["key"] != "server.port") {
        let expected = &printed[setting["key"].as_str().unwrap()];
        assert_eq!((&setting["value"], &setting["origin"]), (&expected["value"], &expected["origin"]));
        assert!(setting["meaning"].as_str().unwrap().len() > 10, "{setting}");
    }
    let wait = settings.iter().find(|setting| setting["key"] == "locks.waitSeconds").unwrap();
    assert_eq!((&wait["value"], &wait["origin"]), (&json!(7), &json!("environment LOCK_WAIT_TIMEOUT")));
    assert!(!answer.to_string().contains(&server.token), "the token is no setting");
    let stranger = reqwest::get(server.url("/api/config")).await.unwrap();
    assert_eq!(stranger.status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn metrics_tell_what_took_place() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    converse(&phone, &session, "hello").await;
    server.get(&format!("/api/sessions/{session}")).await;
    assert_eq!(server.call("GET", "/api/nothing/of/the/kind", Value::Null).await.0, 404);

    let samples = scrape(&server).await;
    let expected = [
        ("tandem_turns_total{outcome=\"completed\"}", 2.0),
        ("tandem_turns_total{outcome=\"failed\"}", 0.0),
        ("tandem_messages_accepted_total", 2.0),
        ("tandem_messages_duplicate_total", 1.0),
        ("tandem_messages_refused_total{code=\"message_id_reused\"}", 1.0),
        ("tandem_approvals_requested_total", 1.0),
        ("tandem_approvals_resolved_total{decision=\"allow\"}", 1.0),
        ("tandem_approvals_waiting", 0.0),
        ("tandem_agent_starts_total", 1.0),
        ("tandem_agent_restarts_total", 0.0),
        ("tandem_slots{state=\"max\"}", 10.0),
        ("tandem_slots{state=\"taken\"}", 1.0),
        ("tandem_slots_granted_total", 1.0),
        ("tandem_sessions{status=\"idle\"}", 1.0),
        ("tandem_sessions_created_total", 1.0),
        ("tandem_connections", 1.0),
        ("tandem_devices_online", 1.0),
        ("tandem_queued_messages", 0.0),
        ("tandem_trouble{part=\"storage\"}", 0.0),
        ("tandem_http_requests_total{route=\"/api/sessions/{session}\",status=\"200\"}", 1.0),
        ("tandem_http_requests_total{route=\"none\",status=\"404\"}", 1.0),
        // hello, subscribe, four submits, approve, ack
        ("tandem_ws_frames_received_total", 8.0),
    ];
    for (key, value) in expected {
        assert_eq!(samples.get(key), value, "{key}");
    }
    assert!(samples.get("tandem_append_seconds_count") >= 8.0);
    assert!(samples.get("tandem_append_seconds_sum") > 0.0);
    assert!(samples.get("tandem_delivery_seconds_count") >= 4.0);
    assert!(samples.get("tandem_ws_sent_bytes_total") > 1_000.0);
    assert!(samples.get("tandem_agent_memory_bytes") > 1_000_000.0);
    assert!(samples.get("tandem_server_memory_bytes") > 1_000_000.0);

    let report = server.get("/api/metrics/sessions").await;
    let entry = &report["sessions"][0];
    assert_eq!(report["totals"]["turns"], 2, "{report}");
    assert_eq!((&entry["sessionId"], &entry["status"]), (&json!(session), &json!("idle")), "{report}");
    assert_eq!((&entry["devices"], &entry["devicesOnline"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(entry["lagEvents"], 0, "{report}");
    assert!(entry["memoryBytes"].as_u64().unwrap() > 1_000_000, "{report}");
    let latency = &report["latency"];
    for thing in ["append", "delivery"] {
        assert!(latency[thing]["p50Seconds"].as_f64() <= latency[thing]["p99Seconds"].as_f64(), "{report}");
        assert!(latency[thing]["p99Seconds"].as_f64().unwrap() > 0.0, "{report}");
    }
    server.stop().await;
}

#[tokio::test]
async fn metrics_need_the_token() {
    let home = Home::new();
    let server = home.serve().await;
    for path in ["/metrics", "/api/metrics/sessions"] {
        let refused = reqwest::Client::new().get(server.url(path)).bearer_auth("wrong").send().await.unwrap();
        assert_eq!(refused.status(), 401, "{path}");
    }
    let (status, answer) = server.call("GET", "/api/metrics/sessions?limit=0", Value::Null).await;
    assert_eq!((status, &answer["error"]["details"]["field"]), (400, &json!("limit")));
    server.stop().await;
}

#[tokio::test]
async fn crashes_and_recoveries_are_counted() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/crash").await;
    phone.kind(&session, "turn_ended", 1).await;
    phone.submit(&session, "/slow 2000 20").await;
    phone.kind(&session, "turn_started", 2).await;
    let samples = scrape(&server).await;
    assert_eq!(samples.get("tandem_turns_total{outcome=\"failed\"}"), 1.0);
    assert_eq!(samples.get("tandem_agent_stops_total{reason=\"crashed\"}"), 1.0);
    assert_eq!(samples.get("tandem_agent_restarts_total"), 1.0);
    server.kill().await;

    let server = home.serve().await;
    eventually("the turn that was cut off is settled", async || {
        server.get(&format!("/api/sessions/{session}")).await["turn"].is_null()
    })
    .await;
    let samples = scrape(&server).await;
    assert!(samples.get("tandem_recovery_events_total") >= 1.0);
    server.stop().await;
}

#[tokio::test]
async fn a_server_whose_agent_does_not_run_is_not_ready_and_says_why() {
    let mut home = Home::new();
    let broken = home.path().join("broken-agent");
    std::fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&broken, executable).unwrap();
    home.set("TANDEM_AGENT", broken.to_str().unwrap());
    let server = home.serve().await;
    let (status, answer) = server.call("GET", "/health/ready", Value::Null).await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer["reason"].as_str().unwrap().starts_with("agent: "), "{answer}");
    let health = server.get("/health").await;
    assert_eq!((&health["agent"]["ok"], &health["storage"]["ok"]), (&json!(false), &json!(true)), "{health}");
    assert_eq!(scrape(&server).await.get("tandem_trouble{part=\"agent\"}"), 1.0);
    server.stop().await;

    let mut home = Home::new();
    home.set("TANDEM_AGENT", "no-such-agent-anywhere");
    let server = home.serve().await;
    assert_eq!(server.get("/health/ready").await, json!({"status": "ok"}), "the simulator stands in");
    assert_eq!(server.get("/health").await["agent"]["found"], false);
    server.stop().await;
}

#[tokio::test]
async fn the_log_holds_ids_and_never_contents_or_tokens() {
    let mut home = Home::new();
    home.set("TANDEM_LOG", "tandem=trace,tandem_actors=trace");
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    converse(&phone, &session, "secret-of-the-prompt").await;
    for prompt in ["/garbage", "/crash", "secret-of-the-queue"] {
        phone.submit(&session, prompt).await;
    }
    phone.kind(&session, "turn_ended", 5).await;
    let by_http = json!({"sessionId": session, "message": "secret-over-http"});
    assert_eq!(server.call("POST", "/api/chat", by_http).await.0, 200);
    let broken = r#"{"type":"submit","content":"secret-in-a-bad-frame""#;
    phone.send(json!({"type": "nonsense", "content": "secret-in-an-unknown-frame"}));
    let wrong = reqwest::Client::new().get(server.url("/api/sessions")).bearer_auth("secret-wrong-token");
    assert_eq!(wrong.body(broken).send().await.unwrap().status(), 401);
    let token = std::fs::read_to_string(home.data().join("token")).unwrap();
    drop(phone);
    server.stop().await;

    let log = home.log();
    let leak = log.lines().find(|line| line.contains("secret") || line.contains(token.trim()));
    assert_eq!(leak, None);
    for event in ["session created", "agent started", "agent stopped", "message accepted", "device connected"]
    {
        assert!(log.lines().any(|line| line.contains(event)), "{event} in {log}");
    }
    let with_ids = |event: &str, id: &str| log.lines().any(|line| line.contains(event) && line.contains(id));
    assert!(with_ids("message accepted", "device=phone") && with_ids("agent stopped", &session), "{log}");
}

#[tokio::test]
async fn top_shows_the_sessions_of_a_running_server() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "hello").await;
    phone.kind(&session, "turn_ended", 1).await;

    let once = home.command(&["top", "--once", "--url", &server.url("")]).output().await.unwrap();
    let table = String::from_utf8(once.stdout).unwrap();
    assert!(once.status.success(), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
    let row = table.lines().find(|line| line.ends_with(&session[..13])).expect("the session has a line");
    assert!(row.starts_with("idle ") && row.contains(" project ") && row.contains(" 1/1 "), "{table}");
    assert!(table.contains("slots 1/10"), "{table}");

    let json = home.command(&["top", "--json", "--url", &server.url("/")]).output().await.unwrap();
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["sessions"][0]["sessionId"], *session);
    server.stop().await;

    let alone = home.command(&["top", "--once", "--url", "http://127.0.0.1:1"]).output().await.unwrap();
    let complaint = String::from_utf8(alone.stderr).unwrap();
    assert!(!alone.status.success() && complaint.contains("tandem serve"), "{complaint}");
}
