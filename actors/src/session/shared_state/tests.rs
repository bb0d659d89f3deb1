use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::{HybridClock, ManualClock};
use crate::event::Record;
use crate::ids::{SessionId, Term, UserId};
use crate::session::Ledger;

const NOON: i64 = 1_790_000_000_000;

/// A session that takes patches, as the server does.
struct Server {
    state: State,
    ledger: Ledger,
    wall: ManualClock,
    told: Vec<(Timestamp, Event)>,
}

/// A device with a clock of its own, which may be wrong.
struct Writer {
    by: By,
    clock: HybridClock,
    wall: ManualClock,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOON + millis)
}

fn by(device: &str) -> By {
    By { device_id: device.parse().unwrap(), user_id: UserId::owner() }
}

fn patch(keys: &[(&str, Value)]) -> BTreeMap<String, Value> {
    keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

impl Server {
    fn new() -> Self {
        let state = State::empty(SessionId::random());
        let wall = ManualClock::at(at(0));
        Self { state, ledger: Ledger::default(), wall, told: Vec::new() }
    }

    fn take(&mut self, by: &By, patch: &BTreeMap<String, Value>, stamp: Option<Stamp>) -> Decision {
        let now = crate::clock::Clock::now(&self.wall);
        let decision = decide_state(&self.state, by, patch, stamp, now);
        if let Decision::Do { events, .. } = &decision {
            for event in events {
                let record = Record::new((self.state.head, self.state.hash), Term(1), now, event).unwrap();
                // What is told is what can be read back.
                let event = record.event().unwrap();
                self.state.apply(&mut self.ledger, &record, &event);
                self.told.push((now, event));
            }
        }
        decision
    }

    fn conflicts(&self) -> Vec<Conflict> {
        match self.told.last() {
            Some((_, Event::StateChanged { conflicts, .. })) => conflicts.clone(),
            _ => Vec::new(),
        }
    }

    fn values(&self) -> BTreeMap<String, Value> {
        self.state.shared.view().into_iter().map(|(key, shared)| (key, shared.value)).collect()
    }
}

impl Writer {
    fn new(name: &str, skew_millis: i64) -> Self {
        let wall = ManualClock::at(at(skew_millis));
        Self { by: by(name), clock: HybridClock::new(Arc::new(wall.clone())), wall }
    }

    fn read(&mut self, (told_at, event): &(Timestamp, Event)) {
        self.clock.saw_at(*told_at);
        if let Event::StateChanged { at, .. } = event {
            self.clock.saw(*at);
        }
    }
}

/// What a device shows that has applied these events.
fn shown(told: &[(Timestamp, Event)]) -> BTreeMap<String, Value> {
    let mut shown = BTreeMap::new();
    for (_, event) in told {
        let Event::StateChanged { patch, .. } = event else { continue };
        for (key, value) in patch {
            match value {
                Value::Null => shown.remove(key),
                value => shown.insert(key.clone(), value.clone()),
            };
        }
    }
    shown
}

#[test]
fn different_keys_merge_and_of_the_same_key_the_later_write_stays() {
    for phone_returns_first in [true, false] {
        let mut server = Server::new();
        let (mut phone, mut laptop) = (Writer::new("phone", 0), Writer::new("laptop", 0));
        let by_phone = (patch(&[("draft", json!("old")), ("phone", json!(1))]), phone.clock.stamp());
        laptop.wall.advance(TimeDelta::milliseconds(1));
        let by_laptop = (patch(&[("draft", json!("new")), ("laptop", json!(2))]), laptop.clock.stamp());
        server.wall.advance(TimeDelta::minutes(5));
        let mut writes = [(&phone.by, &by_phone), (&laptop.by, &by_laptop)];
        if !phone_returns_first {
            writes.reverse();
        }
        for (by, (patch, stamp)) in writes {
            server.take(by, patch, Some(*stamp));
        }
        let all = patch(&[("draft", json!("new")), ("laptop", json!(2)), ("phone", json!(1))]);
        assert_eq!(server.values(), all);
        assert_eq!(shown(&server.told), all);
        let named = Conflict { key: "draft".into(), kept: json!("new"), dropped: json!("old") };
        assert_eq!(server.conflicts(), [named], "phone first: {phone_returns_first}");
    }
}

#[test]
fn what_replaces_something_that_was_seen_is_no_conflict() {
    let mut server = Server::new();
    let (mut phone, mut laptop) = (Writer::new("phone", 0), Writer::new("laptop", -30_000));
    let stamp = phone.clock.stamp();
    server.take(&phone.by, &patch(&[("k", json!(1))]), Some(stamp));
    laptop.read(server.told.last().unwrap());
    let stamp = laptop.clock.stamp();
    server.take(&laptop.by, &patch(&[("k", json!(2))]), Some(stamp));
    assert_eq!((server.values(), server.conflicts()), (patch(&[("k", json!(2))]), Vec::new()));
}

#[test]
fn a_deleted_key_is_not_brought_back_by_an_older_write() {
    let mut server = Server::new();
    let (mut phone, mut laptop) = (Writer::new("phone", 0), Writer::new("laptop", 10));
    let older = phone.clock.stamp();
    let newer = laptop.clock.stamp();
    server.take(&laptop.by, &patch(&[("k", Value::Null)]), Some(newer));
    server.take(&phone.by, &patch(&[("k", json!("late"))]), Some(older));
    assert!(server.values().is_empty());
    let named = Conflict { key: "k".into(), kept: Value::Null, dropped: json!("late") };
    assert_eq!(server.conflicts(), [named]);
}

#[test]
fn the_same_patch_sent_again_is_known() {
    let mut server = Server::new();
    let mut phone = Writer::new("phone", 0);
    let (first, second) = (phone.clock.stamp(), phone.clock.stamp());
    server.take(&phone.by, &patch(&[("k", json!(1))]), Some(first));
    server.take(&phone.by, &patch(&[("k", json!(2))]), Some(second));
    let again = server.take(&phone.by, &patch(&[("k", json!(1))]), Some(first));
    assert!(matches!(again, Decision::Do { answer: Told::StateSet { seq: 1, .. }, .. }), "{again:?}");
    assert_eq!((server.told.len(), server.values()), (2, patch(&[("k", json!(2))])));
}

#[test]
fn two_writes_with_the_same_plain_time_are_two_writes() {
    let mut server = Server::new();
    let plain = Stamp::parse("2026-09-21T14:13:20.007Z").unwrap();
    server.take(&by("phone"), &patch(&[("a", json!(1))]), Some(plain));
    server.take(&by("laptop"), &patch(&[("b", json!(2))]), Some(plain));
    assert_eq!(server.values(), patch(&[("a", json!(1)), ("b", json!(2))]));
}

#[test]
fn a_clock_far_ahead_wins_for_no_longer_than_others() {
    let mut server = Server::new();
    let mut wrong = Writer::new("wrong", 86_400_000);
    let stamp = wrong.clock.stamp();
    server.take(&wrong.by, &patch(&[("k", json!("tomorrow"))]), Some(stamp));
    assert_eq!(server.values()["k"], json!("tomorrow"), "nobody else has written it");
    server.wall.advance(TimeDelta::seconds(1));
    let mut phone = Writer::new("phone", 1_000);
    let right = phone.clock.stamp();
    server.take(&phone.by, &patch(&[("k", json!("today"))]), Some(right));
    assert_eq!(server.values()["k"], json!("today"));
    let again = server.take(&wrong.by, &patch(&[("k", json!("tomorrow"))]), Some(stamp));
    let Decision::Do { answer: Told::StateSet { seq: 1, at }, .. } = again else { panic!("{again:?}") };
    assert!(at < right, "it is told the same time as at first");
    assert_eq!(server.values()["k"], json!("today"), "sent again, it is still the same write");
}

#[test]
fn there_are_limits() {
    let mut server = Server::new();
    let phone = by("phone");
    let refused = |decision: Decision| match decision {
        Decision::Refuse(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(server.take(&phone, &patch(&[]), None)), Code::BadRequest);
    assert_eq!(refused(server.take(&phone, &patch(&[("", json!(1))]), None)), Code::BadRequest);
    assert_eq!(refused(server.take(&phone, &patch(&[("a\nb", json!(1))]), None)), Code::BadRequest);
    let long = "ü".repeat(MAX_KEY_CHARS);
    server.take(&phone, &patch(&[(&long, json!(1))]), None);
    assert_eq!(
        refused(server.take(&phone, &patch(&[(&format!("{long}x"), json!(1))]), None)),
        Code::BadRequest
    );
    let many = (0..=MAX_PATCH_KEYS).map(|key| (key.to_string(), Value::Null)).collect();
    assert_eq!(refused(server.take(&phone, &many, None)), Code::TooLarge);
    let large = json!("x".repeat(MAX_VALUE_BYTES - 2));
    let too_large = json!("x".repeat(MAX_VALUE_BYTES - 1));
    assert_eq!(refused(server.take(&phone, &patch(&[("k", too_large)]), None)), Code::TooLarge);
    for key in 0..15 {
        server.take(&phone, &patch(&[(&key.to_string(), large.clone())]), None);
    }
    assert_eq!(server.values().len(), 16);
    assert_eq!(refused(server.take(&phone, &patch(&[("15", large.clone())]), None)), Code::TooLarge);
    server.take(&phone, &patch(&[("0", Value::Null), ("15", large)]), None);
    assert_eq!(server.values().len(), 16, "room is made in the same patch");
}

#[test]
fn deletions_are_not_remembered_without_end() {
    let mut server = Server::new();
    for key in 0..MAX_DELETED + 50 {
        server.take(&by("phone"), &patch(&[(&key.to_string(), Value::Null)]), None);
    }
    assert_eq!(server.state.shared.entries.len(), MAX_DELETED);
    let many =
        |from: usize| (from..from + MAX_PATCH_KEYS).map(|key| (format!("m{key}"), Value::Null)).collect();
    for from in [0, 1_000, 2_000] {
        server.take(&by("phone"), &many(from), None);
        assert_eq!(server.state.shared.entries.len(), MAX_DELETED);
    }
    assert!(server.state.shared.known.len() <= MAX_KNOWN);
}

/// One step of a run with three devices.
#[derive(Debug, Clone)]
enum Step {
    /// A device writes, whether it is online or not.
    Write { device: usize, key: usize, value: Option<u8> },
    /// A device sends the next thing that it has not sent, and sends it twice if its answer is lost.
    Send { device: usize, twice: bool },
    /// A device reads what it has not read.
    Read { device: usize },
    /// Time passes.
    Wait { millis: i64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let device = 0..3_usize;
    prop_oneof![
        4 => (device.clone(), 0..4_usize, prop::option::weighted(0.8, any::<u8>()))
            .prop_map(|(device, key, value)| Step::Write { device, key, value }),
        3 => (device.clone(), prop::bool::weighted(0.2)).prop_map(|(device, twice)| Step::Send { device, twice }),
        2 => device.prop_map(|device| Step::Read { device }),
        1 => (0..5_000_i64).prop_map(|millis| Step::Wait { millis }),
    ]
}

type Written = (BTreeMap<String, Value>, Stamp);

/// Runs the steps, then lets everybody send and read the rest. Returns the server and every write.
fn run(steps: &[Step], skews: [i64; 3]) -> (Server, Vec<Written>, [BTreeMap<String, Value>; 3]) {
    const KEYS: [&str; 4] = ["a", "b", "c", "d"];
    let mut server = Server::new();
    let mut writers = [0, 1, 2].map(|n| Writer::new(&format!("device-{n}"), skews[n]));
    let mut unsent: [VecDeque<Written>; 3] = Default::default();
    let mut read = [0; 3];
    let mut written = Vec::new();
    let rest = (0..3).flat_map(|device| {
        std::iter::repeat_n(Step::Send { device, twice: false }, steps.len()).chain([Step::Read { device }])
    });
    let rest: Vec<Step> = rest.chain((0..3).map(|device| Step::Read { device })).collect();
    for step in steps.iter().chain(&rest) {
        match step {
            Step::Write { device, key, value } => {
                let stamp = writers[*device].clock.stamp();
                let write = (patch(&[(KEYS[*key], value.map_or(Value::Null, Value::from))]), stamp);
                written.push(write.clone());
                unsent[*device].push_back(write);
            }
            Step::Send { device, twice } => {
                let Some((patch, stamp)) = unsent[*device].pop_front() else { continue };
                for _ in 0..=usize::from(*twice) {
                    server.take(&writers[*device].by, &patch, Some(stamp));
                }
            }
            Step::Read { device } => {
                for told in &server.told[read[*device]..] {
                    writers[*device].read(told);
                }
                read[*device] = server.told.len();
            }
            Step::Wait { millis } => {
                server.wall.advance(TimeDelta::milliseconds(*millis));
                writers.iter().for_each(|writer| writer.wall.advance(TimeDelta::milliseconds(*millis)));
            }
        }
    }
    let shown = read.map(|read| shown(&server.told[..read]));
    (server, written, shown)
}

proptest! {
    #[test]
    fn any_interleaving_ends_in_the_same_state_everywhere(
        steps in prop::collection::vec(any_step(), 1..60),
        skews in [-20_000..20_000_i64, -20_000..20_000_i64, -20_000..20_000_i64],
    ) {
        let (server, written, shown) = run(&steps, skews);
        // What must come out, from the writes alone: of each key the one with the latest stamp.
        let mut latest: BTreeMap<String, (Stamp, Value)> = BTreeMap::new();
        for (patch, stamp) in written {
            for (key, value) in patch {
                let kept = latest.entry(key).or_insert((stamp, value.clone()));
                if kept.0 < stamp {
                    *kept = (stamp, value);
                }
            }
        }
        let expected: BTreeMap<String, Value> = latest
            .into_iter()
            .map(|(key, (_, value))| (key, value))
            .filter(|(_, value)| !value.is_null())
            .collect();
        prop_assert_eq!(&server.values(), &expected);
        for (device, shown) in shown.iter().enumerate() {
            prop_assert_eq!(shown, &expected, "device {}", device);
        }
    }

    #[test]
    fn wild_clocks_end_in_the_same_state_everywhere_too(
        steps in prop::collection::vec(any_step(), 1..60),
        skews in [any::<i32>(), any::<i32>(), any::<i32>()],
    ) {
        let (server, _, shown) = run(&steps, skews.map(i64::from));
        for shown in shown {
            prop_assert_eq!(&shown, &server.values());
        }
    }
}
