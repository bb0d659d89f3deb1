//! The Device actor: one connection of a device, whatever carries it. It takes requests in order,
//! passes commands on, and puts answers and streams into the connection's [`Outbox`].
//!
//! It knows nothing of WebSockets: the socket decodes frames into [`Request`]s and encodes what the outbox holds.

mod outbox;

pub use outbox::{Outbox, Outgoing};

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use serde_json::Value;

use crate::hub::Hub;
use crate::ids::{ConnectionId, Epoch, Seq, SessionId};
use crate::refusal::Refusal;
use crate::session::{Answer, Command, DeviceCard, Summary, View};

/// How many requests of one connection may be without an answer. The socket reads no further until there are fewer.
///
/// A person has one; a program that pipelines gains nothing above a few dozen, because commits are shared.
pub const MAX_UNANSWERED: usize = 64;

/// How many sessions one connection may follow (docs/protocol.md).
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
    /// What the person does. No answer.
    Activity(SessionId, String),
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
    /// The list of sessions; changes follow it.
    SessionList(Vec<Arc<Summary>>),
    /// The outcome of a command.
    Answer(Answer),
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

/// The actor of one connection.
#[derive(Debug)]
pub struct Device {
    hub: Hub,
    card: DeviceCard,
    connection: ConnectionId,
    outbox: Outbox,
}

impl Device {
    /// Makes the actor of a connection that has said hello; start it where its socket lives.
    #[must_use]
    pub fn new(hub: Hub, card: DeviceCard, connection: ConnectionId, outbox: Outbox) -> Self {
        Self {
            hub,
            card,
            connection,
            outbox,
        }
    }
}

impl Actor for Device {
    type Context = Context<Self>;
}

impl Handler<Request> for Device {
    /// Resolves when the answer is in the outbox: the socket counts what is unanswered.
    type Result = ResponseFuture<()>;

    fn handle(&mut self, request: Request, _context: &mut Context<Self>) -> Self::Result {
        let reply = match request.wish {
            Wish::Bad(refusal) => Reply::Rejected(refusal),
            Wish::Unknown(refusal) => Reply::Error(refusal),
            Wish::Ping => Reply::Pong,
            _ => Reply::Ok,
        };
        self.outbox.push(Outgoing::Reply {
            reference: request.reference,
            reply,
        });
        Box::pin(std::future::ready(()))
    }
}
