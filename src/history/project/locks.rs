//! Whether locks excluded each other and the numbers of grants rose: the fold of all grants and ends.

use std::collections::BTreeMap;

use serde_json::Value;
use tandem_actors::ids::Seq;

use super::super::op::Moment;
use super::{Run, Told, Wrong};

/// When the lock with a number was over, and where that stands.
pub(super) type Over = BTreeMap<u64, (Moment, Seq)>;

/// Goes through a whole channel.
pub(super) fn check(run: &Run) -> (Vec<Wrong>, Over) {
    let mut table = Table {
        project: &run.project,
        held: Vec::new(),
        highest: 0,
        over: Over::new(),
        wrong: Vec::new(),
        is_whole: true,
    };
    let mut ends = run.ends.iter().copied().peekable();
    for told in &run.events {
        // All locks end with their server, and nobody tells of it.
        while ends.next_if(|end| *end < told.seq).is_some() {
            table.held.clear();
        }
        match &*told.kind {
            "lock_acquired" => table.acquired(told),
            "lock_released" | "lock_expired" => table.ended(told),
            "facts_dropped" => {
                table.held.clear();
                table.is_whole = false;
            }
            _ => {}
        }
    }
    (table.wrong, table.over)
}

struct Table<'a> {
    project: &'a str,
    held: Vec<Held<'a>>,
    highest: u64,
    over: Over,
    wrong: Vec<Wrong>,
    /// Whether everything was told.
    is_whole: bool,
}

struct Held<'a> {
    holder: &'a Value,
    fence: u64,
    places: Vec<Place<'a>>,
}

/// Where a resource is in the tree of all.
struct Place<'a> {
    steps: Vec<&'a str>,
    is_shared: bool,
}

impl<'a> Table<'a> {
    fn acquired(&mut self, told: &'a Told) {
        let (holder, fence) = (&told.data["holder"], told.data["fence"].as_u64().unwrap_or(0));
        let locks = told.data["locks"].as_array().map_or(&[][..], Vec::as_slice);
        let places: Vec<Place<'a>> = locks.iter().map(|lock| place(lock, self.project)).collect();
        let is_told_again = self.held.iter().any(|held| held.fence == fence && held.holder == holder);
        if !is_told_again && fence <= self.highest {
            self.wrong.push(Wrong::FenceFell { seq: told.seq, fence, highest: self.highest });
        }
        self.highest = self.highest.max(fence);
        self.held.retain(|held| held.fence != fence || held.holder != holder);
        let others = self.held.iter().filter(|held| held.holder != holder);
        for other in others.filter(|held| are_in_the_way(&held.places, &places)) {
            let (holder, other) = (holder.clone(), other.holder.clone());
            self.wrong.push(Wrong::BothHold { seq: told.seq, holder, other });
        }
        self.held.push(Held { holder, fence, places });
    }

    fn ended(&mut self, told: &Told) {
        // Without a number it is the end of waiting.
        let Some(fence) = told.data["fence"].as_u64() else { return };
        let holder = &told.data["holder"];
        let before = self.held.len();
        self.held.retain(|held| held.fence != fence || held.holder != holder);
        if self.held.len() == before && self.is_whole {
            self.wrong.push(Wrong::NotHeld { seq: told.seq, holder: holder.clone() });
        }
        self.over.insert(fence, (told.at.into(), told.seq));
    }
}

fn are_in_the_way(some: &[Place<'_>], others: &[Place<'_>]) -> bool {
    some.iter().any(|one| {
        others.iter().any(|other| {
            let is_related = one.steps.starts_with(&other.steps) || other.steps.starts_with(&one.steps);
            is_related && !(one.is_shared && other.is_shared)
        })
    })
}

/// Reckoned anew from the names on the wire, so that a fault in the server's own reckoning is seen.
fn place<'a>(lock: &'a Value, project: &'a str) -> Place<'a> {
    let id = lock["resourceId"].as_str().unwrap_or_default();
    let path = |path: &'a str| path.split('/').filter(|step| !step.is_empty());
    let steps = match lock["lockType"].as_str().unwrap_or_default() {
        "exclusive" => Vec::new(),
        "git" => {
            let (folder, branch) = id.rsplit_once(':').unwrap_or((id, ""));
            path(folder).chain(["/git", branch]).collect()
        }
        "database" => path(project).chain(["/database", id]).collect(),
        _ => path(id).collect(),
    };
    Place { steps, is_shared: lock["mode"] == "shared" }
}
