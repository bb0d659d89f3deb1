//! Starts and stops everything: threads, registry, list and directory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::agent::Launcher;
use crate::agent::gauge::Gauge;
use crate::clock::Clock;
use crate::files::{Files, Parts as FileParts, Versions, WAITS};
use crate::guard::{Guard, Rules};
use crate::hub::Hub;
use crate::journal::{Journal, JournalError, SessionRow};
use crate::locks::Keeper;
use crate::metrics::Metrics;
use crate::project::{Both, Feed, LockDesk, LockPolicy, ProjectParts, Projects};
use crate::registry::{Board, Cursors, Directory, Limits, Notices, Registry, Setup, Slots, StopAll, save};
use crate::room::Encoder;
use crate::session::{Policy, Summary, Surroundings};
use crate::watch::{self, Watcher};

/// What an actor system is made of.
pub struct Parts {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// Starts agents.
    pub launcher: Arc<dyn Launcher>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// How events are wrapped for the wire.
    pub encoder: Encoder,
    /// What the configuration says of sessions.
    pub policy: Policy,
    /// How agents are held to the locks.
    pub guard: Rules,
    /// How many agents may run at once.
    pub max_agents: usize,
    /// Measures agents and the machine.
    pub gauge: Arc<dyn Gauge>,
    /// What all agents together may take.
    pub limits: Limits,
    /// How long an agent may take to finish when the server stops.
    pub grace: Duration,
    /// Below which folders projects may lie.
    pub allowed_roots: Vec<PathBuf>,
    /// The server's own folder, if it has one: no project reaches into it.
    pub own_folder: Option<PathBuf>,
    /// How long locks hold, and requests for them wait.
    pub locks: LockPolicy,
    /// Where versions of files are kept that somebody may have begun from.
    pub versions: Versions,
    /// Whether changes by other programs are watched for in the projects of live sessions.
    pub is_watching: bool,
    /// How many threads sessions live on; 0 means the caller's own, as tests with a virtual clock need it.
    pub threads: usize,
}

/// A running actor system. Stop it with [`System::stop`]; dropping it leaves the threads running.
#[derive(Debug)]
pub struct System {
    hub: Hub,
    arbiters: Vec<Arbiter>,
}

impl System {
    /// Reads the list of sessions, ends what an earlier server has left running of them, and starts the registry.
    /// Then the sessions that were not at rest are taken up.
    ///
    /// Must be called on a thread with an actix system.
    ///
    /// # Errors
    /// The journal could not be read; starting again is safe.
    pub async fn start(parts: Parts) -> Result<Self, JournalError> {
        let board = Arc::new(Board::default());
        let rows = parts.journal.sessions().await?;
        sweep(&*parts.launcher, &rows).await;
        for row in rows {
            match serde_json::from_str::<Summary>(&row.summary) {
                Ok(summary) => board.post(Summary { pid: None, online: Vec::new(), ..summary }),
                Err(error) => {
                    tracing::error!(session = %row.session, %error, "a session's summary cannot be read; it is not listed");
                }
            }
        }
        let directory = Arc::new(Directory::new(parts.clock.clone(), parts.journal.devices().await?));
        let cursors = Arc::new(Cursors::new(parts.journal.cursors().await?, &board));
        let notices =
            Notices::load(parts.journal.clone(), parts.clock.clone(), board.clone(), directory.clone());
        let notices = notices.await?;
        let arbiters: Vec<Arbiter> = (0..parts.threads).map(|_| Arbiter::new()).collect();
        let canonical = |root: PathBuf| root.canonicalize().unwrap_or(root);
        let allowed_roots: Vec<PathBuf> = parts.allowed_roots.into_iter().map(canonical).collect();
        let metrics = Metrics::default();
        // Channels are written on a thread of their own: many locks are no reason for a conversation to wait.
        let scribes = (parts.threads > 0).then(Arbiter::new);
        let projects = Projects::start(ProjectParts {
            journal: parts.journal.clone(),
            clock: parts.clock.clone(),
            encoder: parts.encoder,
            board: board.clone(),
            metrics: metrics.clone(),
            allowed_roots: allowed_roots.clone(),
            enforcement: parts.guard.enforcement,
            arbiter: scribes.as_ref().map_or_else(Arbiter::current, Arbiter::handle),
            channels: parts.journal.channels().await?,
        });
        let feed: Arc<dyn Feed> = Arc::new(Both(projects.clone(), parts.guard.feed.clone()));
        let keeper = Keeper::open(parts.clock.clone(), parts.journal.clone(), feed.clone()).await?;
        let files = Files::new(FileParts {
            keeper: keeper.clone(),
            feed: feed.clone(),
            blobs: parts.journal.clone(),
            versions: parts.versions,
            clock: parts.clock.clone(),
            allowed_roots: allowed_roots.clone(),
            own_folder: parts.own_folder.map(canonical),
            waits: WAITS.into(),
            lock_wait: parts.locks.wait,
        });
        projects.settle_with(Arc::new(Arc::downgrade(&files)));
        if parts.is_watching {
            let watcher = Watcher::new(&files);
            drop(actix_rt::spawn(watch::follow(watcher, Arc::downgrade(&files), board.clone())));
        }
        let locks = Arc::new(LockDesk::new(keeper.clone(), projects.clone(), parts.locks));
        let collisions = parts.guard.collisions.clone().unwrap_or_else(|| Arc::new(files.clone()));
        let rules = Rules { feed, collisions: Some(collisions), ..parts.guard };
        let guard =
            Guard::new(keeper, rules, projects.enforcements().clone(), board.clone(), parts.clock.clone());
        let around = Surroundings {
            journal: parts.journal.clone(),
            launcher: parts.launcher,
            clock: parts.clock.clone(),
            board: board.clone(),
            policy: parts.policy,
            slots: Slots::new(parts.max_agents),
            guard: Arc::new(guard),
            metrics: metrics.clone(),
            grace: parts.grace,
        };
        let slots = around.slots.clone();
        let setup = Setup {
            around,
            directory: directory.clone(),
            cursors: cursors.clone(),
            encoder: parts.encoder,
            gauge: parts.gauge.clone(),
            limits: parts.limits,
            allowed_roots,
            arbiters: arbiters.iter().map(Arbiter::handle).collect(),
        };
        let registry = Registry::new(setup).start();
        let hub = Hub {
            registry,
            board,
            directory,
            cursors,
            notices,
            journal: parts.journal,
            clock: parts.clock,
            slots,
            metrics,
            gauge: parts.gauge,
            projects,
            locks,
            files,
        };
        hub.wake_unfinished();
        Ok(Self { hub, arbiters: arbiters.into_iter().chain(scribes).collect() })
    }

    /// The way in.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Stops everything in good order: sessions take nothing new, agents finish or are ended, the last events are
    /// written, threads end. Returns when all of it is done.
    pub async fn stop(self) {
        // A registry that is gone has no session left to stop.
        let _ = self.hub.registry.send(StopAll).await;
        let Hub { journal, directory, cursors, .. } = &self.hub;
        save(&**journal, directory, cursors).await;
        self.hub.projects.stop().await;
        for arbiter in self.arbiters {
            arbiter.stop();
            let _ = arbiter.join();
        }
    }
}

/// Two processes on one conversation split it silently, so nothing is taken up before what was left running has ended.
async fn sweep(launcher: &dyn Launcher, rows: &[SessionRow]) {
    let sweep = launcher.sweep(rows.iter().map(|row| row.session).collect()).await;
    if sweep.left > 0 {
        tracing::error!(
            found = sweep.found,
            left = sweep.left,
            "processes of an earlier server cannot be ended; their sessions get no agent until they are"
        );
    } else if sweep.found > 0 {
        tracing::warn!(found = sweep.found, "ended what an earlier server had left running");
    }
}
