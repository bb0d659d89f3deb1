//! Which change of the shared state answers which patch.
//!
//! A change names the keys that have won, and as conflicts those that lost against another value. A key that lost against
//! an equal value is not named: nothing is different for anybody. Where that is all of them, there is no change at all.

use std::collections::BTreeMap;

use serde_json::Value;
use tandem_actors::ids::Seq;

use super::agreed::Agreed;
use super::facts::Fact;
use super::op::{Answer, Op, What};
use super::shared::{Shared, apply_patch};
use super::tape::Tape;

/// What became of the patches that are not found in one change to the letter, by tape and place on it.
pub(super) struct Patches {
    written: BTreeMap<(usize, usize), Written>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    /// A change that names these keys.
    As(Shared),
    /// None: everything was so already.
    Nothing,
}

/// A patch that was asked for.
struct Asked<'a> {
    id: (usize, usize),
    device: &'a str,
    patch: &'a Shared,
}

impl Patches {
    pub(super) fn find(tapes: &[Tape], agreed: &Agreed<'_>) -> Self {
        let mut told: BTreeMap<Seq, Vec<Asked<'_>>> = BTreeMap::new();
        let mut unanswered = Vec::new();
        for (asked, op) in tapes.iter().enumerate().flat_map(|(number, tape)| patches_of(number, tape)) {
            match op.answer {
                Some((_, Answer::Done { seq: Some(seq) })) => told.entry(seq).or_default().push(asked),
                Some((_, Answer::Refused)) => {}
                _ => unanswered.push(asked),
            }
        }
        let is_whole = agreed.start() == 1;
        let mut search = Search { written: BTreeMap::new(), state: Shared::new(), is_whole };
        for fact in agreed.events() {
            search.go_on(fact, told.remove(&fact.seq).unwrap_or_default(), &unanswered);
        }
        Self { written: search.written }
    }

    /// What became of a patch; none if that is to be taken to the letter.
    pub(super) fn of(&self, tape: usize, op: usize) -> Option<&Written> {
        self.written.get(&(tape, op))
    }
}

fn patches_of(number: usize, tape: &Tape) -> impl Iterator<Item = (Asked<'_>, &Op)> {
    let device: &str = &tape.device;
    tape.ops.iter().enumerate().filter_map(move |(place, op)| {
        let What::Patch(patch) = &op.what else { return None };
        Some((Asked { id: (number, place), device, patch }, op))
    })
}

/// Goes through the events in order.
struct Search {
    written: BTreeMap<(usize, usize), Written>,
    /// What is shared behind the last event.
    state: Shared,
    /// Whether that is known from the beginning on.
    is_whole: bool,
}

impl Search {
    /// `told` were answered with the place of this event.
    fn go_on(&mut self, fact: &Fact, mut told: Vec<Asked<'_>>, unanswered: &[Asked<'_>]) {
        if fact.is_kind("state_changed") {
            let data = fact.parsed();
            let (by, named) = (&data["by"]["deviceId"], patch_as_asked(&data));
            let free = unanswered.iter().filter(|asked| !self.written.contains_key(&asked.id));
            let author = self.author(by, &named, told.iter()).or_else(|| self.author(by, &named, free));
            if let Some(author) = author {
                told.retain(|asked| asked.id != author);
                self.written.insert(author, Written::As(named));
            }
            apply_patch(&mut self.state, &data);
        }
        for asked in told {
            if asked.patch.iter().all(|(key, value)| self.is_so(key, value)) {
                self.written.insert(asked.id, Written::Nothing);
            }
        }
    }

    /// Which patch a change came of: the one that is it to the letter, or the first that can be.
    fn author<'a>(
        &self,
        by: &Value,
        named: &Shared,
        among: impl Iterator<Item = &'a Asked<'a>> + Clone,
    ) -> Option<(usize, usize)> {
        let mut possible = among.filter(|asked| *by == *asked.device && self.can_be(asked.patch, named));
        let exact = possible.clone().find(|asked| asked.patch == named);
        exact.or_else(|| possible.next()).map(|asked| asked.id)
    }

    /// Whether a change that names these keys can be what became of a patch: what is missing was so already.
    fn can_be(&self, patch: &Shared, named: &Shared) -> bool {
        let are_asked = named.iter().all(|(key, value)| patch.get(key) == Some(value));
        are_asked && patch.iter().all(|(key, value)| named.contains_key(key) || self.is_so(key, value))
    }

    fn is_so(&self, key: &str, value: &Value) -> bool {
        match self.state.get(key) {
            Some(kept) => kept == value,
            None => value.is_null() || !self.is_whole,
        }
    }
}

/// What was asked for, as far as a change names it: what has won, and what lost.
pub(super) fn patch_as_asked(data: &Value) -> Shared {
    let mut patch: Shared = serde_json::from_value(data["patch"].clone()).unwrap_or_default();
    for conflict in data["conflicts"].as_array().into_iter().flatten() {
        if let Some(key) = conflict["key"].as_str() {
            patch.entry(key.to_owned()).or_insert_with(|| conflict["dropped"].clone());
        }
    }
    patch
}
