//! What the agent is to be answered before and after it uses a tool: locks are taken for it, and given back.

use std::collections::HashMap;
use std::sync::Arc;

use actix::prelude::*;
use uuid::Uuid;

use super::Session;
use crate::agent::{AgentInput, AgentOutput, Hook, HookAnswer, Moment};
use crate::guard::Ward;
use crate::ids::RequestId;
use crate::session::messages::Heard;

/// The session under guard. Dropping it gives everything back.
#[derive(Debug, Default)]
pub(super) struct Guarding {
    ward: Option<Arc<Ward>>,
    /// Hooks that are not answered yet.
    open: HashMap<RequestId, (SpawnHandle, Moment)>,
    /// Of which conversation the ward knows what was seen.
    conversation: Option<Uuid>,
}

impl Guarding {
    /// Whether the agent waits for an answer: its silence is no hang.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.open.is_empty()
    }
}

impl Session {
    /// Looks after the hooks in what the agent said. It is durable, so it is looked at once.
    pub(super) fn guard(&mut self, heard: &Heard, context: &mut Context<Self>) {
        if !self.agency.is_current(heard.incarnation) {
            return;
        }
        for output in &heard.outputs {
            match output {
                AgentOutput::Hook(hook) => self.answer_hook(hook.clone(), context),
                AgentOutput::Withdraws(request) => {
                    if let Some((waiting, _)) = self.guarding.open.remove(request) {
                        context.cancel_future(waiting);
                    }
                }
                AgentOutput::Init(init) => self.note_conversation(init.conversation),
                AgentOutput::Result(_) => self.end_guarding("The turn has ended.", context),
                AgentOutput::Exited(_) => self.end_guarding("The agent has ended.", context),
                _ => {}
            }
        }
    }

    /// Answers a hook when that is decided. Nobody waits for it but the agent.
    fn answer_hook(&mut self, hook: Hook, context: &mut Context<Self>) {
        let Some(ward) = self.ward() else { return };
        let (request, moment) = (hook.request.clone(), hook.moment);
        let deciding = async move {
            match moment {
                Moment::Before => ward.before(hook).await,
                Moment::After => {
                    ward.after(hook).await;
                    HookAnswer::Pass
                }
            }
        };
        let asked = request.clone();
        let deciding = deciding.into_actor(self).map(move |answer, session, _| {
            session.guarding.open.remove(&asked);
            session.tell_agent(AgentInput::HookAnswer { request: asked, answer });
        });
        let waiting = context.spawn(deciding);
        self.guarding.open.insert(request, (waiting, moment));
    }

    /// What the session holds is given back, and what it still waits for is denied.
    fn end_guarding(&mut self, reason: &str, context: &mut Context<Self>) {
        for (request, (waiting, moment)) in std::mem::take(&mut self.guarding.open) {
            context.cancel_future(waiting);
            let answer = match moment {
                Moment::Before => HookAnswer::Deny { reason: reason.to_owned() },
                // What is done cannot be denied.
                Moment::After => HookAnswer::Pass,
            };
            self.tell_agent(AgentInput::HookAnswer { request, answer });
        }
        if let Some(ward) = &self.guarding.ward {
            ward.end_turn();
        }
    }

    /// Another conversation knows nothing of what was read in the one before.
    fn note_conversation(&mut self, conversation: Option<Uuid>) {
        let before = self.guarding.conversation;
        self.guarding.conversation = conversation.or(before);
        if before.is_some()
            && before != self.guarding.conversation
            && let Some(ward) = &self.guarding.ward
        {
            ward.forget_all();
        }
    }

    fn ward(&mut self) -> Option<Arc<Ward>> {
        let core = self.core.as_ref()?;
        let project = core.state.settings.project_path.as_str().into();
        let ward = self.guarding.ward.get_or_insert_with(|| self.around.guard.ward(self.id, project));
        Some(ward.clone())
    }
}
