//! Who leads, when somebody has come or gone.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::watch;

use super::Session;
use crate::room::PRESENCE_GRACE;
use crate::session::messages::Command;
use crate::session::primary::{awaited_until, successor};

impl Session {
    /// Looks after the lead whenever who is online has changed, as long as the session lives.
    pub(super) fn watch_presence(&mut self, mut changes: watch::Receiver<u64>, context: &mut Context<Self>) {
        // The session keeps the room, so that there is always somebody to tell of a change.
        let changed = async move { changes.changed().await.ok().map(|()| changes) }.into_actor(self);
        context.spawn(changed.map(|changes, session, context| {
            session.look_who_leads(context);
            if let Some(changes) = changes {
                session.watch_presence(changes, context);
            }
        }));
    }

    /// Lets somebody take over from a device that is not there.
    pub(super) fn look_who_leads(&mut self, context: &mut Context<Self>) {
        let Some(core) = self.core.as_ref().filter(|core| !core.state.is_closed && !self.is_retiring) else {
            return;
        };
        let (now, roster) = (self.now(), self.room.roster());
        let from = core.state.primary.as_ref().map(|primary| primary.device.clone());
        // After a start, whoever leads has the same time to come back as after a lost connection.
        let is_unseen = !roster.iter().any(|present| Some(&present.device) == from.as_ref());
        let since_load = self.loaded_at.elapsed();
        let wait = if from.is_some() && is_unseen && since_load < PRESENCE_GRACE {
            Some(PRESENCE_GRACE - since_load)
        } else if let Some(until) = awaited_until(&core.state, &roster, now) {
            Some(Duration::from_millis(until.millis_since(now)))
        } else {
            if let Some(to) = successor(&core.state, &roster) {
                self.command_itself(Command::Succeed { from, to }, context);
            }
            None
        };
        if let Some(timer) = self.lead_timer.take() {
            context.cancel_future(timer);
        }
        self.lead_timer = wait.map(|wait| {
            context.run_later(wait, |session, context| {
                session.lead_timer = None;
                session.look_who_leads(context);
            })
        });
    }
}
