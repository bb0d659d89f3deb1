//! Following a session from any point on: the journal first, then the tail, without a seam.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::{Cursor, Reach, Room};
use crate::event::Record;
use crate::ids::{Seq, SessionId};
use crate::journal::{Journal, JournalError, Pending};
use crate::metrics::Metrics;

/// How much is read from the journal at a time for one connection that catches up.
const PAGE_EVENTS: usize = 512;
const PAGE_BYTES: usize = 128 * 1024;

/// A stream of encoded frames that begins behind any event and never ends.
///
/// Falling behind, resuming and being live are one: what the tail no longer holds comes from the journal.
/// A slow reader costs no memory here. An error ends nothing: polling again reads again.
pub struct Follow {
    room: Arc<Room>,
    journal: Arc<dyn Journal>,
    cursor: Cursor,
    reading: Option<Pending<Vec<Record>>>,
    is_catching_up: bool,
    is_left_behind: bool,
    metrics: Option<Metrics>,
}

impl Follow {
    /// Starts behind event `after`.
    #[must_use]
    pub fn new(room: Arc<Room>, journal: Arc<dyn Journal>, after: Seq) -> Self {
        let cursor = room.tail().cursor(after);
        Self {
            room,
            journal,
            cursor,
            reading: None,
            is_catching_up: false,
            is_left_behind: false,
            metrics: None,
        }
    }

    /// Lets it be counted how late it is.
    #[must_use]
    pub fn counted_by(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Which session it follows.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.room.session()
    }

    /// The last event that was handed out.
    #[must_use]
    pub fn position(&self) -> Seq {
        self.cursor.position()
    }

    /// Whether what comes next is not kept any more: following anew begins at what is.
    #[must_use]
    pub fn is_left_behind(&self) -> bool {
        self.is_left_behind
    }

    /// Whether there are events that were not handed out yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.room.tail().has_more(&self.cursor)
    }
}

impl Stream for Follow {
    type Item = Result<Bytes, JournalError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(reading) = &mut this.reading {
                let page = ready!(reading.as_mut().poll(context));
                this.reading = None;
                let mut records = page?;
                let next = this.cursor.position() + 1;
                let whole = records.iter().zip(next..).take_while(|(record, seq)| record.seq == *seq).count();
                this.is_left_behind = whole == 0 && !records.is_empty();
                records.truncate(whole);
                let Some(last) = records.last() else {
                    let reason = format!("event {next} is missing");
                    return Poll::Ready(Some(Err(JournalError::Unreadable { reason })));
                };
                this.cursor.advance_to(last.seq);
                return Poll::Ready(Some(Ok(this.room.tail().encode(&records))));
            }
            match this.room.tail().reach(&mut this.cursor, context.waker()) {
                Reach::Frames(frames) => {
                    this.is_catching_up = false;
                    if let (Some(metrics), Some(visible)) = (&this.metrics, this.cursor.visible_since()) {
                        metrics.delivery_seconds.observe_since(visible);
                    }
                    return Poll::Ready(Some(Ok(frames)));
                }
                Reach::UpToDate => return Poll::Pending,
                Reach::Behind { after } => {
                    if let Some(metrics) = this.metrics.as_ref().filter(|_| !this.is_catching_up) {
                        metrics.catch_ups.add(1);
                        metrics.catch_up_events.observe_count(this.room.tail().head().saturating_sub(after));
                    }
                    this.is_catching_up = true;
                    this.reading =
                        Some(this.journal.read(this.room.session(), after, PAGE_EVENTS, PAGE_BYTES));
                }
            }
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.room.tail().leave(&self.cursor);
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Follow({} behind {})", self.session(), self.position())
    }
}
