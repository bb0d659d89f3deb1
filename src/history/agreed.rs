//! The one log that all devices must have seen: of each seq the event that most of them saw.

use std::collections::BTreeMap;

use tandem_actors::ids::Seq;

use super::facts::{Fact, FactId, Facts};
use super::tape::{Entry, Tape};

/// See the module. Begins with the first event that anybody saw.
pub(super) struct Agreed<'a> {
    by_seq: BTreeMap<Seq, (FactId, &'a Fact)>,
}

impl<'a> Agreed<'a> {
    pub(super) fn of(facts: &'a Facts, tapes: &[Tape]) -> Self {
        let mut times = vec![0_usize; facts.len()];
        for entry in tapes.iter().flat_map(|tape| &tape.entries) {
            if let Entry::Saw(id) = entry {
                times[id.index()] += 1;
            }
        }
        let mut by_seq: BTreeMap<Seq, (FactId, &Fact)> = BTreeMap::new();
        for (id, fact) in facts.all().filter(|(id, _)| times[id.index()] > 0) {
            let chosen = by_seq.entry(fact.seq).or_insert((id, fact));
            if times[id.index()] > times[chosen.0.index()] {
                *chosen = (id, fact);
            }
        }
        Self { by_seq }
    }

    /// Whether the log has a first event and no holes.
    pub(super) fn is_complete(&self) -> bool {
        self.start() == 1 && self.head() == self.by_seq.len() as Seq
    }

    /// The first seq that anybody saw; 1 when nobody saw anything.
    pub(super) fn start(&self) -> Seq {
        self.by_seq.first_key_value().map_or(1, |(seq, _)| *seq)
    }

    /// The last seq that anybody saw; 0 when nobody saw anything.
    pub(super) fn head(&self) -> Seq {
        self.by_seq.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    pub(super) fn id(&self, seq: Seq) -> Option<FactId> {
        self.by_seq.get(&seq).map(|(id, _)| *id)
    }

    /// All events, in order.
    pub(super) fn events(&self) -> impl Iterator<Item = &'a Fact> {
        self.by_seq.values().map(|(_, fact)| *fact)
    }
}
