//! In front of the codec: what a client sends is looked at before it is kept.
//!
//! The codec tests a frame's size only when all of it is buffered, and reads on while nobody has answered. The guard
//! refuses by the header, and is the brake: while too much is unanswered, nothing more is let through.

mod header;

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

use super::line::{Fault, Line};
use header::Headers;

pub(super) use header::Violation;

/// What comes from the peer, kept until the connection is over: actix reads on and throws away, as fast as the peer
/// can send, once nobody holds it any more.
pub(super) type Incoming<S> = Rc<RefCell<S>>;

/// The bytes of a client, as far as they may pass.
pub(super) struct Guard<S> {
    inner: Incoming<S>,
    line: Rc<Line>,
    headers: Headers,
    /// What came in and was not let through yet.
    rest: Bytes,
    violation: Option<Violation>,
    is_over: bool,
}

impl<S> Guard<S> {
    pub(super) fn new(inner: Incoming<S>, line: Rc<Line>) -> Self {
        Self { inner, line, headers: Headers::default(), rest: Bytes::new(), violation: None, is_over: false }
    }

    /// The part of `rest` that may pass now: all of it, or up to where the brake or a violation is.
    fn pass(&mut self, context: &Context<'_>) -> Bytes {
        let mut end = 0;
        while end < self.rest.len() {
            if self.headers.is_between_messages() && self.line.is_braked(context.waker()) {
                break;
            }
            match self.headers.take(&self.rest[end..], self.line.max_message_bytes()) {
                Ok(taken) => {
                    end += taken.bytes;
                    if let Some(bytes) = taken.message {
                        self.line.let_through(bytes);
                    }
                }
                Err(violation) => {
                    self.violation = Some(violation);
                    self.rest.truncate(end);
                }
            }
        }
        self.rest.split_to(end)
    }

    fn end(&mut self, fault: Fault) -> PayloadError {
        self.is_over = true;
        self.line.note_fault(fault);
        PayloadError::Io(std::io::ErrorKind::InvalidData.into())
    }
}

impl<S> Stream for Guard<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            let passed = this.pass(context);
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(passed)));
            }
            if let Some(violation) = this.violation {
                return Poll::Ready(Some(Err(this.end(Fault::Violation(violation)))));
            }
            if this.headers.is_between_messages() && this.line.is_braked(context.waker()) {
                return Poll::Pending;
            }
            let polled = Pin::new(&mut *this.inner.borrow_mut()).poll_next(context);
            match ready!(polled) {
                Some(Ok(chunk)) => {
                    this.line.heard();
                    this.rest = chunk;
                }
                Some(Err(_broken)) => return Poll::Ready(Some(Err(this.end(Fault::Gone)))),
                None => this.is_over = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::{StreamExt as _, stream};
    use tandem_actors::device::{MAX_UNANSWERED, Outgoing, Reply};

    use super::*;

    fn text_frame(length: u16) -> Vec<u8> {
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend(std::iter::repeat_n(b'x', usize::from(length)));
        frame
    }

    type Chunks = stream::Iter<std::vec::IntoIter<Result<Bytes, PayloadError>>>;

    fn guard(line: &Rc<Line>, chunks: Vec<Vec<u8>>) -> Guard<Chunks> {
        let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
        Guard::new(Rc::new(RefCell::new(stream::iter(chunks))), line.clone())
    }

    /// What is let through at once, without anybody answering.
    fn passed(guard: &mut Guard<Chunks>) -> usize {
        let mut bytes = 0;
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(chunk))) = guard.poll_next_unpin(&mut context) {
            bytes += chunk.len();
        }
        bytes
    }

    #[test]
    fn before_hello_one_message_passes_and_then_its_answer_is_awaited() {
        let line = Rc::new(Line::for_tests());
        let mut guard = guard(&line, vec![[text_frame(10), text_frame(20_000)].concat()]);
        assert_eq!(passed(&mut guard), 18);
        line.greeted();
        line.settled(10);
        assert_eq!(passed(&mut guard), 20_008, "what was too large before hello is not after it");
    }

    #[test]
    fn before_hello_a_large_message_is_refused() {
        let line = Rc::new(Line::for_tests());
        let mut guard = guard(&line, vec![text_frame(16 * 1024 + 1)]);
        assert_eq!(passed(&mut guard), 0);
        assert_eq!(line.fault(), Some(Fault::Violation(Violation::TooBig)));
    }

    #[test]
    fn what_is_unanswered_is_a_brake_and_so_is_what_waits_for_the_wire() {
        let line = Rc::new(Line::for_tests());
        line.greeted();
        let flood = vec![text_frame(2).repeat(3 * MAX_UNANSWERED)];
        let mut guard = guard(&line, flood);
        assert_eq!(passed(&mut guard), 10 * MAX_UNANSWERED);
        line.settled(2);
        assert_eq!(passed(&mut guard), 10);
        let answer = Outgoing::Reply { reference: None, reply: Reply::Ok };
        line.outbox.push(answer);
        line.settled(2);
        assert_eq!(passed(&mut guard), 0, "answered, but the answer is not out yet");
        assert!(line.outbox.poll_next(Waker::noop()).is_ready());
        assert_eq!(passed(&mut guard), 10);
    }

    #[test]
    fn a_few_large_messages_are_a_brake_too() {
        let line = Rc::new(Line::for_tests());
        line.greeted();
        let mut guard = guard(&line, vec![text_frame(60_000).repeat(30)]);
        assert_eq!(passed(&mut guard), 5 * 60_008);
    }

    #[test]
    fn what_was_whole_before_a_violation_still_passes() {
        let line = Rc::new(Line::for_tests());
        line.greeted();
        let mut guard = guard(&line, vec![[text_frame(5), vec![0xff, 0xff]].concat()]);
        assert_eq!(passed(&mut guard), 13);
        assert_eq!(line.fault(), Some(Fault::Violation(Violation::Malformed)));
    }
}
