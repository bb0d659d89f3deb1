//! Projects: what is told in one is numbered, kept and seen by everybody who follows; locks go with their devices.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use tandem_actors::clock::Timestamp;
use tandem_actors::device::{ProjectWish, Reply, SubscribeProject, SubscribedProject, Wish};
use tandem_actors::ids::{Epoch, Seq, SessionId};
use tandem_actors::journal::MemoryJournal;
use tandem_actors::locks::{Kind, Mode};
use tandem_actors::project::{
    ChangeType, Conflict, ConflictId, ConflictKind, Feed as _, Happening, KNEW_ANOTHER, LockAct, LockAnswer,
    LockName, Resolution, Side, Wait,
};
use tandem_actors::refusal::Code;
use tandem_actors::room::Ending;
use tokio::time::Instant;

use crate::devices::{Wireless, to};
use crate::support::{House, by};

fn project(house: &House) -> Arc<str> {
    house.project().to_string_lossy().into()
}

fn channel(house: &House) -> SessionId {
    SessionId::of_channel(&project(house))
}

fn from_here(house: &House) -> SubscribeProject {
    let project = project(house).to_string();
    SubscribeProject { project, after: None, epoch: None, hash: None, tail: Some(0) }
}

async fn follow(device: &mut Wireless, wanted: SubscribeProject) -> SubscribedProject {
    match device.wish(Wish::Project(ProjectWish::Subscribe(wanted))).await {
        Reply::SubscribedProject(subscribed) => *subscribed,
        other => panic!("not subscribed: {other:?}"),
    }
}

/// A device that follows the house's project from now on.
async fn following(house: &House, name: &str) -> Wireless {
    let mut device = Wireless::connect(house, name);
    follow(&mut device, from_here(house)).await;
    device
}

fn lock(id: &str, act: LockAct) -> Wish {
    let name = LockName { kind: Kind::Database, id: id.to_owned() };
    Wish::Project(ProjectWish::Lock { project: None, name, also: Vec::new(), act })
}

fn request(id: &str, ttl_seconds: Option<u64>, wait: Option<Wait>) -> Wish {
    lock(id, LockAct::Request { mode: Mode::Exclusive, ttl_seconds, wait })
}

async fn acquire(device: &mut Wireless, id: &str) -> u64 {
    match device.wish(request(id, None, None)).await {
        Reply::Lock(LockAnswer::LockAcquired { fence, .. }) => fence.0,
        other => panic!("not acquired: {other:?}"),
    }
}

async fn refused(device: &mut Wireless, wish: Wish) -> Code {
    match device.wish(wish).await {
        Reply::Rejected(refusal) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

async fn is_denied(device: &mut Wireless, id: &str) -> bool {
    matches!(device.wish(request(id, None, None)).await, Reply::Lock(LockAnswer::LockDenied { .. }))
}

fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["kind"].as_str().unwrap()).collect()
}

fn conflict(house: &House) -> Conflict {
    let side =
        |what: &str| Side { holder: None, what: what.to_owned(), hash: None, at: Timestamp::from_millis(1) };
    Conflict {
        conflict_id: ConflictId::random(),
        kind: ConflictKind::FileEdit,
        project_path: project(house),
        subject: "a.txt".to_owned(),
        found_at: Timestamp::from_millis(1),
        ours: side("one"),
        theirs: side("two"),
        base: None,
        hunks: None,
        resolution: None,
        resolved_by: None,
    }
}

fn detected(conflict: &Conflict) -> Happening {
    Happening::ConflictDetected(Box::new(conflict.clone()))
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[actix::test]
async fn all_who_follow_see_the_same_events_with_the_same_numbers() {
    let house = House::open().await;
    let mut early = following(&house, "laptop").await;
    let mut taker = following(&house, "phone").await;
    let fence = acquire(&mut taker, "orders").await;
    assert!(is_denied(&mut early, "orders").await);
    assert!(matches!(taker.wish(lock("orders", LockAct::Release)).await, Reply::Lock(LockAnswer::Released)));
    house.has_kind(channel(&house), "lock_released", 1).await;
    house.settle().await;
    let seen = early.frames();
    assert_eq!(kinds(&seen), ["lock_acquired", "lock_denied", "lock_released"]);
    assert_eq!(seen[0]["data"]["fence"], fence);
    assert_eq!(seen[0]["projectPath"], *project(&house));
    assert_eq!(seen, taker.frames());

    let mut late = Wireless::connect(&house, "late");
    let all = SubscribeProject { after: Some(0), ..from_here(&house) };
    let subscribed = follow(&mut late, all).await;
    assert_eq!((subscribed.head, subscribed.from, subscribed.reset), (3, 1, false));
    assert_eq!(late.frames(), seen);
    house.close().await;
}

#[actix::test]
async fn a_channel_is_resumed_over_a_restart_and_another_history_starts_over() {
    let house = House::open().await;
    let path = house.project();
    let mut device = following(&house, "phone").await;
    for _ in 0..3 {
        acquire(&mut device, "orders").await;
        device.wish(lock("orders", LockAct::Release)).await;
    }
    house.has_kind(channel(&house), "lock_released", 3).await;
    house.settle().await;
    let before = device.frames();
    let last = before.last().unwrap();
    let (hash, epoch) = (last["hash"].as_str().unwrap().to_owned(), Epoch::clone(&house.epoch()));
    let found = conflict(&house);
    house.hub.projects.tell(&project(&house), detected(&found).into());
    house.has_kind(channel(&house), "conflict_detected", 1).await;
    let (journal, _folder) = house.crash().await;

    let house = House::open_on(journal).await;
    let here = |after: Seq, hash: &str| SubscribeProject {
        project: path.to_string_lossy().into_owned(),
        after: Some(after),
        epoch: Some(epoch.clone()),
        hash: Some(hash.to_owned()),
        tail: None,
    };
    let mut device = Wireless::connect(&house, "phone");
    let subscribed = follow(&mut device, here(6, &hash)).await;
    assert_eq!((subscribed.head, subscribed.from, subscribed.reset), (7, 7, false));
    assert_eq!(
        subscribed.conflicts.iter().map(|one| one.conflict_id).collect::<Vec<_>>(),
        [found.conflict_id]
    );
    assert!(subscribed.locks.is_empty());
    assert_eq!(kinds(&device.frames()), ["conflict_detected"], "what was not seen, and nothing twice");
    let subscribed = follow(&mut device, here(6, "0000000000000000")).await;
    assert_eq!((subscribed.from, subscribed.reset), (1, true));
    house.close().await;
}

fn changed(number: usize) -> Happening {
    let file_path = format!("{number}.txt");
    Happening::FileChanged { file_path, change_type: ChangeType::Modified, hash: None, holder: None }
}

#[actix::test]
async fn a_channel_keeps_its_newest_events_and_what_is_not_settled_also_over_a_restart() {
    let house = House::open().await;
    let (path, channel) = (project(&house), channel(&house));
    let here = |after: Option<Seq>| SubscribeProject {
        project: path.to_string(),
        after,
        epoch: None,
        hash: None,
        tail: None,
    };
    house.hub.projects.keep_only(10);
    let mut device = following(&house, "phone").await;
    let found = conflict(&house);
    house.hub.projects.tell(&path, detected(&found).into());
    for number in 0..50 {
        house.hub.projects.tell_durably(&path, changed(number).into()).await.unwrap();
    }
    house.settle().await;
    assert_eq!(device.frames().len(), 51, "who follows misses nothing");
    let seqs: Vec<Seq> = house.journal.records(channel).iter().map(|record| record.seq).collect();
    assert_eq!(seqs[0], 1, "the conflict is not settled");
    let first = seqs[1];
    assert!((32..=42).contains(&first), "{seqs:?}");
    assert_eq!(seqs[1..], (first..=51).collect::<Vec<_>>());

    let late = follow(&mut device, here(Some(5))).await;
    assert_eq!((late.head, late.from, late.reset), (51, first, true));
    assert_eq!(device.frames().first().unwrap()["seq"], first);
    let fresh = follow(&mut device, here(None)).await;
    assert_eq!(fresh.from, first);
    let known = follow(&mut device, here(Some(first))).await;
    assert_eq!((known.from, known.reset), (first + 1, false));
    let (journal, _folder) = house.crash().await;

    let house = House::open_on(journal).await;
    let mut device = Wireless::connect(&house, "phone");
    let late = follow(&mut device, here(Some(5))).await;
    assert_eq!((late.head, late.from, late.reset), (51, first, true));
    assert_eq!(late.conflicts.iter().map(|one| one.conflict_id).collect::<Vec<_>>(), [found.conflict_id]);
    assert_eq!(device.frames().len() as Seq, 51 - first + 1);
    let visit = house.hub.projects.visit(&path).await.unwrap();
    let mut left_behind = visit.follow(Arc::new(house.journal.clone()), 5);
    assert!(left_behind.next().await.unwrap().is_err(), "what is missing is not passed over");
    assert!(left_behind.is_left_behind());
    let resolve = house.hub.projects.resolve(found.conflict_id, Resolution::Ours, None, by("phone"));
    resolve.await.unwrap();
    house.close().await;
}

#[actix::test]
async fn a_channel_is_no_session() {
    let house = House::open().await;
    let mut device = following(&house, "phone").await;
    acquire(&mut device, "orders").await;
    house.has_kind(channel(&house), "lock_acquired", 1).await;
    let journal = house.journal.clone();
    assert!(house.hub.board.all().0.is_empty());
    assert_eq!(house.hub.find(channel(&house)).await.unwrap_err().code, Code::SessionNotFound);
    house.close().await;
    let house = House::open_on(journal).await;
    assert!(house.hub.board.all().0.is_empty());
    house.close().await;
}

#[actix::test]
async fn locks_are_kept_while_the_device_is_there_and_given_back_when_it_goes() {
    tokio::time::pause();
    let house = House::open().await;
    let mut holder = following(&house, "phone").await;
    let mut other = following(&house, "laptop").await;
    assert!(matches!(
        holder.wish(request("orders", Some(2), None)).await,
        Reply::Lock(LockAnswer::LockAcquired { .. })
    ));
    wait(60).await;
    assert!(is_denied(&mut other, "orders").await, "the server renews it");
    holder.ends(Ending::Lost { since: Instant::now() });
    wait(10).await;
    assert!(is_denied(&mut other, "orders").await, "it may be back in a moment");
    wait(6).await;
    acquire(&mut other, "orders").await;
    other.ends(Ending::Clean);
    house.settle().await;
    let mut third = following(&house, "third").await;
    acquire(&mut third, "orders").await;
    house.close().await;
}

#[actix::test]
async fn a_device_that_reconnects_in_time_loses_nothing() {
    tokio::time::pause();
    let house = House::open().await;
    let mut phone = following(&house, "phone").await;
    let fence = acquire(&mut phone, "orders").await;
    phone.ends(Ending::Lost { since: Instant::now() });
    wait(10).await;
    // It says nothing of its locks.
    let mut phone = following(&house, "phone").await;
    wait(60).await;
    let mut other = following(&house, "laptop").await;
    assert!(is_denied(&mut other, "orders").await);
    assert_eq!(acquire(&mut phone, "orders").await, fence, "it is still its own");
    house.close().await;
}

#[actix::test]
async fn locks_are_kept_while_any_connection_of_the_device_is_open() {
    tokio::time::pause();
    let house = House::open().await;
    let (mut one_tab, other_tab) = (following(&house, "phone").await, following(&house, "phone").await);
    acquire(&mut one_tab, "orders").await;
    one_tab.ends(Ending::Clean);
    wait(60).await;
    let mut other = following(&house, "laptop").await;
    assert!(is_denied(&mut other, "orders").await);
    other_tab.ends(Ending::Clean);
    house.settle().await;
    acquire(&mut other, "orders").await;
    house.close().await;
}

#[actix::test]
async fn who_waits_gets_it_in_order_and_who_waits_too_long_is_told() {
    tokio::time::pause();
    let house = House::open().await;
    let mut holder = following(&house, "holder").await;
    acquire(&mut holder, "orders").await;
    let (mut one, mut two) = (following(&house, "first").await, following(&house, "second").await);
    let waits = |seconds| request("orders", None, Some(Wait::Seconds(seconds)));
    let gives_back = async {
        wait(5).await;
        holder.wish(lock("orders", LockAct::Release)).await;
    };
    let (first, second, ()) = tokio::join!(one.wish(waits(20)), two.wish(waits(7)), gives_back);
    assert!(matches!(first, Reply::Lock(LockAnswer::LockAcquired { .. })), "{first:?}");
    let Reply::Lock(LockAnswer::LockDenied { reason, holder, .. }) = second else { panic!("not denied") };
    assert_eq!(serde_json::to_value(reason).unwrap(), "timed_out");
    assert_eq!(serde_json::to_value(holder).unwrap()["deviceId"], "first");
    house.close().await;
}

#[actix::test]
async fn a_lock_that_nobody_renews_expires_and_that_is_told() {
    tokio::time::pause();
    let house = House::open().await;
    let mut watcher = following(&house, "laptop").await;
    let ask = tandem_actors::project::LockAsk {
        holder: tandem_actors::locks::Holder::DeviceId("script".parse().unwrap()),
        project: project(&house),
        name: LockName { kind: Kind::Database, id: "orders".to_owned() },
        also: Vec::new(),
        act: LockAct::Request { mode: Mode::Exclusive, ttl_seconds: Some(3), wait: None },
        is_kept: false,
    };
    house.hub.locks.ask(ask).await;
    wait(2).await;
    assert_eq!(kinds(&watcher.frames()), ["lock_acquired"]);
    wait(2).await;
    let seen = watcher.frames();
    assert_eq!(kinds(&seen), ["lock_expired"]);
    assert_eq!(seen[0]["data"]["holder"]["deviceId"], "script");
    acquire(&mut watcher, "orders").await;
    house.close().await;
}

#[actix::test]
async fn bad_requests_are_refused_and_say_why() {
    let house = House::open().await;
    let mut holder = following(&house, "phone").await;
    let mut other = following(&house, "laptop").await;
    acquire(&mut holder, "orders").await;
    for ttl in [0, 86_401, 31_536_000] {
        assert_eq!(refused(&mut other, request("free", Some(ttl), None)).await, Code::BadRequest);
    }
    assert_eq!(refused(&mut other, lock("free", LockAct::Release)).await, Code::LockNotFound);
    assert_eq!(refused(&mut other, lock("orders", LockAct::Release)).await, Code::LockNotHeld);
    let renew = LockAct::Renew { ttl_seconds: None };
    assert_eq!(refused(&mut other, lock("orders", renew)).await, Code::LockNotHeld);
    assert_eq!(refused(&mut other, lock("free", renew)).await, Code::LockNotFound);
    let mut stranger = Wireless::connect(&house, "stranger");
    assert_eq!(refused(&mut stranger, request("orders", None, None)).await, Code::BadRequest);
    let file = |id: &str| {
        let name = LockName { kind: Kind::File, id: id.to_owned() };
        let act = LockAct::Request { mode: Mode::Exclusive, ttl_seconds: None, wait: None };
        Wish::Project(ProjectWish::Lock { project: None, name, also: Vec::new(), act })
    };
    assert_eq!(refused(&mut other, file("/etc/passwd")).await, Code::ProjectNotAllowed);
    assert_eq!(refused(&mut other, file("no/such/folder")).await, Code::BadRequest);
    house.close().await;
}

#[actix::test]
async fn the_sixty_fifth_who_waits_is_refused() {
    tokio::time::pause();
    let house = House::open().await;
    let mut holder = following(&house, "holder").await;
    acquire(&mut holder, "orders").await;
    let mut waiting = Vec::new();
    for number in 0..64 {
        let device = following(&house, &format!("waiter-{number}")).await;
        let wish = request("orders", None, Some(Wait::Configured));
        waiting.push(tokio::task::spawn_local(async move {
            let mut device = device;
            device.wish(wish).await
        }));
    }
    house.has_kind(channel(&house), "lock_waiting", 64).await;
    let mut last = following(&house, "last").await;
    let code = refused(&mut last, request("orders", None, Some(Wait::Configured))).await;
    assert_eq!(code, Code::LockQueueFull);
    house.close().await;
}

#[actix::test]
async fn a_conflict_is_settled_once_and_on_disk_before_it_is_answered() {
    let house = House::open().await;
    let mut watcher = following(&house, "laptop").await;
    let found = conflict(&house);
    house.hub.projects.tell(&project(&house), detected(&found).into());
    house.has_kind(channel(&house), "conflict_detected", 1).await;
    let settle = |resolution| house.hub.projects.resolve(found.conflict_id, resolution, None, by("phone"));
    assert_eq!(
        settle(Resolution::Theirs).await.unwrap_err().code,
        Code::BadRequest,
        "nobody can put it right"
    );
    let (one, other) = tokio::join!(settle(Resolution::Ours), settle(Resolution::Ours));
    assert_eq!([&one, &other].iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refusal = one.and(other).unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyResolved);
    let late = settle(Resolution::Ours).await.unwrap_err();
    assert_eq!(late.code, Code::AlreadyResolved);
    let details = late.details.unwrap();
    assert_eq!((&details["resolution"], &details["by"]["deviceId"]), (&"ours".into(), &"phone".into()));
    assert_eq!(house.kinds(channel(&house)), ["conflict_detected", "conflict_resolved"]);
    house.settle().await;
    let seen = watcher.frames();
    assert_eq!(kinds(&seen), ["conflict_detected", "conflict_resolved"]);
    assert_eq!(seen[1]["data"]["by"]["deviceId"], "phone");
    let conflicts = house.hub.projects.conflicts(&project(&house)).await.unwrap();
    assert_eq!(conflicts[0].resolution, Some(Resolution::Ours));
    let unknown = house.hub.projects.resolve(ConflictId::random(), Resolution::Ours, None, by("phone"));
    assert_eq!(unknown.await.unwrap_err().code, Code::ConflictNotFound);
    house.close().await;
}

#[actix::test]
async fn the_oldest_conversation_leads_and_the_next_takes_over() {
    tokio::time::pause();
    let house = House::open().await;
    let mut watcher = following(&house, "laptop").await;
    let (first, second) = (house.session().await, house.session().await);
    let mut one = Wireless::connect(&house, "one");
    one.subscribe(to(first)).await;
    wait(1).await;
    let mut two = Wireless::connect(&house, "two");
    two.subscribe(to(second)).await;
    wait(1).await;
    one.ends(Ending::Clean);
    wait(1).await;
    let seen: Vec<(String, Value, Value)> = watcher
        .frames()
        .into_iter()
        .map(|frame| {
            let kind = frame["kind"].as_str().unwrap().to_owned();
            (kind, frame["data"]["sessionId"].clone(), frame["data"]["role"].clone())
        })
        .collect();
    let told =
        |kind: &str, session: SessionId, role: Value| (kind.to_owned(), session.to_string().into(), role);
    assert_eq!(
        seen,
        [
            told("session_connected", first, "primary".into()),
            told("session_connected", second, "secondary".into()),
            told("session_disconnected", first, Value::Null),
            told("role_changed", second, "primary".into()),
        ]
    );
    let members = house.hub.projects.members(&project(&house));
    assert_eq!(members.iter().map(|member| member.session_id).collect::<Vec<_>>(), [second]);
    house.close().await;
}

#[actix::test]
async fn who_was_connected_when_the_server_died_is_told_to_be_gone() {
    let house = House::open().await;
    let channel = channel(&house);
    let session = house.session().await;
    let mut device = Wireless::connect(&house, "one");
    device.subscribe(to(session)).await;
    house.has_kind(channel, "session_connected", 1).await;
    let path = project(&house);
    let (journal, _folder) = house.crash().await;
    let house = House::open_on(journal).await;
    house.hub.projects.visit(&path).await.unwrap();
    house.has_kind(channel, "session_disconnected", 1).await;
    house.close().await;
}

#[actix::test]
async fn a_channel_that_nobody_needs_leaves_the_memory_and_comes_back() {
    tokio::time::pause();
    let house = House::open().await;
    let mut device = following(&house, "phone").await;
    let found = conflict(&house);
    house.hub.projects.tell(&project(&house), detected(&found).into());
    wait(1_200).await;
    assert!(format!("{:?}", house.hub.projects).contains("1 channels"), "it is followed");
    device.wish(Wish::Project(ProjectWish::Unsubscribe { project: None })).await;
    wait(1_200).await;
    assert!(format!("{:?}", house.hub.projects).contains("0 channels"));
    assert_eq!(house.hub.projects.list()[0].open_conflicts, 1);
    let conflicts = house.hub.projects.conflicts(&project(&house)).await.unwrap();
    assert_eq!(conflicts[0].conflict_id, found.conflict_id);
    house.close().await;
}

#[actix::test]
async fn what_is_told_while_the_disk_takes_nothing_is_written_when_it_does() {
    tokio::time::pause();
    let house = House::open().await;
    let mut device = following(&house, "phone").await;
    house.journal.refuse_appends(Some("full"));
    let fence = acquire(&mut device, "orders").await;
    assert!(fence > 0, "a lock does not wait for the disk");
    house.hub.projects.tell(&project(&house), detected(&conflict(&house)).into());
    wait(3).await;
    assert!(device.frames().is_empty(), "what is not on disk is not shown");
    house.journal.refuse_appends(None);
    wait(1).await;
    assert_eq!(kinds(&device.frames()), ["lock_acquired", "conflict_detected"]);
    house.close().await;
}

#[actix::test]
async fn a_channel_that_cannot_be_loaded_is_tried_now_and_then() {
    tokio::time::pause();
    let house = House::open().await;
    house.journal.fail_channels(true);
    let found = conflict(&house);
    for _ in 0..50 {
        house.hub.projects.tell(&project(&house), detected(&found).into());
        wait(0).await;
    }
    let tries = house.journal.fail_channels(false);
    assert_eq!(tries, 1, "each try is a claim on the disk");
    wait(2).await;
    house.hub.projects.tell(&project(&house), detected(&found).into());
    house.has_kind(channel(&house), "conflict_detected", 51).await;
    house.close().await;
}

#[actix::test]
async fn what_was_only_known_is_over_with_the_server_and_what_was_wanted_is_not() {
    let house = House::open().await;
    let (wanted, mut known) = (conflict(&house), conflict(&house));
    known.theirs.what = KNEW_ANOTHER.into();
    for found in [&wanted, &known] {
        house.hub.projects.tell(&project(&house), detected(found).into());
    }
    house.has_kind(channel(&house), "conflict_detected", 2).await;
    let path = project(&house);
    let (journal, _folder) = house.crash().await;
    let house = House::open_on(journal).await;
    house.hub.projects.visit(&path).await.unwrap();
    house.has_kind(SessionId::of_channel(&path), "conflict_resolved", 1).await;
    let conflicts = house.hub.projects.conflicts(&path).await.unwrap();
    let open: Vec<_> = conflicts.iter().filter(|one| one.resolution.is_none()).collect();
    assert_eq!(open.iter().map(|one| one.conflict_id).collect::<Vec<_>>(), [wanted.conflict_id]);
    house.close().await;
}

#[actix::test]
async fn fences_rise_over_restarts() {
    let journal = MemoryJournal::new();
    let mut last = 0;
    for _ in 0..3 {
        let house = House::open_on(journal.clone()).await;
        house.settle().await;
        let mut device = following(&house, "phone").await;
        let fence = acquire(&mut device, "orders").await;
        assert!(fence > last);
        last = fence;
        house.close().await;
    }
}
