//! The Device actor: one connection of a device, whatever carries it. It takes requests in order,
//! passes commands on, and puts answers and streams into the connection's [`Outbox`].
//!
//! It knows nothing of WebSockets: the socket decodes frames into [`Request`]s and encodes what the outbox holds.

mod actor;
mod outbox;
mod project_wish;
mod start;
mod tenancy;

pub use actor::Device;
pub use outbox::{MAX_UNWRITTEN_NOTICES, Outbox, Outgoing, Receipt};
pub use project_wish::{ProjectWish, SubscribeProject, SubscribedProject};

use std::sync::Arc;

use actix::Message;
use serde_json::Value;

use crate::ids::{Epoch, Seq, SessionId};
use crate::notice::{Delivery, Notify};
use crate::project::LockAnswer;
use crate::refusal::Refusal;
use crate::registry::Listed;
use crate::room::Activity;
use crate::session::{Answer, Command, View};

/// How many requests of one connection may be without an answer. The socket reads no further until there are fewer.
///
/// A person has one; a program that pipelines gains nothing above a few dozen, because commits are shared.
pub const MAX_UNANSWERED: usize = 64;

/// How many sessions and projects one connection may follow (docs/protocol.md).
pub const MAX_SUBSCRIPTIONS: usize = 64;

/// One frame of a device, decoded. Requests of one connection are taken in the order in which they are sent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Request {
    /// The client's own mark, repeated in the answer.
    pub reference: Option<String>,
    /// What it wants.
    pub wish: Wish,
}

/// What a device can want after its `hello`.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Follow a session.
    Subscribe(Subscribe),
    /// Follow it no more; the link stays.
    Unsubscribe(SessionId),
    /// Follow the list of sessions.
    Watch,
    /// Something for a session.
    Command(SessionId, Command),
    /// "I have everything up to here." No answer.
    Ack(SessionId, Seq),
    /// What the person does, and where: the place in the client's own words, passed on as they are. No answer.
    Activity(SessionId, Activity, Option<Value>),
    /// Tell other devices something.
    Notify(Notify),
    /// Something about a project.
    Project(ProjectWish),
    /// Are you there?
    Ping,
    /// The frame could not be understood: answered as it says.
    Bad(Refusal),
    /// The frame's type is unknown: an `error` frame and not a direct answer.
    Unknown(Refusal),
}

/// From where a device wants to follow.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// Which session.
    pub session: SessionId,
    /// The last event that the device holds.
    pub after: Option<Seq>,
    /// The history that it belongs to.
    pub epoch: Option<Epoch>,
    /// That event's hash, as the device saw it.
    pub hash: Option<String>,
    /// Without `after`: how many of the newest events.
    pub tail: Option<Seq>,
}

/// A direct answer to a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The start of a stream; the stream follows it.
    Subscribed {
        /// Which session.
        session: SessionId,
        /// The history.
        epoch: Epoch,
        /// The last event as of `state`.
        head: Seq,
        /// The first event that will be sent.
        from: Seq,
        /// Whether the device must drop what it holds.
        reset: bool,
        /// The state as of `head`.
        state: Arc<View>,
    },
    /// The start of a project's stream; the stream follows it.
    SubscribedProject(Box<SubscribedProject>),
    /// What became of a request for a lock.
    Lock(LockAnswer),
    /// The list of sessions; changes follow it.
    SessionList(Vec<Listed>),
    /// The outcome of a command.
    Answer(Answer),
    /// What became of a notice.
    Notified(Delivery),
    /// Done, and nothing to say.
    Ok,
    /// Here.
    Pong,
    /// Refused.
    Rejected(Refusal),
    /// An `error` frame.
    Error(Refusal),
    /// More for programs, where `ok` carries something.
    OkWith(Value),
}
