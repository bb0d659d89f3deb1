//! Whether each other command was done once if it was said to be done, and not at all if it was refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::End;
use super::agreed::Agreed;
use super::facts::Fact;
use super::fault::Wrong;
use super::op::{Answer, Moment, Op, What};
use super::patches::{Patches, Written, patch_as_asked};
use super::placed::Placed;
use super::tape::Tape;

/// Judges all commands that are no messages, and says where those are that are there.
///
/// A command and its event are known for each other by their kind, device and fields. Equal commands of one device cannot be
/// told apart: they are counted, and where all of them were done they are taken in order.
pub(super) fn check(tapes: &[Tape], agreed: &Agreed<'_>, end: End, placed: &mut Vec<Placed>) -> Vec<Wrong> {
    let mut commands: BTreeMap<String, Command<'_>> = BTreeMap::new();
    let patches = Patches::find(tapes, agreed);
    for (number, tape) in tapes.iter().enumerate() {
        for (place, op) in tape.ops.iter().enumerate() {
            if let Some(mark) = mark_of_op(&tape.device, op, patches.of(number, place)) {
                commands.entry(mark).or_default().asked.push(op);
            }
        }
    }
    for fact in agreed.events() {
        if let Some(mark) = mark_of_event(fact) {
            commands.entry(mark).or_default().found.push(fact);
        }
    }
    let mut wrong = Vec::new();
    for (mark, command) in &mut commands {
        command.asked.sort_by_key(|op| op.begun);
        command.check(mark, agreed, end, &mut wrong);
        for place in command.places() {
            wrong.extend(place.wrong());
            placed.push(place);
        }
    }
    wrong
}

/// Equal commands of one device, and the events that look like them.
#[derive(Default)]
struct Command<'a> {
    asked: Vec<&'a Op>,
    found: Vec<&'a Fact>,
}

impl Command<'_> {
    fn check(&self, mark: &str, agreed: &Agreed<'_>, end: End, wrong: &mut Vec<Wrong>) {
        let times = self.found.len();
        let done = self.asked.iter().filter(|op| op.is_done()).count();
        let possible = self.asked.iter().filter(|op| !op.was_refused()).count();
        let is_seen_whole = agreed.start() == 1 && end >= End::CaughtUp;
        for op in &self.asked {
            let Some((_, Answer::Done { seq: Some(told) })) = op.answer else { continue };
            let is_within = told >= agreed.start() && told <= agreed.head();
            if is_within && self.found.iter().all(|fact| fact.seq != told) {
                wrong.push(Wrong::CommandElsewhere { what: mark.to_owned(), told });
            }
        }
        if times < done && is_seen_whole {
            wrong.push(Wrong::CommandLost { what: mark.to_owned() });
        }
        let Some(first) = self.found.first().filter(|_| times > possible) else { return };
        if possible > 0 {
            wrong.push(Wrong::CommandTwice { what: mark.to_owned(), times, asked: possible });
        } else if !self.asked.is_empty() {
            wrong.push(Wrong::RefusedAndDone { what: mark.to_owned(), seq: first.seq });
        } else if first.is_kind("state_changed") && !moves_a_draft(first) {
            // Messages are also cancelled by an interrupt and by the end of a session, which nobody records.
            wrong.push(Wrong::StrangeChange { seq: first.seq });
        }
    }

    /// Which is which, where that is certain.
    fn places(&self) -> Vec<Placed> {
        let possible: Vec<&&Op> = self.asked.iter().filter(|op| !op.was_refused()).collect();
        let are_all_done = possible.iter().all(|op| op.is_done());
        if possible.len() != self.found.len() || (possible.len() > 1 && !are_all_done) {
            return Vec::new();
        }
        let answered = |op: &Op| op.answer.filter(|_| op.is_done()).map(|(at, _): (Moment, Answer)| at);
        let pairs = possible.into_iter().zip(&self.found);
        pairs.map(|(op, fact)| Placed::new(fact, op.begun, answered(op))).collect()
    }
}

fn mark_of_op(device: &str, op: &Op, written: Option<&Written>) -> Option<String> {
    match &op.what {
        What::Submit { .. } => None,
        What::Edit { message, content } => {
            Some(mark("message_edited", &json!(device), &json!([message, content])))
        }
        What::Cancel { message } => Some(mark("message_cancelled", &json!(device), &json!(message))),
        // Nothing moves, and so nothing is written.
        What::Move { message, before } if *before == Some(*message) => None,
        What::Move { message, before } => {
            Some(mark("queue_moved", &json!(device), &json!([message, before])))
        }
        What::Patch(patch) => match written {
            Some(Written::Nothing) => None,
            Some(Written::As(named)) => Some(mark("state_changed", &json!(device), &json!(named))),
            None => Some(mark("state_changed", &json!(device), &json!(patch))),
        },
    }
}

fn mark_of_event(fact: &Fact) -> Option<String> {
    let kind = std::str::from_utf8(&fact.kind).ok()?;
    if !["message_edited", "message_cancelled", "queue_moved", "state_changed"].contains(&kind) {
        return None;
    }
    let data = fact.parsed();
    let fields = match kind {
        "message_edited" => json!([data["messageId"], data["content"]]),
        "message_cancelled" => data["messageId"].clone(),
        "queue_moved" => json!([data["messageId"], data["before"]]),
        _ => json!(patch_as_asked(&data)),
    };
    Some(mark(kind, &data["by"]["deviceId"], &fields))
}

/// Whether it can be what a hand-over takes along: what was being written here goes on there.
fn moves_a_draft(fact: &Fact) -> bool {
    let patch = patch_as_asked(&fact.parsed());
    patch.keys().all(|key| key.starts_with("draft.")) && patch.values().any(Value::is_null)
}

fn mark(kind: &str, device: &Value, fields: &Value) -> String {
    format!("{kind} by {device} of {fields}")
}
