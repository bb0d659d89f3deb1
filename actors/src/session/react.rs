//! What the agent says, and what follows from it: events, effects, and changes of what is only live.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::backoff::{Next, after_failure, fatal_exit, fatal_result};
use super::live::{Live, Phase, conversation_instead};
use super::salvage::salvage_known;
use super::state::{State, Turn};
use crate::agent::{AgentOutput, Conversation, Exit, ExitCause, Init, TurnResult};
use crate::clock::Timestamp;
use crate::event::{Approval, Event, MadeUp, Outcome, Resolution, StopReason};
use crate::ids::MessageId;
use crate::journal::TranscriptLine;

/// Takes in one output and returns the events to be journalled.
///
/// `Hook`, `Transcript` and `Garbage` lead to no event; the last two are not handed in here.
pub fn react(state: &State, live: &mut Live, output: &AgentOutput, now: Timestamp) -> Vec<Event> {
    match output {
        AgentOutput::Ready { pid, version } => ready(live, *pid, version.as_ref()),
        AgentOutput::Started(message) => started(state, *message),
        AgentOutput::AlreadyKnown(message) => {
            live.already_known = Some(*message);
            Vec::new()
        }
        AgentOutput::Message(line) => {
            take_note(live, line.get());
            vec![Event::AgentMessage { message: line.clone() }]
        }
        AgentOutput::Init(init) => described(state, live, init),
        AgentOutput::Delta { text, .. } => {
            live.answer.grow(text);
            Vec::new()
        }
        AgentOutput::Asks(approval) => asked(state, approval),
        AgentOutput::Withdraws(request) => {
            let withdrawn = state.approvals.iter().filter(|pending| pending.approval.request_id == *request);
            withdrawn
                .map(|pending| resolve(&pending.approval, pending.asked_at, Resolution::Withdrawn, now))
                .collect()
        }
        AgentOutput::Result(result) => turn_over(state, live, result, now),
        AgentOutput::Exited(exit) => gone(state, live, exit, now),
        // What waits for a lock is answered by the session's guard, and journalled nowhere.
        AgentOutput::Hook(_) | AgentOutput::Transcript(_) | AgentOutput::Garbage { .. } => Vec::new(),
    }
}

/// The turn that can be dispatched now, if any.
///
/// One message, one turn: the next is dispatched when the one before has ended. A turn that was dispatched to an
/// agent which is gone and had not taken it up is dispatched again, with the same id.
#[must_use]
pub fn next_dispatch(state: &State, live: &Live) -> Option<Event> {
    let is_leaving = live.parked.is_some() || live.end_after_turn.is_some();
    if live.agent != Phase::Ready || is_leaving || state.is_closed || state.is_expired {
        return None;
    }
    match &state.turn {
        None => match state.queue.front() {
            Some(next) => {
                let turn = state.turns + 1;
                Some(Event::TurnDispatched { message_id: next.message, turn, attempt: 1, made_up: None })
            }
            None if live.wants_recap => Some(Event::TurnDispatched {
                message_id: MessageId::random(),
                turn: state.turns + 1,
                attempt: 1,
                made_up: Some(MadeUp::Recap),
            }),
            None => None,
        },
        Some(turn) if turn.started_at.is_none() && live.written.is_none() => Some(Event::TurnDispatched {
            message_id: turn.message.message,
            turn: turn.number,
            attempt: turn.attempt + 1,
            made_up: turn.made_up,
        }),
        Some(_) => None,
    }
}

/// Whether an agent is needed and there is none.
#[must_use]
pub fn wants_agent(state: &State, live: &Live) -> bool {
    let has_work = !state.queue.is_empty() || state.turn.is_some() || live.wants_recap;
    let may_work = !state.is_closed && !state.is_expired && live.parked.is_none();
    has_work && may_work && live.agent == Phase::None
}

/// What must be journalled when a session is loaded that was not at rest: its agent is gone, whatever it did.
///
/// A turn that the agent had taken up ends as `lost`: nobody re-runs it behind anyone's back, its sender may send it
/// again. One that it had not acknowledged stays, and is dispatched again. Doing this twice does nothing more.
#[must_use]
pub fn recover(state: &State, now: Timestamp) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for pending in &state.approvals {
        events.push(resolve(&pending.approval, pending.asked_at, Resolution::Lost, now));
    }
    if let Some(turn) = state.turn.as_ref().filter(|_| state.is_closed) {
        events.push(ended(turn, Outcome::Interrupted, now, Some("The session was closed.".to_owned())));
    } else if let Some(turn) = state.turn.as_ref().filter(|turn| turn.started_at.is_some()) {
        let error = "The server was interrupted in the middle of this turn. Send the message again if it is still wanted.";
        events.push(ended(turn, Outcome::Lost, now, Some(error.to_owned())));
    }
    if state.has_agent {
        let detail = Some("the server was interrupted".to_owned());
        events.push(Event::AgentStopped { reason: StopReason::Crashed, exit_code: None, detail });
    }
    events
}

fn ready(live: &mut Live, pid: Option<u32>, version: Option<&String>) -> Vec<Event> {
    live.agent = Phase::Ready;
    live.pid = pid;
    live.version = version.cloned().or_else(|| live.version.take());
    live.conversation_next = None;
    let resumed = matches!(live.conversation, Some(Conversation::Resume(_)));
    vec![Event::AgentStarted { resumed, version: live.version.clone() }]
}

fn started(state: &State, message: MessageId) -> Vec<Event> {
    match &state.turn {
        Some(turn) if turn.message.message == message && turn.started_at.is_none() => {
            vec![Event::TurnStarted { message_id: message, turn: turn.number }]
        }
        Some(_) | None => Vec::new(),
    }
}

/// The agent was given this message before and does not run it again: its turn took place, unseen. `written` is what it
/// wrote down of the conversation.
pub fn already_known(
    state: &State,
    live: &mut Live,
    message: MessageId,
    written: &[TranscriptLine],
    now: Timestamp,
) -> Vec<Event> {
    let Some(turn) = state.turn.as_ref().filter(|turn| turn.message.message == message) else {
        return Vec::new();
    };
    live.begin_turn();
    let events = salvage_known(state, message, written, now);
    if !events.is_empty() {
        return events;
    }
    let error =
        "The agent had answered this message before the server was interrupted; the answer was not kept.";
    vec![ended(turn, Outcome::Lost, now, Some(error.to_owned()))]
}

fn described(state: &State, live: &mut Live, init: &Init) -> Vec<Event> {
    live.version = init.version.clone().or_else(|| live.version.take());
    if state.last_init.as_deref() == Some(&init.comparable) {
        return Vec::new();
    }
    vec![Event::AgentMessage { message: init.line.clone() }]
}

fn asked(state: &State, approval: &Approval) -> Vec<Event> {
    let is_known = state.approvals.iter().any(|pending| pending.approval.request_id == approval.request_id);
    if is_known { Vec::new() } else { vec![Event::ApprovalRequested(approval.clone())] }
}

fn turn_over(state: &State, live: &mut Live, result: &TurnResult, now: Timestamp) -> Vec<Event> {
    let mut events = vec![Event::AgentMessage { message: result.line.clone() }];
    let cost_usd = result.total_cost_usd.map(|total| state.cost_of_turn(total));
    let Some(turn) = state.turn.as_ref().filter(|turn| answers(result, turn)) else {
        return events;
    };
    for pending in &state.approvals {
        events.push(resolve(&pending.approval, pending.asked_at, Resolution::Withdrawn, now));
    }
    let is_interrupted = result.is_interrupted || (result.is_error && live.interruption.is_some());
    let outcome = match (is_interrupted, result.is_error) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Failed,
        (false, false) => Outcome::Completed,
    };
    let is_failed = outcome == Outcome::Failed;
    let interruption = live.interruption.take().filter(|_| outcome == Outcome::Interrupted);
    let reason = interruption.as_ref().and_then(|interruption| interruption.reason.clone());
    events.push(Event::TurnEnded {
        message_id: turn.message.message,
        turn: turn.number,
        outcome,
        text: result.text.clone().filter(|_| !is_failed),
        error: result.text.clone().filter(|_| is_failed).or(reason),
        duration_ms: now.millis_since(turn.started_at.unwrap_or(turn.dispatched_at)),
        usage: result.usage.clone(),
        cost_usd,
        by: interruption.and_then(|interruption| interruption.by),
    });
    if let Some(advice) = fatal_result(result) {
        live.parked = Some(advice.to_owned());
        live.end_after_turn = Some(StopReason::Crashed);
    } else if !result.is_error {
        live.failures = 0;
    }
    live.begin_turn();
    events
}

/// Whether a result ends this turn: it names its message. A result that names none ends a turn which the agent began
/// by itself, for instance when a command in the background has finished (measured on 2.1.328).
fn answers(result: &TurnResult, turn: &Turn) -> bool {
    result.answers.contains(&turn.message.message.uuid())
}

fn gone(state: &State, live: &mut Live, exit: &Exit, now: Timestamp) -> Vec<Event> {
    // Its end is told by its exit and once more by the end of its output; by then another one may be waiting for a place.
    if !live.has_process() {
        return Vec::new();
    }
    let before = live.clone();
    live.forget_agent();
    let is_refused_conversation =
        matches!(exit.cause, ExitCause::ConversationExists | ExitCause::NoConversation);
    if let (true, None, Some(refused)) =
        (is_refused_conversation, before.conversation_next, before.conversation)
    {
        live.conversation_next = Some(conversation_instead(refused));
        return Vec::new();
    }
    live.conversation_next = None;
    let mut events = Vec::new();
    for pending in &state.approvals {
        events.push(resolve(&pending.approval, pending.asked_at, Resolution::Lost, now));
    }
    let reason = before.why_it_ends().unwrap_or(StopReason::Crashed);
    let was_asked = before.stopping.is_some();
    let detail = if reason == StopReason::Crashed && !was_asked { count_failure(live, exit) } else { None };
    // A message that it had not taken up is given to the next one, unless we ended this one over it.
    let is_by_us = state.has_agent && (before.why_it_ends().is_some() || before.interruption.is_some());
    let is_over = |turn: &Turn| {
        let was_written = before.written == Some(turn.message.message);
        turn.started_at.is_some() || (is_by_us && was_written) || state.is_closed
    };
    if let Some(turn) = state.turn.as_ref().filter(|turn| is_over(turn)) {
        events.push(cut_off(turn, &before, exit, now));
    } else if let Some(problem) = live.parked.clone().filter(|_| before.parked.is_none()) {
        events.extend(fail_next(state, live.wants_recap, &problem, now));
        live.wants_recap &= !state.queue.is_empty();
    }
    if state.has_agent || reason == StopReason::Crashed {
        events.push(Event::AgentStopped { reason, exit_code: exit.code, detail });
    }
    events
}

/// Counts a failure, decides when the next start is, and says so.
fn count_failure(live: &mut Live, exit: &Exit) -> Option<String> {
    live.failures += 1;
    let how = say(exit);
    if let Some(advice) = fatal_exit(exit) {
        live.parked = Some(advice.to_owned());
        return Some(format!("{how}; {advice}"));
    }
    match after_failure(live.failures) {
        Next::StartAfter(Duration::ZERO) => Some(how),
        Next::StartAfter(wait) => {
            live.start_not_before = Some(Instant::now() + wait);
            Some(format!("{how}; it is started again in {} s", wait.as_secs()))
        }
        Next::Park => {
            let problem = format!(
                "The agent failed {} times in a row ({how}). Send a message to try again.",
                live.failures
            );
            live.parked = Some(problem);
            Some(format!("{how}; it is left alone until somebody sends a message"))
        }
    }
}

/// The end of a turn whose agent is gone.
fn cut_off(turn: &Turn, before: &Live, exit: &Exit, now: Timestamp) -> Event {
    let (outcome, error) = match before.why_it_ends() {
        _ if before.interruption.is_some() => {
            let reason = before.interruption.as_ref().and_then(|interruption| interruption.reason.as_deref());
            let obeys_not = "The agent did not obey and was ended.";
            let error = reason.map_or_else(|| obeys_not.to_owned(), |reason| format!("{reason} {obeys_not}"));
            (Outcome::Interrupted, error)
        }
        Some(StopReason::Closed) => (Outcome::Interrupted, "The session was closed.".to_owned()),
        Some(StopReason::Shutdown) => (Outcome::Interrupted, "The server was stopped.".to_owned()),
        Some(StopReason::Expired) => (Outcome::Interrupted, "The session expired.".to_owned()),
        Some(StopReason::Hung) => {
            (Outcome::Failed, "The agent was silent for too long and was ended.".to_owned())
        }
        Some(StopReason::Memory) => {
            (Outcome::Failed, "The agent took too much memory and was ended.".to_owned())
        }
        Some(_) | None => {
            (Outcome::Failed, format!("The agent ended in the middle of the turn ({}).", say(exit)))
        }
    };
    let mut event = ended(turn, outcome, now, Some(error));
    if let (Event::TurnEnded { by, .. }, Outcome::Interrupted) = (&mut event, outcome) {
        *by = before.interruption.as_ref().and_then(|interruption| interruption.by.clone());
    }
    event
}

/// No agent can be had for the message that needs one: it fails and says why; the others wait for a person to act.
/// The same for a recap, when nothing else waits.
fn fail_next(state: &State, wants_recap: bool, problem: &str, now: Timestamp) -> Vec<Event> {
    if let Some(turn) = &state.turn {
        return vec![ended(turn, Outcome::Failed, now, Some(problem.to_owned()))];
    }
    let (message_id, made_up) = match state.queue.front() {
        Some(next) => (next.message, None),
        None if wants_recap => (MessageId::random(), Some(MadeUp::Recap)),
        None => return Vec::new(),
    };
    let turn = state.turns + 1;
    let failed = Event::TurnEnded {
        message_id,
        turn,
        outcome: Outcome::Failed,
        text: None,
        error: Some(problem.to_owned()),
        duration_ms: 0,
        usage: None,
        cost_usd: None,
        by: None,
    };
    vec![Event::TurnDispatched { message_id, turn, attempt: 1, made_up }, failed]
}

fn say(exit: &Exit) -> String {
    let how = match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    if exit.last_words.trim().is_empty() { how } else { format!("{how}: {}", exit.last_words.trim()) }
}

fn ended(turn: &Turn, outcome: Outcome, now: Timestamp, error: Option<String>) -> Event {
    Event::TurnEnded {
        message_id: turn.message.message,
        turn: turn.number,
        outcome,
        text: None,
        error,
        duration_ms: now.millis_since(turn.started_at.unwrap_or(turn.dispatched_at)),
        usage: None,
        cost_usd: None,
        by: None,
    }
}

fn resolve(approval: &Approval, asked_at: Timestamp, decision: Resolution, now: Timestamp) -> Event {
    Event::ApprovalResolved {
        request_id: approval.request_id.clone(),
        decision,
        by: None,
        message: None,
        waited_ms: now.millis_since(asked_at),
    }
}

/// Looks into a line for what is only live: a finished block of the answer, tool calls that begin and end.
fn take_note(live: &mut Live, line: &str) {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Message {
        content: Vec<Block>,
    }
    #[derive(Deserialize)]
    struct Block {
        #[serde(rename = "type")]
        kind: String,
        id: Option<String>,
        tool_use_id: Option<String>,
    }
    let has_tools = line.contains("\"tool_use") || line.contains("\"tool_result\"");
    if live.answer.text.is_empty() && !has_tools {
        return;
    }
    let Ok(line) = serde_json::from_str::<Line<'_>>(line) else { return };
    if line.kind == "assistant" {
        live.answer.finish_block();
    }
    let message =
        line.message.filter(|_| has_tools).map(|message| serde_json::from_str::<Message>(message.get()));
    for block in message.and_then(Result::ok).into_iter().flat_map(|message| message.content) {
        match (block.kind.as_str(), block.id, block.tool_use_id) {
            ("tool_use", Some(id), _) => {
                live.open_tools.insert(id);
            }
            ("tool_result", _, Some(id)) => {
                live.open_tools.remove(&id);
            }
            _ => {}
        }
    }
}
