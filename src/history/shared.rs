//! Whether the shared state is the same everywhere, and the fold of its changes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::End;
use super::agreed::Agreed;
use super::fault::Wrong;

/// Keys and their values.
pub type Shared = BTreeMap<String, Value>;

/// Goes on by the `data` of one `state_changed`: what it sets to null is gone.
pub fn apply_patch(state: &mut Shared, data: &Value) {
    for (key, value) in data["patch"].as_object().into_iter().flatten() {
        if value.is_null() {
            state.remove(key);
        } else {
            state.insert(key.clone(), value.clone());
        }
    }
}

/// Compares every state that somebody has at the end with what a whole log comes to.
pub(super) fn check(agreed: &Agreed<'_>, states: &[(String, Shared)], end: End) -> Vec<Wrong> {
    if states.is_empty() || end < End::CaughtUp {
        return Vec::new();
    }
    let mut folded = Shared::new();
    for fact in agreed.events().filter(|fact| fact.is_kind("state_changed")) {
        apply_patch(&mut folded, &fact.parsed());
    }
    let mut wrong = Vec::new();
    for (of, state) in states {
        let mut keys = folded.keys().chain(state.keys());
        if let Some(key) = keys.find(|key| folded.get(*key) != state.get(*key)) {
            wrong.push(Wrong::StateDiffers { of: of.clone(), key: key.clone() });
        }
    }
    wrong
}
