//! The Registry actor: creates sessions, finds them, loads them when they are asked for, and notices when one dies.
//!
//! It keeps nothing durable. What it knows comes from the journal at its start and from the sessions themselves.

mod board;
mod capacity;
mod changes;
mod cursors;
mod directory;
mod messages;
mod notices;
mod project;
mod restart;
mod rounds;
mod saving;
mod slots;
#[cfg(test)]
mod testing;
mod waiting;
mod watcher;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::agent::gauge::Gauge;
use crate::down::{Down, DownGuard};
use crate::event::Event;
use crate::ids::SessionId;
use crate::refusal::{Code, Refusal};
use crate::room::{Encoder, Room};
use crate::session::{Answer, Origin, Reply, Retire, Session, Surroundings, check_settings};

use restart::Restarts;

pub use board::Board;
pub use capacity::{Capacity, Moves, Pressure};
pub use cursors::Cursors;
pub use directory::{DeviceEntry, Directory, Presence};
pub use messages::{Create, Find, Loaded, SessionHandle, StopAll};
pub use notices::Notices;
pub use project::check as check_project;
pub use rounds::Limits;
pub(crate) use saving::save;
pub use slots::{Counts, Slot, Slots, Usage};
pub use watcher::{Listed, Watcher};

/// How often names and times of devices are written down, and how far they have read.
const SAVE_DEVICES_EVERY: Duration = Duration::from_secs(5);

/// Requests from sockets and handlers that wait at a time; each sender awaits its answer.
const MAILBOX: usize = 1024;

/// Knows where every session is.
pub struct Registry {
    around: Surroundings,
    directory: Arc<Directory>,
    cursors: Arc<Cursors>,
    encoder: Encoder,
    allowed_roots: Vec<PathBuf>,
    arbiters: Vec<ArbiterHandle>,
    sessions: HashMap<SessionId, Running>,
    /// Sessions whose first event is not durable yet, and who waits for that.
    beginning: HashMap<SessionId, Vec<oneshot::Sender<Begun>>>,
    restarts: HashMap<SessionId, Restarts>,
    incarnations: u64,
    gauge: Arc<dyn Gauge>,
    limits: Limits,
    is_measuring: bool,
    busy_until: Option<Instant>,
    stopping: Option<Vec<oneshot::Sender<()>>>,
}

type Begun = Result<SessionHandle, Refusal>;

struct Running {
    handle: SessionHandle,
    incarnation: u64,
    last_wanted: Instant,
    /// Its notice has come: the handle leads nowhere any more.
    is_dead: bool,
}

/// What a registry is made of.
pub struct Setup {
    /// What every session is given.
    pub around: Surroundings,
    /// The devices.
    pub directory: Arc<Directory>,
    /// How far each of them has read.
    pub cursors: Arc<Cursors>,
    /// How events are wrapped for the wire.
    pub encoder: Encoder,
    /// Below which folders projects may lie; canonical.
    pub allowed_roots: Vec<PathBuf>,
    /// Measures agents and the machine.
    pub gauge: Arc<dyn Gauge>,
    /// What all agents together may take.
    pub limits: Limits,
    /// The threads on which sessions live; none means the registry's own.
    pub arbiters: Vec<ArbiterHandle>,
}

impl Registry {
    /// Makes one that has loaded nothing yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            around: setup.around,
            directory: setup.directory,
            cursors: setup.cursors,
            encoder: setup.encoder,
            allowed_roots: setup.allowed_roots,
            arbiters: setup.arbiters,
            sessions: HashMap::new(),
            beginning: HashMap::new(),
            restarts: HashMap::new(),
            incarnations: 0,
            gauge: setup.gauge,
            limits: setup.limits,
            is_measuring: false,
            busy_until: None,
            stopping: None,
        }
    }

    fn find(&mut self, session: SessionId, context: &Context<Self>) -> Result<SessionHandle, Refusal> {
        if self.stopping.is_some() {
            return Err(Refusal::shutting_down());
        }
        if let Some(running) = self.sessions.get_mut(&session)
            && !running.is_dead
            && running.handle.addr.connected()
        {
            running.last_wanted = Instant::now();
            return Ok(running.handle.clone());
        }
        if self.around.board.get(session).is_none() {
            return Err(Refusal::session_not_found());
        }
        if self.restarts.get(&session).is_some_and(|restarts| restarts.is_parked(Instant::now())) {
            let message = "This session failed several times in a row and is left alone for a minute. The log says why.";
            return Err(Refusal::new(Code::AgentFailed, message).with_retry_after(60));
        }
        Ok(self.start_session(session, Origin::Journal, context))
    }

    /// Starts a session's actor on one of the threads, in the room that it had before.
    fn start_session(
        &mut self,
        session: SessionId,
        origin: Origin,
        context: &Context<Self>,
    ) -> SessionHandle {
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let room = match self.sessions.get(&session) {
            Some(before) => before.handle.room.clone(),
            None => {
                let room = Room::new(session, self.encoder);
                Arc::new(room.listed(self.around.board.clone(), self.cursors.clone()))
            }
        };
        let (around, shared_room) = (self.around.clone(), room.clone());
        let supervisor = context.address().recipient();
        let make = move || {
            let down = DownGuard::new(session, incarnation, supervisor);
            Session::new(session, around, shared_room, origin, down)
        };
        let addr = match self.thread_of(incarnation) {
            Some(arbiter) => Session::start_in_arbiter(&arbiter, move |_| make()),
            None => make().start(),
        };
        let handle = SessionHandle { session, addr, room };
        let running =
            Running { handle: handle.clone(), incarnation, last_wanted: Instant::now(), is_dead: false };
        self.sessions.insert(session, running);
        handle
    }

    /// Begins a session in a folder that was looked at, or finds the one that its first message has begun before.
    fn begin(
        &mut self,
        project: &Path,
        create: Create,
        context: &mut Context<Self>,
    ) -> Result<oneshot::Receiver<Begun>, Refusal> {
        // Asked again: a session that is started now would never be told to stop.
        if self.stopping.is_some() {
            return Err(Refusal::shutting_down());
        }
        let project_path = project.to_string_lossy().into_owned();
        let session = match create.first_message {
            Some(message) => SessionId::begun_by(&project_path, message),
            None => SessionId::random(),
        };
        let (tell, told) = oneshot::channel();
        if let Some(waiting) = self.beginning.get_mut(&session) {
            waiting.push(tell);
            return Ok(told);
        }
        if self.around.board.get(session).is_some() {
            let _ = tell.send(self.find(session, context));
            return Ok(told);
        }
        let created = Event::SessionCreated {
            project_path,
            title: create.title,
            model: create.model,
            permission_mode: create.permission_mode,
            forked_from: None,
        };
        let (reply, outcome): (Reply, _) = oneshot::channel();
        let handle = self.start_session(session, Origin::New { created: Box::new(created), reply }, context);
        self.beginning.insert(session, vec![tell]);
        context.spawn(outcome.into_actor(self).map(move |outcome, registry, _| {
            let begun = match outcome {
                Ok(Ok(Answer::Done)) => Ok(handle),
                Ok(Err(refusal)) => Err(refusal),
                Ok(Ok(_)) | Err(_) => Err(Refusal::session_restarted()),
            };
            for waiting in registry.beginning.remove(&session).unwrap_or_default() {
                let _ = waiting.send(begun.clone());
            }
        }));
        Ok(told)
    }

    fn thread_of(&self, incarnation: u64) -> Option<ArbiterHandle> {
        let threads = u64::try_from(self.arbiters.len()).ok().filter(|threads| *threads > 0)?;
        let place = usize::try_from(incarnation % threads).ok()?;
        self.arbiters.get(place).cloned()
    }

    fn save_devices(&mut self, context: &mut Context<Self>) {
        let (journal, directory, cursors) =
            (self.around.journal.clone(), self.directory.clone(), self.cursors.clone());
        context.spawn(async move { save(&*journal, &directory, &cursors).await }.into_actor(self));
    }

    /// Lets go of a dead session whose room nobody holds: whoever still follows it must meet the next actor there.
    fn forget(&mut self, session: SessionId) {
        let is_needed = |running: &Running| !running.is_dead || Arc::strong_count(&running.handle.room) > 1;
        if self.sessions.get(&session).is_some_and(|running| !is_needed(running)) {
            self.sessions.remove(&session);
        }
    }

    fn stop_if_empty(&mut self) {
        let is_empty = self.sessions.values().all(|running| running.is_dead);
        if is_empty && let Some(waiting) = &mut self.stopping {
            for done in waiting.drain(..) {
                let _ = done.send(());
            }
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(SAVE_DEVICES_EVERY, Self::save_devices);
        self.make_rounds(context);
    }
}

impl Handler<Find> for Registry {
    type Result = Result<SessionHandle, Refusal>;

    fn handle(&mut self, find: Find, context: &mut Context<Self>) -> Self::Result {
        self.find(find.0, context)
    }
}

impl Handler<Create> for Registry {
    /// The folder is looked at on a thread for blocking work; then the session is started and waits for its disk.
    type Result = ResponseActFuture<Self, Result<SessionHandle, Refusal>>;

    fn handle(&mut self, create: Create, _context: &mut Context<Self>) -> Self::Result {
        if self.stopping.is_some() {
            return Box::pin(actix::fut::ready(Err(Refusal::shutting_down())));
        }
        let settings = check_settings(
            create.title.as_deref(),
            create.model.as_deref(),
            create.permission_mode.as_deref(),
        );
        if let Err(refusal) = settings {
            return Box::pin(actix::fut::ready(Err(refusal)));
        }
        let looking =
            project::check(create.project_path.clone(), self.allowed_roots.clone()).into_actor(self);
        Box::pin(looking.then(|project, registry, context| {
            let begun = project.and_then(|project| registry.begin(&project, create, context));
            async move { begun?.await.unwrap_or_else(|_gone| Err(Refusal::session_restarted())) }
                .into_actor(registry)
        }))
    }
}

impl Handler<Down> for Registry {
    type Result = ();

    fn handle(&mut self, down: Down, context: &mut Context<Self>) {
        let Down { session, incarnation, panicked } = down;
        match self.sessions.get_mut(&session) {
            Some(running) if running.incarnation == incarnation => running.is_dead = true,
            Some(_) | None => return,
        }
        self.around.metrics.session_panics.add(u64::from(panicked));
        if panicked && self.stopping.is_none() {
            let restarts = self.restarts.entry(session).or_default();
            let may_restart = restarts.count(Instant::now());
            tracing::error!(%session, may_restart, "a session panicked");
            if may_restart && self.around.board.get(session).is_some() {
                self.start_session(session, Origin::Journal, context);
                return;
            }
        }
        self.forget(session);
        self.stop_if_empty();
    }
}

impl Handler<Loaded> for Registry {
    type Result = Vec<SessionHandle>;

    fn handle(&mut self, _loaded: Loaded, _context: &mut Context<Self>) -> Self::Result {
        let running = self.sessions.values().filter(|running| !running.is_dead);
        running.map(|running| running.handle.clone()).collect()
    }
}

impl Handler<StopAll> for Registry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _stop: StopAll, _context: &mut Context<Self>) -> Self::Result {
        let (done, wait) = oneshot::channel();
        self.stopping.get_or_insert_default().push(done);
        for running in self.sessions.values() {
            // A session whose mailbox is gone is gone itself; one that is full has 256 senders and still takes this.
            drop(actix_rt::spawn(running.handle.addr.send(Retire)));
        }
        self.stop_if_empty();
        Box::pin(async move {
            let _ = wait.await;
        })
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Registry({} loaded)", self.sessions.len())
    }
}
