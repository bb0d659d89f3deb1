use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::*;
use crate::clock::ManualClock;
use crate::journal::MemoryJournal;
use crate::project::ProjectEvent;

/// Remembers what was told in which project, as `kind` and data.
#[derive(Default)]
struct Ear(Mutex<Vec<(Arc<str>, String, Value)>>);

impl Feed for Ear {
    fn tell(&self, project: &Arc<str>, event: ProjectEvent) {
        let event = serde_json::to_value(&event).unwrap();
        let kind = event["kind"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().push((project.clone(), kind, event["data"].clone()));
    }
}

impl Ear {
    fn kinds(&self) -> Vec<String> {
        let told = self.0.lock().unwrap();
        assert!(told.iter().all(|(project, ..)| &**project == "/p"));
        told.iter().map(|(_, kind, _)| kind.clone()).collect()
    }

    fn last(&self) -> Value {
        self.0.lock().unwrap().last().unwrap().2.clone()
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
        let (ttl, wait) = (Duration::from_secs(ttl), Duration::from_secs(wait));
        self.keeper.acquire(Request { ttl, wait, is_kept, ..request(holder, path) })
    }
}

fn request(holder: &Holder, path: &str) -> Request {
    Request {
        holder: holder.clone(),
        project: "/p".into(),
        wants: vec![(file(path), Mode::Exclusive)],
        ttl: Duration::from_secs(300),
        wait: Duration::ZERO,
        is_kept: false,
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

    let share = Request { wants: vec![(file("/p/x"), Mode::Shared)], ..request(&device("a"), "/p/x") };
    had(house.keeper.acquire(share));
    had(house.ask(&device("a"), "/p/x", 0));
    assert_eq!(house.keeper.force(&file("/p/x"), &device("boss")), Some(device("a")));
    had(house.ask(&device("b"), "/p/x", 0));
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

#[tokio::test]
async fn giving_back_ends_all_that_a_holder_has_of_a_thing() {
    let house = House::open().await;
    let share = Request { wants: vec![(file("/p/x"), Mode::Shared)], ..request(&device("a"), "/p/x") };
    had(house.keeper.acquire(share));
    had(house.ask(&device("a"), "/p/x", 0));
    assert!(house.keeper.release(&device("a"), &file("/p/x")));
    had(house.ask(&device("b"), "/p/x", 0));

    // The same request twice, as by a client that was not sure of the first.
    let (first, second) =
        (waits(house.ask(&device("a"), "/p/x", 30)), waits(house.ask(&device("a"), "/p/x", 30)));
    assert!(house.keeper.release(&device("b"), &file("/p/x")));
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert!(house.keeper.release(&device("a"), &file("/p/x")));
    assert_eq!(house.keeper.counts(), (0, 0));
}

#[tokio::test]
async fn renewing_is_for_all_that_a_holder_has_of_a_thing() {
    let house = House::open().await;
    let share = Request {
        wants: vec![(file("/p/x"), Mode::Shared)],
        ttl: Duration::from_secs(10),
        ..request(&device("a"), "/p/x")
    };
    had(house.keeper.acquire(share));
    let whole = had(house.ask_for(&device("a"), "/p/x", 0, 10, false));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let renewed = house.keeper.renew(&device("a"), &file("/p/x"), Duration::from_secs(10)).unwrap();
    assert_eq!(renewed.fence, whole.fence, "the last number is the one that it writes under");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(house.keeper.counts(), (2, 0));
}

#[tokio::test]
async fn the_end_of_a_life_leaves_what_was_not_kept() {
    let house = House::open().await;
    let life = house.keeper.begin(device("a"));
    had(house.ask_for(&device("a"), "/p/kept", 0, 300, true));
    let own = had(house.ask_for(&device("a"), "/p/for-its-time", 0, 300, false));
    drop(life);
    assert_eq!(house.keeper.counts(), (1, 0));
    assert!(house.keeper.is_current(own.ticket, own.fence));
}

#[test]
fn while_a_life_lasts_the_end_of_another_takes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::open_on(MemoryJournal::new()));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                drop(house.keeper.begin(device("a")));
            }
        });
        let mut lost = 0;
        for _ in 0..20_000 {
            let life = house.keeper.begin(device("a"));
            let lease = had(house.ask_for(&device("a"), "/p/x", 0, 300, true));
            lost += usize::from(!house.keeper.is_current(lease.ticket, lease.fence));
            drop(life);
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(lost, 0);
    });
}
