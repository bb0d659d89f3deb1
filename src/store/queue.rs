//! A bounded queue from futures to threads: the sender waits without blocking, the receiver blocks without spinning.
//!
//! The bound is a number of kibibytes. Each item takes room for its size and at least 1 KiB, so one number limits both
//! the memory and the count. The channel below has no bound of its own: nothing enters it without room.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The end that futures hold.
pub(super) struct Sender<T> {
    channel: mpsc::Sender<Message<T>>,
    room: Arc<Semaphore>,
    room_kib: u32,
}

/// The end that a thread holds, or several behind a mutex.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    channel: mpsc::Receiver<Message<T>>,
    is_closed: bool,
}

/// The queue was closed before the item was in it; the item is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

/// What a receiver got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    Item(T),
    /// The time is over.
    Nothing,
    /// Everything was taken and nothing will come.
    Closed,
}

#[derive(Debug)]
enum Message<T> {
    Item(T, OwnedSemaphorePermit),
    Stop,
}

/// Makes a queue with room for `room_kib` KiB.
pub(super) fn queue<T>(room_kib: u32) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel();
    let sender = Sender { channel: sender, room: Arc::new(Semaphore::new(room_kib as usize)), room_kib };
    let receiver = Receiver { channel: receiver, is_closed: false };
    (sender, receiver)
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), room: Arc::clone(&self.room), room_kib: self.room_kib }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free_kib = self.room.available_permits();
        write!(out, "Sender({free_kib} of {} KiB free)", self.room_kib)
    }
}

impl<T> Sender<T> {
    /// Puts an item in: at once when there is room, else while the returned future is awaited. A future that is dropped
    /// while it waits takes its item along. An item larger than the queue waits until the queue is empty.
    pub(super) fn put(&self, bytes: usize, item: T) -> impl Future<Output = Result<(), Closed>> + use<T> {
        let kib = u32::try_from(bytes / 1024 + 1).map_or(self.room_kib, |kib| kib.min(self.room_kib));
        let first_try = match Arc::clone(&self.room).try_acquire_many_owned(kib) {
            Ok(room) => Ok(self.send(item, room)),
            Err(TryAcquireError::Closed) => Ok(Err(Closed)),
            Err(TryAcquireError::NoPermits) => Err((self.clone(), item)),
        };
        async move {
            match first_try {
                Ok(done) => done,
                Err((queue, item)) => {
                    let room = Arc::clone(&queue.room);
                    let room = room.acquire_many_owned(kib).await.map_err(|_| Closed)?;
                    queue.send(item, room)
                }
            }
        }
    }

    /// Lets nothing in any more and wakes the receiver when it has taken what is there.
    pub(super) fn close(&self) {
        self.room.close();
        // A receiver that is gone needs no message.
        let _ = self.channel.send(Message::Stop);
    }

    fn send(&self, item: T, room: OwnedSemaphorePermit) -> Result<(), Closed> {
        self.channel.send(Message::Item(item, room)).map_err(|_| Closed)
    }
}

impl<T> Receiver<T> {
    /// Waits for the next item, for `at_most` so long when that is given.
    pub(super) fn take(&mut self, at_most: Option<Duration>) -> Taken<T> {
        if self.is_closed {
            return Taken::Closed;
        }
        let message = match at_most {
            None => self.channel.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at_most) => self.channel.recv_timeout(at_most),
        };
        match message {
            Ok(Message::Item(item, _room)) => Taken::Item(item),
            Err(RecvTimeoutError::Timeout) => Taken::Nothing,
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => {
                self.is_closed = true;
                Taken::Closed
            }
        }
    }

    /// Takes an item if one is there.
    pub(super) fn take_if_there(&mut self) -> Option<T> {
        if self.is_closed {
            return None;
        }
        match self.channel.try_recv() {
            Ok(Message::Item(item, _room)) => Some(item),
            Err(TryRecvError::Empty) => None,
            Ok(Message::Stop) | Err(TryRecvError::Disconnected) => {
                self.is_closed = true;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn an_item_with_room_is_in_before_its_future_is_polled() {
        let (sender, mut receiver) = queue(2);
        drop(sender.put(1, "a"));
        assert_eq!(receiver.take_if_there(), Some("a"));
    }

    #[test]
    fn an_item_without_room_waits_until_another_is_taken() {
        let (sender, mut receiver) = queue(2);
        drop(sender.put(2000, "large"));
        let mut waiting = Box::pin(sender.put(0, "small"));
        assert_eq!((&mut waiting).now_or_never(), None);
        assert_eq!(receiver.take(None), Taken::Item("large"));
        assert_eq!(waiting.now_or_never(), Some(Ok(())));
        assert_eq!(receiver.take(None), Taken::Item("small"));
    }

    #[test]
    fn an_item_larger_than_the_queue_goes_through_alone() {
        let (sender, mut receiver) = queue(2);
        drop(sender.put(usize::MAX, "huge"));
        assert_eq!(sender.put(0, "next").now_or_never(), None);
        assert_eq!(receiver.take(None), Taken::Item("huge"));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_takes_no_more() {
        let (sender, mut receiver) = queue(2);
        drop(sender.put(2000, "in"));
        let mut waiting = Box::pin(sender.put(0, "waits"));
        assert_eq!((&mut waiting).now_or_never(), None);
        sender.close();
        assert_eq!(waiting.now_or_never(), Some(Err(Closed)));
        assert_eq!(sender.put(0, "late").now_or_never(), Some(Err(Closed)));
        assert_eq!(receiver.take(None), Taken::Item("in"));
        assert_eq!(receiver.take(None), Taken::Closed);
        assert_eq!(receiver.take(None), Taken::Closed);
    }

    #[test]
    fn waiting_ends_when_the_time_is_over() {
        let (_sender, mut receiver) = queue::<()>(2);
        assert_eq!(receiver.take(Some(Duration::ZERO)), Taken::Nothing);
    }
}
