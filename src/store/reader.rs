//! The threads that read: each has a connection of its own, so reading never waits for a commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tandem_actors::journal::{JournalError, Pending};
use tokio::sync::oneshot;

use super::database;
use super::folder::Folder;
use super::open_error::OpenError;
use super::queue::{self, Closed, Receiver, Sender, Taken};

/// Connections that read. A page of events comes from the page cache in well under a millisecond; four keep a small
/// machine busy, and one long read (a transcript) in the way of nobody.
const READERS: usize = 4;

/// Room for reads that wait, at 1 KiB each: every connection of a full server may ask four times.
const QUEUE_KIB: u32 = 4096;

/// A question with its answer's address in it.
type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The pool. Dropping it answers what was asked and ends the threads.
#[derive(Debug)]
pub(super) struct Readers {
    questions: Sender<Question>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(folder: &Folder) -> Result<Self, OpenError> {
        let (questions, asked) = queue::queue(QUEUE_KIB);
        let asked = Arc::new(Mutex::new(asked));
        let readers = Self { questions, threads: Mutex::default() };
        for number in 0..READERS {
            let connection = database::open_reader(folder)?;
            let asked = Arc::clone(&asked);
            let name = format!("tandem-read-{number}");
            let thread = thread::Builder::new()
                .name(name.clone())
                .spawn(move || answer(&connection, &asked))
                .map_err(|cause| OpenError::Thread { name, cause })?;
            readers.threads().push(thread);
        }
        Ok(readers)
    }

    /// Answers what was asked and ends the threads; what is asked from then on is refused. Waits for them.
    pub(super) fn close(&self) {
        self.questions.close();
        for thread in self.threads().drain(..) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a query on one of the threads. A future that is dropped before its turn comes costs nothing.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            if !answer.is_closed() {
                let _ = answer.send(query(connection));
            }
        });
        let asked = self.questions.put(0, question);
        Box::pin(async move {
            asked.await.map_err(|Closed| unreadable(operation, "the journal is closed"))?;
            match answered.await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(error)) => Err(unreadable(operation, &error.to_string())),
                Err(_) => Err(unreadable(operation, "the thread that read has ended")),
            }
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn answer(connection: &Connection, asked: &Mutex<Receiver<Question>>) {
    loop {
        // One thread waits at the queue, the others for the mutex; it is free again before the question is answered.
        let taken = asked.lock().unwrap_or_else(PoisonError::into_inner).take(None);
        match taken {
            Taken::Item(question) => question(connection),
            Taken::Nothing => {}
            Taken::Closed => return,
        }
    }
}

fn unreadable(operation: &str, reason: &str) -> JournalError {
    JournalError::Unreadable { reason: format!("could not {operation}: {reason}") }
}
