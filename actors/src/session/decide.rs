//! What a command leads to: events and effects, or a refusal. Plain functions on plain data; nothing is touched.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::ledger::Ledger;
use super::lifetime::{due, revive};
use super::messages::{Command, DeviceCard, Submit, Verdict};
use super::state::State;
use crate::agent::Decision as Permission;
use crate::clock::Timestamp;
use crate::event::{By, Event, Resolution, StopReason, SubmitMode};
use crate::ids::{DeviceId, MessageId, RequestId, Seq};
use crate::refusal::{Code, Refusal};

/// How many messages may wait in one session. People queue a handful; a script that gets further should wait for answers.
pub const MAX_QUEUED: usize = 256;

/// The longest title, model name or other word about a session, in bytes.
const MAX_WORD_BYTES: usize = 256;

/// What the agent takes for `--permission-mode`.
const PERMISSION_MODES: [&str; 6] =
    ["default", "acceptEdits", "plan", "bypassPermissions", "dontAsk", "auto"];

/// What the server's configuration says about sessions.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// For how long an equal message without an id is taken for the same one; zero switches it off.
    pub dedup_window: TimeDelta,
    /// How long a session lives after the last activity.
    pub timeout: TimeDelta,
    /// How long before it expires a session is warned; zero for never.
    pub warn_before: TimeDelta,
    /// How long an agent may be silent in a turn, while no tool of it runs and nobody is asked.
    pub hang_after: Duration,
    /// How long an agent may be without work before it is stopped and the conversation kept.
    pub idle_after: Duration,
    /// What an agent and everything that it started may take, in bytes.
    pub max_memory_bytes: u64,
}

impl Default for Policy {
    /// What the server does when nothing is configured.
    fn default() -> Self {
        Self {
            dedup_window: TimeDelta::seconds(10),
            timeout: TimeDelta::hours(24),
            warn_before: TimeDelta::hours(4),
            hang_after: Duration::from_secs(600),
            idle_after: Duration::from_secs(30 * 60),
            max_memory_bytes: 500 << 20,
        }
    }
}

/// What a command leads to.
#[derive(Debug)]
pub enum Decision {
    /// These events, then these effects, then this answer; all of it when the events are durable.
    Do {
        /// What is to be journalled; may be empty.
        events: Vec<Event>,
        /// What is to be done to the agent.
        effects: Vec<Effect>,
        /// What the sender is told.
        answer: Told,
    },
    /// It waits for a message with a lower number.
    Early {
        /// Its own number.
        number: u64,
        /// The number that is missing.
        expected: u64,
    },
    /// Nothing.
    Refuse(Refusal),
}

/// What the sender of a command is told when it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Accepted { message_id: MessageId, seq: Seq, duplicate: bool },
    Done,
    Extended { expires_at: Timestamp },
    View,
}

/// What is to be done to the agent.
#[derive(Debug, Clone)]
pub enum Effect {
    /// End the running turn.
    Interrupt {
        /// Who wants it.
        by: By,
    },
    /// Pass an answer on.
    Answer {
        /// To which question.
        request: RequestId,
        /// What was decided.
        decision: Permission,
    },
    /// Use another model.
    SetModel(String),
    /// Ask for other permissions.
    SetPermissionMode(String),
    /// Have the agent tell what it was about, when no message of a person waits.
    Recap,
    /// End the process.
    StopAgent(StopReason),
}

/// Decides a command of `by` on a session as it is.
#[must_use]
pub fn decide(
    state: &State,
    ledger: &Ledger,
    by: &By,
    command: &Command,
    now: Timestamp,
    policy: &Policy,
) -> Decision {
    let works_when_closed =
        matches!(command, Command::Attach { .. } | Command::Look | Command::Unlink { .. });
    if state.is_closed && !works_when_closed {
        return decide_when_closed(ledger, command);
    }
    match command {
        Command::Submit(submit) => decide_submit(state, ledger, by, submit, now, policy),
        Command::Cancel { message } => match check_queued(state, ledger, *message) {
            Ok(()) => done(vec![Event::MessageCancelled { message_id: *message, by: by.clone() }]),
            Err(refusal) => Decision::Refuse(refusal),
        },
        Command::Edit { message, content } => match check_queued(state, ledger, *message) {
            Ok(()) => done(vec![Event::MessageEdited {
                message_id: *message,
                by: by.clone(),
                content: content.clone(),
            }]),
            Err(refusal) => Decision::Refuse(refusal),
        },
        Command::Move { message, before } => decide_move(state, ledger, by, *message, *before),
        Command::Interrupt { cancel_queued } => decide_interrupt(state, by, *cancel_queued),
        Command::Approve { request, verdict } => decide_approve(state, ledger, by, request, verdict, now),
        Command::Change { title, model, permission_mode } => decide_change(title, model, permission_mode),
        Command::Link(card) => done(link(state, card)),
        Command::Unlink { device } => decide_unlink(state, device),
        Command::KeepAlive => decide_keep_alive(state, now, policy),
        Command::Recap => decide_recap(state, now, policy),
        Command::Tend => decide_tend(state, now, policy),
        Command::Close => decide_close(state, by),
        Command::Attach { device, .. } => {
            let events = if state.is_closed { Vec::new() } else { link(state, device) };
            Decision::Do { events, effects: Vec::new(), answer: Told::View }
        }
        Command::Look => Decision::Do { events: Vec::new(), effects: Vec::new(), answer: Told::View },
    }
}

fn done(events: Vec<Event>) -> Decision {
    Decision::Do { events, effects: Vec::new(), answer: Told::Done }
}

fn refuse(code: Code, message: &str) -> Decision {
    Decision::Refuse(Refusal::new(code, message))
}

fn decide_when_closed(ledger: &Ledger, command: &Command) -> Decision {
    if let Command::Submit(submit) = command
        && let Some(known) = known_message(ledger, submit)
    {
        return known;
    }
    if matches!(command, Command::Close) {
        return done(Vec::new());
    }
    refuse(
        Code::SessionClosed,
        "This session is closed. Its history can be read; to go on, begin a new session.",
    )
}

fn decide_submit(
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
    let interrupts = submit.mode == SubmitMode::Now && state.turn.is_some();
    let mut events: Vec<Event> = revive(state, now, policy).into_iter().collect();
    events.push(accepted);
    Decision::Do {
        answer: Told::Accepted { message_id, seq: state.head + events.len() as Seq, duplicate: false },
        effects: interrupts.then(|| Effect::Interrupt { by: by.clone() }).into_iter().collect(),
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
fn known_message(ledger: &Ledger, submit: &Submit) -> Option<Decision> {
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
pub fn out_of_order(expected: u64) -> Refusal {
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

fn check_queued(state: &State, ledger: &Ledger, message: MessageId) -> Result<(), Refusal> {
    if state.is_queued(message) {
        return Ok(());
    }
    if ledger.message(message).is_some() {
        let text = "This message does not wait any more: it has begun, has ended, or was cancelled.";
        return Err(Refusal::new(Code::NotQueued, text));
    }
    Err(Refusal::new(Code::MessageNotFound, "There is no message with this id in this session."))
}

fn decide_move(
    state: &State,
    ledger: &Ledger,
    by: &By,
    message: MessageId,
    before: Option<MessageId>,
) -> Decision {
    let both = check_queued(state, ledger, message)
        .and_then(|()| before.map_or(Ok(()), |before| check_queued(state, ledger, before)));
    match both {
        Err(refusal) => Decision::Refuse(refusal),
        Ok(()) if before == Some(message) => done(Vec::new()),
        Ok(()) => done(vec![Event::QueueMoved { message_id: message, by: by.clone(), before }]),
    }
}

fn cancel_all(state: &State, by: &By) -> Vec<Event> {
    let cancel = |message_id| Event::MessageCancelled { message_id, by: by.clone() };
    state.queue.iter().map(|queued| cancel(queued.message)).collect()
}

fn decide_interrupt(state: &State, by: &By, cancel_queued: bool) -> Decision {
    Decision::Do {
        events: if cancel_queued { cancel_all(state, by) } else { Vec::new() },
        effects: state.turn.iter().map(|_| Effect::Interrupt { by: by.clone() }).collect(),
        answer: Told::Done,
    }
}

fn decide_approve(
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

/// Checks what people say about a session, at its creation and later.
///
/// # Errors
/// `bad_request` that names the field.
pub fn check_settings(
    title: Option<&str>,
    model: Option<&str>,
    permission_mode: Option<&str>,
) -> Result<(), Refusal> {
    for (field, word) in [("title", title), ("model", model), ("permissionMode", permission_mode)] {
        if word.is_some_and(|word| word.len() > MAX_WORD_BYTES || word.chars().any(char::is_control)) {
            let message =
                format!("The {field} has at most {MAX_WORD_BYTES} bytes and no control characters.");
            return Err(Refusal::bad_field(field, message));
        }
    }
    // An argument that begins with a dash would be taken for a flag by the agent.
    if model.is_some_and(|model| model.starts_with('-') || model.trim().is_empty()) {
        return Err(Refusal::bad_field(
            "model",
            "A model's name is not empty and does not begin with a dash.",
        ));
    }
    if permission_mode.is_some_and(|mode| !PERMISSION_MODES.contains(&mode)) {
        let message = format!("The permissionMode is one of {}.", PERMISSION_MODES.join(", "));
        return Err(Refusal::bad_field("permissionMode", message));
    }
    Ok(())
}

fn decide_change(
    title: &Option<String>,
    model: &Option<String>,
    permission_mode: &Option<String>,
) -> Decision {
    if let Err(refusal) = check_settings(title.as_deref(), model.as_deref(), permission_mode.as_deref()) {
        return Decision::Refuse(refusal);
    }
    if title.is_none() && model.is_none() && permission_mode.is_none() {
        return done(Vec::new());
    }
    let set_model = model.clone().map(Effect::SetModel);
    let set_mode = permission_mode.clone().map(Effect::SetPermissionMode);
    let changed = Event::SessionChanged {
        title: title.clone(),
        model: model.clone(),
        permission_mode: permission_mode.clone(),
    };
    Decision::Do {
        events: vec![changed],
        effects: set_model.into_iter().chain(set_mode).collect(),
        answer: Told::Done,
    }
}

/// Links a device, once; a later name or kind of a linked device is taken over when it is connected (directory).
fn link(state: &State, card: &DeviceCard) -> Vec<Event> {
    if state.devices.contains_key(&card.device_id) {
        return Vec::new();
    }
    vec![Event::DeviceLinked {
        device_id: card.device_id.clone(),
        device_name: card.device_name.clone(),
        device_kind: card.kind.clone(),
    }]
}

fn decide_unlink(state: &State, device: &DeviceId) -> Decision {
    if !state.devices.contains_key(device) {
        return refuse(Code::DeviceNotFound, "This device is not linked to this session.");
    }
    done(vec![Event::DeviceUnlinked { device_id: device.clone(), reason: "unlinked".to_owned() }])
}

fn decide_keep_alive(state: &State, now: Timestamp, policy: &Policy) -> Decision {
    let expires_at = state.expires_at(policy.timeout).max(now.plus(policy.timeout));
    let event = revive(state, now, policy).unwrap_or(Event::SessionExtended { expires_at });
    Decision::Do { events: vec![event], effects: Vec::new(), answer: Told::Extended { expires_at } }
}

/// A recap keeps the session alive and is wanted of the agent; it runs when no message of a person does.
fn decide_recap(state: &State, now: Timestamp, policy: &Policy) -> Decision {
    if !state.has_spoken {
        return refuse(
            Code::BadRequest,
            "There is nothing to recap yet: nobody has said anything in this session.",
        );
    }
    match decide_keep_alive(state, now, policy) {
        Decision::Do { events, mut effects, answer } => {
            effects.push(Effect::Recap);
            Decision::Do { events, effects, answer }
        }
        other => other,
    }
}

fn decide_tend(state: &State, now: Timestamp, policy: &Policy) -> Decision {
    let due = due(state, now, policy);
    let expires = matches!(due, Some(Event::SessionExpired { .. }));
    let stop = expires.then_some(Effect::StopAgent(StopReason::Expired));
    Decision::Do {
        events: due.into_iter().collect(),
        effects: stop.into_iter().collect(),
        answer: Told::Done,
    }
}

fn decide_close(state: &State, by: &By) -> Decision {
    let mut events = cancel_all(state, by);
    events.push(Event::SessionClosed { by: by.clone() });
    Decision::Do { events, effects: vec![Effect::StopAgent(StopReason::Closed)], answer: Told::Done }
}
