//! The actor around the plain parts: inbox, append, and what happens when it is durable.

mod agency;
mod guarding;
mod handlers;
mod inbox;
mod pace;
mod succession;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::core::{Batch, Core, Mark, Staged};
use super::decide::Policy;
use super::fact::Fact;
use super::holdback::HoldBack;
use super::messages::{Answer, Ask, Command, Heard, Reply};
use super::salvage::Remains;
use super::submit::out_of_order;
use crate::agent::Launcher;
use crate::clock::{Clock, Timestamp};
use crate::down::DownGuard;
use crate::event::{By, Event, StopReason};
use crate::guard::Guard;
use crate::ids::SessionId;
use crate::journal::{Append, Journal, JournalError};
use crate::metrics::Metrics;
use crate::refusal::{Code, Refusal};
use crate::registry::{Board, Slots};
use crate::room::Room;

use agency::Agency;
use guarding::Guarding;
use inbox::{Input, Known};

/// Senders that a session holds mail from at a time without slowing any: connections, HTTP requests, its agent.
/// Beyond it they wait their turn; nothing is refused, because every sender awaits its answer.
const MAILBOX: usize = 256;

/// How long, beyond the agent's own grace, a session that retires may take to write what is left.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// When an append that wrote nothing is tried again for what cannot be refused: the agent's own words.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What every session of a server is given.
#[derive(Clone)]
pub struct Surroundings {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// Starts agents.
    pub launcher: Arc<dyn Launcher>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The list of sessions.
    pub board: Arc<Board>,
    /// What the configuration says.
    pub policy: Policy,
    /// Places for agents.
    pub slots: Slots,
    /// Holds agents to the locks.
    pub guard: Arc<Guard>,
    /// What is counted.
    pub metrics: Metrics,
    /// How long an agent may take to finish when the server stops.
    pub grace: Duration,
}

/// Where a session comes from.
#[derive(Debug)]
pub enum Origin {
    /// Its events are in the journal.
    Journal,
    /// It begins now, with this event; the outcome is told when that is durable.
    New {
        /// Its `session_created`.
        created: Box<Event>,
        /// Whom to tell.
        reply: Reply,
    },
}

/// One conversation.
pub struct Session {
    id: SessionId,
    around: Surroundings,
    room: Arc<Room>,
    origin: Option<Origin>,
    core: Option<Core>,
    inbox: VecDeque<Input>,
    in_flight: Option<Flight>,
    held: HoldBack<Ask>,
    hold_timer: Option<SpawnHandle>,
    approval_timer: Option<SpawnHandle>,
    lead_timer: Option<SpawnHandle>,
    loaded_at: Instant,
    retry_timer: Option<SpawnHandle>,
    agency: Agency,
    guarding: Guarding,
    last_delta: Option<Instant>,
    delta_timer: Option<SpawnHandle>,
    /// What the agent has left, until it is in the journal.
    remains: Option<Remains>,
    is_recovered: bool,
    is_retiring: bool,
    /// The latest agent did not end in good order, and none was started since.
    has_agent_failed: bool,
    _down: DownGuard,
}

/// An append that is under way, and who waits for it.
struct Flight {
    batch: Batch,
    mark: Mark,
    answers: Vec<(Ask, Result<Answer, Refusal>)>,
    heard: Vec<(Heard, oneshot::Sender<()>)>,
    known: Vec<Known>,
    created: Option<Reply>,
    handed_over: Instant,
}

impl Session {
    /// Makes the actor of a session; its state is loaded once it is started, and what it is told meanwhile waits.
    #[must_use]
    pub fn new(
        id: SessionId,
        around: Surroundings,
        room: Arc<Room>,
        origin: Origin,
        down: DownGuard,
    ) -> Self {
        Self {
            id,
            around,
            room,
            origin: Some(origin),
            core: None,
            inbox: VecDeque::new(),
            in_flight: None,
            held: HoldBack::new(),
            hold_timer: None,
            approval_timer: None,
            lead_timer: None,
            loaded_at: Instant::now(),
            retry_timer: None,
            agency: Agency::default(),
            guarding: Guarding::default(),
            last_delta: None,
            delta_timer: None,
            remains: None,
            is_recovered: false,
            is_retiring: false,
            has_agent_failed: false,
            _down: down,
        }
    }

    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    fn loaded(&mut self, core: Core, context: &mut Context<Self>) {
        self.room.note_notable(core.ledger.notable());
        self.room.tail().continue_at(core.state.head);
        self.core = Some(core);
        self.loaded_at = Instant::now();
        self.watch_presence(self.room.changes(), context);
        self.around.metrics.sessions_loaded.add(u64::from(matches!(self.origin, Some(Origin::Journal))));
        if let Some(Origin::New { created, reply }) = self.origin.take() {
            self.is_recovered = true;
            self.create(&created, reply, context);
        } else {
            self.pump(context);
            self.look_who_leads(context);
        }
    }

    fn create(&mut self, created: &Event, reply: Reply, context: &mut Context<Self>) {
        let now = self.now();
        let Some(core) = &mut self.core else { return };
        let mut flight = Flight::new(core.mark());
        flight.created = Some(reply);
        core.stage_events(&mut flight.batch, std::slice::from_ref(created), now);
        self.launch_flight(flight, context);
    }

    fn failed_to_load(&mut self, error: &dyn std::error::Error, context: &mut Context<Self>) {
        let cause = error.source().map(ToString::to_string);
        tracing::error!(session = %self.id, %error, cause, "a session cannot be loaded");
        let refusal = Refusal::new(
            Code::StorageUnavailable,
            "This session cannot be read from the disk. The server's log says why; `tandem doctor` helps to find out.",
        );
        for input in self.inbox.drain(..) {
            input.refuse(&refusal, &self.around.metrics);
        }
        if let Some(Origin::New { reply, .. }) = self.origin.take() {
            let _ = reply.send(Err(refusal));
        }
        context.stop();
    }

    /// Stages what has come in and appends it, unless an append is under way.
    fn pump(&mut self, context: &mut Context<Self>) {
        let now = self.now();
        let Some(core) = self.core.as_mut().filter(|_| self.in_flight.is_none()) else { return };
        let mut flight = Flight::new(core.mark());
        if !self.is_recovered {
            let written = flight.batch.records.len();
            core.stage_recovery(&mut flight.batch, self.remains.as_ref(), now);
            let events = flight.batch.records.len() - written;
            if events > 0 {
                flight.batch.facts.push(Fact::Recovered { events });
            }
        }
        while flight.batch.has_room()
            && let Some(input) = self.inbox.pop_front()
        {
            match input {
                Input::Ask(ask) => self.stage_ask(ask, &mut flight, now),
                Input::Heard(heard, durable) => self.stage_heard(heard, durable, &mut flight, now),
                Input::Known(known) => self.stage_known(known, &mut flight, now),
            }
        }
        if let Some(core) = self.core.as_mut().filter(|_| !self.is_retiring) {
            core.stage_dispatch(&mut flight.batch, now);
        }
        self.watch_held(context);
        self.launch_flight(flight, context);
    }

    fn stage_ask(&mut self, ask: Ask, flight: &mut Flight, now: Timestamp) {
        let Some(core) = &mut self.core else { return };
        if self.is_retiring {
            ask.answer(Err(Refusal::shutting_down()), &self.around.metrics);
            return;
        }
        let device = ask.by.device_id.clone();
        match core.stage_command(&mut flight.batch, &ask.by, &ask.command, now, &self.room) {
            Staged::Early { number, expected } => {
                if let Err(ask) = self.held.hold(&device, number, ask, Instant::now()) {
                    ask.answer(Err(out_of_order(expected)), &self.around.metrics);
                }
            }
            Staged::Answer(answer) => {
                let is_accepted = matches!(answer, Ok(Answer::Accepted { .. }));
                flight.answers.push((ask, answer));
                // A message that came early may follow this one at once.
                if is_accepted {
                    let early = self.held.release(&device, core.ledger.next_number(&device));
                    for early in early.into_iter().rev() {
                        self.inbox.push_front(Input::Ask(early));
                    }
                }
            }
        }
    }

    fn stage_heard(
        &mut self,
        heard: Heard,
        durable: oneshot::Sender<()>,
        flight: &mut Flight,
        now: Timestamp,
    ) {
        let Some(core) = &mut self.core else { return };
        core.live.last_heard = Some(Instant::now());
        for output in &heard.outputs {
            core.stage_output(&mut flight.batch, output, now);
        }
        flight.heard.push((heard, durable));
    }

    fn stage_known(&mut self, known: Known, flight: &mut Flight, now: Timestamp) {
        let Some(core) = &mut self.core else { return };
        core.stage_known(&mut flight.batch, known.message, &known.written, now);
        flight.known.push(known);
    }

    fn launch_flight(&mut self, flight: Flight, context: &mut Context<Self>) {
        let Some(core) = &self.core else { return };
        if flight.batch.is_empty() {
            self.landed(flight, context);
            return;
        }
        let append = Append {
            session: self.id,
            term: core.term(),
            records: flight.batch.records.clone(),
            transcript: flight.batch.transcript.clone(),
            blobs: flight.batch.blobs.clone(),
            summary: serde_json::to_string(&core.summary()).unwrap_or_default().into(),
        };
        self.in_flight = Some(Flight { handed_over: Instant::now(), ..flight });
        let appending = self.around.journal.append(append).into_actor(self);
        context.spawn(appending.map(|outcome, session, context| session.append_ended(outcome, context)));
    }

    fn append_ended(&mut self, outcome: Result<(), JournalError>, context: &mut Context<Self>) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        match outcome {
            Ok(()) => {
                self.around.metrics.append_seconds.observe_since(flight.handed_over);
                self.around.metrics.append_events.observe_count(flight.batch.records.len() as u64);
                self.landed(flight, context);
                self.pump(context);
            }
            Err(error @ (JournalError::NotWritten { .. } | JournalError::Unreadable { .. })) => {
                tracing::warn!(session = %self.id, %error, "nothing was written; commands are refused");
                self.around.metrics.appends_not_written.add(1);
                self.not_written(flight, &error, context);
            }
            Err(error @ (JournalError::Unknown { .. } | JournalError::Fenced { .. })) => {
                tracing::error!(session = %self.id, %error, "this owner of the session ends");
                self.around.metrics.appends_unknown.add(1);
                let refusal = Refusal::from(&error);
                flight.refuse(&refusal, &self.around.metrics);
                for input in self.inbox.drain(..) {
                    input.refuse(&refusal, &self.around.metrics);
                }
                self.core = None;
                context.stop();
            }
        }
    }

    /// Everything in the batch is durable: now it may be seen.
    fn landed(&mut self, flight: Flight, context: &mut Context<Self>) {
        let Flight { batch, answers, heard, created, .. } = flight;
        self.is_recovered = true;
        self.remains = None;
        if let Some(core) = &self.core {
            self.room.note_notable(core.ledger.notable());
        }
        self.room.tail().append(&batch.records);
        if !batch.records.is_empty() {
            self.post_summary();
        }
        if let Some(created) = created {
            let _ = created.send(Ok(Answer::Done));
        }
        for fact in &batch.facts {
            self.report(fact);
        }
        for (ask, answer) in answers {
            ask.answer(answer, &self.around.metrics);
        }
        for (heard, durable) in heard {
            self.guard(&heard, context);
            let _ = durable.send(());
        }
        for effect in batch.effects {
            self.carry_out(effect);
        }
        self.tend_agent(context);
        self.tell_growth(context);
        self.watch_approvals(context);
        if batch.facts.contains(&Fact::LeadMayMove) {
            self.look_who_leads(context);
        }
        self.leave_if_done(context);
    }

    /// Takes in a command of the session's own, behind what waits. Nobody is told its outcome: it stands in the journal.
    fn command_itself(&mut self, command: Command, context: &mut Context<Self>) {
        let (reply, _) = oneshot::channel();
        self.inbox.push_back(Input::Ask(Ask { by: By::server(), command, reply }));
        self.pump(context);
    }

    /// Counts and logs something that is durable now.
    fn report(&mut self, fact: &Fact) {
        fact.count(&self.around.metrics);
        fact.log(self.id);
        match fact {
            Fact::Stopped { reason, .. } => self.has_agent_failed = reason.is_failure(),
            Fact::Started { .. } => {
                let has_failed = std::mem::take(&mut self.has_agent_failed);
                self.around.metrics.agent_restarts.add(u64::from(has_failed));
            }
            _ => {}
        }
    }

    fn post_summary(&self) {
        if let Some(core) = &self.core {
            self.around.board.post(core.summary());
        }
    }

    /// Nothing was stored: commands are refused, what the agent said is kept and tried again.
    fn not_written(&mut self, flight: Flight, error: &JournalError, context: &mut Context<Self>) {
        let Flight { mark, answers, heard, known, created, .. } = flight;
        let Some(core) = &mut self.core else { return };
        core.take_back(mark.clone());
        let refusal = Refusal::from(error);
        let now = self.around.clock.now();
        for (ask, _) in answers {
            // What needs no write is answered all the same: reads go on when the disk is full.
            let mut scratch = Batch::default();
            let again = core.stage_command(&mut scratch, &ask.by, &ask.command, now, &self.room);
            let answer = match again {
                Staged::Answer(answer) if scratch.is_empty() => answer,
                Staged::Answer(_) | Staged::Early { .. } => Err(refusal.clone()),
            };
            core.take_back(mark.clone());
            ask.answer(answer, &self.around.metrics);
        }
        if let Some(created) = created {
            let _ = created.send(Err(refusal));
            self.core = None;
            context.stop();
            return;
        }
        for known in known {
            self.inbox.push_front(Input::Known(known));
        }
        for (heard, durable) in heard.into_iter().rev() {
            self.inbox.push_front(Input::Heard(heard, durable));
        }
        if self.retry_timer.is_none() {
            self.retry_timer = Some(context.run_later(RETRY_AFTER, |session, context| {
                session.retry_timer = None;
                session.pump(context);
                // What the session wanted of itself was refused with the rest.
                session.look_who_leads(context);
                session.watch_approvals(context);
            }));
        }
        self.leave_if_done(context);
    }

    fn leave_if_done(&mut self, context: &mut Context<Self>) {
        if !self.is_retiring || self.in_flight.is_some() {
            return;
        }
        if self.core.as_ref().is_some_and(|core| core.live.has_process() && core.live.stopping.is_none()) {
            self.stop_agent(StopReason::Shutdown);
        }
        let is_quiet = self.inbox.is_empty();
        let has_agent = self.core.as_ref().is_some_and(|core| core.live.has_process());
        if is_quiet && !has_agent {
            context.stop();
        }
    }
}

impl Flight {
    fn new(mark: Mark) -> Self {
        Self {
            batch: Batch::default(),
            mark,
            answers: Vec::new(),
            heard: Vec::new(),
            known: Vec::new(),
            created: None,
            handed_over: Instant::now(),
        }
    }

    fn refuse(self, refusal: &Refusal, metrics: &Metrics) {
        for (ask, _) in self.answers {
            ask.answer(Err(refusal.clone()), metrics);
        }
        if let Some(created) = self.created {
            let _ = created.send(Err(refusal.clone()));
        }
    }
}
