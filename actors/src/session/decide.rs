//! What a command leads to: events and effects, or a refusal. Plain functions on plain data; nothing is touched.

use std::time::Duration;

use chrono::TimeDelta;

use super::approvals::{decide_approve, deny_overdue};
use super::ledger::Ledger;
use super::lifetime::{due, revive};
use super::live::Interruption;
use super::messages::{Command, DeviceCard};
use super::primary::{decide_handoff, decide_succeed, first, without};
use super::shared_state::decide_state;
use super::state::{State, Turn};
use super::submit::{decide_submit, known_message};
use crate::agent::Decision as Permission;
use crate::clock::{Stamp, Timestamp};
use crate::event::{By, Event, Outcome, StopReason};
use crate::ids::{DeviceId, MessageId, RequestId, Seq};
use crate::refusal::{Code, Refusal};

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
    /// How long a question of the agent waits for a person before it is denied; zero for ever.
    pub deny_after: TimeDelta,
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
            deny_after: TimeDelta::zero(),
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
    StateSet { seq: Seq, at: Stamp },
    Extended { expires_at: Timestamp },
    View,
}

/// What is to be done to the agent.
#[derive(Debug, Clone)]
pub enum Effect {
    /// End the running turn.
    ///
    /// It names the turn's message, because another turn may run when the effect is carried out.
    Interrupt {
        /// Who wants it, and why.
        interruption: Interruption,
        /// Whose turn.
        message: MessageId,
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
        Command::Interrupt { cancel_queued } => decide_interrupt(state, by, *cancel_queued, now),
        Command::Approve { request, verdict } => decide_approve(state, ledger, by, request, verdict, now),
        Command::SetState { patch, at } => decide_state(state, by, patch, *at, now),
        Command::Handoff { to } => decide_handoff(state, by, to, now),
        Command::Succeed { from, to } => decide_succeed(state, from.as_ref(), to),
        Command::Change { title, model, permission_mode } => decide_change(title, model, permission_mode),
        Command::Link(card) => done(link(state, card)),
        Command::Unlink { device } => decide_unlink(state, device),
        Command::KeepAlive => decide_keep_alive(state, now, policy),
        Command::Recap => decide_recap(state, now, policy),
        Command::Tend => decide_tend(state, now, policy),
        Command::Close => decide_close(state, by, now),
        Command::Attach { device, .. } => {
            let events = if state.is_closed { Vec::new() } else { come(state, device) };
            Decision::Do { events, effects: Vec::new(), answer: Told::View }
        }
        Command::Look => Decision::Do { events: Vec::new(), effects: Vec::new(), answer: Told::View },
    }
}

fn done(events: Vec<Event>) -> Decision {
    Decision::Do { events, effects: Vec::new(), answer: Told::Done }
}

pub(super) fn refuse(code: Code, message: &str) -> Decision {
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

fn decide_interrupt(state: &State, by: &By, cancel_queued: bool, now: Timestamp) -> Decision {
    let mut events = if cancel_queued { cancel_all(state, by) } else { Vec::new() };
    let unattended = end_unattended(state, by, now, "Interrupted before an agent had taken it up.");
    let is_attended = unattended.is_none();
    events.extend(unattended);
    let running = state.turn.iter().filter(|_| is_attended);
    let interrupt = |turn: &Turn| Effect::Interrupt {
        interruption: Interruption::of_person(by),
        message: turn.message.message,
    };
    Decision::Do { events, effects: running.map(interrupt).collect(), answer: Told::Done }
}

/// Ends a turn that no agent has: nobody else would.
fn end_unattended(state: &State, by: &By, now: Timestamp, why: &str) -> Option<Event> {
    let turn = state.turn.as_ref().filter(|_| !state.has_agent)?;
    Some(Event::TurnEnded {
        message_id: turn.message.message,
        turn: turn.number,
        outcome: Outcome::Interrupted,
        text: None,
        error: Some(why.to_owned()),
        duration_ms: now.millis_since(turn.dispatched_at),
        usage: None,
        cost_usd: None,
        by: Some(by.clone()),
    })
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

/// Links a device that is there; the first one leads.
fn come(state: &State, card: &DeviceCard) -> Vec<Event> {
    let mut events = link(state, card);
    events.extend(first(state, &card.device_id));
    events
}

fn decide_unlink(state: &State, device: &DeviceId) -> Decision {
    if !state.devices.contains_key(device) {
        return refuse(Code::DeviceNotFound, "This device is not linked to this session.");
    }
    let mut events = vec![Event::DeviceUnlinked { device_id: device.clone(), reason: "unlinked".to_owned() }];
    events.extend(without(state, device));
    done(events)
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
    let (mut events, mut effects) = deny_overdue(state, now, policy);
    let due = due(state, now, policy);
    let expires = matches!(due, Some(Event::SessionExpired { .. }));
    effects.extend(expires.then_some(Effect::StopAgent(StopReason::Expired)));
    events.extend(due);
    Decision::Do { events, effects, answer: Told::Done }
}

fn decide_close(state: &State, by: &By, now: Timestamp) -> Decision {
    let mut events = cancel_all(state, by);
    events.extend(end_unattended(state, by, now, "The session was closed."));
    events.push(Event::SessionClosed { by: by.clone() });
    Decision::Do { events, effects: vec![Effect::StopAgent(StopReason::Closed)], answer: Told::Done }
}
