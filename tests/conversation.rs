//! One conversation, every device: over real sockets, with the simulator and with the real CLI.

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::model::Model;
use crate::support::server::{Home, TestServer, eventually};

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().expect("a number")).collect()
}

/// Waits until all devices have everything up to the session's head, and checks that all have the same.
async fn all_agree(server: &TestServer, session: &str, devices: &[&TestDevice]) -> Vec<Value> {
    let head = server.get(&format!("/api/sessions/{session}/events?limit=1")).await["head"]
        .as_u64()
        .expect("a head");
    let mut streams = Vec::new();
    for device in devices {
        device.event(session, "the head", |event| event["seq"] == head).await;
        streams.push(device.events(session));
    }
    assert_eq!(seqs(&streams[0]), (1..=head).collect::<Vec<_>>(), "every number once, in order");
    for (device, stream) in devices.iter().zip(&streams) {
        assert_eq!(*stream, streams[0], "{} sees what {} sees", device.name, devices[0].name);
    }
    streams.swap_remove(0)
}

#[tokio::test]
async fn where_a_person_is_shows_on_the_other_devices() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    phone.subscribe(&session, 0).await;
    laptop.subscribe(&session, 0).await;
    let cursor = json!({"line": 3, "selection": [1, 9]});
    let activity = json!({"type": "activity", "sessionId": session, "activity": "typing", "cursor": cursor});
    phone.send(activity);
    let signal = |kind: &'static str| move |frame: &Value| frame["type"] == "signal" && frame["kind"] == kind;
    let seen = laptop.frame("the cursor", signal("cursor")).await;
    assert_eq!(seen["data"], json!({"deviceId": "phone", "cursor": cursor}));
    laptop
        .frame("what the phone does", |frame| {
            signal("presence")(frame)
                && frame["data"]["devices"].as_array().is_some_and(|devices| {
                    devices.iter().any(|one| one["deviceId"] == "phone" && one["activity"] == "typing")
                })
        })
        .await;
    server.stop().await;
}

/// Three devices, all of them sending at once.
async fn three_devices_at_once(home: &Home) {
    let server = home.serve().await;
    let session = server.session(home).await;
    let devices =
        [server.device("phone").await, server.device("laptop").await, server.device("terminal").await];
    for device in &devices {
        device.subscribe(&session, 0).await;
    }
    let marks: Vec<(&TestDevice, String)> = devices
        .iter()
        .flat_map(|device| (0..3).map(move |number| (device, number)))
        .map(|(device, number)| {
            let text = format!("{} says {number}", device.name);
            let frame = json!({"type": "submit", "sessionId": session, "content": text});
            (device, device.begin(frame))
        })
        .collect();
    for (device, mark) in &marks {
        let answer = device.answer(mark).await;
        assert_eq!((&answer["type"], &answer["duplicate"]), (&json!("accepted"), &json!(false)), "{answer}");
    }
    for device in &devices {
        device.kind(&session, "turn_ended", 9).await;
    }
    eventually("the session is at rest", async || {
        server.get(&format!("/api/sessions/{session}")).await["status"] == "idle"
    })
    .await;
    let events = all_agree(&server, &session, &devices.each_ref()).await;
    for device in &devices {
        let own = events
            .iter()
            .filter(|event| event["kind"] == "message_accepted" && event["data"]["deviceId"] == *device.name);
        let texts: Vec<&str> = own.map(|event| event["data"]["content"].as_str().expect("text")).collect();
        let sent: Vec<String> = (0..3).map(|number| format!("{} says {number}", device.name)).collect();
        assert_eq!(texts, sent, "each device's messages keep their order");
    }
    let of_kind = |kind: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["kind"] == kind).map(|event| &event["data"]["messageId"]).collect()
    };
    assert_eq!(
        of_kind("turn_ended"),
        of_kind("message_accepted"),
        "one turn each, in the order of acceptance"
    );
    for event in events.iter().filter(|event| event["kind"] == "turn_ended") {
        assert_eq!(event["data"]["outcome"], "completed", "{event}");
        assert!(event["data"]["text"].as_str().expect("an answer").contains("says"), "{event}");
    }
    server.stop().await;
}

#[tokio::test]
async fn three_devices_see_the_same_while_all_send_at_once() {
    three_devices_at_once(&Home::new()).await;
}

#[actix_rt::test]
async fn three_devices_see_the_same_while_all_send_at_once_to_the_real_cli() {
    let model = Model::start().await;
    three_devices_at_once(&Home::with_claude(model.url())).await;
}

#[tokio::test]
async fn a_device_that_was_away_resumes_without_a_gap() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "before").await;
    phone.kind(&session, "turn_ended", 1).await;
    let held = phone.events(&session);
    drop(phone);
    laptop.submit(&session, "/burst 500 100").await;
    laptop.kind(&session, "turn_ended", 2).await;

    let phone = server.device("phone").await;
    let last = held.last().expect("something was seen");
    let epoch = laptop.subscribe(&session, 0).await["epoch"].clone();
    let frame = json!({
        "type": "subscribe", "sessionId": session, "after": last["seq"], "epoch": epoch, "hash": last["hash"],
    });
    let answer = phone.ask(frame).await;
    assert_eq!(answer["reset"], false, "{answer}");
    assert_eq!(answer["from"].as_u64(), Some(held.len() as u64 + 1));
    phone.kind(&session, "turn_ended", 1).await;
    let together: Vec<Value> = held.into_iter().chain(phone.events(&session)).collect();
    let all = server.events(&session).await;
    assert_eq!(seqs(&together), seqs(&all));
    server.stop().await;
}

/// An approval that one device raised is answered from another.
async fn approval_from_another_device(home: &Home, message: &str) {
    let server = home.serve().await;
    let session = server.session(home).await;
    let phone = server.device("phone").await;
    let laptop = server.device("laptop").await;
    phone.subscribe(&session, 0).await;
    laptop.subscribe(&session, 0).await;
    laptop.submit(&session, message).await;
    let asked = phone.kind(&session, "approval_requested", 1).await;
    assert_eq!(asked["data"]["tool"], "Bash", "{asked}");
    let state = server.get(&format!("/api/sessions/{session}")).await;
    assert_eq!(state["status"], "waiting_for_approval", "{state}");
    let request = &asked["data"]["requestId"];
    let answer = phone
        .ask(json!({"type": "approve", "sessionId": session, "requestId": request, "decision": "allow"}))
        .await;
    assert_eq!(answer["type"], "ok", "{answer}");
    let late = laptop
        .ask(json!({"type": "approve", "sessionId": session, "requestId": request, "decision": "deny"}))
        .await;
    assert_eq!(late["error"]["code"], "already_resolved", "{late}");
    let resolved = laptop.kind(&session, "approval_resolved", 1).await;
    assert_eq!(resolved["data"]["by"]["deviceId"], "phone");
    let ended = laptop.kind(&session, "turn_ended", 1).await;
    assert_eq!(ended["data"]["outcome"], "completed", "{ended}");
    assert!(home.project().join("proof").exists(), "the command was really run");
    server.stop().await;
}

#[tokio::test]
async fn an_approval_is_answered_from_another_device() {
    approval_from_another_device(&Home::new(), "/tool touch proof").await;
}

#[actix_rt::test]
async fn an_approval_of_the_real_cli_is_answered_from_another_device() {
    let model = Model::start().await;
    approval_from_another_device(&Home::with_claude(model.url()), "bash touch proof").await;
}

/// Stopped and started again, every conversation is there and goes on.
async fn restart_goes_on(home: &Home, recall: &str) {
    let server = home.serve().await;
    let session = server.session(home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "the word is heron").await;
    phone.kind(&session, "turn_ended", 1).await;
    let before = server.events(&session).await;
    server.stop().await;
    assert_eq!(phone.closed().await, Some(1001));

    let server = home.serve().await;
    let listed = server.get("/api/sessions").await;
    assert_eq!(listed["sessions"][0]["sessionId"], *session, "{listed}");
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, recall).await;
    let ended = phone.kind(&session, "turn_ended", 2).await;
    assert!(ended["data"]["text"].as_str().expect("an answer").contains("heron"), "{ended}");
    let after = server.events(&session).await;
    assert_eq!(after[..before.len()], before, "history is never changed");
    let restarted =
        after.iter().filter(|event| event["kind"] == "agent_started").nth(1).expect("a second agent");
    assert_eq!(restarted["data"]["resumed"], true);
    server.stop().await;
}

#[tokio::test]
async fn after_a_restart_the_conversation_goes_on() {
    restart_goes_on(&Home::new(), "/recall").await;
}

#[actix_rt::test]
async fn after_a_restart_the_real_cli_knows_what_was_said() {
    let model = Model::start().await;
    restart_goes_on(&Home::with_claude(model.url()), "recall").await;
}

#[actix_rt::test]
async fn a_conversation_that_the_real_cli_has_already_is_never_already_in_use() {
    let model = Model::start().await;
    let home = Home::with_claude(model.url());
    let server = home.serve().await;
    let session = server.session(&home).await;
    // Somebody has run the CLI under this very id before the server ever did.
    let mut by_hand = tokio::process::Command::new(crate::support::agent::claude_path());
    by_hand.args(["-p", "the word is heron", "--session-id", &session]).current_dir(home.project());
    by_hand.env_clear().env("HOME", home.path()).env("PATH", std::env::var_os("PATH").expect("a PATH"));
    by_hand.env("ANTHROPIC_BASE_URL", model.url()).env("ANTHROPIC_API_KEY", "test");
    by_hand.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").stdin(std::process::Stdio::null());
    let ran = by_hand.output().await.expect("the CLI runs");
    assert!(ran.status.success(), "{ran:?}");
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "recall").await;
    let ended = phone.kind(&session, "turn_ended", 1).await;
    assert_eq!(ended["data"]["outcome"], "completed", "{ended}");
    assert!(ended["data"]["text"].as_str().expect("an answer").contains("heron"), "{ended}");
    server.stop().await;
}

#[actix_rt::test]
async fn a_conversation_that_was_purged_from_the_disk_is_brought_back() {
    let model = Model::start().await;
    let home = Home::with_claude(model.url());
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "the word is heron").await;
    phone.kind(&session, "turn_ended", 1).await;
    server.stop().await;
    std::fs::remove_dir_all(home.path().join(".claude/projects")).expect("the transcripts can be removed");

    let server = home.serve().await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "recall").await;
    let ended = phone.kind(&session, "turn_ended", 2).await;
    assert!(ended["data"]["text"].as_str().expect("an answer").contains("heron"), "{ended}");
    server.stop().await;
}

/// A turn that is running is interrupted from another device.
async fn interrupted(home: &Home, slow: &str) {
    let server = home.serve().await;
    let session = server.session(home).await;
    let phone = server.device("phone").await;
    let laptop = server.device("laptop").await;
    phone.subscribe(&session, 0).await;
    laptop.subscribe(&session, 0).await;
    phone.submit(&session, slow).await;
    let delta = laptop.frame("a delta", |frame| frame["type"] == "signal" && frame["kind"] == "delta").await;
    assert!(!delta["data"]["text"].as_str().expect("text").is_empty());
    let answer = laptop.ask(json!({"type": "interrupt", "sessionId": session})).await;
    assert_eq!(answer["type"], "ok");
    let ended = phone.kind(&session, "turn_ended", 1).await;
    assert_eq!(
        (&ended["data"]["outcome"], &ended["data"]["by"]["deviceId"]),
        (&json!("interrupted"), &json!("laptop"))
    );
    phone.submit(&session, "and now").await;
    let ended = phone.kind(&session, "turn_ended", 2).await;
    assert_eq!(ended["data"]["outcome"], "completed", "the conversation goes on: {ended}");
    server.stop().await;
}

#[tokio::test]
async fn a_turn_is_interrupted_from_another_device() {
    interrupted(&Home::new(), "/slow 2000 20").await;
}

#[actix_rt::test]
async fn a_turn_of_the_real_cli_is_interrupted_from_another_device() {
    let model = Model::start().await;
    interrupted(&Home::with_claude(model.url()), "slow 2000 20").await;
}

#[tokio::test]
async fn the_list_of_sessions_is_live() {
    let home = Home::new();
    let server = home.serve().await;
    let watcher = server.device("watcher").await;
    let list = watcher.ask(json!({"type": "watch"})).await;
    assert_eq!(
        (&list["type"], list["sessions"].as_array().map(Vec::len)),
        (&json!("session_list"), Some(0)),
        "{list}"
    );
    let session = server.session(&home).await;
    let is_session =
        |frame: &Value| frame["type"] == "session_summary" && frame["session"]["sessionId"] == *session;
    watcher.frame("the new session", is_session).await;
    let phone = server.device("phone").await;
    phone.submit(&session, "hello").await;
    watcher
        .frame("the turn", |frame| {
            is_session(frame) && frame["session"]["turns"] == 1 && frame["session"]["status"] == "idle"
        })
        .await;
    server.stop().await;
}

#[tokio::test]
async fn whatever_the_agent_prints_is_kept_and_nothing_is_taken_for_json_that_is_none() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/garbage").await;
    phone.submit(&session, "/huge 3000000").await;
    let ended = phone.kind(&session, "turn_ended", 2).await;
    assert_eq!(ended["data"]["outcome"], "completed", "{ended}");
    let events = phone.events(&session);
    assert!(events.iter().any(|event| event.to_string().len() > 3_000_000), "the huge line came whole");
    assert_eq!(seqs(&events), (1..=events.len() as u64).collect::<Vec<_>>());
    server.stop().await;
}

/// A recap is asked for over HTTP and told by the agent itself.
async fn recap(home: &Home) {
    let server = home.serve().await;
    let session = server.session(home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "the word is heron").await;
    phone.kind(&session, "turn_ended", 1).await;
    let body = json!({"sessionId": session, "action": "recap"});
    let (status, answer) = server.call("POST", "/api/sessions/keep-alive", body).await;
    assert_eq!(status, 200, "{answer}");
    assert!(!answer["recap"].as_str().expect("a recap").is_empty(), "{answer}");
    assert_eq!(phone.kind(&session, "turn_dispatched", 2).await["data"]["madeUp"], "recap");
    server.stop().await;
}

#[tokio::test]
async fn a_recap_is_told_by_the_agent() {
    recap(&Home::new()).await;
}

#[actix_rt::test]
async fn a_recap_is_told_by_the_real_cli() {
    let model = Model::start().await;
    recap(&Home::with_claude(model.url())).await;
}
