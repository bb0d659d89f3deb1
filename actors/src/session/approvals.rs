//! Answering the agent's questions. Pure.

use super::decide::{Decision, Effect, Told, refuse};
use super::ledger::Ledger;
use super::messages::Verdict;
use super::state::State;
use crate::agent::Decision as Permission;
use crate::clock::Timestamp;
use crate::event::{By, Event, Resolution};
use crate::ids::RequestId;
use crate::refusal::Code;

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
        if ledger.is_resolved(request) {
            return refuse(
                Code::AlreadyResolved,
                "Somebody answered this before, or the agent no longer asks.",
            );
        }
        return refuse(Code::ApprovalNotFound, "The agent asked nothing under this requestId.");
    };
    let (resolution, message, decision) = match verdict {
        Verdict::Allow { updated_input, for_session } => {
            let input = updated_input.clone().unwrap_or_else(|| pending.approval.input.clone());
            let remember = for_session.then(|| pending.approval.suggestions.clone()).flatten();
            (Resolution::Allow, None, Permission::Allow { input, remember })
        }
        Verdict::Deny { message } => {
            let given = message.clone().filter(|text| !text.trim().is_empty());
            let message =
                given.unwrap_or_else(|| "The person at the other end does not want this.".to_owned());
            (Resolution::Deny, Some(message.clone()), Permission::Deny { message })
        }
    };
    let resolved = Event::ApprovalResolved {
        request_id: request.clone(),
        decision: resolution,
        by: Some(by.clone()),
        message,
        waited_ms: now.millis_since(pending.asked_at),
    };
    Decision::Do {
        events: vec![resolved],
        effects: vec![Effect::Answer { request: request.clone(), decision }],
        answer: Told::Done,
    }
}
