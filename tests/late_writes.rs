//! Writers that are killed, paused, or late: what they held is free, and what they write goes over nothing unseen.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::guard::Workshop;
use crate::support::agent::Kind;
use crate::support::figures::figure;
use crate::support::server::eventually;
use crate::support::signal;

/// How often a holder is killed.
const KILLS: usize = 8;

async fn agent_pid(shop: &Workshop, session: &str) -> u32 {
    let state = shop.server.get(&format!("/api/sessions/{session}")).await;
    u32::try_from(state["agent"]["pid"].as_u64().expect("the agent runs")).unwrap()
}

fn lock(shop: &Workshop, file: &str) -> Value {
    json!({"resourceId": file, "lockType": "file", "projectPath": shop.home.project()})
}

async fn read(shop: &Workshop, file: &str) -> Value {
    let project = shop.home.project();
    shop.server.get(&format!("/api/projects/file?project={}&path={file}", project.display())).await
}

async fn put(shop: &Workshop, more: Value) -> (u16, Value) {
    let mut body = json!({"projectPath": shop.home.project(), "deviceId": "laptop"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.server.call("PUT", "/api/projects/file", body).await
}

/// The conflicts of a type in the project, oldest first.
async fn conflicts(shop: &Workshop, kind: &str) -> Vec<Value> {
    let listed = shop.server.get("/api/conflicts").await;
    let listed = listed["conflicts"].as_array().unwrap().clone();
    listed.into_iter().filter(|conflict| conflict["conflictType"] == kind).collect()
}

#[actix_rt::test]
async fn a_killed_agent_frees_its_lock_for_the_next_at_once() {
    let shop = Workshop::open(Kind::Simulator).await;
    let laptop = shop.server.device("laptop").await;
    let mut waited = Vec::new();
    for number in 0..KILLS {
        let name = format!("{number}.txt");
        let session = shop.conversation("a", None).await;
        shop.begin(&session, &shop.says("write", &shop.file(&name), "one")).await;
        shop.device.kind(&session, "approval_requested", 1).await;
        let mut request = lock(&shop, &name);
        request["type"] = json!("lock_request");
        let denied = laptop.ask(request.clone()).await;
        assert_eq!((&denied["type"], &denied["reason"]), (&json!("lock_denied"), &json!("busy")), "{denied}");
        request["wait"] = json!(true);
        let waits = laptop.begin(request);
        eventually("it waits", async || {
            let listed = shop.server.get("/api/locks").await;
            listed["locks"].as_array().unwrap().iter().any(|one| one["isWaiting"] == true)
        })
        .await;
        let pid = agent_pid(&shop, &session).await;
        let killed = Instant::now();
        signal("KILL", pid);
        let granted = laptop.answer(&waits).await;
        waited.push(killed.elapsed());
        assert_eq!(granted["type"], "lock_acquired", "{granted}");
    }
    waited.sort_unstable();
    let millis = |place: usize| waited[place].as_secs_f64() * 1e3;
    figure(
        "killed lock holder",
        &format!(
            "kill -9 of an agent that holds a lock, {KILLS} times: the next one had it after {:.0} to {:.0} ms, half of them within {:.0} ms",
            millis(0),
            millis(KILLS - 1),
            millis(KILLS / 2)
        ),
    );
    // Far below the 300 s after which a lock ends by itself.
    assert!(waited[KILLS - 1] < Duration::from_secs(5), "{waited:?}");
    shop.server.stop().await;
}

#[actix_rt::test]
async fn a_device_that_slept_past_its_lock_is_refused_by_its_number() {
    let shop = Workshop::open(Kind::Simulator).await;
    let file = shop.file("a.txt");
    std::fs::write(&file, "one").unwrap();
    let base = read(&shop, "a.txt").await["hash"].clone();
    let mut request = lock(&shop, "a.txt");
    request["ttlSeconds"] = json!(1);
    request["deviceId"] = json!("laptop");
    let (status, held) = shop.server.call("POST", "/api/locks", request).await;
    assert_eq!(status, 200, "{held}");
    let late = json!({"filePath": "a.txt", "content": "late", "baseHash": base, "fence": held["fence"]});

    // It hears nothing of the end of its time, and of the write of the next one.
    let mut request = lock(&shop, "a.txt");
    request["wait"] = json!(true);
    request["deviceId"] = json!("phone");
    let (status, next) = shop.server.call("POST", "/api/locks", request).await;
    assert_eq!(status, 200, "{next}");
    assert!(next["fence"].as_u64() > held["fence"].as_u64(), "{next}");
    let (status, answer) = put(&shop, late.clone()).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("lock_not_held")), "{answer}");
    let two = json!({"filePath": "a.txt", "content": "two", "baseHash": base, "fence": next["fence"], "deviceId": "phone"});
    assert_eq!(put(&shop, two).await.0, 200);
    let (status, answer) = put(&shop, late).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("lock_not_held")), "{answer}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
    shop.server.stop().await;
}

/// An agent is stopped when it has leave of the guard, loses its lock, and writes when it wakes.
async fn an_agent_wakes_late(kind: Kind) -> (Workshop, String, String) {
    let shop = Workshop::open(kind).await;
    let file = shop.file("a.txt");
    std::fs::write(&file, "one").unwrap();
    let session = shop.conversation("a", None).await;
    shop.turn(&session, &shop.says("read", &file, "")).await;
    let writes = shop.begin(&session, &shop.says("write", &file, "late")).await;
    shop.device.kind(&session, "approval_requested", 1).await;
    let pid = agent_pid(&shop, &session).await;
    signal("STOP", pid);

    let mut taken = lock(&shop, "a.txt");
    taken["force"] = json!(true);
    taken["deviceId"] = json!("laptop");
    let (status, answer) = shop.server.call("DELETE", "/api/locks", taken).await;
    assert_eq!((status, &answer["holder"]["sessionId"]), (200, &json!(session)), "{answer}");
    let base = read(&shop, "a.txt").await["hash"].clone();
    let (status, written) =
        put(&shop, json!({"filePath": "a.txt", "content": "two", "baseHash": base})).await;
    assert_eq!((status, &written["merged"]), (200, &json!(false)), "{written}");

    shop.allow(&session, 1).await;
    signal("CONT", pid);
    let told = shop.outcome(&session, &writes).await;
    (shop, session, told)
}

#[actix_rt::test]
async fn a_late_write_of_an_agent_is_brought_to_people_with_what_it_went_over() {
    let (shop, session, told) = an_agent_wakes_late(Kind::Simulator).await;
    assert!(told.contains("created"), "the simulator looks at nothing before it writes: {told}");
    assert_eq!(std::fs::read_to_string(shop.file("a.txt")).unwrap(), "late");
    eventually("it is on record", async || !conflicts(&shop, "file_edit").await.is_empty()).await;
    let found = conflicts(&shop, "file_edit").await;
    let conflict = &found[0];
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(conflict["ours"]["holder"], json!({"sessionId": session}), "{conflict}");
    assert_eq!(conflict["theirs"]["holder"], json!({"deviceId": "laptop"}), "{conflict}");
    let mut versions = Vec::new();
    for side in [&conflict["base"], &conflict["ours"]["hash"], &conflict["theirs"]["hash"]] {
        versions.push(
            shop.server.call("GET", &format!("/api/blobs/{}", side.as_str().unwrap()), Value::Null).await.1,
        );
    }
    assert_eq!(versions, [json!("one"), json!("late"), json!("two")]);
    // And what was gone can be brought back.
    let resolve = format!("/api/conflicts/{}/resolve", conflict["conflictId"].as_str().unwrap());
    let (status, answer) = shop.server.call("POST", &resolve, json!({"resolution": "theirs"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(std::fs::read_to_string(shop.file("a.txt")).unwrap(), "two");
    shop.server.stop().await;
}

#[actix_rt::test]
async fn claude_does_not_write_late_over_what_it_has_not_read() {
    let (shop, _, told) = an_agent_wakes_late(Kind::Claude).await;
    assert!(told.contains("has changed since it was last read"), "{told}");
    assert_eq!(std::fs::read_to_string(shop.file("a.txt")).unwrap(), "two");
    shop.server.stop().await;
}
