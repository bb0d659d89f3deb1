//! The way into the actor system for everything that is outside of it: sockets, HTTP handlers, tests, programs.

mod attachments;

use std::sync::Arc;

use actix::Addr;
use tokio::sync::oneshot;

use crate::agent::gauge::Gauge;
use crate::clock::Clock;
use crate::event::By;
use crate::files::Files;
use crate::ids::{Seq, SessionId};
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::project::{LockDesk, Projects};
use crate::refusal::Refusal;
use crate::registry::{Board, Create, Cursors, Directory, Find, Notices, Registry, SessionHandle, Slots};
use crate::room::Follow;
use crate::session::{Answer, Ask, Command, View};

pub use attachments::no_such_blob;

/// A handle on everything; cheap to clone, may be used from any thread.
#[derive(Clone)]
pub struct Hub {
    /// Creates and finds sessions.
    pub registry: Addr<Registry>,
    /// The list of sessions.
    pub board: Arc<Board>,
    /// The devices.
    pub directory: Arc<Directory>,
    /// How far each of them has read.
    pub cursors: Arc<Cursors>,
    /// What they tell each other.
    pub notices: Arc<Notices>,
    /// The truth, for reading.
    pub journal: Arc<dyn Journal>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The places for agents.
    pub slots: Slots,
    /// What is counted.
    pub metrics: Metrics,
    /// Measures what agents take.
    pub gauge: Arc<dyn Gauge>,
    /// What is told in projects.
    pub projects: Arc<Projects>,
    /// Where devices ask for locks.
    pub locks: Arc<LockDesk>,
    /// The files of projects.
    pub files: Arc<Files>,
}

impl Hub {
    /// Begins a conversation; it is durable when this returns.
    ///
    /// # Errors
    /// The refusal says why, and what became of it.
    pub async fn create(&self, create: Create) -> Result<SessionHandle, Refusal> {
        self.registry.send(create).await.map_err(|_gone| Refusal::shutting_down())?
    }

    /// Finds a session, loading it when needed.
    ///
    /// # Errors
    /// `session_not_found`, or `shutting_down`.
    pub async fn find(&self, session: SessionId) -> Result<SessionHandle, Refusal> {
        self.registry.send(Find(session)).await.map_err(|_gone| Refusal::shutting_down())?
    }

    /// Asks a session for something and waits for the outcome.
    ///
    /// # Errors
    /// The session's own refusal; with effect `unknown` when the session went away in between.
    pub async fn ask(&self, session: SessionId, by: By, command: Command) -> Result<Answer, Refusal> {
        let outcome = self.begin(session, by, command).await?;
        outcome.await.unwrap_or_else(|_gone| Err(Refusal::session_restarted()))
    }

    /// Hands a command to a session. Once this returns, the session has it, and a later command comes after it;
    /// the outcome follows.
    ///
    /// # Errors
    /// The session was not found; nothing was done.
    pub async fn begin(
        &self,
        session: SessionId,
        by: By,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<Answer, Refusal>>, Refusal> {
        let handle = self.find(session).await?;
        let command = self.keep_attachments_of(&by, command).await?;
        let (reply, outcome) = oneshot::channel();
        handle.addr.send(Ask { by, command, reply }).await.map_err(|_gone| Refusal::session_restarted())?;
        Ok(outcome)
    }

    /// How a session is, as of its last durable event.
    ///
    /// # Errors
    /// As for [`Hub::ask`].
    pub async fn look(&self, session: SessionId, by: By) -> Result<Arc<View>, Refusal> {
        match self.ask(session, by, Command::Look).await? {
            Answer::View(view) => Ok(view),
            Answer::Accepted { .. } | Answer::Done | Answer::StateSet { .. } | Answer::Extended { .. } => {
                Err(Refusal::session_restarted())
            }
        }
    }

    /// Loads the sessions that were not at rest when the server stopped, one after the other, so that what was queued
    /// runs on without anybody asking. Returns at once. One that cannot be loaded is tried again in the registry's rounds.
    pub(crate) fn wake_unfinished(&self) {
        let hub = self.clone();
        actix_rt::spawn(async move {
            let (sessions, _) = hub.board.all();
            for summary in sessions.iter().filter(|summary| summary.status.is_unfinished()) {
                if let Err(refusal) = hub.look(summary.session_id, By::server()).await {
                    tracing::error!(session = %summary.session_id, %refusal, "an unfinished session cannot be taken up yet");
                }
            }
        });
    }

    /// Follows a session's events behind `after`.
    #[must_use]
    pub fn follow(&self, handle: &SessionHandle, after: Seq) -> Follow {
        Follow::new(handle.room.clone(), self.journal.clone(), after).counted_by(self.metrics.clone())
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Hub")
    }
}
