//! The handle on the writer: starts its thread, asks it, and sees it to its end.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tandem_actors::journal::{JournalError, Pending};

use super::open_error::OpenError;
use super::queue::{self, Closed, Sender};
use super::request::{Answer, Request};
use super::writer::{self, Writer};

/// Dropping it writes what is queued and ends the thread.
#[derive(Debug)]
pub(super) struct WriterThread {
    asker: Asker,
    /// `None` once it has ended.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Asks the writer; clones ask the same one. When the thread has ended, everything is refused.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    requests: Sender<Request>,
}

impl WriterThread {
    pub(super) fn start(writer: Writer) -> Result<Self, OpenError> {
        let (requests, asked) = queue::queue(writer::QUEUE_KIB);
        let name = "tandem-write".to_owned();
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(move || writer.run(asked))
            .map_err(|cause| OpenError::Thread { name, cause })?;
        Ok(Self { asker: Asker { requests }, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a write, and answers when its group is on disk.
    pub(super) fn ask<T: Send + 'static>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Pending<T> {
        self.asker.ask(request)
    }

    /// Writes what is queued and ends the thread; what is asked from then on is refused. Waits for it.
    pub(super) fn close(&self) {
        self.asker.requests.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has said so itself, and in `Journal::trouble`.
            let _ = thread.join();
        }
    }

    /// For work of several writes, each behind the one before.
    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }
}

impl Asker {
    /// Queues a write, and answers when its group is on disk.
    pub(super) fn ask<T: Send + 'static>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Pending<T> {
        let (answer, answered) = Answer::new();
        let request = request(answer);
        let queued = self.requests.put(request.bytes(), request);
        Box::pin(async move {
            queued
                .await
                .map_err(|Closed| JournalError::NotWritten { reason: "the journal is closed".to_owned() })?;
            answered.await.unwrap_or_else(|_| {
                Err(JournalError::Unknown { reason: "the writer ended before it answered".to_owned() })
            })
        })
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.close();
    }
}
