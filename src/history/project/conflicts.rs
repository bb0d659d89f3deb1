//! Whether each conflict was found before it was settled, and settled once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcome, Run, Wrong};

/// Goes through a whole channel.
pub(super) fn check(run: &Run) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut open = BTreeSet::new();
    let mut found = BTreeMap::new();
    for told in &run.events {
        let Some(conflict) = told.data["conflictId"].as_str() else { continue };
        match &*told.kind {
            // A record is told again when it has changed, and may be open again then.
            "conflict_detected" => {
                found.insert(conflict, told.seq);
                if told.data.get("resolution").is_none() {
                    open.insert(conflict);
                }
            }
            "conflict_resolved" if !open.remove(conflict) => {
                wrong.push(Wrong::SettledTwice { seq: told.seq, conflict: conflict.to_owned() });
            }
            _ => {}
        }
    }
    for write in &run.writes {
        if let Outcome::Conflict(conflict) = &write.outcome
            && !found.contains_key(&**conflict)
            && run.ends.is_empty()
        {
            wrong.push(Wrong::ConflictLost { conflict: conflict.clone() });
        }
    }
    wrong
}
