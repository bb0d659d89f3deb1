//! Where devices ask for locks: finds what they name, asks the keeper, words the answer.
//!
//! What was named a moment ago is answered at once, without a message to any actor and without the disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::lock_answer::{LockAnswer, LockEntry};
use super::place::LockName;
use super::projects::Projects;
use crate::locks::{Answer, Holder, Keeper, Kind, Life, Mode, Pending, Request, Resource, Verdict, Why};
use crate::refusal::{Code, Refusal};

/// The longest that a lease may hold without being renewed: whoever needs it for longer is asked once a day.
const MAX_TTL: Duration = Duration::from_secs(24 * 3_600);

/// For how long a name is taken for the file that it led to. A lease outlives it by minutes, so a link that is changed
/// within these seconds is no worse than one that is changed while somebody holds.
const NAME_HOLDS: Duration = Duration::from_secs(2);

/// Names that are remembered: more than people and agents lock within two seconds. With more, all are looked up again.
const MAX_NAMES: usize = 65_536;

/// What the configuration says of locks.
#[derive(Debug, Clone, Copy)]
pub struct LockPolicy {
    /// How long a lease holds without being renewed.
    pub ttl: Duration,
    /// How long a request waits that wants to.
    pub wait: Duration,
}

impl Default for LockPolicy {
    /// What the server does when nothing is configured.
    fn default() -> Self {
        Self { ttl: Duration::from_secs(300), wait: Duration::from_secs(30) }
    }
}

/// What a client wants with a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockAct {
    /// To have it.
    Request {
        /// Alone, or with others.
        mode: Mode,
        /// In seconds; none for what is configured.
        ttl_seconds: Option<u64>,
        /// How long it waits; none for not at all.
        wait: Option<Wait>,
    },
    /// To give it back.
    Release,
    /// To have it for longer.
    Renew {
        /// In seconds; none for what is configured.
        ttl_seconds: Option<u64>,
    },
}

/// How long a request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As long as is configured.
    Configured,
    /// So many seconds, at most as long as is configured.
    Seconds(u64),
}

/// What a client asks for, in a project that is known.
#[derive(Debug, Clone)]
pub struct LockAsk {
    /// For whom.
    pub holder: Holder,
    /// In which project; canonical.
    pub project: Arc<str>,
    /// What, in the client's words.
    pub name: LockName,
    /// What is wanted with it under one number, all or none of them. Giving back or renewing one of them does so for all.
    pub also: Vec<(LockName, Mode)>,
    /// What with it.
    pub act: LockAct,
    /// Whether the server renews it as long as the holder lives.
    pub is_kept: bool,
}

/// The answer, or where it will come from.
#[derive(Debug)]
pub enum LockOutcome {
    /// It is decided.
    Now(Result<LockAnswer, Refusal>),
    /// It waits.
    Later(Waiter),
}

/// A request that waits. Dropping it takes the request back.
#[derive(Debug)]
pub struct Waiter {
    desk: Arc<LockDesk>,
    ask: LockAsk,
    mode: Mode,
    decided: Pending,
}

/// See the module.
pub struct LockDesk {
    keeper: Arc<Keeper>,
    projects: Arc<Projects>,
    policy: LockPolicy,
    names: Mutex<HashMap<String, (Resource, Instant)>>,
    runtime: Handle,
}

impl LockDesk {
    /// Opens on the runtime that this is called on.
    #[must_use]
    pub fn new(keeper: Arc<Keeper>, projects: Arc<Projects>, policy: LockPolicy) -> Self {
        Self { keeper, projects, policy, names: Mutex::default(), runtime: Handle::current() }
    }

    /// The authority itself.
    #[must_use]
    pub fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }

    /// How long a request may wait.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.policy.wait
    }

    /// Says that a holder lives, so that what it takes is renewed until it does not.
    #[must_use]
    pub fn begin(&self, holder: Holder) -> Life {
        self.keeper.begin(holder)
    }

    /// Ends a life at this time, whatever becomes of whoever says so.
    pub fn end_at(&self, life: Life, moment: Instant) {
        drop(self.runtime.spawn(async move {
            tokio::time::sleep_until(moment).await;
            drop(life);
        }));
    }

    /// Everything that is held or waited for, in one project or in all, in the order of asking.
    #[must_use]
    pub fn list(&self, project: Option<&Arc<str>>) -> Vec<LockEntry> {
        let held = self.keeper.list();
        let wanted = held.iter().filter(|held| project.is_none_or(|project| held.project == *project));
        wanted.flat_map(LockEntry::of).collect()
    }

    /// Does what a client asks, if what it names was looked up a moment ago.
    #[must_use]
    pub fn ask_at_once(self: &Arc<Self>, ask: &LockAsk) -> Option<LockOutcome> {
        if !ask.also.is_empty() {
            return None;
        }
        match ask.name.resource_at_once(Path::new(&*ask.project)) {
            Err(refusal) => return Some(LockOutcome::Now(Err(refusal))),
            Ok(Some(resource)) => return Some(self.act(ask.clone(), resource, Vec::new())),
            Ok(None) => {}
        }
        let resource = {
            let names = self.names();
            let (resource, until) = names.get(&key(ask))?;
            (*until > Instant::now()).then(|| resource.clone())?
        };
        Some(self.act(ask.clone(), resource, Vec::new()))
    }

    /// Does what a client asks; what it names is looked up on a thread for blocking work.
    pub async fn ask(self: &Arc<Self>, ask: LockAsk) -> LockOutcome {
        if let Some(outcome) = self.ask_at_once(&ask) {
            return outcome;
        }
        let found = async { Ok((self.look_up(&ask).await?, look_up_all(&ask).await?)) };
        match found.await {
            Ok((resource, also)) => self.act(ask, resource, also),
            Err(refusal) => LockOutcome::Now(Err(refusal)),
        }
    }

    /// A person takes a lock away from whoever has it.
    ///
    /// # Errors
    /// `lock_not_found`; as for [`LockName::resource`].
    pub async fn force(&self, ask: &LockAsk) -> Result<Holder, Refusal> {
        let resource = self.look_up(ask).await?;
        self.keeper.force(&resource, &ask.holder).ok_or_else(lock_not_found)
    }

    async fn look_up(&self, ask: &LockAsk) -> Result<Resource, Refusal> {
        let (name, project) = (ask.name.clone(), ask.project.clone());
        let is_request = matches!(ask.act, LockAct::Request { .. });
        let looked = tokio::task::spawn_blocking(move || {
            let project = Path::new(&*project);
            match name.resource(project) {
                // Whoever holds a file whose folder is gone must still be able to give it back.
                Err(_) if !is_request && name.kind == Kind::File => {
                    Ok(Resource::file(&project.join(&name.id)))
                }
                looked => looked,
            }
        });
        let resource = looked.await.map_err(|_stopped| Refusal::shutting_down())??;
        if is_request {
            let mut names = self.names();
            if names.len() >= MAX_NAMES {
                names.clear();
            }
            names.insert(key(ask), (resource.clone(), Instant::now() + NAME_HOLDS));
        }
        Ok(resource)
    }

    fn act(
        self: &Arc<Self>,
        ask: LockAsk,
        resource: Resource,
        mut also: Vec<(Resource, Mode)>,
    ) -> LockOutcome {
        match ask.act {
            LockAct::Request { mode, ttl_seconds, wait } => {
                let ttl = match self.ttl(ttl_seconds) {
                    Ok(ttl) => ttl,
                    Err(refusal) => return LockOutcome::Now(Err(refusal)),
                };
                also.insert(0, (resource, mode));
                let request = Request {
                    holder: ask.holder.clone(),
                    project: ask.project.clone(),
                    wants: also,
                    ttl,
                    wait: self.wait(wait),
                    is_kept: ask.is_kept,
                };
                match self.keeper.acquire(request) {
                    Answer::Now(verdict) => LockOutcome::Now(self.word(&ask, mode, verdict)),
                    Answer::Later(_, decided) => {
                        LockOutcome::Later(Waiter { desk: self.clone(), ask, mode, decided })
                    }
                }
            }
            LockAct::Release => LockOutcome::Now(self.release(&ask.holder, &resource)),
            LockAct::Renew { ttl_seconds } => LockOutcome::Now(self.ttl(ttl_seconds).and_then(|ttl| {
                let lease = self.keeper.renew(&ask.holder, &resource, ttl);
                let lease = lease.ok_or_else(|| self.not_held(&resource))?;
                Ok(LockAnswer::Renewed { expires_at: lease.until, fence: lease.fence })
            })),
        }
    }

    fn release(&self, holder: &Holder, resource: &Resource) -> Result<LockAnswer, Refusal> {
        match self.keeper.release(holder, resource) {
            true => Ok(LockAnswer::Released),
            false => Err(self.not_held(resource)),
        }
    }

    fn not_held(&self, resource: &Resource) -> Refusal {
        let Some(holder) = self.keeper.holder_of(resource) else { return lock_not_found() };
        let message = format!("You do not hold this lock: {holder} does.");
        Refusal::new(Code::LockNotHeld, message).with_details(json!({ "holder": holder }))
    }

    fn word(&self, ask: &LockAsk, mode: Mode, verdict: Verdict) -> Result<LockAnswer, Refusal> {
        let (resource_id, lock_type) = (ask.name.id.clone(), ask.name.kind);
        match verdict {
            Ok(lease) => Ok(LockAnswer::LockAcquired {
                resource_id,
                lock_type,
                mode,
                fence: lease.fence,
                expires_at: lease.until,
                enforced: std::iter::once(lock_type)
                    .chain(ask.also.iter().map(|(name, _)| name.kind))
                    .all(|kind| self.is_enforced(kind, &ask.project)),
            }),
            Err(denied) => match denied.why {
                Why::Deadlock(_) => {
                    let (project, holder) = (&ask.project, ask.holder.clone());
                    self.projects.note_deadlock(project, resource_id.clone(), holder, &denied);
                    Ok(LockAnswer::denied(
                        resource_id,
                        lock_type,
                        denied.holder,
                        denied.since,
                        denied.until,
                        &denied.why,
                    ))
                }
                Why::Full => {
                    let message = "Too many wait for this lock already. Try again when there are fewer.";
                    Err(Refusal::new(Code::LockQueueFull, message).with_retry_after(1))
                }
                Why::Storage => {
                    let message = "The server can give no lock at the moment, because its disk takes nothing. Try again.";
                    Err(Refusal::new(Code::StorageUnavailable, message).with_retry_after(2))
                }
                why => Ok(LockAnswer::denied(
                    resource_id,
                    lock_type,
                    denied.holder,
                    denied.since,
                    denied.until,
                    &why,
                )),
            },
        }
    }

    fn is_enforced(&self, kind: Kind, project: &Arc<str>) -> bool {
        let can_be = matches!(kind, Kind::File | Kind::Git);
        can_be && self.projects.enforcements().is_binding(project)
    }

    fn ttl(&self, seconds: Option<u64>) -> Result<Duration, Refusal> {
        let ttl = seconds.map_or(self.policy.ttl, Duration::from_secs);
        if ttl.is_zero() || ttl > MAX_TTL {
            let message = format!("The field ttlSeconds is 1 to {}.", MAX_TTL.as_secs());
            return Err(Refusal::bad_field("ttlSeconds", message));
        }
        Ok(ttl)
    }

    fn wait(&self, wait: Option<Wait>) -> Duration {
        match wait {
            None => Duration::ZERO,
            Some(Wait::Configured) => self.policy.wait,
            Some(Wait::Seconds(seconds)) => Duration::from_secs(seconds).min(self.policy.wait),
        }
    }

    /// The projects whose locks are kept here.
    #[must_use]
    pub fn projects(&self) -> &Arc<Projects> {
        &self.projects
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, (Resource, Instant)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// What became of it.
    ///
    /// # Errors
    /// `lock_queue_full`, `storage_unavailable`, `shutting_down`.
    pub async fn decided(self) -> Result<LockAnswer, Refusal> {
        let Self { desk, ask, mode, decided } = self;
        let verdict = decided.await.map_err(|_gone| Refusal::shutting_down())?;
        desk.word(&ask, mode, verdict)
    }
}

/// What is wanted with the first one.
async fn look_up_all(ask: &LockAsk) -> Result<Vec<(Resource, Mode)>, Refusal> {
    if ask.also.is_empty() {
        return Ok(Vec::new());
    }
    let (names, project) = (ask.also.clone(), ask.project.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let found = |(name, mode): (LockName, Mode)| Ok((name.resource(Path::new(&*project))?, mode));
        names.into_iter().map(found).collect()
    });
    looked.await.map_err(|_stopped| Refusal::shutting_down())?
}

fn lock_not_found() -> Refusal {
    Refusal::new(
        Code::LockNotFound,
        "Nobody holds such a lock. It may have expired; `tandem locks` shows those there are.",
    )
}

/// No path holds NUL.
fn key(ask: &LockAsk) -> String {
    let kind = if ask.name.kind == Kind::File { 'f' } else { 'g' };
    format!("{kind}{}\0{}", ask.project, ask.name.id)
}

impl std::fmt::Debug for LockDesk {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "LockDesk({:?})", self.keeper)
    }
}
