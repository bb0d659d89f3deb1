//! What the actor is told: each message goes into the inbox or to the plain method that answers it.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::inbox::Input;
use super::{LAST_WRITES, MAILBOX, Session, Surroundings};
use crate::session::live::Phase;
use crate::session::load::load;
use crate::session::messages::{Ask, Heard, Hibernate, Measured, Rest, Retire};
use crate::session::react::wants_agent;

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(MAILBOX);
        let Surroundings { journal, launcher, policy, .. } = self.around.clone();
        let id = self.id;
        let loading = async move { load(&*journal, &*launcher, id, policy).await }.into_actor(self);
        context.spawn(loading.map(|outcome, session, context| match outcome {
            Ok((core, remains)) => {
                session.remains = remains;
                session.loaded(core, context);
            }
            Err(error) => session.failed_to_load(&error, context),
        }));
    }
}

impl Handler<Ask> for Session {
    type Result = ();

    fn handle(&mut self, ask: Ask, context: &mut Context<Self>) {
        if ask.command.is_somebodys_act() {
            self.room.touch(&ask.by.device_id);
        }
        self.inbox.push_back(Input::Ask(ask));
        self.pump(context);
    }
}

impl Handler<Heard> for Session {
    /// Resolves when everything in it is durable, so that an agent is slowed by its pipe and never by memory.
    type Result = ResponseFuture<()>;

    fn handle(&mut self, heard: Heard, context: &mut Context<Self>) -> Self::Result {
        let (durable, wait) = oneshot::channel();
        if self.agency.is_current(heard.incarnation) {
            self.inbox.push_back(Input::Heard(heard, durable));
            self.pump(context);
        }
        Box::pin(async move {
            // An error means that it was given up: the reader need not wait any longer.
            let _ = wait.await;
        })
    }
}

impl Handler<Retire> for Session {
    type Result = ();

    fn handle(&mut self, _retire: Retire, context: &mut Context<Self>) {
        self.is_retiring = true;
        // What cannot be written until then is recovered from at the next start.
        context.run_later(self.around.grace + LAST_WRITES, |_, context| context.stop());
        self.pump(context);
        self.leave_if_done(context);
    }
}

impl Handler<Hibernate> for Session {
    type Result = ();

    fn handle(&mut self, _hibernate: Hibernate, _context: &mut Context<Self>) {
        self.give_place();
    }
}

impl Handler<Measured> for Session {
    type Result = ();

    fn handle(&mut self, measured: Measured, _context: &mut Context<Self>) {
        self.measured(measured.bytes);
    }
}

impl Handler<Rest> for Session {
    type Result = ();

    fn handle(&mut self, _rest: Rest, context: &mut Context<Self>) {
        let is_quiet = self.in_flight.is_none() && self.inbox.is_empty() && self.room.is_empty();
        let has_work = self.core.as_ref().is_none_or(|core| {
            core.live.agent != Phase::None
                || wants_agent(&core.state, &core.live)
                || !core.state.queue.is_empty()
        });
        if is_quiet && !has_work && self.held.next_deadline().is_none() {
            context.stop();
        }
    }
}
