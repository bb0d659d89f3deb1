//! Who is there: seen by the others at once, through a lost connection, and by a session that waits on it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tandem_actors::device::{Reply, Wish};
use tandem_actors::ids::SessionId;
use tandem_actors::room::{Activity, Ending, Present, Room};
use tandem_actors::session::Command;
use tokio::time::Instant;

use crate::devices::{Wireless, to};
use crate::support::{House, says};

async fn subscribed(house: &House, session: SessionId, device: &str) -> Wireless {
    let mut device = Wireless::connect(house, device);
    device.subscribe(to(session)).await;
    device
}

async fn room_of(house: &House, session: SessionId) -> Arc<Room> {
    house.hub.find(session).await.unwrap().room
}

fn of(room: &Room, device: &str) -> Present {
    room.presence_of(&device.parse().unwrap()).expect("the room knows it")
}

/// The rosters that a device was shown since the last time, each as the entry of another one.
fn shown(device: &mut Wireless, other: &str) -> Vec<Value> {
    let presence = device.frames().into_iter().filter(|frame| frame["kind"] == "presence");
    let entries = presence.map(|frame| {
        let devices = frame["data"]["devices"].as_array().unwrap().clone();
        devices.into_iter().find(|entry| entry["deviceId"] == other).unwrap_or_default()
    });
    entries.collect()
}

fn lost() -> Ending {
    Ending::Lost { since: Instant::now() }
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Lets the moment pass in which changes are gathered.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[actix::test]
async fn everybody_sees_at_once_who_comes_and_what_they_do() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut laptop = subscribed(&house, session, "laptop").await;
    a_moment().await;
    laptop.frames();
    let mut phone = subscribed(&house, session, "phone").await;
    assert_eq!(
        shown(&mut laptop, "phone"),
        [
            json!({"deviceId": "phone", "userId": "owner", "online": true, "activity": "viewing", "kind": "test"})
        ]
    );
    a_moment().await;
    phone.tell(Wish::Activity(session, Activity::Typing, Some(json!({"line": 3})))).await;
    a_moment().await;
    let last = shown(&mut laptop, "phone").pop().unwrap();
    assert_eq!((last["activity"].as_str(), last["online"].as_bool()), (Some("typing"), Some(true)));
    let (_, _, state) = Wireless::connect(&house, "late").subscribe(to(session)).await;
    let phone = state.devices.iter().find(|device| device.device_id.as_str() == "phone").unwrap();
    assert_eq!((phone.online, phone.activity), (true, Some(Activity::Typing)));
    assert_eq!(phone.cursor.as_deref(), Some(&json!({"line": 3})));
    house.close().await;
}

#[actix::test]
async fn a_clean_end_shows_at_once() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut laptop = subscribed(&house, session, "laptop").await;
    let phone = subscribed(&house, session, "phone").await;
    a_moment().await;
    laptop.frames();
    phone.ends(Ending::Clean);
    a_moment().await;
    let entry = shown(&mut laptop, "phone").pop().unwrap();
    assert_eq!((&entry["online"], &entry["activity"]), (&json!(false), &Value::Null));
    assert!(
        !house.view(session).await.devices.iter().any(|one| one.online && one.device_id.as_str() == "phone")
    );
    house.close().await;
}

#[actix::test]
async fn a_reconnect_within_the_grace_does_not_flicker() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut laptop = subscribed(&house, session, "laptop").await;
    let mut phone = subscribed(&house, session, "phone").await;
    phone.tell(Wish::Activity(session, Activity::Idle, None)).await;
    a_moment().await;
    laptop.frames();
    let changes = room_of(&house, session).await.changes();
    phone.ends(lost());
    wait(14).await;
    let _phone = subscribed(&house, session, "phone").await;
    wait(60).await;
    assert_eq!(shown(&mut laptop, "phone"), Vec::<Value>::new(), "nobody has noticed");
    assert!(!changes.has_changed().unwrap());
    assert_eq!(of(&*room_of(&house, session).await, "phone").activity, Some(Activity::Idle));
    house.close().await;
}

#[actix::test]
async fn a_lost_device_goes_when_the_grace_is_over_and_the_list_says_so() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut laptop = subscribed(&house, session, "laptop").await;
    let phone = subscribed(&house, session, "phone").await;
    a_moment().await;
    let online = |house: &House| house.hub.board.get(session).unwrap().online.clone();
    assert_eq!(online(&house).len(), 2);
    laptop.frames();
    phone.ends(lost());
    wait(14).await;
    assert_eq!((shown(&mut laptop, "phone"), online(&house).len()), (Vec::new(), 2));
    wait(2).await;
    assert_eq!(shown(&mut laptop, "phone").pop().unwrap()["online"], false);
    assert_eq!(online(&house), ["laptop".parse().unwrap()]);
    house.close().await;
}

#[actix::test]
async fn a_connection_that_had_long_been_silent_has_no_grace() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let phone = subscribed(&house, session, "phone").await;
    wait(90).await;
    phone.ends(Ending::Lost { since: Instant::now() - Duration::from_secs(60) });
    house.settle().await;
    assert!(room_of(&house, session).await.is_empty());
    house.close().await;
}

#[actix::test]
async fn who_unsubscribes_is_gone_at_once_and_stays_connected() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut phone = subscribed(&house, session, "phone").await;
    phone.wish(Wish::Unsubscribe(session)).await;
    assert!(room_of(&house, session).await.is_empty());
    assert_eq!(house.hub.directory.online(), 1);
    house.close().await;
}

#[actix::test]
async fn who_was_not_let_in_is_not_shown() {
    let house = House::open().await;
    let session = house.session().await;
    house.journal.refuse_appends(Some("the disk is full"));
    let mut phone = Wireless::connect(&house, "phone");
    let refused = phone.wish(Wish::Subscribe(to(session))).await;
    assert!(matches!(refused, Reply::Rejected(_)), "{refused:?}");
    assert!(room_of(&house, session).await.is_empty());
    house.close().await;
}

#[actix::test]
async fn a_phone_that_dies_while_typing_types_no_longer() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut laptop = subscribed(&house, session, "laptop").await;
    let mut phone = subscribed(&house, session, "phone").await;
    phone.tell(Wish::Activity(session, Activity::Typing, None)).await;
    a_moment().await;
    laptop.frames();
    phone.ends(lost());
    wait(11).await;
    let seen = shown(&mut laptop, "phone").pop().unwrap();
    assert_eq!((&seen["online"], &seen["activity"]), (&json!(true), &json!("viewing")));
    house.close().await;
}

#[actix::test]
async fn a_device_with_two_connections_is_there_until_both_have_ended() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let first = subscribed(&house, session, "laptop").await;
    let mut second = subscribed(&house, session, "laptop").await;
    second.tell(Wish::Activity(session, Activity::Away, None)).await;
    first.ends(Ending::Clean);
    house.settle().await;
    let room = room_of(&house, session).await;
    assert_eq!(of(&room, "laptop").activity, Some(Activity::Away));
    second.ends(Ending::Clean);
    house.settle().await;
    assert!(!of(&room, "laptop").is_online);
    house.close().await;
}

#[actix::test]
async fn a_session_can_wait_for_who_goes_and_sees_who_did_something_last() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let phone = subscribed(&house, session, "phone").await;
    let room = room_of(&house, session).await;
    let mut changes = room.changes();
    wait(60).await;
    let _laptop = subscribed(&house, session, "laptop").await;
    changes.changed().await.unwrap();
    wait(60).await;
    house.ask(session, "phone", Command::Submit(says("hi"))).await.unwrap();
    let roster = room.roster();
    let [laptop, phone_entry] = &roster[..] else { panic!("two devices: {roster:?}") };
    assert!(
        phone_entry.last_active > laptop.last_active,
        "whoever sends something is active, by whichever way"
    );
    assert_eq!(phone_entry.offline_since, None);
    phone.ends(lost());
    let lost_at = Instant::now();
    changes.changed().await.unwrap();
    assert_eq!(lost_at.elapsed().as_secs(), 15);
    assert_eq!(of(&room, "phone").offline_since, Some(Instant::now()));
    house.close().await;
}

#[actix::test]
async fn a_thousand_that_come_at_once_are_shown_in_a_few_rosters_and_the_last_is_whole() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut laptop = subscribed(&house, session, "laptop").await;
    let room = room_of(&house, session).await;
    a_moment().await;
    laptop.frames();
    let mut stays = Vec::new();
    for number in 0..1_000 {
        let card = crate::support::card(&format!("d{number}"));
        let connection = tandem_actors::ids::ConnectionId::random();
        stays.push(room.enter(connection, &card, Default::default()));
    }
    wait(3).await;
    let rosters: Vec<Value> =
        laptop.frames().into_iter().filter(|frame| frame["kind"] == "presence").collect();
    assert!((1..=3).contains(&rosters.len()), "{} rosters", rosters.len());
    assert_eq!(rosters.last().unwrap()["data"]["devices"].as_array().unwrap().len(), 1_001);
    drop(stays);
    house.close().await;
}

#[actix::test]
async fn who_goes_while_another_comes_in_is_not_shown_to_that_one_as_there() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let laptop = subscribed(&house, session, "laptop").await;
    a_moment().await;
    let mut phone = Wireless::connect(&house, "phone");
    house.journal.hold_appends(true);
    let goes_meanwhile = async {
        house.settle().await;
        laptop.ends(Ending::Clean);
        a_moment().await;
        house.journal.hold_appends(false);
    };
    let ((_, _, state), ()) = tokio::join!(phone.subscribe(to(session)), goes_meanwhile);
    let laptop = state.devices.iter().find(|device| device.device_id.as_str() == "laptop").unwrap();
    assert!(laptop.online, "the state is from before");
    a_moment().await;
    let last = shown(&mut phone, "laptop").pop().expect("it is told of the change that it has missed");
    assert_eq!(last["online"], json!(false));
    house.close().await;
}
