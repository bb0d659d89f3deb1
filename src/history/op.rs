//! What a client asked, and what it was told.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tandem_actors::clock::Timestamp;
use tandem_actors::content::Content;
use tandem_actors::ids::{MessageId, Seq};

use super::shared::Shared;

/// A moment on this machine, in microseconds since 1970; moments of one program keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// A command, from the moment at which it was begun to its answer.
#[derive(Debug, Clone)]
pub struct Op {
    /// What was asked.
    pub what: What,
    /// When; where it was sent again, the first time.
    pub begun: Moment,
    /// What came back and when; none if nothing did.
    pub answer: Option<(Moment, Answer)>,
}

/// Which command of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked(pub(super) usize);

/// A command that leads to an event.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum What {
    /// Says something.
    Submit { message: MessageId, content: Content },
    /// Lets a queued message say something else.
    Edit { message: MessageId, content: Content },
    /// Takes a queued message back.
    Cancel { message: MessageId },
    /// Puts a queued message elsewhere.
    Move { message: MessageId, before: Option<MessageId> },
    /// Changes the shared state; null deletes a key.
    Patch(Shared),
}

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A message is on disk.
    Accepted {
        /// Where.
        seq: Seq,
        /// Whether it was there before.
        is_duplicate: bool,
    },
    /// Another command was done.
    Done {
        /// Where its event is, if that was said.
        seq: Option<Seq>,
    },
    /// Refused, and nothing was done.
    Refused,
    /// Refused, but nobody knows what was done.
    Unknown,
}

impl Op {
    /// Whether it is known that nothing was done.
    pub(super) const fn was_refused(&self) -> bool {
        matches!(self.answer, Some((_, Answer::Refused)))
    }

    /// Whether it is known that it was done.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.answer, Some((_, Answer::Done { .. })))
    }
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        static START: OnceLock<(i64, Instant)> = OnceLock::new();
        // One look at the clock of day, and time that has passed since: a clock that is set mixes no order up.
        let (wall, steady) = START.get_or_init(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (micros(since), Instant::now())
        });
        Self(wall + micros(steady.elapsed()))
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.millis().saturating_mul(1000))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
