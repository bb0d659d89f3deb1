//! One device is put down and another taken up in the middle of a sentence; whatever crashes in between.

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::server::{Home, TestServer, eventually};

/// Reads what a device shows: the snapshot that it was given, and the patches since.
fn shown(subscribed: &Value, device: &TestDevice, session: &str) -> Value {
    let mut shared = serde_json::Map::new();
    for (key, entry) in subscribed["state"]["shared"].as_object().expect("a map") {
        shared.insert(key.clone(), entry["value"].clone());
    }
    let head = subscribed["head"].as_u64();
    for event in device.events(session) {
        if event["kind"] != "state_changed" || event["seq"].as_u64() <= head {
            continue;
        }
        for (key, value) in event["data"]["patch"].as_object().expect("a patch") {
            match value {
                Value::Null => shared.remove(key),
                value => shared.insert(key.clone(), value.clone()),
            };
        }
    }
    Value::Object(shared)
}

async fn write(device: &TestDevice, session: &str, patch: Value, at: Option<&str>) -> Value {
    let answer = device.ask(json!({"type": "state", "sessionId": session, "patch": patch, "at": at})).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    answer
}

async fn values(server: &TestServer, session: &str) -> Value {
    let shared = server.get(&format!("/api/sessions/{session}/state")).await["shared"].clone();
    let values = shared.as_object().unwrap().iter().map(|(key, entry)| (key.clone(), entry["value"].clone()));
    Value::Object(values.collect())
}

/// A stamp as a device's clock gives it, so many milliseconds from now.
fn stamp(millis_from_now: i64, device: u8) -> String {
    let millis = chrono::Utc::now().timestamp_millis() + millis_from_now;
    let ticks = (u128::try_from(millis).unwrap() << 32) / 1000;
    format!("{ticks}/9f{device}")
}

#[tokio::test]
async fn two_devices_that_were_offline_end_equal_in_whatever_order_they_return() {
    for phone_returns_first in [true, false] {
        let home = Home::new();
        let server = home.serve().await;
        let session = server.session(&home).await;
        let watcher = server.device("watcher").await;
        let snapshot = watcher.subscribe(&session, 0).await;
        write(&watcher, &session, json!({"both": "before", "gone": 1}), Some(&stamp(-60_000, 1))).await;
        // Written without a connection, one after the other; sent when they are back.
        let by_phone = (json!({"both": "phone", "phone": true, "gone": null}), stamp(-20_000, 2));
        let by_laptop = (json!({"both": "laptop", "laptop": [1, 2]}), stamp(-10_000, 3));
        let mut writes = [("phone", by_phone), ("laptop", by_laptop)];
        if !phone_returns_first {
            writes.reverse();
        }
        let mut back = Vec::new();
        for (name, (patch, at)) in &writes {
            let device = server.device(name).await;
            let snapshot = device.subscribe(&session, 0).await;
            let first = write(&device, &session, patch.clone(), Some(at)).await;
            let again = write(&device, &session, patch.clone(), Some(at)).await;
            assert_eq!(first["seq"], again["seq"], "sent again, it is the same write");
            back.push((device, snapshot));
        }
        let expected = json!({"both": "laptop", "phone": true, "laptop": [1, 2]});
        assert_eq!(values(&server, &session).await, expected);
        let conflict = json!({"key": "both", "kept": "laptop", "dropped": "phone"});
        for (device, snapshot) in back.iter().chain([&(watcher, snapshot)]) {
            device.kind(&session, "state_changed", 3).await;
            assert_eq!(shown(snapshot, device, &session), expected, "{}", device.name);
            let events = device.events(&session);
            let named: Vec<&Value> = events
                .iter()
                .filter_map(|event| event["data"]["conflicts"].as_array())
                .flatten()
                .filter(|named| **named == conflict)
                .collect();
            assert_eq!(named.len(), 1, "{} is told of it once", device.name);
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn what_devices_share_survives_a_kill_and_is_in_every_snapshot() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    write(&phone, &session, json!({"draft.phone": "half a sen", "scroll": 7}), None).await;
    server.kill().await;

    let server = home.serve().await;
    let laptop = server.device("laptop").await;
    let subscribed = laptop.subscribe(&session, 0).await;
    let shared = &subscribed["state"]["shared"];
    assert_eq!(shared["draft.phone"]["value"], "half a sen", "{subscribed}");
    assert_eq!(shared["scroll"]["by"]["deviceId"], "phone");
    assert!(shared["scroll"]["at"].as_str().unwrap().contains('/'), "{shared}");
    server.stop().await;
}

#[tokio::test]
async fn the_phone_takes_over_in_the_middle_of_a_sentence() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    let phone = server.device("phone").await;
    let subscribed = phone.subscribe(&session, 0).await;
    assert_eq!(subscribed["state"]["primaryDeviceId"], "laptop");
    write(&laptop, &session, json!({"draft.laptop": "in the middle of"}), None).await;
    let answer = phone.ask(json!({"type": "handoff", "sessionId": session, "toDeviceId": "phone"})).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    for device in [&laptop, &phone] {
        let handed =
            |event: &Value| event["kind"] == "primary_changed" && event["data"]["reason"] == "handoff";
        let changed = device.event(&session, "the hand-over", handed).await;
        assert_eq!(
            (&changed["data"]["deviceId"], &changed["data"]["by"]["deviceId"]),
            (&json!("phone"), &json!("phone"))
        );
        device.kind(&session, "state_changed", 2).await;
    }
    assert_eq!(values(&server, &session).await, json!({"draft.phone": "in the middle of"}));
    server.kill().await;

    let server = home.serve().await;
    let state = server.get(&format!("/api/sessions/{session}/state")).await;
    assert_eq!(
        (&state["primaryDeviceId"], &state["shared"]["draft.phone"]["value"]),
        (&json!("phone"), &json!("in the middle of"))
    );
    let stranger = server.device("laptop").await;
    let refused =
        stranger.ask(json!({"type": "handoff", "sessionId": session, "toDeviceId": "nobody"})).await;
    assert_eq!(refused["error"]["code"], "device_not_found", "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn shared_state_has_limits_and_an_http_twin() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let path = format!("/api/sessions/{session}/state");
    let patch = |patch: Value| json!({"patch": patch, "deviceId": "script"});
    let (status, answer) = server.call("PATCH", &path, patch(json!({"a": 1, "b": {"c": [null]}}))).await;
    assert_eq!((status, answer["success"].as_bool()), (200, Some(true)), "{answer}");
    let state = server.get(&path).await;
    assert_eq!(
        (&state["shared"]["b"]["value"], &state["shared"]["a"]["by"]["deviceId"]),
        (&json!({"c": [null]}), &json!("script"))
    );
    assert_eq!(state["head"], answer["seq"]);
    let large = "x".repeat(16 * 1024);
    let deep = (0..70).fold(json!(1), |value, _| json!([value]));
    for (bad, status, field) in [
        (json!({}), 400, "patch"),
        (json!({"": 1}), 400, "patch"),
        (json!({"k".repeat(129): 1}), 400, "patch"),
        (json!({"deep": deep}), 400, "patch"),
        (json!({"large": large}), 413, "patch"),
    ] {
        let (found, answer) = server.call("PATCH", &path, patch(bad.clone())).await;
        assert_eq!((found, &answer["error"]["details"]["field"]), (status, &json!(field)), "{answer}");
    }
    for key in 0..17 {
        let value = "x".repeat(16 * 1024 - 2);
        let (found, answer) = server.call("PATCH", &path, patch(json!({format!("k{key}"): value}))).await;
        let is_full = key >= 15;
        assert_eq!(found, if is_full { 413 } else { 200 }, "key {key}: {answer}");
    }
    let (status, _) = server.call("PATCH", &path, json!({"patch": {"a": 2}, "at": "soon"})).await;
    assert_eq!(status, 400);
    server.stop().await;
}

#[tokio::test]
async fn the_queue_is_changed_from_any_device_and_survives_a_kill() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    phone.subscribe(&session, 0).await;
    laptop.subscribe(&session, 0).await;
    let running = phone.submit(&session, "/slow 600 50").await;
    phone.kind(&session, "turn_started", 1).await;
    let mut queued = Vec::new();
    for text in ["one", "two", "three", "four"] {
        queued.push(phone.submit(&session, text).await["messageId"].clone());
    }
    let [one, two, three, four] = &queued[..] else { unreachable!() };
    // Each from the other device than the one that it came from.
    for frame in [
        json!({"type": "edit", "messageId": two, "content": "two, better"}),
        json!({"type": "cancel", "messageId": three}),
        json!({"type": "move", "messageId": four, "before": one}),
    ] {
        let mut frame = frame;
        frame["sessionId"] = json!(session);
        assert_eq!(laptop.ask(frame).await["type"], "ok");
    }
    for kind in ["message_edited", "message_cancelled", "queue_moved"] {
        let event = phone.kind(&session, kind, 1).await;
        assert_eq!(event["data"]["by"]["deviceId"], "laptop", "{event}");
    }
    let begun = laptop
        .ask(json!({"type": "edit", "sessionId": session, "messageId": running["messageId"], "content": "other"}))
        .await;
    assert_eq!(begun["error"]["code"], "not_queued", "{begun}");
    assert!(begun["error"]["message"].as_str().unwrap().contains("has begun"), "{begun}");
    let queue = |state: &Value| -> Vec<String> {
        let queue = state["queue"].as_array().expect("a queue").clone();
        queue.iter().map(|one| one["content"].as_str().expect("a text").to_owned()).collect()
    };
    let path = format!("/api/sessions/{session}");
    assert_eq!(queue(&server.get(&path).await), ["four", "one", "two, better"]);
    server.kill().await;

    let server = home.serve().await;
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    eventually("all of the queue was run", async || {
        let state = server.get(&path).await;
        state["status"] == "idle"
    })
    .await;
    let events = server.events(&session).await;
    let run: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "turn_ended" && event["data"]["outcome"] == "completed")
        .filter_map(|event| event["data"]["text"].as_str())
        .collect();
    assert_eq!(run, ["echo: four", "echo: one", "echo: two, better"]);
    let gone = laptop.ask(json!({"type": "cancel", "sessionId": session, "messageId": three})).await;
    assert_eq!(gone["error"]["code"], "not_queued", "{gone}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_to_run_now_still_goes_first_after_a_kill() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/slow 600 50").await;
    phone.kind(&session, "turn_started", 1).await;
    phone.submit(&session, "one").await;
    let now = json!({"type": "submit", "sessionId": session, "content": "at once", "mode": "now"});
    let answer = laptop.ask(now).await;
    assert_eq!(answer["type"], "accepted", "{answer}");
    server.kill().await;

    let server = home.serve().await;
    let path = format!("/api/sessions/{session}");
    eventually("both were run", async || server.get(&path).await["status"] == "idle").await;
    let events = server.events(&session).await;
    let completed: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "turn_ended" && event["data"]["outcome"] == "completed")
        .filter_map(|event| event["data"]["text"].as_str())
        .collect();
    let ended = events.iter().filter(|event| event["kind"] == "turn_ended").count();
    assert_eq!((completed, ended), (vec!["echo: at once", "echo: one"], 3));
    server.stop().await;
}
