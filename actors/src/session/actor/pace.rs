//! What a session does by the clock: telling how the answer grows, giving early messages up.

use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::Session;
use crate::room::Signal;
use crate::session::approvals::next_overdue;
use crate::session::messages::Command;
use crate::session::submit::out_of_order;

/// How often devices are told of the growing answer.
const DELTA_EVERY: Duration = Duration::from_millis(30);

impl Session {
    /// Tells devices how the answer grows, at most once each [`DELTA_EVERY`].
    pub(super) fn tell_growth(&mut self, context: &mut Context<Self>) {
        let Some(core) = self.core.as_mut().filter(|_| self.in_flight.is_none()) else {
            return;
        };
        let due = self.last_delta.map(|last| last + DELTA_EVERY).filter(|due| *due > Instant::now());
        if let Some(due) = due {
            let has_news = core.live.answer.told < core.live.answer.text.len();
            if has_news && self.delta_timer.is_none() {
                let wait = due.duration_since(Instant::now());
                self.delta_timer = Some(context.run_later(wait, |session, context| {
                    session.delta_timer = None;
                    session.tell_growth(context);
                }));
            }
            return;
        }
        let Some(turn) = &core.state.turn else { return };
        let (message, index) = (turn.message.message, core.live.answer.index);
        if let Some((offset, text)) = core.live.answer.take_untold() {
            self.room.tail().signal(&Signal::delta(message, index, offset, &text));
            self.last_delta = Some(Instant::now());
        }
    }

    /// Sees to it that a question which nobody answers is denied, where that is the policy.
    pub(super) fn watch_approvals(&mut self, context: &mut Context<Self>) {
        let Some(core) = self.core.as_ref().filter(|_| self.approval_timer.is_none()) else { return };
        let Some(due) = next_overdue(&core.state, &self.around.policy) else { return };
        let wait = Duration::from_millis(due.millis_since(self.now()));
        self.approval_timer = Some(context.run_later(wait, |session, context| {
            session.approval_timer = None;
            // When it has landed, the next look is arranged: not before, because until then nothing has changed.
            session.command_itself(Command::Tend, context);
        }));
    }

    /// Sees to it that early messages are given up in time.
    pub(super) fn watch_held(&mut self, context: &mut Context<Self>) {
        if self.hold_timer.is_some() {
            return;
        }
        let Some(deadline) = self.held.next_deadline() else {
            return;
        };
        let wait = deadline.saturating_duration_since(Instant::now());
        self.hold_timer = Some(context.run_later(wait, |session, context| {
            session.hold_timer = None;
            for ask in session.held.expire(Instant::now()) {
                let expected =
                    session.core.as_ref().map_or(1, |core| core.ledger.next_number(&ask.by.device_id));
                ask.answer(Err(out_of_order(expected)), &session.around.metrics);
            }
            session.watch_held(context);
        }));
    }
}
