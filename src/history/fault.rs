//! What cannot be.

use std::sync::Arc;

use tandem_actors::clock::Timestamp;
use tandem_actors::ids::{MessageId, Seq, SessionId};

use super::op::Moment;

/// Something in a session's history that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session {session}: {what}")]
pub struct Fault {
    /// Where.
    pub session: SessionId,
    /// What.
    pub what: Wrong,
}

/// What is wrong, for a person to look for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says in its words what its fields are")]
pub enum Wrong {
    #[error("{device} never saw events {first} to {last}")]
    Lost { device: Arc<str>, first: Seq, last: Seq },
    #[error("{device} saw event {seq} again")]
    Doubled { device: Arc<str>, seq: Seq },
    #[error("{device} saw event {seq} after a later one")]
    OutOfOrder { device: Arc<str>, seq: Seq },
    #[error("{device} was told to begin at event {from} again: what it had seen was taken back")]
    TakenBack { device: Arc<str>, from: Seq },
    #[error("{device} went on at event {from} and not at {expected}")]
    ResumedElsewhere { device: Arc<str>, from: Seq, expected: Seq },
    #[error("{device} ends at event {last} of {head}")]
    Behind { device: Arc<str>, last: Seq, head: Seq },
    #[error("{device} saw another event {seq} than others did")]
    Different { device: Arc<str>, seq: Seq },
    #[error("{device} saw another hash of event {seq} than others did")]
    DifferentHash { device: Arc<str>, seq: Seq },

    #[error("message {message} was accepted as event {told} and is nowhere")]
    MessageLost { message: MessageId, told: Seq },
    #[error("message {message} is there {times} times, first as event {seq}")]
    MessageTwice { message: MessageId, seq: Seq, times: usize },
    #[error("message {message} was accepted as event {told} and is event {seq}")]
    MessageElsewhere { message: MessageId, told: Seq, seq: Seq },
    #[error(
        "message {message}, event {seq}, says something else, or comes from someone else, than what was sent"
    )]
    MessageChanged { message: MessageId, seq: Seq },
    #[error("message {message} was accepted as event {first} and as event {second}")]
    AnswersDiffer { message: MessageId, first: Seq, second: Seq },
    #[error("message {message} was accepted as new {times} times")]
    AcceptedAgain { message: MessageId, times: usize },
    #[error("event {seq} is message {message}, which nobody sent")]
    Stranger { message: MessageId, seq: Seq },
    #[error("event {seq} is a change of the shared state that nobody asked for")]
    StrangeChange { seq: Seq },
    #[error("event {seq} is what was refused: {what}")]
    RefusedAndDone { what: String, seq: Seq },
    #[error("done, but not there: {what}")]
    CommandLost { what: String },
    #[error("there {times} times, and asked for {asked} times: {what}")]
    CommandTwice { what: String, times: usize, asked: usize },
    #[error("said to be event {told}, but is not: {what}")]
    CommandElsewhere { what: String, told: Seq },
    #[error("event {seq} was written at {at}, before it was asked for")]
    BeforeAsked { seq: Seq, at: Timestamp, begun: Moment },
    #[error("event {seq} was written at {at}, after it was answered")]
    AfterAnswered { seq: Seq, at: Timestamp, answered: Moment },
    #[error("event {later} was asked for when event {earlier} had been answered, and stands before it")]
    AgainstRealTime { earlier: Seq, later: Seq },

    #[error("event {seq}: a turn of message {message} again, which has had its turn")]
    TurnTwice { message: MessageId, seq: Seq },
    #[error("event {seq}: a turn of message {message}, which does not wait")]
    TurnUnasked { message: MessageId, seq: Seq },
    #[error("event {seq}: a turn of message {message}, and {next} was the next one")]
    TurnOutOfOrder { message: MessageId, next: MessageId, seq: Seq },
    #[error("event {seq}: a turn of message {message}, while that of {running} goes on")]
    TurnOverlaps { message: MessageId, running: MessageId, seq: Seq },
    #[error("event {seq}: the end of a turn of message {message}, which does not run")]
    EndWithoutTurn { message: MessageId, seq: Seq },
    #[error("message {message} has never had a turn that ended")]
    TurnMissing { message: MessageId },

    #[error("{of} has another shared state than the events say, in key {key:?}")]
    StateDiffers { of: String, key: String },
}

impl Wrong {
    /// Whether events were lost, doubled or out of order on their way to a device: what a wire can do.
    #[must_use]
    pub const fn is_of_delivery(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Doubled { .. } | Self::OutOfOrder { .. })
    }
}
