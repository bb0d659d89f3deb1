//! Whether each device saw every event once, in order, and the same as all others.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_actors::ids::Seq;

use super::End;
use super::agreed::Agreed;
use super::facts::{Fact, Facts};
use super::fault::Wrong;
use super::tape::{Entry, Tape};

pub(super) fn check(facts: &Facts, tapes: &[Tape], agreed: &Agreed<'_>, end: End) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for tape in tapes {
        let mut stream =
            Stream { device: &tape.device, last: None, holes: BTreeMap::new(), wrong: Vec::new() };
        let mut is_different = false;
        for entry in &tape.entries {
            let id = match entry {
                Entry::Began { from, is_reset } => {
                    stream.begin(*from, *is_reset);
                    continue;
                }
                Entry::Saw(id) => id,
            };
            let Some(fact) = facts.get(*id) else { continue };
            stream.step(fact.seq);
            let agreed =
                agreed.id(fact.seq).filter(|agreed| agreed != id).and_then(|agreed| facts.get(agreed));
            // Behind the first difference all hashes differ: one is enough.
            if let Some(agreed) = agreed.filter(|_| !is_different) {
                is_different = true;
                stream.wrong.push(difference(&tape.device, fact, agreed));
            }
        }
        stream.end();
        if end >= End::CaughtUp
            && let Some(last) = stream.last.filter(|last| *last != agreed.head())
        {
            stream.wrong.push(Wrong::Behind { device: tape.device.clone(), last, head: agreed.head() });
        }
        wrong.extend(stream.wrong);
    }
    wrong
}

fn difference(device: &Arc<str>, fact: &Fact, agreed: &Fact) -> Wrong {
    let (device, seq) = (device.clone(), fact.seq);
    let is_same_event = (fact.at, &fact.kind, fact.parsed()) == (agreed.at, &agreed.kind, agreed.parsed());
    if is_same_event { Wrong::DifferentHash { device, seq } } else { Wrong::Different { device, seq } }
}

/// Where a device stands, and what it has not seen on its way there.
struct Stream<'a> {
    device: &'a Arc<str>,
    /// The highest seq so far; none before the stream begins.
    last: Option<Seq>,
    /// First and last of each stretch.
    holes: BTreeMap<Seq, Seq>,
    wrong: Vec<Wrong>,
}

impl Stream<'_> {
    fn begin(&mut self, from: Seq, is_reset: bool) {
        let device = self.device.clone();
        if is_reset && self.last.is_some() {
            self.wrong.push(Wrong::TakenBack { device, from });
            self.last = None;
        } else if let Some(last) = self.last.filter(|last| from != last + 1) {
            self.wrong.push(Wrong::ResumedElsewhere { device, from, expected: last + 1 });
        }
        self.last = self.last.max(Some(from.saturating_sub(1)));
    }

    fn step(&mut self, seq: Seq) {
        let device = self.device.clone();
        let last = self.last.unwrap_or(seq.saturating_sub(1));
        if seq > last {
            if seq > last + 1 {
                self.holes.insert(last + 1, seq - 1);
            }
            self.last = Some(seq);
        } else if self.fill(seq) {
            self.wrong.push(Wrong::OutOfOrder { device, seq });
        } else {
            self.wrong.push(Wrong::Doubled { device, seq });
        }
    }

    /// Takes a seq out of the holes; whether it was in one.
    fn fill(&mut self, seq: Seq) -> bool {
        let hole = self.holes.range(..=seq).next_back().map(|(first, last)| (*first, *last));
        let Some((first, last)) = hole.filter(|(_, last)| seq <= *last) else { return false };
        self.holes.remove(&first);
        if first < seq {
            self.holes.insert(first, seq - 1);
        }
        if seq < last {
            self.holes.insert(seq + 1, last);
        }
        true
    }

    fn end(&mut self) {
        let device = self.device;
        let lost = self.holes.iter().map(|(first, last)| (*first, *last));
        let lost = lost.map(|(first, last)| Wrong::Lost { device: device.clone(), first, last });
        self.wrong.extend(lost);
    }
}
