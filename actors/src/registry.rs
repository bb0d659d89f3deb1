//! The Registry actor.
mod board;
mod directory;
mod messages;

pub use board::Board;
pub use directory::{DeviceEntry, Directory, Presence};
pub use messages::{Create, Find, SessionHandle};

use crate::refusal::Refusal;
use actix::{Actor, Context, Handler};

/// Stub
#[derive(Debug)]
pub struct Registry;

impl Actor for Registry {
    type Context = Context<Self>;
}
impl Handler<Find> for Registry {
    type Result = Result<SessionHandle, Refusal>;
    fn handle(&mut self, _find: Find, _context: &mut Context<Self>) -> Self::Result {
        Err(Refusal::session_not_found())
    }
}
impl Handler<Create> for Registry {
    type Result = Result<SessionHandle, Refusal>;
    fn handle(&mut self, _create: Create, _context: &mut Context<Self>) -> Self::Result {
        Err(Refusal::session_not_found())
    }
}
