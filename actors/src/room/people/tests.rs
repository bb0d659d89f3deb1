use super::*;

/// A room whose clock is turned by the test.
struct Hall {
    people: People,
    now: Instant,
}

impl Hall {
    fn new() -> Self {
        Self { people: People::default(), now: Instant::now() }
    }

    fn wait(&mut self, seconds: u64) -> Change {
        self.now += Duration::from_secs(seconds);
        self.people.advance(self.now)
    }

    fn enter(&mut self, device: &str) -> (ConnectionId, Change) {
        let card = DeviceCard { device_id: device.parse().unwrap(), device_name: None, kind: None };
        let connection = ConnectionId::random();
        let visitor = Visitor { connection, card: &card, user: UserId::owner() };
        (connection, self.people.enter(visitor, self.now))
    }

    fn leave(&mut self, device: &str, connection: ConnectionId, ending: Ending) -> Change {
        self.people.leave(&device.parse().unwrap(), connection, ending, self.now)
    }

    /// Lost, and last heard of so many seconds ago.
    fn lose(&mut self, device: &str, connection: ConnectionId, silent_seconds: u64) -> Change {
        let since = self.now - Duration::from_secs(silent_seconds);
        self.leave(device, connection, Ending::Lost { since })
    }

    fn says(&mut self, device: &str, connection: ConnectionId, activity: Activity) -> Change {
        self.people.set_activity(&device.parse().unwrap(), connection, activity, self.now)
    }

    fn of(&self, device: &str) -> Present {
        self.people.of(&device.parse().unwrap()).unwrap()
    }
}

#[test]
fn a_device_that_says_goodbye_is_offline_at_once() {
    let mut hall = Hall::new();
    let (connection, change) = hall.enter("phone");
    assert_eq!(change, Change::ONLINE);
    assert_eq!(hall.leave("phone", connection, Ending::Clean), Change::ONLINE);
    assert!(!hall.of("phone").is_online);
    assert_eq!(hall.of("phone").offline_since, Some(hall.now));
    assert!(hall.people.is_empty());
}

#[test]
fn a_lost_device_is_shown_until_the_grace_is_over() {
    let mut hall = Hall::new();
    let (connection, _) = hall.enter("phone");
    assert_eq!(hall.lose("phone", connection, 0), Change::NONE);
    assert!(!hall.people.is_empty());
    assert_eq!(hall.wait(14), Change::NONE);
    assert!(hall.of("phone").is_online);
    assert_eq!(hall.wait(1), Change::ONLINE);
    assert!(!hall.of("phone").is_online);
}

#[test]
fn the_grace_counts_from_the_last_sign_of_life() {
    let mut hall = Hall::new();
    let (connection, _) = hall.enter("phone");
    hall.wait(60);
    hall.lose("phone", connection, 10);
    assert_eq!(hall.wait(4), Change::NONE);
    assert_eq!(hall.wait(1), Change::ONLINE);
    let (connection, _) = hall.enter("phone");
    hall.wait(60);
    assert_eq!(hall.lose("phone", connection, 15), Change::ONLINE, "silent for a whole grace already");
}

#[test]
fn a_device_that_returns_within_the_grace_changes_nothing() {
    let mut hall = Hall::new();
    let (connection, _) = hall.enter("phone");
    hall.says("phone", connection, Activity::Idle);
    hall.people.set_cursor(&"phone".parse().unwrap(), &Arc::new(7.into()));
    hall.lose("phone", connection, 0);
    hall.wait(14);
    assert_eq!(hall.enter("phone").1, Change::NONE);
    assert_eq!(hall.wait(60), Change::NONE, "the old grace ends nothing");
    let present = hall.of("phone");
    assert_eq!(present.activity, Some(Activity::Idle));
    assert_eq!(present.cursor.as_deref(), Some(&7.into()));
}

#[test]
fn a_connection_that_is_found_dead_after_the_return_changes_nothing() {
    let mut hall = Hall::new();
    let (old, _) = hall.enter("phone");
    hall.says("phone", old, Activity::Idle);
    hall.wait(90);
    assert_eq!(hall.enter("phone").1, Change::NONE);
    assert_eq!(hall.lose("phone", old, 90), Change::NONE);
    assert_eq!(hall.of("phone").activity, Some(Activity::Idle));
}

#[test]
fn typing_that_is_not_repeated_is_viewing_again() {
    let mut hall = Hall::new();
    let (connection, _) = hall.enter("phone");
    assert!(hall.says("phone", connection, Activity::Typing).is_visible);
    hall.wait(9);
    assert_eq!(hall.says("phone", connection, Activity::Typing), Change::NONE, "nothing new to show");
    assert_eq!(hall.wait(9), Change::NONE);
    assert_eq!(hall.of("phone").activity, Some(Activity::Typing));
    assert_eq!(hall.wait(1), Change::visible(true));
    assert_eq!(hall.of("phone").activity, Some(Activity::Viewing));
}

#[test]
fn a_device_that_is_lost_while_typing_does_not_type_for_ever() {
    let mut hall = Hall::new();
    let (connection, _) = hall.enter("phone");
    hall.says("phone", connection, Activity::Typing);
    hall.lose("phone", connection, 0);
    assert_eq!(hall.of("phone").activity, Some(Activity::Typing));
    hall.wait(10);
    assert_eq!(hall.of("phone").activity, Some(Activity::Viewing));
}

#[test]
fn of_several_connections_the_latest_word_counts_and_the_last_to_go() {
    let mut hall = Hall::new();
    let (first, _) = hall.enter("laptop");
    let (second, change) = hall.enter("laptop");
    assert_eq!(change, Change::NONE);
    hall.says("laptop", second, Activity::Typing);
    hall.wait(1);
    hall.says("laptop", first, Activity::Away);
    assert_eq!(hall.of("laptop").activity, Some(Activity::Away));
    assert_eq!(hall.leave("laptop", first, Ending::Clean), Change::visible(true));
    assert_eq!(hall.of("laptop").activity, Some(Activity::Typing));
    assert_eq!(hall.leave("laptop", second, Ending::Clean), Change::ONLINE);
}

#[test]
fn idling_is_no_activity() {
    let mut hall = Hall::new();
    let (connection, _) = hall.enter("phone");
    let entered = hall.now;
    hall.wait(60);
    hall.says("phone", connection, Activity::Idle);
    hall.says("phone", connection, Activity::Away);
    assert_eq!(hall.of("phone").last_active, entered);
    hall.says("phone", connection, Activity::Viewing);
    assert_eq!(hall.of("phone").last_active, hall.now);
    hall.wait(60);
    hall.people.touch(&"phone".parse().unwrap(), hall.now);
    assert_eq!(hall.of("phone").last_active, hall.now);
}

#[test]
fn a_room_that_many_run_through_remembers_the_last_of_them() {
    let mut hall = Hall::new();
    let stays = hall.enter("stays").0;
    for number in 0..200 {
        let device = format!("d{number}");
        let (connection, _) = hall.enter(&device);
        hall.wait(1);
        hall.leave(&device, connection, Ending::Clean);
    }
    assert_eq!(hall.people.len(), MAX_DEPARTED + 1);
    assert!(hall.of("stays").is_online && !hall.of("d199").is_online);
    assert!(hall.people.of(&"d0".parse().unwrap()).is_none());
    hall.leave("stays", stays, Ending::Clean);
}

#[test]
fn the_next_deadline_is_the_first_thing_that_happens_by_itself() {
    let mut hall = Hall::new();
    let (phone, _) = hall.enter("phone");
    assert_eq!(hall.people.next_deadline(), None);
    hall.lose("phone", phone, 0);
    assert_eq!(hall.people.next_deadline(), Some(hall.now + PRESENCE_GRACE));
    let (laptop, _) = hall.enter("laptop");
    hall.says("laptop", laptop, Activity::Typing);
    assert_eq!(hall.people.next_deadline(), Some(hall.now + TYPING_HOLDS));
    hall.wait(15);
    assert_eq!(hall.people.next_deadline(), None);
}
