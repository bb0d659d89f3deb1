//! What a server does about its disk: one holder, no damage made worse, doubt ended, copies that come back.

use std::fs;

use serde_json::{Value, json};

use crate::support::server::{Home, eventually};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let home = Home::new();
    let server = home.serve().await;
    let second = home.run(&["serve", "--port", "0"]).await;
    assert_eq!(second.status.code(), Some(1));
    let told = text(&second.stderr);
    assert!(told.starts_with("tandem: another Tandem server is using the data folder"), "{told}");
    server.session(&home).await;
    server.stop().await;
}

#[tokio::test]
async fn an_orderly_stop_leaves_everything_in_one_file() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "hello").await;
    phone.kind(&session, "turn_ended", 1).await;
    server.stop().await;
    let log = home.data().join("tandem.db-wal");
    assert!(log.metadata().map_or(0, |file| file.len()) == 0, "the log is in the database");
}

#[tokio::test]
async fn a_damaged_database_is_reported_and_not_touched() {
    let home = Home::new();
    home.serve().await.stop().await;
    let file = home.data().join("tandem.db");
    for damaged in [&b"this is no database, and was never one"[..], b""] {
        fs::write(&file, damaged).unwrap();
        let refused = home.run(&["serve", "--port", "0"]).await;
        assert_eq!(refused.status.code(), Some(1));
        let told = text(&refused.stderr);
        assert!(told.contains("is damaged") && told.contains("tandem restore FILE"), "{told}");
        assert_eq!(fs::read(&file).unwrap(), damaged);
    }
}

/// The disk fails in a commit; what was asked then is on the disk afterwards, or not.
async fn doubt(order: &str, is_kept: bool) {
    let mut home = Home::new();
    let orders = home.path().join("order");
    home.set("TANDEM_TEST_FAULT", orders.to_str().unwrap());
    let server = home.serve().await;
    let session = server.session(&home).await;
    let devices = [server.device("phone").await, server.device("laptop").await];
    for device in &devices {
        device.subscribe(&session, 0).await;
    }
    let [phone, laptop] = &devices;
    phone.submit(&session, "/slow 3000 20").await;
    laptop.kind(&session, "turn_started", 1).await;
    let state = server.get(&format!("/api/sessions/{session}")).await;
    let agent = u32::try_from(state["agent"]["pid"].as_u64().expect("an agent runs")).unwrap();

    fs::write(&orders, order).unwrap();
    let answer = laptop.ask(json!({"type": "submit", "sessionId": session, "content": "in doubt"})).await;
    let error = &answer["error"];
    let outcome = (&error["code"], &error["effect"]);
    assert_eq!(outcome, (&json!("storage_unavailable"), &json!("unknown")), "{answer}");
    for device in &devices {
        let goodbye = device.frame("goodbye", |frame| frame["type"] == "goodbye").await;
        assert_eq!(goodbye["code"], "storage_unavailable", "{goodbye}");
        assert_eq!(goodbye["resume"], true, "{goodbye}");
        assert_eq!(device.closed().await, Some(4011));
    }
    assert_eq!(server.ended().await, Some(70));
    eventually("the agent is gone", async || !crate::support::is_running(agent)).await;
    let log = home.log();
    assert!(log.contains("TANDEM_TEST_FAULT IS SET") && log.contains("the journal is in doubt"), "{log}");

    fs::remove_file(&orders).unwrap();
    let server = home.serve().await;
    let events = server.events(&session).await;
    let is_in_doubt = |event: &Value| event["data"]["content"] == "in doubt";
    assert_eq!(events.iter().any(is_in_doubt), is_kept, "{events:#?}");
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    laptop.submit(&session, "and now").await;
    let is_answer = |event: &Value| {
        event["kind"] == "turn_ended"
            && event["data"]["text"].as_str().is_some_and(|text| text.contains("and now"))
    };
    laptop.event(&session, "an answer", is_answer).await;
    server.stop().await;
}

#[tokio::test]
async fn a_commit_in_doubt_that_was_lost_ends_the_server_and_the_next_start_does_not_have_it() {
    doubt("commit-lost 1", false).await;
}

#[tokio::test]
async fn a_commit_in_doubt_that_was_kept_ends_the_server_and_the_next_start_has_it() {
    doubt("commit-kept 1", true).await;
}

#[tokio::test]
async fn a_check_beside_a_running_server_finds_what_was_tampered_with() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/burst 50").await;
    phone.kind(&session, "turn_ended", 1).await;
    let whole = home.run(&["doctor", "--check"]).await;
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stdout));
    assert!(text(&whole.stdout).ends_with("All of it is whole.\n"), "{}", text(&whole.stdout));
    server.stop().await;

    let database = rusqlite::Connection::open(home.data().join("tandem.db")).unwrap();
    let forge = "UPDATE event SET data = replace(data, 'burst', 'blast') WHERE kind = 'message_accepted'";
    assert_eq!(database.execute(forge, []).unwrap(), 1);
    drop(database);
    let found = home.run(&["doctor", "--check", "--json"]).await;
    assert_eq!(found.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&report["ok"], &report["sessions"]), (&json!(false), &json!(1)), "{report}");
    let problem = &report["problems"][0];
    assert_eq!(problem["session"], *session, "{report}");
    assert_eq!(problem["problem"], "it is not what was written: the chain breaks", "{report}");
}

#[tokio::test]
async fn a_backup_of_a_running_server_comes_back_as_another_history() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    let epoch = phone.subscribe(&session, 0).await["epoch"].clone();
    phone.submit(&session, "/burst 20").await;
    phone.kind(&session, "turn_ended", 1).await;
    phone.submit(&session, "/slow 20 10").await;
    phone.kind(&session, "turn_started", 2).await;
    let file = home.path().join("copy.db");
    let file = file.to_str().unwrap();
    let backup = home.run(&["backup", file]).await;
    assert!(backup.status.success(), "{}", text(&backup.stderr));
    let told = text(&backup.stdout);
    let words: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(words[1..5], ["1", "conversation", "with", words[4]], "{told}");
    let copied: usize = words[4].parse().expect("a number of events");
    let again = home.run(&["backup", file]).await;
    assert!(!again.status.success() && text(&again.stderr).contains("replaces nothing"));
    phone.kind(&session, "turn_ended", 2).await;
    phone.submit(&session, "after the backup").await;
    phone.kind(&session, "turn_ended", 3).await;
    let before = server.events(&session).await;
    let refused = home.run(&["restore", file]).await;
    assert!(text(&refused.stderr).contains("another Tandem server is using"), "{}", text(&refused.stderr));
    server.stop().await;

    let restored = home.run(&["restore", file]).await;
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert!(text(&restored.stdout).contains("is kept as"), "{}", text(&restored.stdout));
    let server = home.serve().await;
    let phone = server.device("phone").await;
    let last = before.last().unwrap();
    let resume = json!({
        "type": "subscribe", "sessionId": session, "after": last["seq"], "epoch": epoch, "hash": last["hash"],
    });
    let answer = phone.ask(resume).await;
    assert_eq!((&answer["type"], &answer["reset"]), (&json!("subscribed"), &json!(true)), "{answer}");
    assert_ne!(answer["epoch"], epoch, "{answer}");
    phone.submit(&session, "go on").await;
    let is_answer = |event: &Value| {
        event["kind"] == "turn_ended"
            && event["data"]["text"].as_str().is_some_and(|text| text.contains("go on"))
    };
    phone.event(&session, "an answer", is_answer).await;
    let events = phone.events(&session);
    assert_eq!(events.first().map(|event| &event["seq"]), Some(&json!(1)), "from the beginning");
    let seen: Vec<&Value> = events.iter().take(copied).map(|event| &event["hash"]).collect();
    let held: Vec<&Value> = before.iter().take(copied).map(|event| &event["hash"]).collect();
    assert_eq!(seen, held, "what the backup holds, and behind it another history");
    assert!(!events.iter().any(|event| event["data"]["content"] == "after the backup"));
    server.stop().await;
    let whole = home.run(&["doctor", "--check"]).await;
    assert!(whole.status.success(), "{}", text(&whole.stdout));
}

#[tokio::test]
async fn a_device_that_has_seen_more_than_a_cut_log_holds_begins_again() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    let epoch = phone.subscribe(&session, 0).await["epoch"].clone();
    phone.submit(&session, "hello").await;
    let last = phone.kind(&session, "turn_ended", 1).await;
    server.kill().await;
    let log = fs::OpenOptions::new().write(true).open(home.data().join("tandem.db-wal")).unwrap();
    let bytes = log.metadata().unwrap().len();
    log.set_len(bytes - bytes / 4).unwrap();

    let server = home.serve().await;
    let phone = server.device("phone").await;
    let resume = json!({
        "type": "subscribe", "sessionId": session, "after": last["seq"], "epoch": epoch, "hash": last["hash"],
    });
    assert_eq!(phone.ask(resume).await["reset"], true);
    phone.submit(&session, "go on").await;
    let is_answer = |event: &Value| {
        event["kind"] == "turn_ended"
            && event["data"]["text"].as_str().is_some_and(|text| text.contains("go on"))
    };
    phone.event(&session, "an answer", is_answer).await;
    server.stop().await;
    let whole = home.run(&["doctor", "--check"]).await;
    assert!(whole.status.success(), "{}", text(&whole.stdout));
}
