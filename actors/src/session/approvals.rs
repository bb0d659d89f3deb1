//! Answering the agent's questions: by the first person who does, or by the policy when nobody does. Pure.

use chrono::TimeDelta;
use serde_json::json;

use super::decide::{Decision, Effect, Policy, Told, refuse};
use super::ledger::{Ledger, Resolved};
use super::live::Interruption;
use super::messages::Verdict;
use super::state::{Pending, State};
use crate::agent::Decision as Permission;
use crate::clock::Timestamp;
use crate::event::{By, Event, Resolution};
use crate::ids::RequestId;
use crate::metrics::Worded;
use crate::refusal::{Code, Refusal};

/// Denials in one turn after which the turn is interrupted: a model that was told no ten times tries the same again and
/// again, and a person should say what is wanted instead.
const MAX_DENIALS: u32 = 10;

/// Decides an answer to an approval: the first one counts.
pub(super) fn decide_approve(
    state: &State,
    ledger: &Ledger,
    by: &By,
    request: &RequestId,
    verdict: &Verdict,
    now: Timestamp,
) -> Decision {
    let Some(pending) = state.approvals.iter().find(|pending| pending.approval.request_id == *request) else {
        if let Some(resolved) = ledger.resolved(request) {
            return Decision::Refuse(answered_before(resolved));
        }
        return refuse(Code::ApprovalNotFound, "The agent asked nothing under this requestId.");
    };
    let (event, effects) = match verdict {
        Verdict::Allow { updated_input, for_session } => {
            let input = updated_input.clone().unwrap_or_else(|| pending.approval.input.clone());
            let remember = for_session.then(|| pending.approval.suggestions.clone()).flatten();
            let decision = Permission::Allow { input, remember };
            let answer = Effect::Answer { request: request.clone(), decision };
            (resolved(pending, Resolution::Allow, Some(by), None, now), vec![answer])
        }
        Verdict::Deny { message } => {
            let given = message.clone().filter(|text| !text.trim().is_empty());
            let message =
                given.unwrap_or_else(|| "The person at the other end does not want this.".to_owned());
            deny(state, pending, Some(by), message, 1, now)
        }
    };
    Decision::Do { events: vec![event], effects, answer: Told::Done }
}

/// When the policy will answer for people, if nobody does before.
#[must_use]
pub(super) fn next_overdue(state: &State, policy: &Policy) -> Option<Timestamp> {
    let is_on = policy.deny_after > TimeDelta::zero();
    let waiting = state.approvals.iter().filter(|_| is_on);
    waiting.map(|pending| pending.asked_at.plus(policy.deny_after)).min()
}

/// Denies what has waited for too long. The model is told that nobody was there, which is not the same as a no.
pub(super) fn deny_overdue(state: &State, now: Timestamp, policy: &Policy) -> (Vec<Event>, Vec<Effect>) {
    let (mut events, mut effects) = (Vec::new(), Vec::new());
    let is_overdue = |pending: &&Pending| now >= pending.asked_at.plus(policy.deny_after);
    if next_overdue(state, policy).is_none() {
        return (events, effects);
    }
    let overdue = state.approvals.iter().filter(is_overdue);
    for (place, pending) in (1..).zip(overdue) {
        let minutes = policy.deny_after.num_minutes();
        let message = format!(
            "Nobody answered within {minutes} minutes, so this was not allowed. Go on without it, or end the turn and say what you need."
        );
        let (event, more) = deny(state, pending, None, message, place, now);
        events.push(event);
        effects.extend(more);
    }
    (events, effects)
}

/// The `place`th denial of one batch: what is journalled, and what the agent is told.
fn deny(
    state: &State,
    pending: &Pending,
    by: Option<&By>,
    message: String,
    place: u32,
    now: Timestamp,
) -> (Event, Vec<Effect>) {
    let request = pending.approval.request_id.clone();
    let event = resolved(pending, Resolution::Deny, by, Some(message.clone()), now);
    let mut effects = vec![Effect::Answer { request, decision: Permission::Deny { message } }];
    if let Some(turn) = state.turn.as_ref().filter(|turn| turn.denials + place >= MAX_DENIALS) {
        let reason =
            format!("{MAX_DENIALS} requests of the agent were denied in this turn, so it was ended.");
        let interruption = Interruption { by: by.cloned(), reason: Some(reason) };
        effects.push(Effect::Interrupt { interruption, message: turn.message.message });
    }
    (event, effects)
}

fn resolved(
    pending: &Pending,
    decision: Resolution,
    by: Option<&By>,
    message: Option<String>,
    now: Timestamp,
) -> Event {
    Event::ApprovalResolved {
        request_id: pending.approval.request_id.clone(),
        decision,
        by: by.cloned(),
        message,
        waited_ms: now.millis_since(pending.asked_at),
    }
}

/// Says who was faster, and what they said.
fn answered_before(resolved: &Resolved) -> Refusal {
    let word = resolved.decision.word();
    let message = match &resolved.by {
        Some(by) => format!("The device {} answered this before ({word}).", by.device_id),
        None => format!("The agent does not wait for this any more ({word})."),
    };
    let details = json!({ "decision": word, "by": resolved.by, "seq": resolved.seq });
    Refusal::new(Code::AlreadyResolved, message).with_details(details)
}
