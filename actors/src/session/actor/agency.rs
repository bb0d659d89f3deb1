//! The session's hand on its agent: starting it, telling it things, ending it.

use actix::prelude::*;
use tokio::sync::mpsc;

use super::Session;
use crate::agent::{AgentHandle, AgentInput, AgentOutput, Conversation, Exit, ExitCause, Launch, Stop};
use crate::event::{By, StopReason};
use crate::journal::TranscriptLine;
use crate::session::decide::Effect;
use crate::session::live::{Phase, conversation_of};
use crate::session::messages::Heard;
use crate::session::react::wants_agent;

/// The ends that the session holds of its agent. Dropping them ends the agent.
#[derive(Debug, Default)]
pub(super) struct Agency {
    hands: Option<Hands>,
    incarnation: u64,
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
    /// Starts an agent when there is work and none; gives it the turn that was dispatched.
    pub(super) fn tend_agent(&mut self, context: &mut Context<Self>) {
        let Some(core) = &mut self.core else { return };
        if core.live.agent == Phase::None {
            self.agency.hands = None;
        }
        if wants_agent(&core.state, &core.live) && !self.is_retiring {
            self.start_agent(context);
            return;
        }
        let Some(turn) = &core.state.turn else { return };
        if core.live.agent == Phase::Ready && core.live.written.is_none() && turn.started_at.is_none() {
            let (id, content) = (turn.message.message, turn.message.content.clone());
            core.live.written = Some(id);
            self.tell_agent(AgentInput::Message { id, content });
            return;
        }
        // The agent has taken the message up; an interrupt that came too early for it is due now.
        if turn.started_at.is_some() && core.live.interrupt_when_started {
            core.live.interrupt_when_started = false;
            self.tell_agent(AgentInput::Interrupt);
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Interrupt { by } => self.interrupt(by),
            Effect::Answer { request, decision } => self.tell_agent(AgentInput::Answer { request, decision }),
            Effect::SetModel(model) => self.tell_agent(AgentInput::SetModel(model)),
            Effect::SetPermissionMode(mode) => self.tell_agent(AgentInput::SetPermissionMode(mode)),
            Effect::StopAgent(reason) => self.stop_agent(reason),
        }
    }

    fn interrupt(&mut self, by: By) {
        let Some(core) = &mut self.core else { return };
        let Some(turn) = &core.state.turn else { return };
        core.live.interrupted_by = Some(by);
        if turn.started_at.is_some() {
            self.tell_agent(AgentInput::Interrupt);
        } else {
            // An interrupt before the turn has begun is acknowledged by the agent and does nothing.
            core.live.interrupt_when_started = true;
        }
    }

    pub(super) fn stop_agent(&mut self, reason: StopReason) {
        let Some(core) = &mut self.core else { return };
        let Some(hands) = &self.agency.hands else { return };
        core.live.stopping = Some(reason);
        core.live.agent = Phase::Stopping;
        let how = match reason {
            StopReason::Shutdown | StopReason::Idle | StopReason::Evicted => {
                Stop::Finish { within: self.around.grace }
            }
            _ => Stop::Now,
        };
        // A full channel holds an earlier stop, a closed one means that it is gone: either way it ends.
        let _ = hands.stop.try_send(how);
    }

    fn tell_agent(&mut self, input: AgentInput) {
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
            let transcript = transcript.unwrap_or_default();
            if transcript.is_empty() {
                session.launch(conversation, transcript, context);
            } else {
                session.launch(first_choice, transcript, context);
            }
        }));
    }

    fn launch(
        &mut self,
        conversation: Conversation,
        transcript: Vec<TranscriptLine>,
        context: &mut Context<Self>,
    ) {
        let Some(core) = &mut self.core else { return };
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
            while let Some(outputs) = output.recv().await {
                // One batch at a time, and the next only when this one is durable.
                if session.send(Heard { incarnation, outputs }).await.is_err() {
                    return;
                }
            }
            // An agent that goes without a word is gone all the same; after its `Exited` this says nothing new.
            let exit =
                Exit { code: None, signal: None, last_words: String::new(), cause: ExitCause::ByItself };
            let outputs = vec![AgentOutput::Exited(exit)];
            let _ = session.send(Heard { incarnation, outputs }).await;
        });
    }
}
