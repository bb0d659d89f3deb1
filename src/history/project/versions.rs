//! Whether nobody's write was lost: each version of a file, told in the channel, stands on the one before it.
//!
//! A version is its writer's own when it is what they wanted; otherwise it is merged, and a conflict says so. What was
//! written in the moment before a server or an agent was killed may have been told to nobody; it is there all the same
//! when the next one went out from it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;
use tandem_actors::ids::Seq;

use super::super::op::Moment;
use super::super::placed::CUT_MICROS;
use super::locks::Over;
use super::{Outcome, Run, Told, Write, Wrong};

/// Follows each file through the channel.
pub(super) fn check(run: &Run, over: &Over) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (file, kept) in &run.files {
        let mut chain = Chain::new(run, file, kept.first.as_deref());
        for told in
            run.events.iter().filter(|told| told.data["filePath"] == **file && told.kind == "file_changed")
        {
            chain.goes_on(told);
        }
        chain.ends(run, kept.last.as_deref());
        wrong.append(&mut chain.wrong);
    }
    wrong.extend(late(run, over));
    wrong
}

struct Chain<'a> {
    file: &'a str,
    current: Option<&'a str>,
    /// What may have been written, and is not found yet.
    open: Vec<&'a Write>,
    /// Who takes part.
    writers: Vec<&'a Value>,
    /// The versions that stand in conflicts.
    named: BTreeSet<&'a str>,
    /// Whether a server was.
    was_killed: bool,
    wrong: Vec<Wrong>,
}

impl<'a> Chain<'a> {
    fn new(run: &'a Run, file: &'a str, first: Option<&'a str>) -> Self {
        let of_file = || run.writes.iter().filter(|write| write.file == file);
        let may_be = |write: &&Write| matches!(write.outcome, Outcome::Written(_) | Outcome::Unknown);
        let conflicts =
            run.events.iter().filter(|told| told.kind == "conflict_detected" && told.data["subject"] == file);
        let named = conflicts.flat_map(|told| [&told.data["ours"]["hash"], &told.data["theirs"]["hash"]]);
        Self {
            file,
            current: first,
            open: of_file().filter(may_be).collect(),
            writers: of_file().map(|write| &write.by).collect(),
            named: named.filter_map(Value::as_str).collect(),
            was_killed: !run.ends.is_empty(),
            wrong: Vec::new(),
        }
    }

    fn goes_on(&mut self, told: &'a Told) {
        let (hash, by) = (told.data["hash"].as_str(), told.data.get("holder"));
        match (self.take(told.at.into(), hash, by), by) {
            (Some(write), _) => self.stands(write, hash, told.seq),
            // Told again.
            (None, _) if hash == self.current => {}
            (None, Some(by)) if self.writers.contains(&by) => {
                let (file, by) = (self.file.to_owned(), by.clone());
                self.wrong.push(Wrong::StrangeWrite { seq: told.seq, file, by });
            }
            (None, Some(_)) => {}
            (None, None) => self.is_strange(told.seq),
        }
        self.current = hash;
    }

    /// Which write this is. A program that nobody knows may be one that was killed before it could tell.
    fn take(&mut self, at: Moment, hash: Option<&str>, by: Option<&Value>) -> Option<&'a Write> {
        let is_own = |write: &Write| Some(&*write.proposed) == hash;
        let may_be = |write: &Write| match (&write.outcome, by) {
            _ if write.begun.0 > at.0 + CUT_MICROS => false,
            (outcome, None) => is_own(write) && *outcome == Outcome::Unknown,
            (_, Some(by)) if write.by != *by => false,
            (Outcome::Written(Some(told)), _) => Some(&**told) == hash,
            (Outcome::Written(None) | Outcome::Unknown, _) => true,
            (Outcome::Refused | Outcome::Conflict(_), _) => false,
        };
        // Of what a writer wanted and nobody answered, the last is the likeliest, and what a conflict names before all.
        let rank = |write: &Write| {
            let is_named = self.named.contains(&*write.proposed);
            (!is_own(write), write.outcome == Outcome::Unknown, !is_named, Reverse(write.begun))
        };
        let candidates = self.open.iter().enumerate().filter(|(_, write)| may_be(write));
        let (place, _) = candidates.min_by_key(|(_, write)| rank(write))?;
        Some(self.open.remove(place))
    }

    fn stands(&mut self, write: &'a Write, hash: Option<&str>, seq: Seq) {
        let file = || self.file.to_owned();
        if Some(&*write.proposed) != hash {
            // It is merged with what was there, whatever that was.
            if !self.named.contains(&*write.proposed) {
                self.wrong.push(Wrong::Altered { seq, file: file(), by: write.by.clone() });
            }
            return;
        }
        self.pass_untold(write.base.as_deref());
        self.is_kept_or_seen(write.base.as_deref(), hash, seq);
    }

    /// Somebody has written who is no writer, or one whose merged write was told by nobody because it was killed.
    fn is_strange(&mut self, seq: Seq) {
        let is_merged =
            |write: &&Write| write.outcome == Outcome::Unknown && self.named.contains(&*write.proposed);
        match self.open.iter().position(is_merged) {
            Some(place) => drop(self.open.remove(place)),
            None => self.is_kept_or_seen(None, None, seq),
        }
    }

    /// What was there before a version must be what its writer had seen, the same, or on record.
    fn is_kept_or_seen(&mut self, base: Option<&str>, hash: Option<&str>, seq: Seq) {
        let Some(lost) = self.current else { return };
        let is_fine = base == Some(lost) || hash == Some(lost) || self.named.contains(lost);
        if !is_fine {
            self.wrong.push(Wrong::Overwritten { seq, file: self.file.to_owned(), lost: lost.to_owned() });
        }
    }

    /// Goes over writes that were told to nobody, if they lead to this.
    fn pass_untold(&mut self, to: Option<&'a str>) {
        if let Some(way) = self.way(to) {
            self.open.retain(|open| !way.iter().any(|write| std::ptr::eq(*open, *write)));
            self.current = to;
            return;
        }
        // What was merged in the moment of a kill stands on anything; and of what nobody answered the content is not known.
        let is_it =
            |write: &&Write| matches!(&write.outcome, Outcome::Written(Some(hash)) if Some(&**hash) == to);
        let may_be =
            |write: &&Write| write.outcome == Outcome::Unknown && write.base.as_deref() != self.current;
        let place = self.open.iter().position(is_it).or_else(|| self.open.iter().position(may_be));
        if let Some(place) = place.filter(|_| self.was_killed) {
            self.open.remove(place);
            self.current = to;
        }
    }

    /// The shortest way from what is there to this, over writes of which the channel may not know.
    fn way(&self, to: Option<&str>) -> Option<Vec<&'a Write>> {
        let mut ways: VecDeque<Vec<&'a Write>> = VecDeque::from([Vec::new()]);
        let mut seen = BTreeSet::from([self.current]);
        while let Some(way) = ways.pop_front() {
            let from = way.last().map_or(self.current, |last| Some(written(last)));
            if from == to {
                return Some(way);
            }
            for write in self.open.iter().filter(|write| self.may_be_untold(write)) {
                if write.base.as_deref() == from && seen.insert(Some(written(write))) {
                    ways.push_back(way.iter().copied().chain([*write]).collect());
                }
            }
        }
        None
    }

    /// What was answered may be told to nobody only when the server was killed.
    fn may_be_untold(&self, write: &Write) -> bool {
        write.outcome == Outcome::Unknown || self.was_killed
    }

    fn ends(&mut self, run: &Run, last: Option<&'a str>) {
        self.pass_untold(last);
        if run.events.iter().any(|told| told.kind == "facts_dropped") {
            return;
        }
        for write in std::mem::take(&mut self.open) {
            let hash = written(write);
            // Whoever read it afterwards went out from it: then it was there, and a kill kept the word of it.
            let was_read = run.writes.iter().any(|other| other.base.as_deref() == Some(hash));
            let is_somewhere = self.named.contains(hash) || (self.was_killed && was_read);
            if matches!(write.outcome, Outcome::Written(_)) && !is_somewhere {
                let (file, by) = (self.file.to_owned(), write.by.clone());
                self.wrong.push(Wrong::WriteLost { file, by, hash: hash.to_owned() });
            }
        }
        if self.current != last {
            let (last, told) = (last.map(str::to_owned), self.current.map(str::to_owned));
            self.wrong.push(Wrong::EndsElsewhere { file: self.file.to_owned(), last, told });
        }
    }
}

/// What is there when a write was done.
fn written(write: &Write) -> &str {
    match &write.outcome {
        Outcome::Written(Some(hash)) => hash,
        _ => &write.proposed,
    }
}

/// Writes that were accepted under a number that was over when they began.
fn late(run: &Run, over: &Over) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for write in run.writes.iter().filter(|write| matches!(write.outcome, Outcome::Written(_))) {
        let ended = write.fence.and_then(|fence| over.get(&fence).map(|(at, seq)| (fence, *at, *seq)));
        if let Some((fence, at, seq)) = ended
            && at.0 + CUT_MICROS < write.begun.0
        {
            wrong.push(Wrong::LateWrite { file: write.file.clone(), by: write.by.clone(), fence, seq });
        }
    }
    wrong
}
