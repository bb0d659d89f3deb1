//! What the registry is told, and what it answers.

use std::path::PathBuf;
use std::sync::Arc;

use actix::{Addr, Message};

use crate::event::By;
use crate::ids::{MessageId, SessionId};
use crate::refusal::Refusal;
use crate::room::Room;
use crate::session::Session;

/// Begin a conversation. Answered when its first event is durable.
///
/// Nobody chooses the id of a session. With `first_message` it is made of that and of the folder's real path, so that
/// whoever asks again with both finds the session that the first request began.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<SessionHandle, Refusal>")]
pub struct Create {
    /// Who wants it.
    pub by: By,
    /// The folder in which the agent works.
    pub project_path: PathBuf,
    /// What people call it.
    pub title: Option<String>,
    /// The agent's model.
    pub model: Option<String>,
    /// What the agent may do without asking.
    pub permission_mode: Option<String>,
    /// The message for which it is begun, when its sender named it; `None` begins a new one every time.
    pub first_message: Option<MessageId>,
}

/// Where is it? Loads the session from the journal when it is not in memory.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<SessionHandle, Refusal>")]
pub struct Find(pub SessionId);

/// The way to a session. May be kept for as long as its `addr` is connected; then ask again.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    /// Which.
    pub session: SessionId,
    /// Its actor.
    pub addr: Addr<Session>,
    /// Its room, which outlives the actor.
    pub room: Arc<Room>,
}

/// Which sessions are in memory?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<SessionHandle>")]
pub struct Loaded;

/// Stop every session in good order; answered when the last one is gone. Nothing is created or found any more.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StopAll;
