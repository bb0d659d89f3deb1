//! What a session is told, and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Message;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::agent::AgentOutput;
use crate::clock::{Stamp, Timestamp};
use crate::content::Content;
use crate::event::{By, SubmitMode};
use crate::ids::{ConnectionId, DeviceId, MessageId, RequestId, Seq};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::session::view::View;

/// Where the outcome of a command goes. A sender that is dropped unanswered means: the actor went away, effect unknown.
pub type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// A command of somebody. Taking it in is answered at once (that is the back-pressure), its outcome goes to `reply`
/// when it is durable. Commands are taken in the order in which they arrive.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Ask {
    /// Who wants it.
    pub by: By,
    /// What.
    pub command: Command,
    /// Where the outcome goes.
    pub reply: Reply,
}

impl Ask {
    /// Tells the outcome, and counts it when it is that of a message.
    pub(super) fn answer(self, outcome: Result<Answer, Refusal>, metrics: &Metrics) {
        if matches!(self.command, Command::Submit(_)) {
            match &outcome {
                Ok(Answer::Accepted { duplicate: true, .. }) => metrics.messages_duplicate.add(1),
                Ok(_) => {}
                Err(refusal) => metrics.messages_refused.add(refusal.code),
            }
        }
        // Who asked may have left.
        let _ = self.reply.send(outcome);
    }
}

/// What can be asked of a session.
#[derive(Debug, Clone)]
pub enum Command {
    /// Say something to the agent.
    Submit(Submit),
    /// Take a queued message back.
    Cancel {
        /// Which.
        message: MessageId,
    },
    /// Say something else in a queued message.
    Edit {
        /// Which.
        message: MessageId,
        /// What it says now.
        content: Content,
    },
    /// Put a queued message elsewhere.
    Move {
        /// Which.
        message: MessageId,
        /// In front of which; `None` is last.
        before: Option<MessageId>,
    },
    /// End the running turn.
    Interrupt {
        /// And take back everything that is queued.
        cancel_queued: bool,
    },
    /// Answer the agent's question.
    Approve {
        /// Which question.
        request: RequestId,
        /// The answer.
        verdict: Verdict,
    },
    /// Write keys of the shared state.
    SetState {
        /// What they hold from now on; null deletes.
        patch: BTreeMap<String, Value>,
        /// When it was written, by the writer's clock; the server's when there is none.
        at: Option<Stamp>,
    },
    /// Let another device lead, and give it what the one before was about to say.
    Handoff {
        /// Which.
        to: DeviceId,
    },
    /// Somebody who is there takes over from a device that is not. From the session itself.
    Succeed {
        /// Who led when that was found out.
        from: Option<DeviceId>,
        /// Who leads from now on.
        to: DeviceId,
    },
    /// Change what is said of the session. `None` leaves as it is.
    Change {
        /// Its title.
        title: Option<String>,
        /// The agent's model.
        model: Option<String>,
        /// What the agent may do without asking.
        permission_mode: Option<String>,
    },
    /// Link a device that is not connected.
    Link(DeviceCard),
    /// Unlink a device.
    Unlink {
        /// Which.
        device: DeviceId,
    },
    /// Live on.
    KeepAlive,
    /// Live on, and have the agent recap what it was about: a turn of its own, behind all messages that wait.
    Recap,
    /// See whether the session must be warned or has expired. From the registry.
    Tend,
    /// Close for good and stop the agent.
    Close,
    /// A connection wants to follow: links its device and answers with the state.
    Attach {
        /// Which connection.
        connection: ConnectionId,
        /// Whose.
        device: DeviceCard,
    },
    /// How it is.
    Look,
}

impl Command {
    /// Whether a person does something with it, and not a client or the server by itself.
    pub(super) fn is_somebodys_act(&self) -> bool {
        !matches!(self, Self::Attach { .. } | Self::Look | Self::Tend)
    }
}

/// A message as it is submitted.
#[derive(Debug, Clone)]
pub struct Submit {
    /// What it says.
    pub content: Content,
    /// The sender's own id, which makes it repeatable for ever.
    pub message_id: Option<MessageId>,
    /// Whether it waits or goes first.
    pub mode: SubmitMode,
    /// The sender's own count, 1, 2, 3, … per device and session.
    pub device_seq: Option<u64>,
}

/// How a device introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCard {
    /// Its id.
    pub device_id: DeviceId,
    /// What its owner calls it.
    pub device_name: Option<String>,
    /// `phone`, `laptop`, `browser`, `terminal`, `script`, …
    pub kind: Option<String>,
}

/// A person's answer to an approval.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Do it.
    Allow {
        /// With this input instead.
        updated_input: Option<Arc<RawValue>>,
        /// And do not ask again in this session for what the agent itself suggested.
        for_session: bool,
    },
    /// Do not.
    Deny {
        /// Why, for the model.
        message: Option<String>,
    },
}

/// The outcome of a command that was not refused. Everything it tells is durable.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The message is in the queue, or was before.
    Accepted {
        /// Its id.
        message_id: MessageId,
        /// Where its `message_accepted` stands.
        seq: Seq,
        /// Whether it was accepted before.
        duplicate: bool,
    },
    /// Done.
    Done,
    /// The patch was taken, whichever of its keys has won.
    StateSet {
        /// Where its `state_changed` stands; the head, when it changed nothing.
        seq: Seq,
        /// When it counts as written.
        at: Stamp,
    },
    /// Alive until then.
    Extended {
        /// When it expires.
        expires_at: Timestamp,
    },
    /// How the session is.
    View(Arc<View>),
}

/// What an agent said, in order. Answered when it is durable: the agent's reader waits for that.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Heard {
    /// Which start of an agent it comes from; what an older one says is dropped.
    pub(crate) incarnation: u64,
    pub(crate) outputs: Vec<AgentOutput>,
}

/// Stop in good order: end the agent, write what it says last, then go.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Retire;

/// Give the agent's place to another session, if it has nothing to do. From the registry.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Hibernate;

/// How much memory the agent and everything that it started take.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Measured {
    /// Resident, in bytes.
    pub bytes: u64,
}

/// Leave the memory of the server, if there is nothing to do and nobody is there.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Rest;
