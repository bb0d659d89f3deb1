//! A session as the fold of its events. [`State::apply`] is the one transition function: live, on recovery, in time travel.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use uuid::Uuid;

use super::ledger::Ledger;
use super::primary::Primary;
use super::shared_state::{Change, SharedState};
use super::view::Status;
use crate::agent::Init;
use crate::clock::Timestamp;
use crate::content::Content;
use crate::event::{
    Approval, By, ChainHash, Event, MadeUp, Outcome, PrimaryReason, Record, Resolution, SubmitMode,
};
use crate::ids::{DeviceId, MessageId, Seq, SessionId, UserId};

/// Everything durable about a session, and nothing else. Cheap to clone: what grows for ever is in the [`Ledger`].
#[derive(Debug, Clone)]
pub struct State {
    /// Which session.
    pub session: SessionId,
    /// The last event in it.
    pub head: Seq,
    /// The chain at `head`.
    pub hash: ChainHash,
    /// What was said of it at its creation and since.
    pub settings: Settings,
    /// When it was created.
    pub created_at: Timestamp,
    /// When a person or the agent last did something.
    pub last_activity_at: Timestamp,
    /// Until when a keep-alive holds it.
    pub kept_until: Option<Timestamp>,
    /// Whether it was closed.
    pub is_closed: bool,
    /// Whether it was said that it will expire, since the last activity.
    pub is_warned: bool,
    /// Whether it has expired and was not revived.
    pub is_expired: bool,
    /// The linked devices.
    pub devices: BTreeMap<DeviceId, Linked>,
    /// The device that leads, once one was there.
    pub primary: Option<Primary>,
    /// What devices share beside the conversation. Behind a pointer, so that setting a state aside stays cheap.
    pub shared: Arc<SharedState>,
    /// Messages that wait, the next one first.
    pub queue: VecDeque<Queued>,
    /// The turn that was dispatched and has not ended.
    pub turn: Option<Turn>,
    /// What the agent waits for.
    pub approvals: Vec<Pending>,
    /// Whether an agent was started and has not stopped.
    pub has_agent: bool,
    /// The agent's own name of the conversation, once it has told one.
    pub conversation: Option<Uuid>,
    /// Whether an agent has ever taken up a message: there is a conversation to resume.
    pub has_spoken: bool,
    /// How the agent last described itself.
    pub last_init: Option<Arc<Value>>,
    /// How many turns were dispatched.
    pub turns: u64,
    /// How many messages were accepted.
    pub messages: u64,
    /// What all turns cost together, in US dollars.
    pub cost_usd: f64,
    /// The part of it that the agent itself counts: what its present conversation cost.
    conversation_cost_usd: f64,
    /// Set between the two halves of dispatching a made-up turn.
    next_made_up: Option<MadeUp>,
    /// Tokens of all turns together, by the agent's own names.
    pub usage: BTreeMap<String, u64>,
}

/// What people chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The folder in which the agent works.
    pub project_path: String,
    /// What people call it.
    pub title: Option<String>,
    /// The agent's model.
    pub model: Option<String>,
    /// What the agent may do without asking.
    pub permission_mode: Option<String>,
}

/// A device that belongs to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it is.
    pub kind: Option<String>,
}

/// A message in the queue.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its id.
    pub message: MessageId,
    /// Where it came from.
    pub device: DeviceId,
    /// Who sent it.
    pub user: UserId,
    /// What it says.
    pub content: Content,
    /// Whether it went first.
    pub mode: SubmitMode,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// A turn between its dispatch and its end.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Its message.
    pub message: Queued,
    /// 1, 2, …
    pub number: u64,
    /// How often it was written to an agent.
    pub attempt: u32,
    /// When it was last dispatched.
    pub dispatched_at: Timestamp,
    /// When the agent took it up.
    pub started_at: Option<Timestamp>,
    /// What it is, when no person asked for it.
    pub made_up: Option<MadeUp>,
    /// How many of the agent's questions in it were denied.
    pub denials: u32,
}

/// An approval that nobody has answered.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The question.
    pub approval: Approval,
    /// Since when it waits.
    pub asked_at: Timestamp,
}

impl State {
    /// A session without events.
    #[must_use]
    pub fn empty(session: SessionId) -> Self {
        let start = Timestamp::from_millis(0);
        Self {
            session,
            head: 0,
            hash: ChainHash::start(session),
            settings: Settings::default(),
            created_at: start,
            last_activity_at: start,
            kept_until: None,
            is_closed: false,
            is_warned: false,
            is_expired: false,
            devices: BTreeMap::new(),
            primary: None,
            shared: Arc::default(),
            queue: VecDeque::new(),
            turn: None,
            approvals: Vec::new(),
            has_agent: false,
            conversation: None,
            has_spoken: false,
            last_init: None,
            turns: 0,
            messages: 0,
            cost_usd: 0.0,
            conversation_cost_usd: 0.0,
            next_made_up: None,
            usage: BTreeMap::new(),
        }
    }

    /// Goes on by one event. Total: an event that does not fit changes nothing but the head.
    pub fn apply(&mut self, ledger: &mut Ledger, record: &Record, event: &Event) {
        self.head = record.seq;
        self.hash = record.hash;
        ledger.apply(record, event);
        let is_made_up = self.turn.as_ref().is_some_and(|turn| turn.made_up.is_some());
        if is_activity(event, is_made_up) {
            self.last_activity_at = record.at;
            self.is_warned = false;
        }
        match event {
            Event::SessionCreated { project_path, title, model, permission_mode, forked_from: _ } => {
                self.created_at = record.at;
                self.settings = Settings {
                    project_path: project_path.clone(),
                    title: title.clone(),
                    model: model.clone(),
                    permission_mode: permission_mode.clone(),
                };
            }
            Event::SessionChanged { title, model, permission_mode } => {
                let settings = &mut self.settings;
                for (new, kept) in [
                    (title, &mut settings.title),
                    (model, &mut settings.model),
                    (permission_mode, &mut settings.permission_mode),
                ] {
                    if let Some(new) = new {
                        *kept = Some(new.clone()).filter(|text| !text.is_empty());
                    }
                }
            }
            Event::DeviceLinked { device_id, device_name, device_kind } => {
                let linked = Linked { name: device_name.clone(), kind: device_kind.clone() };
                self.devices.insert(device_id.clone(), linked);
            }
            Event::DeviceUnlinked { device_id, .. } => {
                self.devices.remove(device_id);
            }
            Event::PrimaryChanged { device_id, reason, .. } => {
                let is_handed = *reason == PrimaryReason::Handoff;
                let lead = |device| Primary { device, since: record.at, is_handed };
                self.primary = device_id.clone().map(lead);
            }
            Event::StateChanged { patch, at, by, claimed, conflicts: _ } => {
                let (seq, accepted_at) = (record.seq, record.at);
                let change = Change { patch, at: *at, claimed: *claimed, by, seq, accepted_at };
                Arc::make_mut(&mut self.shared).apply(&change);
            }
            Event::MessageAccepted { message_id, device_id, user_id, content, mode, device_seq: _ } => {
                self.messages += 1;
                let queued = Queued {
                    message: *message_id,
                    device: device_id.clone(),
                    user: user_id.clone(),
                    content: content.clone(),
                    mode: *mode,
                    accepted_at: record.at,
                };
                match mode {
                    SubmitMode::Queue => self.queue.push_back(queued),
                    SubmitMode::Now => self.queue.push_front(queued),
                }
            }
            Event::MessageEdited { message_id, content, .. } => {
                if let Some(queued) = self.queue.iter_mut().find(|queued| queued.message == *message_id) {
                    queued.content = content.clone();
                }
            }
            Event::MessageCancelled { message_id, .. } => {
                self.queue.retain(|queued| queued.message != *message_id);
            }
            Event::QueueMoved { message_id, before, .. } => self.move_in_queue(*message_id, *before),
            Event::TurnDispatched { message_id, turn, attempt, made_up } => {
                if let Some(made_up) = made_up {
                    self.make_up(*message_id, *made_up, record.at);
                }
                self.dispatch(*message_id, *turn, *attempt, record.at);
            }
            Event::TurnStarted { message_id, .. } => {
                self.has_spoken = true;
                if let Some(turn) = self.turn_of(*message_id) {
                    turn.started_at = Some(record.at);
                }
            }
            Event::AgentMessage { message } => {
                if let Some(init) = Init::read(message) {
                    self.note_init(init);
                }
            }
            Event::ApprovalRequested(approval) => {
                self.approvals.push(Pending { approval: approval.clone(), asked_at: record.at });
            }
            Event::ApprovalResolved { request_id, decision, .. } => {
                if let Some(turn) = self.turn.as_mut().filter(|_| *decision == Resolution::Deny) {
                    turn.denials += 1;
                }
                self.approvals.retain(|pending| pending.approval.request_id != *request_id);
            }
            Event::TurnEnded { message_id, cost_usd, usage, .. } => {
                if self.turn_of(*message_id).is_some() {
                    self.turn = None;
                }
                self.cost_usd += cost_usd.unwrap_or(0.0);
                self.conversation_cost_usd += cost_usd.unwrap_or(0.0);
                self.add_usage(usage.as_ref());
            }
            Event::AgentStarted { .. } => self.has_agent = true,
            Event::AgentStopped { .. } => self.has_agent = false,
            Event::SessionWarned { .. } => self.is_warned = true,
            Event::SessionExtended { expires_at } => {
                self.kept_until = Some(*expires_at);
                self.is_warned = false;
            }
            Event::SessionExpired { .. } => self.is_expired = true,
            Event::SessionRevived { expires_at } => {
                self.kept_until = Some(*expires_at);
                self.is_expired = false;
                self.is_warned = false;
            }
            Event::SessionClosed { .. } => self.is_closed = true,
        }
    }

    /// When it expires, if nothing happens until then.
    #[must_use]
    pub fn expires_at(&self, timeout: TimeDelta) -> Timestamp {
        let by_activity = self.last_activity_at.plus(timeout);
        self.kept_until.map_or(by_activity, |kept| kept.max(by_activity))
    }

    /// What it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.is_closed {
            Status::Closed
        } else if self.is_expired {
            Status::Expired
        } else if !self.approvals.is_empty() {
            Status::WaitingForApproval
        } else if self.turn.is_some() || !self.queue.is_empty() {
            Status::Running
        } else {
            Status::Idle
        }
    }

    /// What a turn cost, given the agent's total of its conversation at the turn's end.
    ///
    /// The total goes on counting over `--resume` and begins at 0 again with `/clear` (measured on 2.1.328).
    #[must_use]
    pub fn cost_of_turn(&self, total: f64) -> f64 {
        let before = self.conversation_cost_usd;
        let cost = if total >= before { total - before } else { total };
        // To a billionth of a dollar: what lies behind is the rounding of sums.
        (cost * 1e9).round() / 1e9
    }

    /// Whether a message waits.
    #[must_use]
    pub fn is_queued(&self, message: MessageId) -> bool {
        self.queue.iter().any(|queued| queued.message == message)
    }

    fn turn_of(&mut self, message: MessageId) -> Option<&mut Turn> {
        self.turn.as_mut().filter(|turn| turn.message.message == message)
    }

    fn move_in_queue(&mut self, message: MessageId, before: Option<MessageId>) {
        let place_of =
            |queue: &VecDeque<Queued>, wanted| queue.iter().position(|queued| queued.message == wanted);
        let Some(moved) = place_of(&self.queue, message).and_then(|place| self.queue.remove(place)) else {
            return;
        };
        let place = before.and_then(|before| place_of(&self.queue, before)).unwrap_or(self.queue.len());
        self.queue.insert(place, moved);
    }

    /// Puts the message of a turn that nobody sent in front of the queue, from where it is dispatched at once.
    fn make_up(&mut self, message: MessageId, made_up: MadeUp, at: Timestamp) {
        if self.turn_of(message).is_some() {
            return;
        }
        let Ok(content) = Content::text(made_up.command()) else { return };
        let By { device_id: device, user_id: user } = By::server();
        self.queue.push_front(Queued {
            message,
            device,
            user,
            content,
            mode: SubmitMode::Queue,
            accepted_at: at,
        });
        self.next_made_up = Some(made_up);
    }

    fn dispatch(&mut self, message: MessageId, number: u64, attempt: u32, at: Timestamp) {
        if let Some(turn) = self.turn_of(message) {
            turn.attempt = attempt;
            turn.dispatched_at = at;
            return;
        }
        let Some(place) = self.queue.iter().position(|queued| queued.message == message) else {
            return;
        };
        let Some(queued) = self.queue.remove(place) else {
            return;
        };
        self.turns = number;
        let made_up = self.next_made_up.take();
        self.turn = Some(Turn {
            message: queued,
            number,
            attempt,
            dispatched_at: at,
            started_at: None,
            made_up,
            denials: 0,
        });
    }

    /// Remembers how the agent described itself.
    fn note_init(&mut self, init: Init) {
        let is_another = |named: &Uuid| init.conversation.is_some_and(|conversation| conversation != *named);
        if self.conversation.as_ref().is_some_and(is_another) {
            self.conversation_cost_usd = 0.0;
        }
        self.conversation = init.conversation.or(self.conversation);
        self.last_init = Some(Arc::new(init.comparable));
    }

    fn add_usage(&mut self, usage: Option<&Value>) {
        let Some(Value::Object(usage)) = usage else { return };
        for (name, count) in usage {
            if let Some(count) = count.as_u64() {
                *self.usage.entry(name.clone()).or_default() += count;
            }
        }
    }
}

/// What keeps a session alive: something that a person or the agent did, not what the server did to either.
///
/// A turn that the server made up is not: otherwise a recap would keep a session alive for ever.
fn is_activity(event: &Event, is_made_up: bool) -> bool {
    match event {
        Event::TurnStarted { .. } | Event::AgentMessage { .. } | Event::TurnEnded { .. } if is_made_up => {
            false
        }
        Event::SessionCreated { .. }
        | Event::SessionChanged { .. }
        | Event::StateChanged { .. }
        | Event::MessageAccepted { .. }
        | Event::MessageEdited { .. }
        | Event::MessageCancelled { .. }
        | Event::QueueMoved { .. }
        | Event::TurnStarted { .. }
        | Event::AgentMessage { .. }
        | Event::ApprovalRequested(_)
        | Event::ApprovalResolved { by: Some(_), .. } => true,
        Event::TurnEnded { outcome, .. } => *outcome != Outcome::Lost,
        Event::DeviceLinked { .. }
        | Event::DeviceUnlinked { .. }
        | Event::PrimaryChanged { .. }
        | Event::TurnDispatched { .. }
        | Event::ApprovalResolved { by: None, .. }
        | Event::AgentStarted { .. }
        | Event::AgentStopped { .. }
        | Event::SessionWarned { .. }
        | Event::SessionExtended { .. }
        | Event::SessionExpired { .. }
        | Event::SessionRevived { .. }
        | Event::SessionClosed { .. } => false,
    }
}
