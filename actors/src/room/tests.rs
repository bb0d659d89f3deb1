use super::*;

fn room() -> Arc<Room> {
    Arc::new(Room::new(SessionId::random(), |payload, out| out.extend_from_slice(payload)))
}

fn card(device: &str) -> DeviceCard {
    DeviceCard { device_id: device.parse().unwrap(), device_name: None, kind: None }
}

fn come(room: &Arc<Room>, device: &str) -> Stay {
    room.enter(ConnectionId::random(), &card(device), Parting::default())
}

#[test]
fn a_device_is_there_until_its_last_connection_leaves() {
    let room = room();
    let phone: DeviceId = "phone".parse().unwrap();
    let first = come(&room, "phone");
    let second = come(&room, "phone");
    first.leave();
    assert!(room.presence_of(&phone).unwrap().is_online);
    second.leave();
    assert!(!room.presence_of(&phone).unwrap().is_online);
    assert!(room.is_empty());
}

#[test]
fn acks_never_go_back() {
    let room = room();
    room.tail().continue_at(9);
    let stay = come(&room, "phone");
    stay.ack(7);
    stay.ack(3);
    assert_eq!(room.acked_seq(&"phone".parse().unwrap()), 7);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_changes_hears_of_the_end_of_a_grace() {
    let room = room();
    let mut changes = room.changes();
    let stay = come(&room, "phone");
    changes.changed().await.unwrap();
    drop(stay);
    assert!(!changes.has_changed().unwrap(), "it may be back");
    let lost = Instant::now();
    changes.changed().await.unwrap();
    assert_eq!(lost.elapsed().as_secs(), 15);
    assert!(room.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_room_that_nobody_holds_ends_although_somebody_is_expected_back() {
    let room = room();
    drop(come(&room, "phone"));
    tokio::task::yield_now().await;
    let forgotten = Arc::downgrade(&room);
    drop(room);
    assert!(forgotten.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_ending_that_is_noted_late_counts_all_the_same() {
    let room = room();
    let parting = Parting::default();
    let stay = room.enter(ConnectionId::random(), &card("phone"), parting.clone());
    parting.note(Ending::Clean);
    parting.note(Ending::Lost { since: Instant::now() });
    drop(stay);
    assert!(room.is_empty());
}
