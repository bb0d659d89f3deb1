use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::*;
use crate::clock::ManualClock;
use crate::journal::MemoryJournal;
use crate::project::ProjectEvent;

/// Remembers what was told, as `kind` and data.
#[derive(Default)]
struct Ear(Mutex<Vec<(String, Value)>>);

impl Feed for Ear {
    fn tell(&self, project: &Arc<str>, event: ProjectEvent) {
        assert_eq!(&**project, "/p");
        let event = serde_json::to_value(&event).unwrap();
        let kind = event["kind"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().push((kind, event["data"].clone()));
    }
}

impl Ear {
    fn kinds(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(kind, _)| kind.clone()).collect()
    }

    fn last(&self) -> Value {
        self.0.lock().unwrap().last().unwrap().1.clone()
    }
}

struct House {
    keeper: Arc<Keeper>,
    ear: Arc<Ear>,
    journal: MemoryJournal,
}

impl House {
    /// With a paused clock, and the first numbers reserved.
    async fn open() -> Self {
        tokio::time::pause();
        Self::open_on(MemoryJournal::new()).await
    }

    async fn open_on(journal: MemoryJournal) -> Self {
        let ear = Arc::new(Ear::default());
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_790_000_000_000)));
        let reserved = Fence(journal.fences().await.unwrap());
        let keeper = Keeper::new(clock, Arc::new(journal.clone()), ear.clone(), reserved);
        tokio::task::yield_now().await;
        Self { keeper, ear, journal }
    }

    fn ask(&self, holder: &Holder, path: &str, wait: u64) -> Answer {
        self.ask_for(holder, path, wait, 300, false)
    }

    fn ask_for(&self, holder: &Holder, path: &str, wait: u64, ttl: u64, is_kept: bool) -> Answer {
        self.keeper.acquire(Request {
            holder: holder.clone(),
            project: "/p".into(),
            wants: vec![(file(path), Mode::Exclusive)],
            ttl: Duration::from_secs(ttl),
            wait: Duration::from_secs(wait),
            is_kept,
        })
    }
}

fn file(path: &str) -> Resource {
    Resource::file(Path::new(path))
}

fn device(name: &str) -> Holder {
    Holder::DeviceId(name.parse().unwrap())
}

fn had(answer: Answer) -> Lease {
    match answer {
        Answer::Now(Ok(lease)) => lease,
        other => panic!("not had: {other:?}"),
    }
}

fn waits(answer: Answer) -> oneshot::Receiver<Verdict> {
    match answer {
        Answer::Later(_, decided) => decided,
        other @ Answer::Now(_) => panic!("does not wait: {other:?}"),
    }
}

#[tokio::test]
async fn who_waits_is_told_when_it_has_it_and_everybody_else_too() {
    let house = House::open().await;
    let first = had(house.ask(&device("a"), "/p/x", 0));
    let decided = waits(house.ask(&device("b"), "/p/x", 30));
    assert!(house.keeper.release(&device("a"), &file("/p/x")));
    let second = decided.await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    assert_eq!(house.ear.kinds(), ["lock_acquired", "lock_waiting", "lock_released", "lock_acquired"]);
    assert!(!house.keeper.release(&device("a"), &file("/p/x")), "it has it no more");
    assert!(house.keeper.is_current(second.ticket, second.fence));
    assert!(!house.keeper.is_current(first.ticket, first.fence));
}

#[tokio::test]
async fn a_wait_that_was_long_enough_says_who_was_in_the_way() {
    let house = House::open().await;
    had(house.ask(&device("a"), "/p/x", 0));
    let decided = waits(house.ask(&device("b"), "/p/x", 20));
    let start = Instant::now();
    let denied = decided.await.unwrap().unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 20);
    assert_eq!((&denied.why, denied.holder), (&Why::TimedOut, Some(device("a"))));
    assert!(denied.since.is_some() && denied.until.is_some());
    assert_eq!(house.ear.last()["reason"], "timed_out");
}

#[tokio::test]
async fn a_lease_that_nobody_renews_ends_and_is_never_silent() {
    let house = House::open().await;
    let lease = had(house.ask_for(&device("a"), "/p/x", 0, 10, false));
    let decided = waits(house.ask(&device("b"), "/p/x", 30));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let renewed = house.keeper.renew(&device("a"), &file("/p/x"), Duration::from_secs(10)).unwrap();
    assert_eq!((renewed.ticket, renewed.fence), (lease.ticket, lease.fence));
    let start = Instant::now();
    decided.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(house.ear.kinds()[2..], ["lock_expired", "lock_acquired"]);
    assert!(house.keeper.renew(&device("a"), &file("/p/x"), Duration::from_secs(10)).is_none());
}

#[tokio::test]
async fn what_is_kept_holds_as_long_as_its_holder_lives_and_not_longer() {
    let house = House::open().await;
    let life = house.keeper.begin(device("a"));
    let second_life = house.keeper.begin(device("a"));
    let lease = had(house.ask_for(&device("a"), "/p/x", 0, 10, true));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(house.keeper.is_current(lease.ticket, lease.fence));
    drop(life);
    assert!(house.keeper.is_current(lease.ticket, lease.fence), "one life is left");
    let decided = waits(house.ask(&device("b"), "/p/x", 30));
    drop(second_life);
    decided.await.unwrap().unwrap();
    assert_eq!(house.keeper.counts(), (1, 0));
}

#[tokio::test]
async fn who_does_not_want_to_wait_any_more_is_passed_over() {
    let house = House::open().await;
    had(house.ask(&device("a"), "/p/x", 0));
    drop(waits(house.ask(&device("b"), "/p/x", 30)));
    let decided = waits(house.ask(&device("c"), "/p/x", 30));
    house.keeper.release_all(&device("a"));
    decided.await.unwrap().unwrap();
    assert_eq!(house.keeper.list().len(), 1);
}

#[tokio::test]
async fn a_person_may_take_a_lock_away_and_that_is_told() {
    let house = House::open().await;
    let lease = had(house.ask(&device("a"), "/p/x", 0));
    assert_eq!(house.keeper.force(&file("/p/x"), &device("boss")), Some(device("a")));
    assert_eq!(house.ear.last()["forcedBy"]["deviceId"], "boss");
    assert!(!house.keeper.is_current(lease.ticket, lease.fence));
    assert_eq!(house.keeper.force(&file("/p/x"), &device("boss")), None);
}

#[tokio::test]
async fn a_deadlock_names_the_ring_and_the_victim_keeps_what_it_has() {
    let house = House::open().await;
    had(house.ask(&device("a"), "/p/x", 0));
    had(house.ask(&device("b"), "/p/y", 0));
    let decided = waits(house.ask(&device("a"), "/p/y", 30));
    let Answer::Now(Err(denied)) = house.ask(&device("b"), "/p/x", 30) else { panic!("not denied") };
    assert_eq!(denied.why, Why::Deadlock([device("b"), device("a")].into()));
    assert_eq!(house.ear.last()["cycle"].as_array().unwrap().len(), 2);
    house.keeper.release_all(&device("b"));
    decided.await.unwrap().unwrap();
}

#[tokio::test]
async fn fences_rise_over_a_restart() {
    let house = House::open().await;
    let before = had(house.ask(&device("a"), "/p/x", 0));
    let again = House::open_on(house.journal.clone()).await;
    let after = had(again.ask(&device("a"), "/p/x", 0));
    assert!(after.fence > before.fence, "{after:?} after {before:?}");
}

#[tokio::test]
async fn without_reserved_numbers_nothing_is_granted() {
    tokio::time::pause();
    let journal = MemoryJournal::new();
    journal.refuse_appends(Some("the disk is full"));
    let house = House::open_on(journal.clone()).await;
    let answer = house.ask(&device("a"), "/p/x", 0);
    assert!(matches!(answer, Answer::Now(Err(Denied { why: Why::Storage, .. }))), "{answer:?}");
    tokio::task::yield_now().await;
    journal.refuse_appends(None);
    house.ask(&device("a"), "/p/x", 0);
    tokio::task::yield_now().await;
    had(house.ask(&device("a"), "/p/x", 0));
}

#[tokio::test]
async fn nothing_stays_behind_when_everything_was_given_back() {
    let house = House::open().await;
    for number in 0..100 {
        had(house.ask(&device("a"), &format!("/p/{number}"), 0));
    }
    let waiting = waits(house.ask(&device("b"), "/p/7", 30));
    house.keeper.release_all(&device("a"));
    waiting.await.unwrap().unwrap();
    house.keeper.release_all(&device("b"));
    assert_eq!(house.keeper.counts(), (0, 0));
    assert!(house.keeper.desk().open.is_empty(), "the keeper remembers nothing of them");
}
