//! What devices share beside the conversation: keys with values, of which the last written one stays. Pure.
//!
//! "Last" is by the writers' hybrid clocks and not by when a write arrives, so that devices that were offline come to the
//! same end in whatever order they return.
//!
//! ```text
//! patch {a, b} stamped t ──▶ each key: kept at < t ──▶ the patch wins;  named, if it was written without having seen the other
//!                                      kept at ≥ t ──▶ it loses;        named
//! ```

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Value, json};

use super::decide::{Decision, Told};
use super::state::State;
use crate::clock::{Stamp, Timestamp};
use crate::event::{By, Conflict, Event};
use crate::ids::Seq;
use crate::refusal::{Code, Refusal};

/// The longest key, in characters.
pub const MAX_KEY_CHARS: usize = 128;

/// The largest value, in bytes of JSON.
pub const MAX_VALUE_BYTES: usize = 16 * 1024;

/// All keys and values together; each `subscribed` carries them.
pub const MAX_SHARED_BYTES: usize = 256 * 1024;

/// Keys that one patch may name. A client that has more to say says it in several.
pub const MAX_PATCH_KEYS: usize = 256;

/// How far a device's clock may be ahead of the server's. What is stamped later counts as written now: otherwise one
/// wrong clock would win against everybody until its time has come.
const MAX_AHEAD: TimeDelta = TimeDelta::seconds(60);

/// Deleted keys that are remembered, so that an older write does not bring them back. Beyond it the oldest go.
const MAX_DELETED: usize = 256;

/// Patches that are recognised when they are sent again; a device waits for the answer to one before it forgets it.
const MAX_KNOWN: usize = 256;

/// The fold of all `state_changed`.
#[derive(Debug, Clone)]
pub struct SharedState {
    entries: BTreeMap<String, Entry>,
    latest: Stamp,
    known: VecDeque<Known>,
}

/// A patch that may come again.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Its writer's own stamp.
    claimed: Stamp,
    /// When it counts as written.
    at: Stamp,
    seq: Seq,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Null for a key that was deleted.
    value: Value,
    bytes: usize,
    at: Stamp,
    by: By,
    accepted_at: Timestamp,
}

/// A key as devices see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedValue {
    /// Never null.
    pub value: Value,
    /// When it was written, by its writer's clock.
    pub at: Stamp,
    /// Who wrote it.
    pub by: By,
}

impl Default for SharedState {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), latest: Stamp::first(), known: VecDeque::new() }
    }
}

impl SharedState {
    /// What a key holds; none when it was never written, or deleted.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// All keys that hold something.
    #[must_use]
    pub fn view(&self) -> BTreeMap<String, SharedValue> {
        let live = self.entries.iter().filter(|(_, entry)| !entry.value.is_null());
        live.map(|(key, entry)| {
            let Entry { value, at, by, .. } = entry.clone();
            (key.clone(), SharedValue { value, at, by })
        })
        .collect()
    }

    /// A stamp for a patch of the server's own.
    #[must_use]
    pub fn next_stamp(&self, now: Timestamp) -> Stamp {
        Stamp::of_server(now, self.latest)
    }

    /// Goes on by one `state_changed`: its patch holds only what has won.
    pub fn apply(&mut self, change: &Change<'_>) {
        let Change { patch, at, claimed, by, seq, accepted_at } = change;
        for (key, value) in *patch {
            let entry = Entry {
                value: value.clone(),
                bytes: size(key, value),
                at: *at,
                by: (*by).clone(),
                accepted_at: *accepted_at,
            };
            self.entries.insert(key.clone(), entry);
        }
        self.latest = self.latest.max(*at);
        self.known.push_back(Known { claimed: claimed.unwrap_or(*at), at: *at, seq: *seq });
        if self.known.len() > MAX_KNOWN {
            self.known.pop_front();
        }
        self.forget_old_deletions();
    }

    fn forget_old_deletions(&mut self) {
        let deleted = self.entries.iter().filter(|(_, entry)| entry.value.is_null());
        let mut by_age: Vec<(Stamp, String)> = deleted.map(|(key, entry)| (entry.at, key.clone())).collect();
        by_age.sort_unstable();
        let too_many = by_age.len().saturating_sub(MAX_DELETED);
        for (_, key) in by_age.into_iter().take(too_many) {
            self.entries.remove(&key);
        }
    }

    /// How large everything is once a patch is in.
    fn size_with(&self, patch: &BTreeMap<String, Value>) -> usize {
        let kept = self.entries.iter().filter(|(key, _)| !patch.contains_key(*key));
        let kept: usize = kept.map(|(_, entry)| entry.bytes).sum();
        kept + patch.iter().map(|(key, value)| size(key, value)).sum::<usize>()
    }
}

/// What [`SharedState::apply`] needs of an event and its record.
#[derive(Debug)]
pub struct Change<'a> {
    /// The keys that have won; null deletes.
    pub patch: &'a BTreeMap<String, Value>,
    /// When it counts as written.
    pub at: Stamp,
    /// What its writer had stamped it, where that was too far ahead.
    pub claimed: Option<Stamp>,
    /// Who wrote it.
    pub by: &'a By,
    /// Where it stands.
    pub seq: Seq,
    /// When the server took it.
    pub accepted_at: Timestamp,
}

/// Decides a patch: which of its keys win, and which conflicts are to be named.
pub(super) fn decide_state(
    state: &State,
    by: &By,
    patch: &BTreeMap<String, Value>,
    claimed: Option<Stamp>,
    now: Timestamp,
) -> Decision {
    let shared = &state.shared;
    if let Err(refusal) = check(patch) {
        return Decision::Refuse(refusal);
    }
    let unique = claimed.filter(|at| at.is_unique());
    if let Some(known) = unique.and_then(|at| shared.known.iter().find(|known| known.claimed == at)) {
        return told(Vec::new(), known.seq, known.at);
    }
    let is_too_far_ahead = |at: &Stamp| at.wall() > now.plus(MAX_AHEAD);
    let at = claimed.filter(|at| !is_too_far_ahead(at)).unwrap_or_else(|| shared.next_stamp(now));
    let mut won = BTreeMap::new();
    let mut conflicts = Vec::new();
    for (key, value) in patch {
        let kept = shared.entries.get(key);
        let has_won = kept.is_none_or(|kept| kept.at < at);
        let other = kept.filter(|kept| kept.value != *value);
        let is_unseen = |kept: &&Entry| !has_won || was_unseen(kept, by, claimed);
        if let Some(other) = other.filter(is_unseen) {
            let (kept, dropped) = if has_won { (value, &other.value) } else { (&other.value, value) };
            conflicts.push(Conflict { key: key.clone(), kept: kept.clone(), dropped: dropped.clone() });
        }
        if has_won {
            won.insert(key.clone(), value.clone());
        }
    }
    if shared.size_with(&won) > MAX_SHARED_BYTES {
        let message =
            "The shared state of a session has at most 256 KiB: delete keys (set them to null) first.";
        return Decision::Refuse(
            Refusal::new(Code::TooLarge, message).with_details(json!({ "maxBytes": MAX_SHARED_BYTES })),
        );
    }
    if won.is_empty() && conflicts.is_empty() {
        return told(Vec::new(), state.head, at);
    }
    let claimed = claimed.filter(|claimed| *claimed != at);
    let changed = Event::StateChanged { patch: won, at, by: by.clone(), conflicts, claimed };
    told(vec![changed], state.head + 1, at)
}

/// Whether a write that wins was made without knowing what it replaces: it was stamped before the server had that.
/// A device that has seen an event stamps later than it (see [`crate::clock::HybridClock::saw_at`]).
fn was_unseen(kept: &Entry, by: &By, claimed: Option<Stamp>) -> bool {
    kept.by.device_id != by.device_id && claimed.is_some_and(|at| at.wall() <= kept.accepted_at)
}

fn told(events: Vec<Event>, seq: Seq, at: Stamp) -> Decision {
    Decision::Do { events, effects: Vec::new(), answer: Told::StateSet { seq, at } }
}

fn check(patch: &BTreeMap<String, Value>) -> Result<(), Refusal> {
    if patch.is_empty() {
        return Err(Refusal::bad_field("patch", "The patch is empty: name at least one key."));
    }
    let bytes: usize = patch.iter().map(|(key, value)| size(key, value)).sum();
    if patch.len() > MAX_PATCH_KEYS || bytes > MAX_SHARED_BYTES {
        let message =
            format!("A patch names at most {MAX_PATCH_KEYS} keys with 256 KiB together; send several.");
        let details = json!({ "field": "patch", "maxKeys": MAX_PATCH_KEYS, "maxBytes": MAX_SHARED_BYTES });
        return Err(Refusal::new(Code::TooLarge, message).with_details(details));
    }
    for (key, value) in patch {
        let chars = key.chars().count();
        if chars == 0 || chars > MAX_KEY_CHARS || key.chars().any(char::is_control) {
            let message =
                format!("A key has 1 to {MAX_KEY_CHARS} characters, none of them a control character.");
            return Err(Refusal::bad_field("patch", message));
        }
        if value.to_string().len() > MAX_VALUE_BYTES {
            let message =
                format!("The value of {key:?} is larger than 16 KiB; send it as an attachment or in parts.");
            let details = json!({ "field": "patch", "key": key, "maxBytes": MAX_VALUE_BYTES });
            return Err(Refusal::new(Code::TooLarge, message).with_details(details));
        }
    }
    Ok(())
}

/// What a key takes of the limit; a deleted one only as long as it is remembered, and nothing.
fn size(key: &str, value: &Value) -> usize {
    if value.is_null() { 0 } else { key.len() + value.to_string().len() }
}

#[cfg(test)]
mod tests;
