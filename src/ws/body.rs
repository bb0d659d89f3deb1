//! The body of an upgraded response: everything that goes to one peer, in order.
//!
//! It holds cursors and no data. What the peer does not take stays where it is: answers in the outbox, which is
//! the brake on further requests; events in the tail and the journal.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tandem_actors::clock::Clock;
use tandem_actors::device::Outgoing;
use tandem_actors::ids::SessionId;
use tandem_actors::registry::Watcher;
use tandem_actors::room::Follow;

use super::farewell::Farewell;
use super::frame;
use super::line::Line;
use super::protocol::ServerFrame;

/// Answers are gathered into one write up to about this size.
const MAX_GATHERED_BYTES: usize = 64 * 1024;

/// See the module. `G` is kept until the connection is over.
pub(super) struct Body<G> {
    line: Rc<Line>,
    clock: Arc<dyn Clock>,
    follows: Vec<Follow>,
    /// Which of `follows` is asked first: each in turn, so that no session starves another.
    turn: usize,
    /// The list of sessions, for who watches it.
    watcher: Option<Watcher>,
    is_over: bool,
    _kept: G,
}

impl<G> Body<G> {
    pub(super) fn new(line: Rc<Line>, clock: Arc<dyn Clock>, kept: G) -> Self {
        Self { line, clock, follows: Vec::new(), turn: 0, watcher: None, is_over: false, _kept: kept }
    }

    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(control) = self.line.poll_control(context.waker()) {
            return Poll::Ready(Some(control));
        }
        let answers = self.take_answers(context);
        if !answers.is_empty() {
            return Poll::Ready(Some(answers.into()));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(events) = self.poll_follows(context) {
            return Poll::Ready(Some(events));
        }
        self.poll_list(context).map(Some)
    }

    /// Encodes what waits in the outbox, and takes up the streams that are started there, in that order.
    fn take_answers(&mut self, context: &Context<'_>) -> Vec<u8> {
        let mut frames = Vec::new();
        let mut has_taken = false;
        let mut receipts = Vec::new();
        while frames.len() < MAX_GATHERED_BYTES
            && !self.is_over
            && let Poll::Ready(outgoing) = self.line.outbox.poll_next(context.waker())
        {
            has_taken = true;
            match outgoing {
                Some(Outgoing::Reply { reference, reply }) => {
                    ServerFrame::answering(&reply, self.clock.now()).write(reference.as_deref(), &mut frames);
                }
                Some(Outgoing::Notice(notice, receipt)) => {
                    ServerFrame::Notice(&notice).write(None, &mut frames);
                    receipts.extend(receipt);
                }
                Some(Outgoing::Ready(ready)) => frames.extend_from_slice(&ready),
                Some(Outgoing::Last(last)) => {
                    frames.extend_from_slice(&last);
                    self.is_over = true;
                }
                Some(Outgoing::Follow(follow)) => {
                    self.unfollow(follow.session());
                    self.follows.push(follow);
                }
                Some(Outgoing::Unfollow(session)) => self.unfollow(session),
                Some(Outgoing::Watch(watcher)) => self.watcher = Some(watcher),
                None => self.is_over = true,
            }
        }
        if !receipts.is_empty() {
            // Whoever answers a ping has read what stood before it.
            frame::ping(self.line.expect_receipts(receipts).as_bytes(), &mut frames);
        }
        if has_taken {
            self.line.release_brake();
        }
        frames
    }

    fn unfollow(&mut self, session: SessionId) {
        self.follows.retain(|follow| follow.session() != session);
    }

    fn poll_follows(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        for _ in 0..self.follows.len() {
            self.turn = (self.turn + 1) % self.follows.len();
            let follow = &mut self.follows[self.turn];
            match Pin::new(&mut *follow).poll_next(context) {
                Poll::Ready(Some(Ok(events))) => return Poll::Ready(events),
                Poll::Ready(Some(Err(error))) => {
                    self.is_over = true;
                    if follow.is_left_behind() {
                        return Poll::Ready(Farewell::TooSlow.frames().into());
                    }
                    tracing::error!(%error, "the events of a session cannot be read");
                    return Poll::Ready(Farewell::StorageUnavailable.frames().into());
                }
                // A stream of events has no end of its own.
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn poll_list(&mut self, context: &Context<'_>) -> Poll<Bytes> {
        let Some(watcher) = &mut self.watcher else {
            return Poll::Pending;
        };
        watcher.poll_changes(context.waker()).map(|changed| {
            let mut frames = Vec::new();
            for session in changed {
                ServerFrame::SessionSummary { session: &session }.write(None, &mut frames);
            }
            frames.into()
        })
    }
}

impl<G: Unpin> Stream for Body<G> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let frames = this.poll_frames(context);
        this.line.asked(matches!(frames, Poll::Ready(Some(_))));
        frames.map(|frames| frames.map(Ok))
    }
}

impl<G> Drop for Body<G> {
    fn drop(&mut self) {
        self.line.body_is_gone();
    }
}

#[cfg(test)]
mod tests;
