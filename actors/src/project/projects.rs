//! All projects of a server: takes in what is told, finds channels, loads them and lets them go again.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor as _, Addr, ArbiterHandle};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::attendance;
use super::channel::{Channel, Finish, Index, MAX_EVENTS, Scribe, Surroundings};
use super::counting::count;
use super::members::Members;
use super::settler::{RecordOnly, Settler};
use super::{Conflict, ConflictId, Enforcement, Enforcements, Feed, Happening, ProjectEvent, Role};
use crate::clock::Clock;
use crate::conflicts::lock_denied;
use crate::event::By;
use crate::ids::{Seq, SessionId};
use crate::journal::{ChannelRow, Journal};
use crate::locks::{Denied, Holder};
use crate::metrics::Metrics;
use crate::refusal::{Code, Refusal};
use crate::registry::{Board, check_project};
use crate::room::{Encoder, Follow, Signal};

/// A channel that nobody follows and in which nothing happens leaves the memory after this time.
const REST_AFTER: Duration = Duration::from_secs(600);

/// How often that is looked for.
const ROUND_EVERY: Duration = Duration::from_secs(30);

/// For how long the name of a folder is taken for the folder that it led to: a burst of requests looks at the disk once,
/// and a link that is changed counts as soon as a person can have noticed.
const NAME_HOLDS: Duration = Duration::from_secs(2);

/// Names that are remembered; with more, all are looked up again.
const MAX_NAMES: usize = 1_024;

/// How long the last writes may take when the server stops.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// See the module.
pub struct Projects {
    around: Surroundings,
    encoder: Encoder,
    board: Arc<Board>,
    metrics: Metrics,
    allowed_roots: Vec<PathBuf>,
    arbiter: ArbiterHandle,
    runtime: Handle,
    inner: Mutex<Inner>,
    settler: Mutex<Arc<dyn Settler>>,
}

#[derive(Default)]
struct Inner {
    channels: HashMap<Arc<str>, Arc<Channel>>,
    /// Channels that are not in memory.
    resting: BTreeMap<Arc<str>, Resting>,
    members: BTreeMap<Arc<str>, Members>,
    names: HashMap<String, (Arc<str>, Instant)>,
    tasks: Vec<AbortHandle>,
    is_stopped: bool,
}

struct Resting {
    index: Index,
    is_of_earlier_server: bool,
}

/// What all projects are made of.
pub struct ProjectParts {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// How events are wrapped for the wire.
    pub encoder: Encoder,
    /// Where it is seen which conversations are alive.
    pub board: Arc<Board>,
    /// What is counted.
    pub metrics: Metrics,
    /// Below which folders projects may lie; canonical.
    pub allowed_roots: Vec<PathBuf>,
    /// How agents are held to the locks where nobody has chosen.
    pub enforcement: Enforcement,
    /// The thread on which channels are written.
    pub arbiter: ArbiterHandle,
    /// The channels that the journal knows.
    pub channels: Vec<ChannelRow>,
}

/// A project's channel, held in memory as long as this is.
#[derive(Debug, Clone)]
pub struct Visit {
    channel: Arc<Channel>,
}

/// A project as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectEntry {
    /// Its canonical path.
    pub project_path: Arc<str>,
    /// The conversations that were begun in it.
    pub sessions: Vec<SessionId>,
    /// Conflicts that nobody has settled yet.
    pub open_conflicts: usize,
    /// How agents are held to the locks.
    pub enforcement: Enforcement,
}

/// A conversation that is connected, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Which.
    pub session_id: SessionId,
    /// The oldest one leads.
    pub role: Role,
}

impl Projects {
    /// Starts to watch who is connected, on the runtime that this is called on.
    #[must_use]
    pub fn start(parts: ProjectParts) -> Arc<Self> {
        let ProjectParts { journal, clock, encoder, board, metrics, allowed_roots, .. } = parts;
        let (arbiter, channels) = (parts.arbiter, parts.channels);
        let enforcements = Arc::new(Enforcements::new(parts.enforcement));
        let resting = |row: ChannelRow| {
            // An index that cannot be read is no loss: the state is then folded from the first event on.
            let index: Index = serde_json::from_str(&row.summary).unwrap_or_default();
            enforcements.note(&row.project, index.enforcement);
            (row.project, Resting { index, is_of_earlier_server: true })
        };
        let inner = Inner { resting: channels.into_iter().map(resting).collect(), ..Inner::default() };
        let projects = Arc::new(Self {
            around: Surroundings {
                journal,
                clock,
                enforcements,
                kept_events: Arc::new(AtomicU64::new(MAX_EVENTS)),
            },
            encoder,
            board,
            metrics,
            allowed_roots,
            arbiter,
            runtime: Handle::current(),
            inner: Mutex::new(inner),
            settler: Mutex::new(Arc::new(RecordOnly)),
        });
        let watching = projects.runtime.spawn(attendance::watch(Arc::downgrade(&projects)));
        let resting = projects.runtime.spawn(make_rounds(Arc::downgrade(&projects)));
        projects.inner().tasks.extend([watching.abort_handle(), resting.abort_handle()]);
        projects
    }

    /// Below which folders projects may lie.
    #[must_use]
    pub fn allowed_roots(&self) -> &[PathBuf] {
        &self.allowed_roots
    }

    /// Lets this one carry out how conflicts are settled.
    pub fn settle_with(&self, settler: Arc<dyn Settler>) {
        *self.settler.lock().unwrap_or_else(PoisonError::into_inner) = settler;
    }

    /// Keeps only so many events of each channel from now on.
    pub fn keep_only(&self, events: Seq) {
        self.around.kept_events.store(events.max(1), Ordering::Relaxed);
    }

    /// The canonical path of a project, where it was looked up a moment ago.
    #[must_use]
    pub fn find_at_once(&self, path: &str) -> Option<Arc<str>> {
        let inner = self.inner();
        let (found, until) = inner.names.get(path)?;
        (*until > Instant::now()).then(|| found.clone())
    }

    /// The canonical path of a folder that may be a project.
    ///
    /// # Errors
    /// `project_not_found`, `project_not_allowed`, `bad_request`.
    pub async fn find(&self, path: &str) -> Result<Arc<str>, Refusal> {
        if let Some(found) = self.find_at_once(path) {
            return Ok(found);
        }
        let real = check_project(PathBuf::from(path), self.allowed_roots.clone()).await?;
        let project: Arc<str> = real.to_string_lossy().into();
        let mut inner = self.inner();
        if inner.names.len() >= MAX_NAMES {
            inner.names.clear();
        }
        inner.names.insert(path.to_owned(), (project.clone(), Instant::now() + NAME_HOLDS));
        Ok(project)
    }

    /// The channel of a project, loaded; `project` is canonical.
    ///
    /// # Errors
    /// `storage_unavailable`, `shutting_down`.
    pub async fn visit(&self, project: &Arc<str>) -> Result<Visit, Refusal> {
        let channel = {
            let mut inner = self.inner();
            if inner.is_stopped {
                return Err(Refusal::shutting_down());
            }
            self.channel(&mut inner, project)
        };
        channel.loaded(|| self.start_scribe(&channel)).await?;
        Ok(Visit { channel })
    }

    /// Gives a passing hint to everybody who follows a project.
    pub fn signal(&self, project: &Arc<str>, signal: &Signal) {
        let channel = self.inner().channels.get(project).cloned();
        if let Some(channel) = channel {
            channel.room.tail().signal(signal);
        }
    }

    /// Tells something, in the order of the calls; the future returns when it is on disk.
    ///
    /// # Errors
    /// `storage_unavailable`: it may be stored or not. `shutting_down`.
    pub fn tell_durably(
        &self,
        project: &Arc<str>,
        event: ProjectEvent,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<> {
        let (written, wait) = oneshot::channel();
        let pushed = self.push(project, event, Some(written));
        async move {
            pushed?;
            wait.await.map_err(|_gone| Refusal::session_restarted())
        }
    }

    /// Holds agents to the locks of a project in this way from now on; it is on disk, and in force, when this returns.
    ///
    /// # Errors
    /// `storage_unavailable`, `shutting_down`.
    pub async fn enforce(&self, project: &Arc<str>, enforcement: Enforcement, by: By) -> Result<(), Refusal> {
        if self.around.enforcements.chosen(project) == Some(enforcement) {
            return Ok(());
        }
        self.tell_durably(project, Happening::EnforcementChanged { enforcement, by }.into()).await
    }

    /// How agents are held to the locks.
    #[must_use]
    pub fn enforcements(&self) -> &Arc<Enforcements> {
        &self.around.enforcements
    }

    /// All conflicts of a project that are open, the oldest first, then those that were settled last.
    ///
    /// # Errors
    /// As for [`Projects::visit`].
    pub async fn conflicts(&self, project: &Arc<str>) -> Result<Vec<Arc<Conflict>>, Refusal> {
        if !self.has_channel(project) {
            return Ok(Vec::new());
        }
        Ok(self.visit(project).await?.conflicts())
    }

    /// The projects that have a channel, in order.
    #[must_use]
    pub fn with_channel(&self) -> Vec<Arc<str>> {
        let inner = self.inner();
        let mut all: Vec<Arc<str>> = inner.channels.keys().chain(inner.resting.keys()).cloned().collect();
        all.sort();
        all
    }

    /// All projects that have a conversation or a channel, in the order of their paths.
    #[must_use]
    pub fn list(&self) -> Vec<ProjectEntry> {
        let mut entries: BTreeMap<Arc<str>, ProjectEntry> = BTreeMap::new();
        let empty = |path: &Arc<str>| ProjectEntry {
            project_path: path.clone(),
            sessions: Vec::new(),
            open_conflicts: 0,
            enforcement: self.around.enforcements.of(path),
        };
        {
            let inner = self.inner();
            for (path, channel) in &inner.channels {
                let open_conflicts = channel.open_conflicts().unwrap_or(0);
                entries.insert(path.clone(), ProjectEntry { open_conflicts, ..empty(path) });
            }
            for (path, resting) in &inner.resting {
                let open_conflicts = resting.index.open.len();
                entries.insert(path.clone(), ProjectEntry { open_conflicts, ..empty(path) });
            }
        }
        for summary in self.board.all().0 {
            let path: Arc<str> = summary.project_path.as_str().into();
            entries.entry(path.clone()).or_insert_with(|| empty(&path)).sessions.push(summary.session_id);
        }
        entries.into_values().collect()
    }

    /// The conversations that are connected in a project, the one that leads first.
    #[must_use]
    pub fn members(&self, project: &Arc<str>) -> Vec<Member> {
        let inner = self.inner();
        let members = inner.members.get(project).into_iter().flat_map(Members::all);
        members.map(|(session_id, role)| Member { session_id, role }).collect()
    }

    /// In which project a conflict is, as far as it is open or was settled lately.
    fn project_of(&self, conflict: ConflictId) -> Vec<Arc<str>> {
        let inner = self.inner();
        let loaded = inner.channels.values().filter(|channel| channel.may_have(conflict));
        let resting = inner.resting.iter().filter(|(_, resting)| resting.index.may_have(conflict));
        loaded.map(|channel| channel.project.clone()).chain(resting.map(|(path, _)| path.clone())).collect()
    }

    /// The channel in which a conflict is, loaded.
    ///
    /// # Errors
    /// `conflict_not_found`; as for [`Projects::visit`].
    pub(super) async fn visit_of(&self, conflict: ConflictId) -> Result<(Visit, Arc<Conflict>), Refusal> {
        for project in self.project_of(conflict) {
            let visit = self.visit(&project).await?;
            if let Some(found) = visit.channel.conflict(conflict) {
                return Ok((visit, found));
            }
        }
        Err(Refusal::new(
            Code::ConflictNotFound,
            "There is no conflict with this id among those that are open or were settled lately.",
        ))
    }

    /// Whether a conflict of a project waits to be settled, as of what is on disk.
    #[must_use]
    pub fn is_open(&self, project: &Arc<str>, conflict: ConflictId) -> bool {
        let inner = self.inner();
        let resting = || inner.resting.get(project).is_some_and(|resting| resting.index.is_open(conflict));
        inner.channels.get(project).map_or_else(resting, |channel| channel.is_open(conflict))
    }

    /// A request for a lock by a device would have closed a ring of those who wait for each other: that is put on record.
    pub(super) fn note_deadlock(&self, project: &Arc<str>, what: String, holder: Holder, denied: &Denied) {
        let came_of_it = "was refused: each waited for what the other had";
        let now = self.around.clock.now();
        let conflict = lock_denied(project.clone(), what, holder, denied, came_of_it, now);
        self.tell(project, Happening::ConflictDetected(Box::new(conflict)).into());
    }

    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn settler(&self) -> Arc<dyn Settler> {
        self.settler.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Says whether a conversation is connected, as often as somebody likes.
    pub(super) fn note_member(&self, project: &Arc<str>, session: SessionId, is_connected: bool) {
        let mut inner = self.inner();
        let members = inner.members.entry(project.clone()).or_default();
        let happenings = members.set(session, is_connected);
        if members.is_empty() {
            inner.members.remove(project);
        }
        if inner.is_stopped {
            return;
        }
        for happening in happenings {
            self.push_into(&mut inner, project, happening.into(), None);
        }
    }

    /// Writes what is left, and takes nothing in any more.
    pub async fn stop(&self) {
        attendance::look(self, &self.board.all().0);
        let channels: Vec<Arc<Channel>> = {
            let mut inner = self.inner();
            inner.is_stopped = true;
            inner.tasks.drain(..).for_each(|task| task.abort());
            inner.channels.drain().map(|(_, channel)| channel).collect()
        };
        let last_writes = async {
            for channel in channels {
                if let Some(scribe) = channel.scribe() {
                    // Gone: it has ended already.
                    let _ = scribe.send(Finish).await;
                }
            }
        };
        if tokio::time::timeout(LAST_WRITES, last_writes).await.is_err() {
            tracing::warn!("what happened last in projects could not be written in time");
        }
    }

    fn has_channel(&self, project: &Arc<str>) -> bool {
        let inner = self.inner();
        inner.channels.contains_key(project) || inner.resting.contains_key(project)
    }

    fn push(
        &self,
        project: &Arc<str>,
        event: ProjectEvent,
        written: Option<oneshot::Sender<()>>,
    ) -> Result<(), Refusal> {
        count(&self.metrics, &event);
        let mut inner = self.inner();
        if inner.is_stopped {
            return Err(Refusal::shutting_down());
        }
        self.push_into(&mut inner, project, event, written);
        Ok(())
    }

    fn push_into(
        &self,
        inner: &mut Inner,
        project: &Arc<str>,
        event: ProjectEvent,
        written: Option<oneshot::Sender<()>>,
    ) {
        let channel = self.channel(inner, project);
        channel.push(self.around.clock.now(), event, written, || self.start_scribe(&channel));
    }

    fn channel(&self, inner: &mut Inner, project: &Arc<str>) -> Arc<Channel> {
        if let Some(channel) = inner.channels.get(project) {
            return channel.clone();
        }
        let Resting { index, is_of_earlier_server } = inner
            .resting
            .remove(project)
            .unwrap_or(Resting { index: Index::default(), is_of_earlier_server: true });
        let channel = Arc::new(Channel::new(project.clone(), self.encoder, index, is_of_earlier_server));
        inner.channels.insert(project.clone(), channel.clone());
        channel
    }

    fn start_scribe(&self, channel: &Arc<Channel>) -> Addr<Scribe> {
        let (around, channel) = (self.around.clone(), channel.clone());
        Scribe::start_in_arbiter(&self.arbiter, move |_| Scribe::new(around, channel))
    }

    /// Lets go of what nobody needs, and sees to it that nothing waits to be written for ever.
    fn round(&self) {
        let Some(before) = Instant::now().checked_sub(REST_AFTER) else { return };
        let mut inner = self.inner();
        let idle: Vec<(Arc<str>, Index)> = inner
            .channels
            .values()
            .filter_map(|channel| Some((channel.project.clone(), channel.index_if_idle(before)?)))
            .collect();
        for (project, index) in idle {
            let scribe = inner.channels.remove(&project).and_then(|channel| channel.scribe());
            if let Some(scribe) = scribe {
                // It has nothing to do; if it is gone already, so much the better.
                let _ = scribe.try_send(Finish);
            }
            inner.resting.insert(project, Resting { index, is_of_earlier_server: false });
        }
        for channel in inner.channels.values() {
            channel.start_if_needed(|| self.start_scribe(channel));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn make_rounds(projects: std::sync::Weak<Projects>) {
    loop {
        tokio::time::sleep(ROUND_EVERY).await;
        let Some(projects) = projects.upgrade() else { return };
        projects.round();
    }
}

impl Feed for Projects {
    fn tell(&self, project: &Arc<str>, event: ProjectEvent) {
        // A server that stops has told everybody so.
        let _ = self.push(project, event, None);
    }
}

impl Visit {
    /// Under which id the channel is journalled.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.channel.id
    }

    /// Its project's canonical path.
    #[must_use]
    pub fn project(&self) -> &Arc<str> {
        &self.channel.project
    }

    /// The last durable event, and the conflicts as of it: those that are open, the oldest first, then those that were
    /// settled last.
    #[must_use]
    pub fn look(&self) -> (Seq, Vec<Arc<Conflict>>) {
        self.channel.shown().map_or_else(
            || (self.channel.room.tail().head(), Vec::new()),
            |shown| (shown.head, shown.conflicts),
        )
    }

    /// The first event that is kept.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.channel.shown().map_or(1, |shown| shown.first)
    }

    /// The events behind `after`, and on.
    #[must_use]
    pub fn follow(&self, journal: Arc<dyn Journal>, after: Seq) -> Follow {
        Follow::new(self.channel.room.clone(), journal, after)
    }

    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    fn conflicts(&self) -> Vec<Arc<Conflict>> {
        self.look().1
    }
}

impl Drop for Projects {
    fn drop(&mut self) {
        for task in self.inner().tasks.drain(..) {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Projects {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Projects({} channels in memory)", self.inner().channels.len())
    }
}
