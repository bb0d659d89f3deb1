//! Keeps a socket's actor running, whether its peer reads or not.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tandem_actors::device::Outgoing;
use tandem_actors::room::Ending;
use tokio::time::{Sleep, sleep};

use super::farewell::Farewell;
use super::line::Line;

/// The task that polls the actor's output at all times and moves what it writes to the body.
///
/// Ends when the connection is over, or the actor is; the other one ends with it. Written by hand and not as an
/// `async fn`, which would take twice the memory for each idle connection.
pub(super) struct Pump<S> {
    /// What the actor writes; polling it is what makes the actor run.
    output: S,
    line: Rc<Line>,
    write_within: Duration,
    /// Set while there is no room for more.
    room_until: Option<Pin<Box<Sleep>>>,
}

/// Ends a connection: nothing comes behind these frames.
pub(super) fn say_last(line: &Line, farewell: Farewell) {
    let ending = if farewell.is_by_wish_of_peer() { Ending::Clean } else { line.lost() };
    line.outbox.push(Outgoing::Last(farewell.frames().into()));
    line.outbox.close(ending);
}

impl<S> Pump<S> {
    pub(super) fn new(output: S, line: Rc<Line>, write_within: Duration) -> Self {
        Self { output, line, write_within, room_until: None }
    }

    /// Ready with whether to go on: there is room, or nobody made any in time.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.line.poll_room(context.waker()).is_ready() {
            self.room_until = None;
            return Poll::Ready(true);
        }
        let write_within = self.write_within;
        let room_until = self.room_until.get_or_insert_with(|| Box::pin(sleep(write_within)));
        room_until.as_mut().poll(context).map(|()| false)
    }
}

impl<S, E> Future for Pump<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            if this.line.poll_body_gone(context.waker()).is_ready() {
                return Poll::Ready(());
            }
            match this.poll_room(context) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    this.line.cut_off();
                    say_last(&this.line, Farewell::TooSlow);
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
            match Pin::new(&mut this.output).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => this.line.put_control(bytes),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
