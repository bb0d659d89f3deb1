//! Any run of a right project passes, also with kills; of every sort of fault one is planted, and found under its name.

use proptest::prelude::*;
use serde_json::{Value, json};
use tandem_actors::clock::Timestamp;

use super::*;

const FILE: &str = "a.txt";
const START_MICROS: i64 = 1_790_000_000_000_000;

/// A server with one file in a nutshell, right by construction.
struct World {
    run: Run,
    now: i64,
    contents: Vec<String>,
    fence: u64,
    held: Option<(Value, u64)>,
    hashes: usize,
}

impl World {
    fn new() -> Self {
        let mut run = Run { project: "/p".into(), ..Run::default() };
        let first = Some("h0".to_owned());
        run.files.insert(FILE.into(), Kept { first: first.clone(), last: first });
        Self { run, now: START_MICROS, contents: vec!["h0".into()], fence: 0, held: None, hashes: 0 }
    }

    fn tells(&mut self, kind: &str, data: Value) {
        self.now += 5_000;
        let (seq, at) = (self.run.events.len() as u64 + 1, Timestamp::from_millis(self.now / 1000));
        self.run.events.push(Told { seq, at, kind: kind.into(), data });
    }

    fn lock(&mut self, who: usize) {
        self.unlock("lock_released");
        self.fence += 3;
        let (holder, fence) = (holder(who), self.fence);
        let locks = json!([{"resourceId": "/p/a.txt", "lockType": "file", "mode": "exclusive"}]);
        self.tells("lock_acquired", json!({"holder": holder, "fence": fence, "locks": locks}));
        self.held = Some((holder, fence));
    }

    fn unlock(&mut self, kind: &str) {
        if let Some((holder, fence)) = self.held.take() {
            self.tells(kind, json!({"holder": holder, "fence": fence, "locks": []}));
        }
    }

    fn hash(&mut self) -> String {
        self.hashes += 1;
        format!("h{}", self.hashes)
    }

    fn there(&self) -> String {
        self.contents.last().unwrap().clone()
    }

    fn asks(&mut self, who: usize, base: &str, outcome: Outcome) -> String {
        self.now += 5_000;
        let (proposed, fence) = (self.hash(), self.held.as_ref().map(|(_, fence)| *fence));
        let fence = fence.filter(|_| self.held.as_ref().is_some_and(|(by, _)| *by == holder(who)));
        self.run.writes.push(Write {
            by: holder(who),
            file: FILE.into(),
            base: Some(base.into()),
            proposed: proposed.clone(),
            fence,
            begun: Moment(self.now),
            outcome,
        });
        proposed
    }

    fn changes(&mut self, to: String, by: Option<usize>) {
        let mut data = json!({"filePath": FILE, "changeType": "modified", "hash": to});
        if let Some(by) = by {
            data["holder"] = holder(by);
        }
        self.tells("file_changed", data);
        self.contents.push(to);
    }

    fn finds(&mut self, theirs: &str) -> String {
        let id = format!("c{}", self.run.events.len());
        let sides = (json!({"hash": self.there()}), json!({"hash": theirs}));
        self.tells(
            "conflict_detected",
            json!({"conflictId": id, "subject": FILE, "ours": sides.0, "theirs": sides.1}),
        );
        id
    }

    fn writes(&mut self, who: usize) {
        let base = self.there();
        let proposed = self.asks(who, &base, Outcome::Written(None));
        if who == 0 {
            self.run.writes.last_mut().unwrap().outcome = Outcome::Written(Some(proposed.clone()));
        }
        self.changes(proposed, Some(who));
    }

    fn merges(&mut self, who: usize) {
        let base = self.contents[self.contents.len() / 2].clone();
        let proposed = self.asks(who, &base, Outcome::Unknown);
        let (id, merged) = (self.finds(&proposed), self.hash());
        self.run.writes.last_mut().unwrap().outcome = Outcome::Written(Some(merged.clone()));
        self.changes(merged, Some(who));
        self.tells("conflict_resolved", json!({"conflictId": id, "resolution": "merged"}));
    }

    fn collides(&mut self, who: usize) {
        let proposed = self.asks(who, "h0", Outcome::Unknown);
        let id = self.finds(&proposed);
        self.run.writes.last_mut().unwrap().outcome = Outcome::Conflict(id);
    }

    /// Somebody is killed: what they wrote is there, or is not, and nobody says so; a watcher may see it.
    fn is_killed(&mut self, who: usize, is_written: bool, is_seen: bool) {
        let base = self.there();
        let proposed = self.asks(who, &base, Outcome::Unknown);
        match (is_written, is_seen) {
            (true, true) => self.changes(proposed, None),
            (true, false) => self.contents.push(proposed),
            (false, _) => {}
        }
    }

    /// The last write was answered and told to nobody; it was merged, or is its writer's own.
    fn server_is_killed(&mut self, is_merged: bool) {
        let is_merged = is_merged && self.contents.len() > 1;
        let base = if is_merged { self.contents[0].clone() } else { self.there() };
        let proposed = self.asks(1, &base, Outcome::Unknown);
        let written = if is_merged { self.hash() } else { proposed };
        self.run.writes.last_mut().unwrap().outcome = Outcome::Written(Some(written.clone()));
        // Whoever had read something else is gone, too.
        self.contents = vec![written];
        self.held = None;
        self.run.ends.push(self.run.events.len() as u64);
    }

    fn found(&self) -> Vec<Wrong> {
        let mut run = self.run.clone();
        run.files.get_mut(FILE).unwrap().last = Some(self.there());
        check(&run)
    }

    fn event(&mut self, kind: &str, nth: usize) -> &mut Told {
        self.run.events.iter_mut().filter(|told| told.kind == kind).nth(nth).unwrap()
    }
}

fn holder(who: usize) -> Value {
    json!({"deviceId": format!("d{who}")})
}

fn any_world(choices: &[(u8, usize)]) -> World {
    let mut world = World::new();
    for (what, who) in choices {
        match what {
            0 => world.lock(*who),
            1 => world.unlock("lock_expired"),
            2..=4 => world.writes(*who),
            5 => world.merges(*who),
            6 => world.collides(*who),
            7 => world.is_killed(*who, true, true),
            8 => world.is_killed(*who, true, false),
            9 => world.is_killed(*who, false, false),
            _ => world.server_is_killed(*who == 0),
        }
    }
    world
}

/// A bit of everything but kills.
fn good() -> World {
    let choices = [(0, 0), (2, 0), (3, 1), (0, 1), (5, 2), (6, 1), (2, 2), (1, 0), (0, 2), (2, 0)];
    any_world(&choices)
}

#[test]
fn a_good_run_has_no_faults() {
    assert_eq!(good().found(), []);
}

#[test]
fn two_that_hold_the_same_are_found() {
    let mut world = good();
    world.lock(0);
    world.held = None;
    world.lock(1);
    let [Wrong::BothHold { .. }] = &world.found()[..] else { panic!("{:?}", world.found()) };
    // A folder is in the way of what lies below it, and shared locks are not in each other's way.
    for (id, mode, faults) in [("/p", "exclusive", 1), ("/p", "shared", 1), ("/p/a.txt.old", "exclusive", 0)]
    {
        let mut world = good();
        world.lock(0);
        world.held = None;
        let locks = json!([{"resourceId": id, "lockType": "file", "mode": mode}]);
        world.tells("lock_acquired", json!({"holder": holder(1), "fence": 999, "locks": locks}));
        assert_eq!(world.found().len(), faults, "{id} {mode}: {:?}", world.found());
    }
}

#[test]
fn a_number_that_falls_is_found_also_over_a_kill() {
    let mut world = good();
    world.server_is_killed(false);
    world.fence = 0;
    world.lock(1);
    let [Wrong::FenceFell { fence: 3, .. }] = &world.found()[..] else { panic!("{:?}", world.found()) };
}

#[test]
fn a_write_over_what_was_not_seen_is_found() {
    let mut world = good();
    world.writes(1);
    let lost = world.there();
    let proposed = world.asks(2, "h0", Outcome::Written(None));
    world.changes(proposed, Some(2));
    let seq = world.run.events.len() as u64;
    assert_eq!(world.found(), [Wrong::Overwritten { seq, file: FILE.into(), lost: lost.clone() }]);
    // Unless people are told of it.
    let (ours, theirs) = (json!({"hash": world.there()}), json!({"hash": lost}));
    world.tells(
        "conflict_detected",
        json!({"conflictId": "late", "subject": FILE, "ours": ours, "theirs": theirs}),
    );
    assert_eq!(world.found(), []);
}

#[test]
fn a_stranger_that_writes_over_something_is_found() {
    let mut world = good();
    world.changes("strange".into(), None);
    assert!(matches!(&world.found()[..], [Wrong::Overwritten { .. }]), "{:?}", world.found());
}

#[test]
fn a_write_that_was_accepted_and_is_nowhere_is_found() {
    let mut world = good();
    let base = world.there();
    let hash = world.asks(1, &base, Outcome::Written(None));
    assert_eq!(world.found(), [Wrong::WriteLost { file: FILE.into(), by: holder(1), hash }]);
}

#[test]
fn a_write_that_was_refused_and_is_there_is_found() {
    let mut world = good();
    let base = world.there();
    let proposed = world.asks(1, &base, Outcome::Refused);
    world.changes(proposed, Some(1));
    let seq = world.run.events.len() as u64;
    assert_eq!(world.found(), [Wrong::StrangeWrite { seq, file: FILE.into(), by: holder(1) }]);
}

#[test]
fn another_content_than_was_asked_for_is_found() {
    let mut world = good();
    let nth = world.run.events.iter().filter(|told| told.kind == "conflict_detected").count();
    assert!(nth > 0);
    world.run.events.retain(|told| told.kind != "conflict_detected" && told.kind != "conflict_resolved");
    let found = world.found();
    assert!(found.iter().any(|wrong| matches!(wrong, Wrong::Altered { .. })), "{found:?}");
    assert!(found.iter().any(|wrong| matches!(wrong, Wrong::ConflictLost { .. })), "{found:?}");
}

#[test]
fn an_end_that_nobody_wrote_is_found() {
    let mut world = good();
    world.contents.push("strange".into());
    assert!(matches!(&world.found()[..], [Wrong::EndsElsewhere { .. }]));
}

#[test]
fn a_conflict_that_is_settled_twice_is_found() {
    let mut world = good();
    let again = world.event("conflict_resolved", 0).data.clone();
    world.tells("conflict_resolved", again);
    assert!(matches!(&world.found()[..], [Wrong::SettledTwice { .. }]));
}

#[test]
fn a_write_under_a_number_that_is_over_is_found() {
    let mut world = good();
    world.lock(1);
    let fence = world.fence;
    world.unlock("lock_expired");
    let seq = world.run.events.len() as u64;
    world.writes(1);
    world.run.writes.last_mut().unwrap().fence = Some(fence);
    assert_eq!(world.found(), [Wrong::LateWrite { file: FILE.into(), by: holder(1), fence, seq }]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_run_of_a_right_project_passes(choices in proptest::collection::vec((0..11_u8, 0..3_usize), 1..40)) {
        let world = any_world(&choices);
        prop_assert_eq!(world.found(), vec![]);
    }

    #[test]
    fn any_lost_write_is_found(choices in proptest::collection::vec((0..7_u8, 0..3_usize), 1..40), place in any::<usize>()) {
        let mut world = any_world(&choices);
        world.writes(1);
        let told: Vec<usize> = (0..world.run.events.len()).filter(|at| world.run.events[*at].kind == "file_changed").collect();
        let place = told[place % told.len()];
        // As if it had not been there: whoever wrote next had seen it, or it is what is said to be there.
        let hash = world.run.events.remove(place).data["hash"].clone();
        let is_named = world.run.events.iter().any(|told| told.kind == "conflict_detected" && told.data["ours"]["hash"] == hash);
        prop_assume!(!is_named);
        prop_assert!(!world.found().is_empty(), "{} is gone", hash);
    }
}
