//! Whether each message was accepted once, as what was sent, where its answer said, and none that nobody sent.

use std::collections::BTreeMap;

use tandem_actors::content::Content;
use tandem_actors::ids::{DeviceId, MessageId, Seq};

use serde::Deserialize;

use super::End;
use super::agreed::Agreed;
use super::facts::Fact;
use super::fault::Wrong;
use super::op::{Answer, Moment, Op, What};
use super::placed::Placed;
use super::tape::Tape;

/// Judges all messages, and says where those are that are there.
pub(super) fn check(tapes: &[Tape], agreed: &Agreed<'_>, end: End, placed: &mut Vec<Placed>) -> Vec<Wrong> {
    let mut messages: BTreeMap<MessageId, Message<'_>> = BTreeMap::new();
    for tape in tapes {
        for op in &tape.ops {
            if let What::Submit { message, content } = &op.what {
                messages.entry(*message).or_default().sent.push(Sent { device: &tape.device, content, op });
            }
        }
    }
    for fact in agreed.events().filter(|fact| fact.is_kind("message_accepted")) {
        if let Ok(accepted) = serde_json::from_slice::<Accepted>(&fact.data) {
            messages.entry(accepted.message_id).or_default().found.push((fact, accepted));
        }
    }
    let mut wrong = Vec::new();
    for (id, message) in &messages {
        message.check_answers(*id, &mut wrong);
        message.check_presence(*id, agreed, end, &mut wrong);
        if let Some(place) = message.check_event(*id, &mut wrong) {
            wrong.extend(place.wrong());
            placed.push(place);
        }
    }
    wrong
}

/// All that was asked and seen of a message.
#[derive(Default)]
struct Message<'a> {
    sent: Vec<Sent<'a>>,
    found: Vec<(&'a Fact, Accepted)>,
}

/// One time that it was sent, by whom, and what came of it.
struct Sent<'a> {
    device: &'a str,
    content: &'a Content,
    op: &'a Op,
}

/// The fields of `message_accepted` that can be told from what was sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    message_id: MessageId,
    device_id: DeviceId,
    content: Content,
}

impl Message<'_> {
    /// When it was accepted for the first time, and where that was said to be.
    fn told(&self) -> Option<(Moment, Seq)> {
        let told = self.sent.iter().filter_map(|sent| match sent.op.answer {
            Some((at, Answer::Accepted { seq, .. })) => Some((at, seq)),
            _ => None,
        });
        told.min()
    }

    fn check_answers(&self, message: MessageId, wrong: &mut Vec<Wrong>) {
        let Some((_, first)) = self.told() else { return };
        let mut new = 0;
        for sent in &self.sent {
            let Some((_, Answer::Accepted { seq, is_duplicate })) = sent.op.answer else { continue };
            new += usize::from(!is_duplicate);
            if seq != first {
                wrong.push(Wrong::AnswersDiffer { message, first, second: seq });
            }
        }
        if new > 1 {
            wrong.push(Wrong::AcceptedAgain { message, times: new });
        }
    }

    fn check_presence(&self, message: MessageId, agreed: &Agreed<'_>, end: End, wrong: &mut Vec<Wrong>) {
        let told = self.told().map(|(_, seq)| seq);
        let Some((first, _)) = self.found.first() else {
            let should_be_seen =
                |seq: &Seq| *seq >= agreed.start() && (*seq <= agreed.head() || end >= End::CaughtUp);
            if let Some(told) = told.filter(should_be_seen) {
                wrong.push(Wrong::MessageLost { message, told });
            }
            return;
        };
        let seq = first.seq;
        if self.found.len() > 1 {
            wrong.push(Wrong::MessageTwice { message, seq, times: self.found.len() });
        }
        if let Some(told) = told.filter(|told| self.found.iter().all(|(fact, _)| fact.seq != *told)) {
            wrong.push(Wrong::MessageElsewhere { message, told, seq });
        }
    }

    /// Looks at what stands in the log, and says where.
    fn check_event(&self, message: MessageId, wrong: &mut Vec<Wrong>) -> Option<Placed> {
        let (fact, accepted) = self.found.first()?;
        let seq = fact.seq;
        if self.sent.is_empty() {
            wrong.push(Wrong::Stranger { message, seq });
            return None;
        }
        let mut may_be = self.sent.iter().filter(|sent| !sent.op.was_refused()).peekable();
        if may_be.peek().is_none() {
            wrong.push(Wrong::RefusedAndDone { what: format!("message {message}"), seq });
            return None;
        }
        let begun = may_be.clone().map(|sent| sent.op.begun).min()?;
        let is_it = |sent: &Sent<'_>| {
            sent.device == accepted.device_id.as_str() && sent.content.digest() == accepted.content.digest()
        };
        if !may_be.any(is_it) {
            wrong.push(Wrong::MessageChanged { message, seq });
        }
        Some(Placed::new(fact, begun, self.told().map(|(at, _)| at)))
    }
}
