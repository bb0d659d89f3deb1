//! The durable half and the live half of a session together, and one batch of changes to both.
//!
//! A batch is staged (decided and applied), then appended; only then is anything told. If the append fails with
//! nothing written, [`Core::take_back`] puts everything as it was.

use std::sync::Arc;

use super::decide::{Decision, Effect, Policy, Told, decide};
use super::fact::Fact;
use super::ledger::Ledger;
use super::live::{Live, Phase};
use super::messages::{Answer, Command};
use super::react::{already_known, next_dispatch, react, recover};
use super::salvage::{Remains, Salvage, salvage};
use super::state::State;
use super::view::{DeviceView, QueuedView, Status, Summary, TurnView, View};
use crate::agent::AgentOutput;
use crate::blobs::{BlobHash, referred_by};
use crate::clock::Timestamp;
use crate::event::{By, Event, Record};
use crate::ids::{MessageId, Term};
use crate::journal::TranscriptLine;
use crate::refusal::Refusal;
use crate::room::Room;

/// A session's state, its memory of everything accepted, and what is only live.
#[derive(Debug)]
pub struct Core {
    /// The durable state; during an append already as it will be.
    pub state: State,
    /// What is remembered for ever.
    pub ledger: Ledger,
    /// What is true only while this process runs.
    pub live: Live,
    term: Term,
    policy: Policy,
}

/// Changes that are staged and not durable yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events, in order.
    pub records: Vec<Record>,
    /// Lines of the agent's transcript.
    pub transcript: Vec<TranscriptLine>,
    /// The blobs that the events refer to.
    pub blobs: Vec<BlobHash>,
    /// What to do to the agent when it is durable.
    pub effects: Vec<Effect>,
    /// What to count and to log when it is durable.
    pub facts: Vec<Fact>,
    bytes: usize,
}

/// What [`Core::take_back`] needs.
#[derive(Debug, Clone)]
pub struct Mark {
    state: State,
    live: Live,
}

/// What became of a command when it was staged.
#[derive(Debug)]
pub enum Staged {
    /// To be told when the batch is durable.
    Answer(Result<Answer, Refusal>),
    /// It waits for a message with a lower number.
    Early {
        /// Its own number.
        number: u64,
        /// The number that is missing.
        expected: u64,
    },
}

impl Core {
    /// Puts a session together as it was loaded.
    #[must_use]
    pub fn new(state: State, ledger: Ledger, term: Term, policy: Policy) -> Self {
        Self { state, ledger, live: Live::default(), term, policy }
    }

    /// Under which ownership events are written.
    #[must_use]
    pub fn term(&self) -> Term {
        self.term
    }

    /// Remembers how everything is.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { state: self.state.clone(), live: self.live.clone() }
    }

    /// Puts everything as it was at the mark.
    pub fn take_back(&mut self, mark: Mark) {
        self.ledger.forget_after(mark.state.head);
        self.state = mark.state;
        self.live = mark.live;
    }

    /// Decides a command and applies what follows.
    pub fn stage_command(
        &mut self,
        batch: &mut Batch,
        by: &By,
        command: &Command,
        now: Timestamp,
        room: &Room,
    ) -> Staged {
        match decide(&self.state, &self.ledger, by, command, now, &self.policy) {
            Decision::Refuse(refusal) => Staged::Answer(Err(refusal)),
            Decision::Early { number, expected } => Staged::Early { number, expected },
            Decision::Do { events, effects, answer } => {
                self.stage_events(batch, &events, now);
                if is_a_persons_act(command) {
                    self.live.unpark();
                }
                batch.effects.extend(effects);
                Staged::Answer(Ok(match answer {
                    Told::Done => Answer::Done,
                    Told::Accepted { message_id, seq, duplicate } => {
                        Answer::Accepted { message_id, seq, duplicate }
                    }
                    Told::StateSet { seq, at } => Answer::StateSet { seq, at },
                    Told::Extended { expires_at } => Answer::Extended { expires_at },
                    Told::View => Answer::View(Arc::new(self.view(room))),
                }))
            }
        }
    }

    /// Takes in what an agent said.
    pub fn stage_output(&mut self, batch: &mut Batch, output: &AgentOutput, now: Timestamp) {
        match output {
            AgentOutput::Transcript(lines) => {
                batch.bytes += lines.iter().map(|line| line.line.len()).sum::<usize>();
                batch.transcript.extend(lines.iter().cloned());
            }
            AgentOutput::Garbage { start: _, bytes } => {
                // Its beginning is not shown: an agent that lost its way may print contents too.
                tracing::warn!(session = %self.state.session, bytes, "the agent printed something that is no JSON");
            }
            output => {
                let events = react(&self.state, &mut self.live, output, now);
                self.stage_events(batch, &events, now);
            }
        }
    }

    /// Brings in what an agent that is gone has left, and ends what cannot be ended any more.
    pub fn stage_recovery(&mut self, batch: &mut Batch, remains: Option<&Remains>, now: Timestamp) {
        if let Some(remains) = remains {
            let Salvage { events, transcript } = salvage(&self.state, remains, now);
            if !events.is_empty() || !transcript.is_empty() {
                let (events, lines) = (events.len(), transcript.len());
                tracing::info!(session = %self.state.session, events, lines, "recovered what the agent wrote down");
            }
            self.stage_events(batch, &events, now);
            batch.transcript.extend(transcript);
        }
        let lost = recover(&self.state, now);
        self.stage_events(batch, &lost, now);
    }

    /// Takes in what an agent had written down of a message that it knew already.
    pub fn stage_known(
        &mut self,
        batch: &mut Batch,
        message: MessageId,
        written: &[TranscriptLine],
        now: Timestamp,
    ) {
        let events = already_known(&self.state, &mut self.live, message, written, now);
        self.stage_events(batch, &events, now);
    }

    /// Dispatches the next turn if it is time.
    pub fn stage_dispatch(&mut self, batch: &mut Batch, now: Timestamp) {
        let Some(dispatch) = next_dispatch(&self.state, &self.live) else { return };
        match dispatch {
            Event::TurnDispatched { attempt: 2.., .. } => self.live.begin_turn_again(),
            Event::TurnDispatched { made_up: Some(_), .. } => {
                self.live.begin_turn();
                self.live.wants_recap = false;
            }
            _ => self.live.begin_turn(),
        }
        self.stage_events(batch, &[dispatch], now);
    }

    /// Numbers, chains and applies events.
    pub fn stage_events(&mut self, batch: &mut Batch, events: &[Event], now: Timestamp) {
        for event in events {
            let record = match Record::new((self.state.head, self.state.hash), self.term, now, event) {
                Ok(record) => record,
                Err(error) => {
                    tracing::error!(session = %self.state.session, %error, "an event cannot be encoded; it is left out");
                    continue;
                }
            };
            batch.facts.extend(Fact::of(event, &self.state));
            self.state.apply(&mut self.ledger, &record, event);
            batch.bytes += record.data.len();
            batch.blobs.extend(referred_by(event));
            batch.records.push(record);
        }
    }

    /// The session as devices see it.
    #[must_use]
    pub fn view(&self, room: &Room) -> View {
        let state = &self.state;
        let queued = state.queue.iter().map(|queued| QueuedView {
            message_id: queued.message,
            device_id: queued.device.clone(),
            content: queued.content.clone(),
            mode: queued.mode,
        });
        let devices = state.devices.iter().map(|(device, linked)| {
            let present = room.presence_of(device);
            DeviceView {
                device_id: device.clone(),
                device_name: linked.name.clone(),
                kind: linked.kind.clone(),
                online: present.as_ref().is_some_and(|present| present.is_online),
                activity: present.as_ref().and_then(|present| present.activity),
                acked_seq: room.acked_seq(device),
                cursor: present.and_then(|present| present.cursor),
            }
        });
        View {
            head: state.head,
            hash: Some(state.hash),
            session_id: state.session,
            project_path: state.settings.project_path.clone(),
            title: state.settings.title.clone(),
            model: state.settings.model.clone(),
            permission_mode: state.settings.permission_mode.clone(),
            status: self.status(),
            agent: self.live.view(),
            queue: queued.collect(),
            turn: state.turn.as_ref().map(|turn| TurnView {
                message_id: turn.message.message,
                turn: turn.number,
                started_at: turn.started_at,
                text: self.live.answer.text.clone(),
            }),
            approvals: state.approvals.iter().map(|pending| pending.approval.clone()).collect(),
            devices: devices.collect(),
            primary_device_id: state.primary.as_ref().map(|primary| primary.device.clone()),
            shared: state.shared.view(),
            created_at: state.created_at,
            last_activity_at: state.last_activity_at,
            expires_at: state.expires_at(self.policy.timeout),
            turns: state.turns,
            messages: state.messages,
            cost_usd: state.cost_usd,
            usage: state.usage.clone(),
        }
    }

    /// What it is doing.
    fn status(&self) -> Status {
        match self.state.status() {
            Status::Running if self.live.agent == Phase::WaitingForSlot => Status::WaitingForSlot,
            status => status,
        }
    }

    /// The session as the list shows it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let state = &self.state;
        Summary {
            session_id: state.session,
            project_path: state.settings.project_path.clone(),
            title: state.settings.title.clone(),
            status: self.status(),
            head: state.head,
            created_at: state.created_at,
            last_activity_at: state.last_activity_at,
            expires_at: state.expires_at(self.policy.timeout),
            turns: state.turns,
            messages: state.messages,
            queued: state.queue.len(),
            approvals: state.approvals.len(),
            notable: self.ledger.notable().len() as u64,
            cost_usd: state.cost_usd,
            devices: state.devices.keys().cloned().collect(),
            online: Vec::new(),
            pid: self.live.pid,
            is_warned: state.is_warned,
        }
    }
}

impl Batch {
    /// About how much one append may hold: large enough that a flood shares its syncs, small enough that
    /// a command behind it waits milliseconds.
    const MAX_BYTES: usize = 1024 * 1024;
    const MAX_RECORDS: usize = 2_048;

    /// Whether more may be staged.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.bytes < Self::MAX_BYTES && self.records.len() < Self::MAX_RECORDS
    }

    /// Whether there is something to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.transcript.is_empty()
    }
}

/// Whether somebody who does this wants an agent that failed to be tried again.
fn is_a_persons_act(command: &Command) -> bool {
    matches!(command, Command::Submit(_) | Command::Change { .. } | Command::KeepAlive | Command::Recap)
}
