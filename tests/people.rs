//! People and their devices: who is there, how far each has read, what they tell each other. Over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::figures::figure;
use crate::support::raw_ws::{CLOSE, RawWs};
use crate::support::server::{Home, TestServer, eventually};

fn address(server: &TestServer) -> SocketAddr {
    server.address.trim_start_matches("http://").parse().unwrap()
}

/// What a frame that tells who is there says of a device; null when it is another frame.
fn entry<'a>(frame: &'a Value, device: &str) -> &'a Value {
    let is_presence = frame["type"] == "signal" && frame["kind"] == "presence";
    let devices = frame["data"]["devices"].as_array().filter(|_| is_presence);
    let mut devices = devices.into_iter().flatten();
    devices.find(|one| one["deviceId"] == device).unwrap_or(&Value::Null)
}

/// The phone on a bare socket, so that it can end it in every way.
async fn bare_phone(server: &TestServer, session: &str) -> RawWs {
    let mut phone = RawWs::greeted(address(server), &server.token).await;
    phone.say(&json!({"type": "subscribe", "sessionId": session})).await;
    assert_eq!(phone.hears().await["type"], "subscribed");
    phone
}

/// How many rows there are on the disk of a server, beside it.
fn rows(home: &Home, table: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(home.data().join("tandem.db"), flags).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn notices(device: &TestDevice, count: usize) -> Vec<String> {
    let last = device
        .frame("the last notice", |frame| {
            frame["type"] == "notice" && frame["message"] == format!("notice {count}")
        })
        .await;
    assert_eq!(last["from"], json!({"deviceId": "laptop", "userId": "owner"}));
    let frames = device.frames();
    let notices = frames.iter().filter(|frame| frame["type"] == "notice");
    notices.map(|notice| notice["message"].as_str().unwrap().to_owned()).collect()
}

/// In a room of so many the promise holds (docs/protocol.md): changes are gathered for 1 ms for each of them.
const CROWD: usize = 50;

/// How many of them come one behind the other and are timed.
const ARRIVALS: usize = 20;

/// What is promised of presence.
const SEEN_WITHIN: Duration = Duration::from_millis(100);

#[tokio::test]
async fn devices_see_each_other_within_a_tenth_of_a_second() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    let come = async |number: usize| {
        let phone = server.device(&format!("phone-{number}")).await;
        phone.subscribe(&session, 0).await;
        phone
    };
    let mut phones = join_all((ARRIVALS..CROWD - 1).map(come)).await;
    let mut took = Vec::new();
    for number in 0..ARRIVALS {
        let name = format!("phone-{number}");
        let phone = server.device(&name).await;
        let begun = Instant::now();
        let mark = phone.begin(json!({"type": "subscribe", "sessionId": session}));
        laptop.frame("that it is there", |frame| entry(frame, &name)["online"] == true).await;
        took.push(begun.elapsed());
        let subscribed = phone.answer(&mark).await;
        let devices = subscribed["state"]["devices"].as_array().unwrap();
        let laptop = devices.iter().find(|device| device["deviceId"] == "laptop").unwrap();
        assert_eq!((&laptop["online"], &laptop["activity"]), (&json!(true), &json!("viewing")));
        phones.push(phone);
    }
    took.sort_unstable();
    let (median, most) = (took[ARRIVALS / 2], took[ARRIVALS - 1]);
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    figure(
        "presence",
        &format!(
            "seen on one of {CROWD} devices {:.1} ms after subscribe (median of {ARRIVALS}), {:.1} ms at most",
            millis(median),
            millis(most),
        ),
    );
    assert!(most < SEEN_WITHIN, "{took:?}");
    assert_eq!(phones.len() + 1, CROWD);
    server.stop().await;
}

#[tokio::test]
async fn a_close_shows_at_once_and_a_cut_does_not() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let laptop = server.device("laptop").await;
    laptop.subscribe(&session, 0).await;
    let is_online = async || {
        let devices = server.get(&format!("/api/sessions/{session}/devices")).await["devices"].clone();
        devices.as_array().unwrap().iter().find(|one| one["deviceId"] == "phone").unwrap()["online"] == true
    };

    let mut phone = bare_phone(&server, &session).await;
    laptop.frame("that the phone is there", |frame| entry(frame, "phone")["online"] == true).await;
    drop(phone.stream);
    eventually("the server has noticed the cut", async || server.get("/health").await["connections"] == 1)
        .await;
    assert!(is_online().await, "it may be back in a moment");
    phone = bare_phone(&server, &session).await;
    assert!(is_online().await);
    let is_gone = |frame: &Value| entry(frame, "phone")["online"] == false;
    assert!(!laptop.frames().iter().any(is_gone), "nobody noticed");

    phone.send(CLOSE, &1000_u16.to_be_bytes()).await;
    let closed = Instant::now();
    laptop.frame("that the phone is gone", is_gone).await;
    assert!(closed.elapsed() < Duration::from_secs(5), "{:?}", closed.elapsed());
    assert!(!is_online().await);
    let list = server.get("/api/sessions").await;
    assert_eq!(list["sessions"][0]["online"], json!(["laptop"]));
    server.stop().await;
}

#[tokio::test]
async fn what_was_read_survives_a_kill() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    phone.subscribe(&session, 0).await;
    laptop.subscribe(&session, 0).await;
    phone.submit(&session, "one").await;
    let first = phone.kind(&session, "turn_ended", 1).await["seq"].clone();
    phone.submit(&session, "two").await;
    phone.kind(&session, "turn_ended", 2).await;
    assert!(server.get("/api/sessions").await["sessions"][0].get("unread").is_none(), "nobody asks");
    phone.send(json!({"type": "ack", "sessionId": session, "seq": first}));
    eventually("the cursor is on disk", async || rows(&home, "cursor") == 1).await;
    server.kill().await;

    let server = home.serve().await;
    let list = server.request("GET", "/api/sessions").header("X-Tandem-Device", "phone");
    let list: Value = list.send().await.unwrap().json().await.unwrap();
    assert_eq!(list["sessions"][0]["unread"], 1, "{list}");
    let laptop = server.device("laptop").await;
    let subscribed = laptop.subscribe(&session, 0).await;
    let devices = subscribed["state"]["devices"].as_array().unwrap();
    let phone = devices.iter().find(|device| device["deviceId"] == "phone").unwrap();
    assert_eq!((&phone["ackedSeq"], &phone["online"]), (&first, &json!(false)));
    let watched = laptop.ask(json!({"type": "watch"})).await;
    assert_eq!(watched["sessions"][0]["unread"], 2, "{watched}");
    laptop.send(json!({"type": "ack", "sessionId": session, "seq": subscribed["head"]}));
    let changed = laptop.frame("the list without it", |frame| frame["session"]["unread"] == 0).await;
    assert_eq!(changed["type"], "session_summary");
    server.stop().await;
}

#[tokio::test]
async fn notices_to_a_device_that_is_away_survive_a_kill_and_come_once() {
    let home = Home::new();
    let server = home.serve().await;
    let laptop = server.device("laptop").await;
    let mut phone = RawWs::greeted(address(&server), &server.token).await;
    phone.send(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(phone.is_closed().await, 1000);
    for number in 1..=102 {
        let message = format!("notice {number}");
        let notify = json!({"type": "notify", "to": {"deviceId": "phone"}, "message": message});
        let answer = laptop.ask(notify).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        assert_eq!((&answer["delivered"], &answer["waiting"]), (&json!(0), &json!(1)));
    }
    server.kill().await;

    let server = home.serve().await;
    // Answers no ping, so that nobody knows whether it got anything before it was cut.
    let mut deaf = RawWs::greeted(address(&server), &server.token).await;
    assert_eq!(deaf.hears().await["message"], "notice 3");
    drop(deaf);
    let phone = server.device("phone").await;
    let expected: Vec<String> = (3..=102).map(|number| format!("notice {number}")).collect();
    assert_eq!(notices(&phone, 102).await, expected, "the last hundred, in order, each once");
    eventually("they are forgotten", async || rows(&home, "notice") == 0).await;
    server.kill().await;

    let server = home.serve().await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    let to_all = json!({"to": {"all": true}, "message": "notice 103", "deviceId": "laptop"});
    let (status, answer) = server.call("POST", "/api/notify", to_all).await;
    assert_eq!((status, &answer), (200, &json!({"success": true, "delivered": 1, "waiting": 0})));
    assert_eq!(notices(&phone, 103).await, ["notice 103"], "and nothing from before");
    let but =
        json!({"to": {"userId": "owner"}, "message": "notice 104", "exclude": "phone", "deviceId": "laptop"});
    assert_eq!(server.call("POST", "/api/notify", but).await.1["delivered"], 0);
    let (status, refusal) =
        server.call("POST", "/api/notify", json!({"to": {"deviceId": "stranger"}, "message": "hi"})).await;
    assert_eq!((status, &refusal["error"]["code"]), (404, &json!("device_not_found")));
    drop(laptop);
    server.stop().await;
}
