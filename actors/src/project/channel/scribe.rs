//! The Scribe actor: writes what was told in one project, in order, and shows it when it is on disk.
//!
//! One append is in flight; what is told meanwhile is taken by the next. Whoever tells waits for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::loading::load;
use super::queue::Told;
use super::state::State;
use super::{Channel, Stage};
use crate::blobs::BlobHash;
use crate::clock::Clock;
use crate::event::Record;
use crate::ids::{Seq, Term};
use crate::journal::{Append, Journal, JournalError, OldEvents};
use crate::project::{Enforcements, Happening, ProjectEvent, Resolution};

/// When an append of which nothing was written is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// When a channel that cannot be loaded may be tried again: each try is a claim on the disk, and facts come by the thousand.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What every scribe is given.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) enforcements: Arc<Enforcements>,
    /// How many events of a channel are kept.
    pub(crate) kept_events: Arc<AtomicU64>,
}

/// See the module.
pub(crate) struct Scribe {
    around: Surroundings,
    channel: Arc<Channel>,
    term: Term,
    /// As it will be when what is in flight is on disk.
    staged: Option<State>,
    in_flight: Option<Flight>,
    /// Up to which event everything that was let go is removed.
    forgotten: Seq,
    is_forgetting: bool,
    finishing: Vec<oneshot::Sender<()>>,
    _alive: Alive,
}

/// There is something in the queue.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

/// Write what there is, and end; answered when that is so.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Finish;

/// An append that is under way.
struct Flight {
    append: Append,
    written: Vec<oneshot::Sender<()>>,
}

/// Notes the end of a scribe, however it ends: whoever tells next starts another one.
struct Alive(Arc<Channel>);

impl Scribe {
    pub(crate) fn new(around: Surroundings, channel: Arc<Channel>) -> Self {
        let alive = Alive(channel.clone());
        Self {
            around,
            channel,
            term: Term(0),
            staged: None,
            in_flight: None,
            forgotten: 1,
            is_forgetting: false,
            finishing: Vec::new(),
            _alive: alive,
        }
    }

    fn loaded(&mut self, state: State, term: Term, context: &mut Context<Self>) {
        self.around.enforcements.note(&self.channel.project, state.enforcement());
        let now = self.around.clock.now();
        let gone = |session_id| {
            let event = Happening::SessionDisconnected { session_id }.into();
            Told { at: now, event, written: None }
        };
        let was_another_servers = {
            let mut inner = self.channel.inner();
            inner.state = Some(state.clone());
            inner.load_again_at = None;
            std::mem::take(&mut inner.is_of_earlier_server)
        };
        // What a conversation had read went with the server, and it reads again before it writes.
        let over = |conflict_id| {
            let resolution = Resolution::Waited;
            let event = Happening::ConflictResolved { conflict_id, resolution, by: None }.into();
            Told { at: now, event, written: None }
        };
        // Who was connected when an earlier server ended is not any more, unless it is said anew.
        let farewells: Vec<Told> = match was_another_servers {
            true => state.members().map(gone).chain(state.over_with_the_server().map(over)).collect(),
            false => Vec::new(),
        };
        self.channel.room.tail().continue_at(state.head);
        self.term = term;
        self.staged = Some(state);
        self.channel.stage.send_replace(Stage::Ready);
        self.forget(context);
        self.write(farewells, context);
    }

    /// Writes what has been told meanwhile, unless an append is under way.
    fn pump(&mut self, context: &mut Context<Self>) {
        if self.in_flight.is_some() || self.staged.is_none() {
            return;
        }
        let batch = {
            let mut inner = self.channel.inner();
            let batch = inner.queue.take(self.around.clock.now());
            inner.is_awake = !batch.is_empty();
            batch
        };
        if batch.is_empty() {
            self.finish(context);
        } else {
            self.write(batch, context);
        }
    }

    fn write(&mut self, batch: Vec<Told>, context: &mut Context<Self>) {
        let Some(state) = &mut self.staged else { return };
        let mut records = Vec::with_capacity(batch.len());
        let mut written = Vec::new();
        let mut blobs = Vec::new();
        for told in batch {
            let record = Record::of_project((state.head, state.hash), self.term, told.at, &told.event);
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let project = &self.channel.project;
                    tracing::error!(%project, %error, "an event cannot be encoded; it is left out");
                    continue;
                }
            };
            state.apply(&record, &told.event);
            blobs.extend(referred_by(&told.event));
            records.push(record);
            written.extend(told.written);
        }
        if records.is_empty() {
            self.pump(context);
            return;
        }
        state.let_go(self.around.kept_events.load(Ordering::Relaxed));
        let summary = serde_json::to_string(&state.index()).unwrap_or_default().into();
        let append = Append {
            session: self.channel.id,
            term: self.term,
            records,
            transcript: Vec::new(),
            blobs,
            summary,
        };
        self.launch(Flight { append, written }, context);
    }

    fn launch(&mut self, flight: Flight, context: &mut Context<Self>) {
        let appending = self.around.journal.append(flight.append.clone()).into_actor(self);
        self.in_flight = Some(flight);
        context.spawn(appending.map(|outcome, scribe, context| scribe.append_ended(outcome, context)));
    }

    fn append_ended(&mut self, outcome: Result<(), JournalError>, context: &mut Context<Self>) {
        let Some(flight) = self.in_flight.take() else { return };
        match outcome {
            Ok(()) => {
                self.landed(flight);
                self.forget(context);
                self.pump(context);
            }
            Err(error @ (JournalError::NotWritten { .. } | JournalError::Unreadable { .. })) => {
                tracing::warn!(project = %self.channel.project, %error, "nothing was written of a project; it is tried again");
                self.in_flight = Some(flight);
                // The disk takes nothing, and whoever ends the server does not wait for that.
                self.finish(context);
                context.run_later(RETRY_AFTER, |scribe, context| {
                    if let Some(flight) = scribe.in_flight.take() {
                        scribe.launch(flight, context);
                    }
                });
            }
            Err(error @ (JournalError::Unknown { .. } | JournalError::Fenced { .. })) => {
                tracing::error!(project = %self.channel.project, %error, "this writer of the project's channel ends");
                context.stop();
            }
        }
    }

    /// Everything in the append is durable: now it may be seen.
    fn landed(&mut self, flight: Flight) {
        self.channel.inner().state.clone_from(&self.staged);
        if let Some(state) = &self.staged {
            self.around.enforcements.note(&self.channel.project, state.enforcement());
        }
        self.channel.room.tail().append(&flight.append.records);
        for written in flight.written {
            let _ = written.send(());
        }
    }

    /// Removes what was let go from the disk, a step at a time beside the appends. The summary that says so is on disk.
    fn forget(&mut self, context: &mut Context<Self>) {
        let old = {
            let inner = self.channel.inner();
            let Some(state) = inner.state.as_ref().filter(|state| state.first > self.forgotten) else {
                return;
            };
            let (from, before) = (self.forgotten, state.first);
            OldEvents { channel: self.channel.id, from, before, kept: state.index().seqs() }
        };
        if std::mem::replace(&mut self.is_forgetting, true) {
            return;
        }
        let forgetting = self.around.journal.forget(old).into_actor(self);
        context.spawn(forgetting.map(|outcome, scribe, context| {
            scribe.is_forgetting = false;
            match outcome {
                Ok(next) => {
                    scribe.forgotten = next;
                    scribe.forget(context);
                }
                Err(error) => {
                    tracing::debug!(project = %scribe.channel.project, %error, "old events stay until the next ones are written");
                }
            }
        }));
    }

    fn finish(&mut self, context: &mut Context<Self>) {
        if !self.finishing.is_empty() {
            context.stop();
        }
    }
}

/// The contents that a conflict is about stay as long as it is known.
fn referred_by(event: &ProjectEvent) -> Vec<BlobHash> {
    let ProjectEvent::Other(Happening::ConflictDetected(conflict)) = event else { return Vec::new() };
    let hashes = [&conflict.ours.hash, &conflict.theirs.hash, &conflict.base];
    hashes.into_iter().flatten().filter_map(|hash| hash.parse().ok()).collect()
}

impl Actor for Scribe {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let (journal, project) = (self.around.journal.clone(), self.channel.project.clone());
        let index = self.channel.inner().index.clone();
        let loading = async move { load(&*journal, project, &index).await }.into_actor(self);
        context.spawn(loading.map(|outcome, scribe, context| match outcome {
            Ok((state, term)) => scribe.loaded(state, term, context),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(project = %scribe.channel.project, %error, cause, "the channel of a project cannot be loaded");
                scribe.channel.inner().load_again_at = Some(Instant::now() + LOAD_AGAIN_AFTER);
                context.stop();
            }
        }));
    }
}

impl Handler<Wake> for Scribe {
    type Result = ();

    fn handle(&mut self, _wake: Wake, context: &mut Context<Self>) {
        self.pump(context);
    }
}

impl Handler<Finish> for Scribe {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _finish: Finish, context: &mut Context<Self>) -> Self::Result {
        let (done, wait) = oneshot::channel();
        self.finishing.push(done);
        self.pump(context);
        Box::pin(async move {
            // Dropped with the actor: then all is written, or cannot be.
            let _ = wait.await;
        })
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.scribe = None;
        inner.is_awake = false;
        if let Some(state) = inner.state.take() {
            inner.index = state.index();
        }
        drop(inner);
        self.0.stage.send_replace(Stage::Over);
    }
}
