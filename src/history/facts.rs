//! The distinct events that anybody saw: each is kept once, however many devices saw it.

use std::collections::HashMap;

use serde_json::Value;
use tandem_actors::clock::Timestamp;
use tandem_actors::ids::Seq;

/// An event as a device was given it; text as it came, so that nothing is parsed while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its place.
    pub seq: Seq,
    /// The chain up to it, 16 hex digits.
    pub hash: &'a [u8],
    /// When the server wrote it.
    pub at: Timestamp,
    /// What happened.
    pub kind: &'a [u8],
    /// The fields of that kind, JSON.
    pub data: &'a [u8],
}

/// An event that somebody saw.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) seq: Seq,
    pub(super) hash: Box<[u8]>,
    pub(super) at: Timestamp,
    pub(super) kind: Box<[u8]>,
    pub(super) data: Box<[u8]>,
    /// Another one with the same seq, where devices were given different ones.
    other: Option<FactId>,
}

/// The place of a fact among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FactId(u32);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Facts {
    facts: Vec<Fact>,
    first_of: HashMap<Seq, FactId>,
}

impl Facts {
    /// Takes in what a device saw; `previous` is what it saw before, next to which this one mostly is.
    pub(super) fn see(&mut self, seen: &Seen<'_>, previous: Option<FactId>) -> FactId {
        let next = previous.map(|previous| FactId(previous.0 + 1));
        if let Some(next) =
            next.filter(|next| self.get(*next).is_some_and(|fact| fact.is_to_the_letter(seen)))
        {
            return next;
        }
        let mut place = self.first_of.get(&seen.seq).copied();
        let mut last = None;
        while let Some(id) = place {
            let Some(fact) = self.get(id).filter(|fact| !fact.is_same(seen)) else { return id };
            last = Some(id);
            place = fact.other;
        }
        let id = FactId(u32::try_from(self.facts.len()).expect("no run has four billion different events"));
        match last.and_then(|last| self.facts.get_mut(last.0 as usize)) {
            Some(last) => last.other = Some(id),
            None => {
                self.first_of.insert(seen.seq, id);
            }
        }
        self.facts.push(Fact {
            seq: seen.seq,
            hash: seen.hash.into(),
            at: seen.at,
            kind: seen.kind.into(),
            data: seen.data.into(),
            other: None,
        });
        id
    }

    pub(super) fn get(&self, id: FactId) -> Option<&Fact> {
        self.facts.get(id.0 as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (FactId, &Fact)> {
        (0..).map(FactId).zip(&self.facts)
    }
}

impl FactId {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Fact {
    fn is_to_the_letter(&self, seen: &Seen<'_>) -> bool {
        self.seq == seen.seq
            && self.at == seen.at
            && *self.hash == *seen.hash
            && *self.kind == *seen.kind
            && *self.data == *seen.data
    }

    /// Whether it is what was seen. A program that has parsed its events has lost the order of their fields.
    fn is_same(&self, seen: &Seen<'_>) -> bool {
        let is_alike = self.at == seen.at && *self.hash == *seen.hash && *self.kind == *seen.kind;
        is_alike && (*self.data == *seen.data || is_same_json(&self.data, seen.data))
    }

    /// The fields of its kind; null if they cannot be read.
    pub(super) fn parsed(&self) -> Value {
        serde_json::from_slice(&self.data).unwrap_or_default()
    }

    pub(super) fn is_kind(&self, kind: &str) -> bool {
        *self.kind == *kind.as_bytes()
    }
}

fn is_same_json(one: &[u8], other: &[u8]) -> bool {
    let parse = |text| serde_json::from_slice::<Value>(text);
    matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
}
