//! The Session actor.
mod messages;
mod view;

pub use messages::{Answer, Ask, Command, DeviceCard, Reply, Retire, Submit, Verdict};
pub use view::{AgentState, AgentView, DeviceView, QueuedView, Status, Summary, TurnView, View};

use actix::{Actor, Context, Handler};

/// Stub
#[derive(Debug)]
pub struct Session;
impl Actor for Session {
    type Context = Context<Self>;
}
impl Handler<Ask> for Session {
    type Result = ();
    fn handle(&mut self, _ask: Ask, _context: &mut Context<Self>) {}
}
