//! Which device leads: the first that was there, then the one it is handed to, then whoever is still there. Pure.
//!
//! Advisory: it says where a person is, and nothing of the order of events depends on it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::Value;

use super::decide::{Decision, Told};
use super::state::State;
use crate::clock::Timestamp;
use crate::event::{By, Conflict, Event, PrimaryReason};
use crate::ids::DeviceId;
use crate::refusal::{Code, Refusal};
use crate::room::Present;

/// What a device is writing and has not sent lies in the shared state under this and the device's id.
const DRAFT: &str = "draft.";

/// For how long a device that was handed the lead may not be there yet: somebody takes the phone out and opens the page.
const HANDED_WAITS: TimeDelta = TimeDelta::minutes(10);

/// The device that leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Which.
    pub device: DeviceId,
    /// Since when.
    pub since: Timestamp,
    /// Whether a person gave it the lead.
    pub is_handed: bool,
}

/// The lead of the first device that is there.
pub(super) fn first(state: &State, device: &DeviceId) -> Option<Event> {
    state.primary.is_none().then(|| Event::PrimaryChanged {
        device_id: Some(device.clone()),
        reason: PrimaryReason::First,
        by: None,
    })
}

/// Decides a hand-over: the lead moves, and with it what the one before was about to say.
pub(super) fn decide_handoff(state: &State, by: &By, to: &DeviceId, now: Timestamp) -> Decision {
    if !state.devices.contains_key(to) {
        let message = "This device is not linked to this session: open the session there first.";
        return Decision::Refuse(Refusal::new(Code::DeviceNotFound, message));
    }
    let from = state.primary.as_ref().map(|primary| &primary.device);
    let mut events = Vec::new();
    if from != Some(to) {
        events.push(Event::PrimaryChanged {
            device_id: Some(to.clone()),
            reason: PrimaryReason::Handoff,
            by: Some(by.clone()),
        });
        events.extend(from.and_then(|from| move_draft(state, by, from, to, now)));
    }
    Decision::Do { events, effects: Vec::new(), answer: Told::Done }
}

/// Until when a device that was handed the lead may still come; none when there is nobody to wait for, or when it was
/// there since and has gone again.
#[must_use]
pub(super) fn awaited_until(state: &State, roster: &[Present], now: Timestamp) -> Option<Timestamp> {
    let primary = state.primary.as_ref().filter(|primary| primary.is_handed)?;
    let present = roster.iter().find(|one| one.device == primary.device);
    let is_or_was_there = present.is_some_and(|present| {
        let gone_for = present.offline_since.map(|since| since.elapsed().as_millis());
        gone_for.is_none_or(|gone_for| gone_for < u128::from(now.millis_since(primary.since)))
    });
    let until = primary.since.plus(HANDED_WAITS);
    (now < until && !is_or_was_there).then_some(until)
}

/// Who takes over, if somebody must: the device whose person was active last, of those that are there.
#[must_use]
pub(super) fn successor(state: &State, roster: &[Present]) -> Option<DeviceId> {
    if state.primary.as_ref().is_some_and(|primary| is_there(roster, primary)) {
        return None;
    }
    let there = roster.iter().filter(|one| one.is_online && state.devices.contains_key(&one.device));
    there.max_by_key(|one| one.last_active).map(|one| one.device.clone())
}

fn is_there(roster: &[Present], primary: &Primary) -> bool {
    roster.iter().any(|one| one.is_online && one.device == primary.device)
}

/// Decides a take-over, unless somebody else has the lead by now.
pub(super) fn decide_succeed(state: &State, from: Option<&DeviceId>, to: &DeviceId) -> Decision {
    let is_still = state.primary.as_ref().map(|primary| &primary.device) == from;
    let takes_over = is_still && !state.is_closed && state.devices.contains_key(to);
    let changed = takes_over.then(|| Event::PrimaryChanged {
        device_id: Some(to.clone()),
        reason: PrimaryReason::Offline,
        by: None,
    });
    Decision::Do { events: changed.into_iter().collect(), effects: Vec::new(), answer: Told::Done }
}

/// What follows when a device is unlinked that leads: nobody does, until somebody who is there takes over.
pub(super) fn without(state: &State, device: &DeviceId) -> Option<Event> {
    let leads = state.primary.as_ref().is_some_and(|primary| primary.device == *device);
    leads.then_some(Event::PrimaryChanged { device_id: None, reason: PrimaryReason::Offline, by: None })
}

fn move_draft(state: &State, by: &By, from: &DeviceId, to: &DeviceId, now: Timestamp) -> Option<Event> {
    let (old_key, new_key) = (format!("{DRAFT}{from}"), format!("{DRAFT}{to}"));
    let draft = state.shared.get(&old_key).filter(|draft| !is_blank(draft))?.clone();
    let replaced = state.shared.get(&new_key).filter(|other| !is_blank(other) && **other != draft);
    let conflicts =
        replaced.map(|other| Conflict { key: new_key.clone(), kept: draft.clone(), dropped: other.clone() });
    Some(Event::StateChanged {
        patch: BTreeMap::from([(old_key, Value::Null), (new_key, draft)]),
        at: state.shared.next_stamp(now),
        by: by.clone(),
        conflicts: conflicts.into_iter().collect(),
        claimed: None,
    })
}

fn is_blank(draft: &Value) -> bool {
    draft.as_str().is_some_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::event::Record;
    use crate::ids::{SessionId, Term, UserId};
    use crate::session::Ledger;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
    }

    fn device(name: &str) -> DeviceId {
        name.parse().unwrap()
    }

    fn by(name: &str) -> By {
        By { device_id: device(name), user_id: UserId::owner() }
    }

    fn apply(state: &mut State, decision: Decision, now: Timestamp) -> Vec<Event> {
        let Decision::Do { events, .. } = decision else { panic!("{decision:?}") };
        for event in &events {
            let record = Record::new((state.head, state.hash), Term(1), now, event).unwrap();
            state.apply(&mut Ledger::default(), &record, event);
        }
        events
    }

    fn done(events: Vec<Event>) -> Decision {
        Decision::Do { events, effects: Vec::new(), answer: Told::Done }
    }

    /// A laptop that leads, and a phone.
    fn two_devices() -> State {
        let mut state = State::empty(SessionId::random());
        for name in ["laptop", "phone"] {
            let linked =
                Event::DeviceLinked { device_id: device(name), device_name: None, device_kind: None };
            let mut events = vec![linked];
            events.extend(first(&state, &device(name)));
            apply(&mut state, done(events), at(0));
        }
        state
    }

    fn leads(state: &State) -> &str {
        state.primary.as_ref().map_or("nobody", |primary| primary.device.as_str())
    }

    /// Devices that are there or were; the number says when their people were active last.
    fn there(devices: &[(&str, bool, u64)]) -> Vec<Present> {
        let start = Instant::now();
        let present = |(name, is_online, last_active): &(&str, bool, u64)| Present {
            device: device(name),
            name: None,
            kind: None,
            user: UserId::owner(),
            is_online: *is_online,
            activity: None,
            cursor: None,
            last_active: start + Duration::from_secs(*last_active),
            offline_since: None,
        };
        devices.iter().map(present).collect()
    }

    fn write(state: &mut State, key: &str, value: Value) {
        let at_stamp = state.shared.next_stamp(at(1));
        let changed = Event::StateChanged {
            patch: BTreeMap::from([(key.to_owned(), value)]),
            at: at_stamp,
            by: by("laptop"),
            conflicts: Vec::new(),
            claimed: None,
        };
        apply(state, done(vec![changed]), at(1));
    }

    #[test]
    fn the_first_device_leads() {
        assert_eq!(leads(&two_devices()), "laptop");
    }

    #[test]
    fn a_hand_over_takes_the_draft_along() {
        let mut state = two_devices();
        write(&mut state, "draft.laptop", json!("in the middle of"));
        let handoff = decide_handoff(&state, &by("phone"), &device("phone"), at(2));
        apply(&mut state, handoff, at(2));
        assert_eq!(leads(&state), "phone");
        assert_eq!(state.shared.get("draft.phone"), Some(&json!("in the middle of")));
        assert_eq!(state.shared.get("draft.laptop"), None);
        let again = decide_handoff(&state, &by("phone"), &device("phone"), at(3));
        assert!(apply(&mut state, again, at(3)).is_empty());
    }

    #[test]
    fn a_draft_that_is_replaced_is_named() {
        let mut state = two_devices();
        write(&mut state, "draft.laptop", json!("new"));
        write(&mut state, "draft.phone", json!("old"));
        let handoff = decide_handoff(&state, &by("phone"), &device("phone"), at(2));
        let events = apply(&mut state, handoff, at(2));
        let Some(Event::StateChanged { conflicts, .. }) = events.last() else { panic!("{events:?}") };
        let named = Conflict { key: "draft.phone".into(), kept: json!("new"), dropped: json!("old") };
        assert_eq!(conflicts, &[named]);
    }

    #[test]
    fn an_empty_draft_replaces_nothing() {
        let mut state = two_devices();
        write(&mut state, "draft.laptop", json!("  "));
        write(&mut state, "draft.phone", json!("mine"));
        let handoff = decide_handoff(&state, &by("phone"), &device("phone"), at(2));
        apply(&mut state, handoff, at(2));
        assert_eq!(state.shared.get("draft.phone"), Some(&json!("mine")));
    }

    #[test]
    fn only_a_linked_device_can_lead() {
        let state = two_devices();
        let handoff = decide_handoff(&state, &by("phone"), &device("stranger"), at(2));
        assert!(matches!(handoff, Decision::Refuse(refusal) if refusal.code == Code::DeviceNotFound));
    }

    #[test]
    fn the_most_recently_active_device_that_is_there_takes_over() {
        let mut state = two_devices();
        let all = there(&[("laptop", true, 1), ("phone", true, 9), ("stranger", true, 99)]);
        assert_eq!(successor(&state, &all), None, "it is there");
        let gone = there(&[("laptop", false, 1), ("phone", true, 9), ("stranger", true, 99)]);
        assert_eq!(successor(&state, &gone), Some(device("phone")));
        assert_eq!(successor(&state, &there(&[("phone", false, 9)])), None, "nobody is there");
        let succeed = decide_succeed(&state, Some(&device("laptop")), &device("phone"));
        apply(&mut state, succeed, at(5));
        assert_eq!(leads(&state), "phone");
        let late = decide_succeed(&state, Some(&device("laptop")), &device("laptop"));
        assert!(apply(&mut state, late, at(6)).is_empty(), "the lead has changed meanwhile");
    }

    #[test]
    fn a_device_that_was_handed_the_lead_has_time_to_come() {
        let mut state = two_devices();
        let handoff = decide_handoff(&state, &by("laptop"), &device("phone"), at(0));
        apply(&mut state, handoff, at(0));
        let without_phone = there(&[("laptop", true, 1)]);
        assert_eq!(awaited_until(&state, &without_phone, at(599)), Some(at(600)));
        assert_eq!(awaited_until(&state, &without_phone, at(600)), None);
        assert_eq!(successor(&state, &without_phone), Some(device("laptop")));
        assert_eq!(awaited_until(&state, &there(&[("phone", true, 1)]), at(5)), None, "it has come");
    }

    #[test]
    fn an_unlinked_device_leads_no_more() {
        let mut state = two_devices();
        let unlinked = Event::DeviceUnlinked { device_id: device("laptop"), reason: "unlinked".into() };
        let mut events = vec![unlinked];
        events.extend(without(&state, &device("laptop")));
        apply(&mut state, done(events), at(2));
        assert_eq!(leads(&state), "nobody");
        assert_eq!(successor(&state, &there(&[("phone", true, 1)])), Some(device("phone")));
    }
}
