//! The session's hand on its agent: starting it, telling it things, ending it.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Session;
use super::inbox::{Input, Known};
use crate::agent::{AgentHandle, AgentInput, AgentOutput, Conversation, Exit, ExitCause, Launch, Stop};
use crate::event::StopReason;
use crate::ids::MessageId;
use crate::journal::{JournalError, TranscriptLine};
use crate::registry::Slot;
use crate::session::decide::Effect;
use crate::session::ladder::{Ladder, Step, Why};
use crate::session::live::{Interruption, Phase, conversation_of};
use crate::session::messages::Heard;
use crate::session::react::wants_agent;

/// When a start is tried again that could not be prepared.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The ends that the session holds of its agent. Dropping them ends the agent.
#[derive(Debug, Default)]
pub(super) struct Agency {
    hands: Option<Hands>,
    slot: Option<Slot>,
    incarnation: u64,
    start_timer: Option<SpawnHandle>,
    watch_timer: Option<SpawnHandle>,
    idle_timer: Option<SpawnHandle>,
    /// The agent has nothing to do, and the place knows it.
    is_resting: bool,
    /// The place is wanted by another session.
    is_wanted: bool,
    /// The agent is ended for another session: the place is given back, whatever has come in meanwhile.
    gives_back: bool,
}

#[derive(Debug)]
struct Hands {
    input: mpsc::Sender<AgentInput>,
    stop: mpsc::Sender<Stop>,
}

impl Agency {
    /// Whether this is the agent that runs now, and not one before it.
    pub(super) fn is_current(&self, incarnation: u64) -> bool {
        self.incarnation == incarnation
    }
}

impl Session {
    /// Starts an agent when there is work and none; gives it the turn that was dispatched; ends it when it must go.
    pub(super) fn tend_agent(&mut self, context: &mut Context<Self>) {
        let Some(core) = &mut self.core else { return };
        if core.live.agent == Phase::WaitingForSlot && self.agency.slot.is_some() {
            core.live.agent = Phase::None;
        }
        if core.live.agent == Phase::None {
            self.agency.hands = None;
            if std::mem::take(&mut self.agency.gives_back) {
                self.agency.slot = None;
            }
        }
        if let Some(message) = core.live.already_known.take() {
            self.read_what_is_known(message, context);
            return;
        }
        let Some(core) = &mut self.core else { return };
        if wants_agent(&core.state, &core.live) && !self.is_retiring {
            self.start_agent_in_time(context);
            return;
        }
        if core.live.agent == Phase::None {
            // Nothing to do: the place is for others.
            self.agency.slot = None;
        }
        let Some(turn) = &core.state.turn else {
            if let Some(reason) = core.live.end_after_turn.take() {
                self.stop_agent(reason);
            }
            self.watch_rest(context);
            return;
        };
        let is_started = turn.started_at.is_some();
        if core.live.agent == Phase::Ready && core.live.written.is_none() && !is_started {
            let (id, content) = (turn.message.message, turn.message.content.clone());
            core.live.written = Some(id);
            core.live.last_heard = Some(Instant::now());
            self.tell_agent(AgentInput::Message { id, content });
        } else if is_started && core.live.interrupt_when_started {
            // The agent has taken the message up; an interrupt that came too early for it is due now.
            core.live.interrupt_when_started = false;
            self.begin_ladder(Why::Interrupted);
        }
        self.watch_rest(context);
        self.watch_turn(context);
    }

    /// The same for a timer: while an append is under way, nothing is touched that a failed append takes back;
    /// everything is looked at again when it has ended.
    fn tend_agent_if_at_rest(&mut self, context: &mut Context<Self>) {
        if self.in_flight.is_none() {
            self.tend_agent(context);
        }
    }

    /// An agent without work may have to give its place to another session, and is ended after a while in any case.
    fn watch_rest(&mut self, context: &mut Context<Self>) {
        let Some(core) = &self.core else { return };
        let has_work = core.state.turn.is_some() || !core.state.queue.is_empty() || core.live.wants_recap;
        let is_resting = core.live.agent == Phase::Ready && !has_work;
        if is_resting && self.agency.is_wanted {
            self.hibernate(StopReason::Evicted);
        }
        if is_resting == self.agency.is_resting {
            return;
        }
        self.agency.is_resting = is_resting;
        self.agency.is_wanted = false;
        if let Some(slot) = &self.agency.slot {
            slot.rest(is_resting.then(Instant::now));
        }
        if let Some(timer) = self.agency.idle_timer.take() {
            context.cancel_future(timer);
        }
        if is_resting {
            self.agency.idle_timer = Some(context.run_later(self.around.policy.idle_after, |session, _| {
                session.agency.idle_timer = None;
                session.hibernate(StopReason::Idle);
            }));
        }
    }

    /// Another session wants the place: it gets it when this one's agent has nothing to do.
    pub(super) fn give_place(&mut self) {
        self.agency.is_wanted = true;
        self.hibernate(StopReason::Evicted);
    }

    /// Ends an agent that has nothing to do; the conversation is resumed by the next message.
    pub(super) fn hibernate(&mut self, reason: StopReason) {
        let Some(core) = &self.core else { return };
        let has_work = core.state.turn.is_some() || !core.state.queue.is_empty();
        let has_input = !self.inbox.is_empty() || self.in_flight.is_some();
        if core.live.agent == Phase::Ready && !has_work && !has_input {
            self.stop_agent(reason);
        }
    }

    /// The agent is ended at the end of its turn when it takes too much memory, and at once when it takes twice that.
    pub(super) fn measured(&mut self, bytes: u64) {
        let max = self.around.policy.max_memory_bytes;
        let Some(core) = &mut self.core else { return };
        core.live.memory_bytes = Some(bytes);
        if bytes <= max || core.live.agent != Phase::Ready || self.in_flight.is_some() {
            return;
        }
        tracing::warn!(session = %self.id, bytes, max, "an agent takes too much memory");
        if bytes > max.saturating_mul(2) || core.state.turn.is_none() {
            self.stop_agent(StopReason::Memory);
        } else {
            core.live.end_after_turn = Some(StopReason::Memory);
        }
    }

    /// The agent has answered this message in an earlier life: asks its transcript how.
    fn read_what_is_known(&mut self, message: MessageId, context: &mut Context<Self>) {
        let Some(core) = &self.core else { return };
        let conversation = core.state.conversation.unwrap_or(self.id.uuid());
        let project_path = core.state.settings.project_path.clone().into();
        let reading = self.around.launcher.transcript(project_path, conversation).into_actor(self);
        context.spawn(reading.map(move |written, session, context| {
            let written = written.unwrap_or_else(|error| {
                tracing::warn!(session = %session.id, %error, "the agent's transcript cannot be read");
                Vec::new()
            });
            session.inbox.push_back(Input::Known(Known { message, written }));
            session.pump(context);
        }));
    }

    fn start_agent_in_time(&mut self, context: &mut Context<Self>) {
        let Some(core) = &mut self.core else { return };
        match core.live.start_not_before.filter(|at| *at > Instant::now()) {
            None => self.ask_for_slot(context),
            Some(at) if self.agency.start_timer.is_none() => {
                let wait = at.duration_since(Instant::now());
                self.agency.start_timer = Some(context.run_later(wait, |session, context| {
                    session.agency.start_timer = None;
                    session.tend_agent_if_at_rest(context);
                }));
            }
            Some(_) => {}
        }
    }

    /// Waits for a place for the agent, then starts it.
    fn ask_for_slot(&mut self, context: &mut Context<Self>) {
        let Some(core) = &mut self.core else { return };
        if self.agency.slot.is_some() {
            self.start_agent(context);
            return;
        }
        core.live.agent = Phase::WaitingForSlot;
        let place = self.around.slots.ask(self.id, context.address().recipient()).into_actor(self);
        context.spawn(place.map(|slot, session, context| {
            session.agency.slot = slot.ok();
            session.tend_agent_if_at_rest(context);
        }));
        self.post_summary();
    }

    /// Looks again when the next rung of the ladder is due, or when the agent may have been silent for too long.
    fn watch_turn(&mut self, context: &mut Context<Self>) {
        let Some(due) = self.next_look() else { return };
        if let Some(timer) = self.agency.watch_timer.take() {
            context.cancel_future(timer);
        }
        let wait = due.saturating_duration_since(Instant::now());
        self.agency.watch_timer = Some(context.run_later(wait, |session, context| {
            session.agency.watch_timer = None;
            if session.in_flight.is_none() {
                session.look_at_turn();
                session.watch_turn(context);
            }
        }));
    }

    fn next_look(&self) -> Option<Instant> {
        let core = self.core.as_ref()?;
        core.state.turn.as_ref()?;
        match &core.live.ladder {
            Some(ladder) => ladder.due(),
            None => Some(core.live.last_heard? + self.around.policy.hang_after),
        }
    }

    fn look_at_turn(&mut self) {
        let hang_after = self.around.policy.hang_after;
        let Some(core) = &mut self.core else { return };
        if core.state.turn.is_none() || core.live.agent != Phase::Ready {
            return;
        }
        let now = Instant::now();
        if let Some(ladder) = &mut core.live.ladder {
            match ladder.climb(now) {
                Some(Step::Signalled) => self.order_stop(Stop::Nudge),
                Some(Step::Ended) => self.stop_agent(StopReason::Hung),
                Some(Step::Asked) | None => {}
            }
            return;
        }
        // A tool that runs long and a person who thinks long are no hang.
        let may_be_silent = !core.live.open_tools.is_empty()
            || !core.state.approvals.is_empty()
            || self.guarding.is_waited_for();
        if may_be_silent {
            core.live.last_heard = Some(now);
        } else if core.live.last_heard.is_none_or(|heard| now >= heard + hang_after) {
            tracing::warn!(session = %self.id, "the agent is silent for too long; its turn is ended");
            self.begin_ladder(Why::Hung);
        }
    }

    fn begin_ladder(&mut self, why: Why) {
        if let Some(core) = &mut self.core {
            core.live.ladder = Some(Ladder::begin(why, Instant::now()));
        }
        self.tell_agent(AgentInput::Interrupt);
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Interrupt { interruption, message } => self.interrupt(interruption, message),
            Effect::Answer { request, decision } => self.tell_agent(AgentInput::Answer { request, decision }),
            Effect::SetModel(model) => self.tell_agent(AgentInput::SetModel(model)),
            Effect::SetPermissionMode(mode) => self.tell_agent(AgentInput::SetPermissionMode(mode)),
            Effect::Recap => {
                if let Some(core) = &mut self.core {
                    core.live.wants_recap = true;
                }
            }
            Effect::StopAgent(StopReason::Expired) => {
                // A message that came in the same moment has revived it.
                if self.core.as_ref().is_some_and(|core| core.state.is_expired) {
                    self.stop_agent(StopReason::Expired);
                }
            }
            Effect::StopAgent(reason) => self.stop_agent(reason),
        }
    }

    fn interrupt(&mut self, interruption: Interruption, message: MessageId) {
        let Some(core) = &mut self.core else { return };
        let Some(turn) = core.state.turn.as_ref().filter(|turn| turn.message.message == message) else {
            return;
        };
        core.live.interruption = Some(interruption);
        if turn.started_at.is_none() {
            // An interrupt before the turn has begun is acknowledged by the agent and does nothing.
            core.live.interrupt_when_started = true;
        } else if core.live.ladder.is_none() {
            self.begin_ladder(Why::Interrupted);
        }
    }

    fn order_stop(&mut self, stop: Stop) {
        if let Some(hands) = &self.agency.hands {
            // A full channel holds an earlier order, a closed one means that it is gone: either way it ends.
            let _ = hands.stop.try_send(stop);
        }
    }

    pub(super) fn stop_agent(&mut self, reason: StopReason) {
        let Some(core) = &mut self.core else { return };
        if self.agency.hands.is_none() {
            return;
        }
        self.agency.gives_back = reason == StopReason::Evicted;
        core.live.stopping = Some(reason);
        core.live.agent = Phase::Stopping;
        let how = match reason {
            StopReason::Shutdown | StopReason::Idle | StopReason::Evicted => {
                Stop::Finish { within: self.around.grace }
            }
            _ => Stop::Now,
        };
        self.order_stop(how);
    }

    pub(super) fn tell_agent(&mut self, input: AgentInput) {
        let Some(hands) = &self.agency.hands else { return };
        if let Err(error) = hands.input.try_send(input) {
            // A closed channel: its exit is on the way. A full one: it reads nothing any more, so it is ended.
            tracing::warn!(session = %self.id, %error, "the agent takes no input");
            if matches!(error, mpsc::error::TrySendError::Full(_)) {
                let _ = hands.stop.try_send(Stop::Now);
            }
        }
    }

    fn start_agent(&mut self, context: &mut Context<Self>) {
        let Some(core) = &mut self.core else { return };
        let named = core.state.conversation;
        let first_choice = conversation_of(self.id.uuid(), core.state.has_spoken, named);
        let conversation = core.live.conversation_next.unwrap_or(first_choice);
        core.live.agent = Phase::Starting;
        core.live.conversation = Some(conversation);
        self.agency.incarnation += 1;
        if core.live.conversation_next.is_none() || matches!(conversation, Conversation::Resume(_)) {
            self.launch(conversation, Vec::new(), context);
            return;
        }
        // The agent does not know the conversation any more: give it back what it wrote, if that was kept.
        let reading = self.around.journal.transcript(self.id).into_actor(self);
        context.spawn(reading.map(move |transcript, session, context| {
            match transcript {
                Ok(transcript) if transcript.is_empty() => session.launch(conversation, transcript, context),
                Ok(transcript) => session.launch(first_choice, transcript, context),
                // Beginning anew would make the agent forget everything: only an empty transcript may lead to that.
                Err(error) => session.try_later(&error, context),
            }
        }));
    }

    fn try_later(&mut self, error: &JournalError, context: &mut Context<Self>) {
        tracing::warn!(session = %self.id, %error, "the kept transcript cannot be read; the agent is started later");
        if let Some(core) = &mut self.core {
            core.live.agent = Phase::None;
            core.live.start_not_before = Some(Instant::now() + TRY_AGAIN_AFTER);
        }
        self.tend_agent_if_at_rest(context);
    }

    fn launch(
        &mut self,
        conversation: Conversation,
        transcript: Vec<TranscriptLine>,
        context: &mut Context<Self>,
    ) {
        let Some(core) = &mut self.core else { return };
        if core.state.is_closed || core.state.is_expired || self.is_retiring {
            // It happened while the transcript was read.
            core.live.agent = Phase::None;
            self.agency.slot = None;
            self.leave_if_done(context);
            return;
        }
        core.live.conversation = Some(conversation);
        let settings = &core.state.settings;
        let handle = self.around.launcher.launch(Launch {
            session: self.id,
            term: core.term(),
            project_path: settings.project_path.clone().into(),
            conversation,
            transcript,
            model: settings.model.clone(),
            permission_mode: settings.permission_mode.clone(),
        });
        let AgentHandle { input, mut output, stop } = handle;
        self.agency.hands = Some(Hands { input, stop });
        let (session, incarnation) = (context.address(), self.agency.incarnation);
        actix_rt::spawn(async move {
            let mut has_exited = false;
            while let Some(outputs) = output.recv().await {
                has_exited |= outputs.iter().any(|output| matches!(output, AgentOutput::Exited(_)));
                // One batch at a time, and the next only when this one is durable.
                if session.send(Heard { incarnation, outputs }).await.is_err() {
                    return;
                }
            }
            if has_exited {
                return;
            }
            // An agent that goes without a word is gone all the same.
            let exit =
                Exit { code: None, signal: None, last_words: String::new(), cause: ExitCause::ByItself };
            let outputs = vec![AgentOutput::Exited(exit)];
            let _ = session.send(Heard { incarnation, outputs }).await;
        });
    }
}
