//! What the parts of one connection share: the socket, the guard in front of it, and the body that writes.
//!
//! All of them live on one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tandem_actors::device::{MAX_UNANSWERED, Outbox, Receipt};
use tandem_actors::room::Ending;

use super::guard::Violation;

/// The longest message of a device that has said hello (docs/protocol.md).
pub(super) const MAX_MESSAGE_BYTES: usize = 10 * 1024 * 1024;

/// A hello is some 150 bytes; 16 KiB leave room for everything that may be added to it.
const MAX_MESSAGE_BYTES_BEFORE_HELLO: usize = 16 * 1024;

/// Unanswered messages may hold so much together, the last one more: so that 64 messages of 10 MiB are not
/// in memory at once.
const MAX_UNANSWERED_BYTES: usize = 256 * 1024;

/// Pings and pongs that wait for the wire. More of them only wait when the peer sends pings and does not read.
const MAX_CONTROL_CHUNKS: usize = 8;

/// What a ping begins with that stands behind notices; its number follows. Frames stay in order, so its pong says that the
/// notices before it have arrived; what the kernel or a proxy still holds when a connection ends has not.
const RECEIPT_PING: &str = "notices ";

/// What a connection's own end of input was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The guard refused what came.
    Violation(Violation),
    /// The peer is gone.
    Gone,
}

/// See the module.
pub(super) struct Line {
    pub(super) outbox: Outbox,
    is_greeted: Cell<bool>,
    unanswered: Cell<usize>,
    unanswered_bytes: Cell<usize>,
    braked: Cell<Option<Waker>>,
    wants_answers: Cell<Option<Waker>>,
    fault: Cell<Option<Fault>>,
    last_heard: Cell<Instant>,
    /// Since when a ping is without an answer.
    asked_at: Cell<Option<Instant>>,
    /// When the body gave something to the connection and was not asked again since.
    handed_out: Cell<Option<Instant>>,
    /// For notices that were written, each with the number of the ping behind it.
    receipts: RefCell<VecDeque<(u64, Receipt)>>,
    /// How many pings stand behind notices.
    receipt_pings: Cell<u64>,
    control: RefCell<VecDeque<Bytes>>,
    wants_control: Cell<Option<Waker>>,
    wants_room: Cell<Option<Waker>>,
    is_body_gone: Cell<bool>,
    is_cut_off: Cell<bool>,
}

impl Line {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            is_greeted: Cell::default(),
            unanswered: Cell::default(),
            unanswered_bytes: Cell::default(),
            braked: Cell::default(),
            wants_answers: Cell::default(),
            fault: Cell::default(),
            last_heard: Cell::new(Instant::now()),
            asked_at: Cell::default(),
            handed_out: Cell::default(),
            receipts: RefCell::default(),
            receipt_pings: Cell::default(),
            control: RefCell::default(),
            wants_control: Cell::default(),
            wants_room: Cell::default(),
            is_body_gone: Cell::default(),
            is_cut_off: Cell::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        Self::new(Outbox::default())
    }

    // What comes in.

    /// The peer has said hello: from now on it may send more at a time.
    pub(super) fn greeted(&self) {
        self.is_greeted.set(true);
        self.release_brake();
    }

    pub(super) fn max_message_bytes(&self) -> u64 {
        if self.is_greeted.get() { MAX_MESSAGE_BYTES as u64 } else { MAX_MESSAGE_BYTES_BEFORE_HELLO as u64 }
    }

    /// A whole message goes to the socket, which will call [`Line::settled`] once it is answered.
    pub(super) fn let_through(&self, bytes: usize) {
        self.unanswered.set(self.unanswered.get() + 1);
        self.unanswered_bytes.set(self.unanswered_bytes.get() + bytes);
    }

    /// A message is answered: the answer is in the outbox.
    pub(super) fn settled(&self, bytes: usize) {
        self.unanswered.set(self.unanswered.get().saturating_sub(1));
        self.unanswered_bytes.set(self.unanswered_bytes.get().saturating_sub(bytes));
        self.release_brake();
        if let Some(waker) = self.wants_answers.take() {
            waker.wake();
        }
    }

    /// Ready when every message that was let through is answered.
    pub(super) fn poll_answered(&self, waker: &Waker) -> Poll<()> {
        if self.unanswered.get() == 0 {
            return Poll::Ready(());
        }
        self.wants_answers.set(Some(waker.clone()));
        Poll::Pending
    }

    /// Whether no further message may be let through; the waker is called when that may have changed.
    pub(super) fn is_braked(&self, waker: &Waker) -> bool {
        let is_braked = self.has_too_much_unanswered();
        if is_braked {
            self.braked.set(Some(waker.clone()));
        }
        is_braked
    }

    /// Something left the outbox, or was answered.
    pub(super) fn release_brake(&self) {
        if let Some(waker) = self.braked.take() {
            waker.wake();
        }
    }

    fn has_too_much_unanswered(&self) -> bool {
        // Before hello one message at a time is looked at: only its answer says how large the next may be.
        let most = if self.is_greeted.get() { MAX_UNANSWERED } else { 1 };
        self.unanswered.get() + self.outbox.len() >= most
            || self.unanswered_bytes.get() >= MAX_UNANSWERED_BYTES
    }

    /// Why nothing more will come in; the first reason counts.
    pub(super) fn note_fault(&self, fault: Fault) {
        self.fault.set(self.fault.get().or(Some(fault)));
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// Something came from the peer.
    pub(super) fn heard(&self) {
        self.last_heard.set(Instant::now());
        self.asked_at.set(None);
    }

    /// How long the peer has been silent. One that we do not listen to is not.
    pub(super) fn silent_for(&self) -> Duration {
        if self.has_too_much_unanswered() {
            self.heard();
        }
        self.last_heard.get().elapsed()
    }

    /// The peer is pinged.
    pub(super) fn asked_for_life(&self) {
        self.asked_at.set(self.asked_at.get().or_else(|| Some(Instant::now())));
    }

    /// The end of a connection that broke. A peer that owes no answer to a ping lived until now, as far as anybody can tell.
    pub(super) fn lost(&self) -> Ending {
        let since = self.asked_at.get().unwrap_or_else(Instant::now);
        Ending::Lost { since: since.into() }
    }

    // What goes out.

    /// Notices are written, and somebody wants to know when the peer has them: returns what the ping behind them carries.
    pub(super) fn expect_receipts(&self, receipts: Vec<Receipt>) -> String {
        let number = self.receipt_pings.get() + 1;
        self.receipt_pings.set(number);
        self.receipts.borrow_mut().extend(receipts.into_iter().map(|receipt| (number, receipt)));
        format!("{RECEIPT_PING}{number}")
    }

    /// The peer has answered a ping: the notices before it have arrived, and no later ones.
    pub(super) fn answered_ping(&self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or_default();
        let Some(number) = text.strip_prefix(RECEIPT_PING).and_then(|number| number.parse::<u64>().ok())
        else {
            return;
        };
        let mut receipts = self.receipts.borrow_mut();
        while let Some((_, receipt)) = receipts.pop_front_if(|(behind, _)| *behind <= number) {
            // Whoever wanted to know may have gone.
            let _ = receipt.send(());
        }
    }

    /// The connection asked the body for more, and got something or not.
    pub(super) fn asked(&self, has_given: bool) {
        self.handed_out.set(has_given.then(Instant::now));
    }

    /// For how long the connection has not come back for more although it was given something.
    pub(super) fn stalled_for(&self) -> Duration {
        self.handed_out.get().map_or(Duration::ZERO, |handed_out| handed_out.elapsed())
    }

    /// Adds what the socket itself wrote: pings and pongs.
    pub(super) fn put_control(&self, bytes: Bytes) {
        self.control.borrow_mut().push_back(bytes);
        if let Some(waker) = self.wants_control.take() {
            waker.wake();
        }
    }

    /// Ready when there is room for [`Line::put_control`].
    pub(super) fn poll_room(&self, waker: &Waker) -> Poll<()> {
        if self.control.borrow().len() < MAX_CONTROL_CHUNKS {
            return Poll::Ready(());
        }
        self.wants_room.set(Some(waker.clone()));
        Poll::Pending
    }

    /// Takes what the socket itself wrote; the waker is called when there is something.
    pub(super) fn poll_control(&self, waker: &Waker) -> Poll<Bytes> {
        if let Some(bytes) = self.control.borrow_mut().pop_front() {
            if let Some(room) = self.wants_room.take() {
                room.wake();
            }
            return Poll::Ready(bytes);
        }
        self.wants_control.set(Some(waker.clone()));
        Poll::Pending
    }

    /// The peer does not read, and will be waited for no longer.
    pub(super) fn cut_off(&self) {
        self.is_cut_off.set(true);
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off.get()
    }

    /// The connection is over: nobody writes any more.
    pub(super) fn body_is_gone(&self) {
        self.is_body_gone.set(true);
        if let Some(waker) = self.wants_room.take() {
            waker.wake();
        }
    }

    /// Whether the connection is over; otherwise the waker is called when it is, or when there is room again.
    pub(super) fn poll_body_gone(&self, waker: &Waker) -> Poll<()> {
        if self.is_body_gone.get() {
            return Poll::Ready(());
        }
        self.wants_room.set(Some(waker.clone()));
        Poll::Pending
    }
}
