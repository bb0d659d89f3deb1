//! Taking a message in, exactly once: by its id for ever, by its device's number, by its words while it waits. Pure.

use serde_json::json;

use super::decide::{Decision, Effect, Policy, Told};
use super::ledger::Ledger;
use super::lifetime::revive;
use super::live::Interruption;
use super::messages::Submit;
use super::state::{State, Turn};
use crate::clock::Timestamp;
use crate::event::{By, Event, SubmitMode};
use crate::ids::{MessageId, Seq};
use crate::refusal::{Code, Refusal};

/// How many messages may wait in one session. People queue a handful; a script that gets further should wait for answers.
pub const MAX_QUEUED: usize = 256;

/// Decides a message: whether it is new, whether it may be accepted now, and what it does to the turn that runs.
pub(super) fn decide_submit(
    state: &State,
    ledger: &Ledger,
    by: &By,
    submit: &Submit,
    now: Timestamp,
    policy: &Policy,
) -> Decision {
    if let Some(known) = known_message(ledger, submit) {
        return known;
    }
    if let Some(number) = submit.device_seq {
        let expected = ledger.next_number(&by.device_id);
        if number < expected {
            return known_number(ledger, by, submit, number, expected);
        }
        if number > expected {
            return Decision::Early { number, expected };
        }
    } else if submit.message_id.is_none()
        && let Some(same) = same_message_waiting(state, by, submit, now, policy)
        && let Some(accepted) = ledger.message(same)
    {
        return already_accepted(same, accepted.seq);
    }
    if state.queue.len() >= MAX_QUEUED {
        let message = "Too many messages wait in this session. Wait for an answer, or cancel some of them.";
        return Decision::Refuse(Refusal::new(Code::QueueFull, message).with_retry_after(5));
    }
    let message_id = submit.message_id.unwrap_or_else(MessageId::random);
    let accepted = Event::MessageAccepted {
        message_id,
        device_id: by.device_id.clone(),
        user_id: by.user_id.clone(),
        content: submit.content.clone(),
        mode: submit.mode,
        device_seq: submit.device_seq,
    };
    let interrupted = state.turn.iter().filter(|_| submit.mode == SubmitMode::Now);
    let interrupt = |turn: &Turn| Effect::Interrupt {
        interruption: Interruption::of_person(by),
        message: turn.message.message,
    };
    let mut events: Vec<Event> = revive(state, now, policy).into_iter().collect();
    events.push(accepted);
    Decision::Do {
        answer: Told::Accepted { message_id, seq: state.head + events.len() as Seq, duplicate: false },
        effects: interrupted.map(interrupt).collect(),
        events,
    }
}

fn already_accepted(message_id: MessageId, seq: Seq) -> Decision {
    Decision::Do {
        events: Vec::new(),
        effects: Vec::new(),
        answer: Told::Accepted { message_id, seq, duplicate: true },
    }
}

/// A message whose id was accepted before, however long ago.
pub(super) fn known_message(ledger: &Ledger, submit: &Submit) -> Option<Decision> {
    let message_id = submit.message_id?;
    let accepted = ledger.message(message_id)?;
    if accepted.digest == submit.content.digest() {
        return Some(already_accepted(message_id, accepted.seq));
    }
    let message = "Another message was accepted under this messageId. Give a new message a new id.";
    Some(Decision::Refuse(
        Refusal::new(Code::MessageIdReused, message).with_details(json!({ "seq": accepted.seq })),
    ))
}

/// A message whose number was used before: the same again, or a mistake in counting.
fn known_number(ledger: &Ledger, by: &By, submit: &Submit, number: u64, expected: u64) -> Decision {
    if submit.message_id.is_none()
        && let Some(message) = ledger.numbered(&by.device_id, number)
        && let Some(accepted) = ledger.message(message)
        && accepted.digest == submit.content.digest()
    {
        return already_accepted(message, accepted.seq);
    }
    Decision::Refuse(out_of_order(expected))
}

/// The refusal of a message that does not follow the one before it in its device's numbering.
#[must_use]
pub(super) fn out_of_order(expected: u64) -> Refusal {
    let message = format!("The deviceSeq of this message is not the next one: {expected} is expected.");
    Refusal::new(Code::OutOfOrder, message).with_details(json!({ "expected": expected }))
}

/// An equal message of the same device that still waits or runs, accepted within the window.
fn same_message_waiting(
    state: &State,
    by: &By,
    submit: &Submit,
    now: Timestamp,
    policy: &Policy,
) -> Option<MessageId> {
    let fingerprint = submit.content.fingerprint(state.session, &by.device_id);
    let waiting = state.queue.iter().chain(state.turn.as_ref().map(|turn| &turn.message));
    let mut recent = waiting.filter(|queued| now < queued.accepted_at.plus(policy.dedup_window));
    let same =
        recent.find(|queued| queued.content.fingerprint(state.session, &queued.device) == fingerprint)?;
    Some(same.message)
}
