//! What a client hears without having asked, and where it waits to be read.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tandem_actors::clock::Timestamp;
use tandem_actors::ids::{NoticeId, Seq, SessionId};
use tandem_actors::session::Summary;

use super::error::Rejection;
use super::frame::Subscribed;

/// What a client hears. Of each session, events come in the order of their seq, each once, without a gap.
#[derive(Debug)]
pub enum Incoming {
    /// The next event of a session.
    Event(SessionEvent),
    /// A passing hint.
    Signal {
        /// Of which session.
        session: SessionId,
        /// `delta`, `presence`, `cursor`, or what this client does not know.
        kind: String,
        /// As it came.
        data: Box<RawValue>,
    },
    /// The whole list of sessions, after a reconnect; only while it is watched.
    SessionList(Vec<Summary>),
    /// A session of the list has changed.
    Summary(Box<Summary>),
    /// Somebody has something to say.
    Notice {
        /// Its name. One that comes again, because nobody knew that it had come, is not told again.
        id: Option<NoticeId>,
        /// Who.
        from: Value,
        /// What.
        message: Value,
        /// When.
        at: Option<Timestamp>,
    },
    /// The connection is gone, or a try to get it back has failed; the client tries again by itself.
    Disconnected {
        /// Why, for a person.
        reason: String,
        /// When the next try is made.
        retry_in: Duration,
    },
    /// The connection is back; sessions follow.
    Connected,
    /// A session's stream goes on behind the last event that was heard.
    Resumed(Box<Subscribed>),
    /// A session has another history now: drop what is shown of it and begin with this state.
    Reset(Box<Subscribed>),
    /// A session can be followed no more.
    Ended {
        /// Which.
        session: SessionId,
        /// Why.
        rejection: Rejection,
    },
    /// The server complains about something that is no command.
    Error(Rejection),
    /// The connection is over for good; nothing follows.
    Closed {
        /// Why, for a person.
        reason: String,
    },
}

/// One durable event of a session (docs/protocol.md, events).
#[derive(Debug)]
pub struct SessionEvent {
    /// Of which session.
    pub session: SessionId,
    /// Its place: the one before plus 1.
    pub seq: Seq,
    /// The chain over all events up to it.
    pub hash: String,
    /// When it was written, by the server's clock.
    pub at: Timestamp,
    /// What happened, or a word that this client does not know.
    pub kind: String,
    /// The fields of that kind, as they came.
    pub data: Box<RawValue>,
}

/// From here on the socket is read only for an answer that somebody waits for.
///
/// A program that does not read its events makes the server wait for it, and not its own memory grow.
const MAX_WAITING: usize = 4096;
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// What was heard and is not read yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Incoming>,
    bytes: usize,
}

impl Backlog {
    pub(super) fn push(&mut self, incoming: Incoming) {
        self.bytes += incoming.bytes();
        self.waiting.push_back(incoming);
    }

    pub(super) fn pop(&mut self) -> Option<Incoming> {
        let incoming = self.waiting.pop_front()?;
        self.bytes -= incoming.bytes();
        Some(incoming)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.bytes >= MAX_WAITING_BYTES
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Incoming {
    /// About how much memory it holds beside itself; only what can be large counts.
    fn bytes(&self) -> usize {
        match self {
            Self::Event(event) => event.data.get().len(),
            Self::Signal { data, .. } => data.get().len(),
            Self::SessionList(_)
            | Self::Summary(_)
            | Self::Notice { .. }
            | Self::Disconnected { .. }
            | Self::Connected
            | Self::Resumed(_)
            | Self::Reset(_)
            | Self::Ended { .. }
            | Self::Error(_)
            | Self::Closed { .. } => 0,
        }
    }
}
