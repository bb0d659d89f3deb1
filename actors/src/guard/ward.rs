//! One session under guard: what it holds in this turn, and what it has seen.

mod tell;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Guard;
use super::answer::unclear;
use super::collisions::{Attempt, Diverged, Ruling, UntilDone};
use super::known::{Helper, Known, Standing};
use super::places::{There, branches, canonical, look};
use super::plan::Plan;
use super::touches::{Touch, touch};
use crate::agent::{Hook, HookAnswer};
use crate::blobs::BlobHash;
use crate::ids::SessionId;
use crate::locks::{self, Answer, Denied, Holder, Keeper, Lease, Life, Request, Resource, Ticket, Why};
use crate::project::{ChangeType, Enforcement, Happening};

/// How long a look at the disk may take: long enough to hash gigabytes, short enough for a file system that has gone.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// How long it may take to decide what becomes of a collision: those who decide wait some seconds for others to finish.
const RULE_WITHIN: Duration = Duration::from_secs(30);

/// See the module. Shared by the session and the hooks that it waits for.
#[derive(Debug)]
pub struct Ward {
    guard: Arc<Guard>,
    session: SessionId,
    project: Arc<str>,
    known: Mutex<Known>,
    turn: Mutex<Turn>,
}

/// What is over with the turn.
#[derive(Debug, Default)]
struct Turn {
    life: Option<Life>,
    /// Calls that have begun and have not told their end, by their names.
    calls: HashMap<String, Call>,
    /// What was denied, and because of whom: the model tries again, and once is enough for people.
    denied: HashSet<String>,
}

/// What is remembered of a call until its end is told.
#[derive(Debug)]
struct Call {
    path: PathBuf,
    view: View,
    lease: Option<Lease>,
    /// None: it only reads.
    plan: Option<Plan>,
    /// Undone when the call has ended.
    until_done: Option<UntilDone>,
}

/// What the session knows of a file when the call has succeeded.
#[derive(Debug)]
enum View {
    /// What is in it then.
    Disk,
    /// This, whatever is in it.
    Content(BlobHash, Option<Bytes>),
    /// Not all of it.
    Parts,
}

/// What a call is about, after a look at the disk.
enum Found {
    Nothing,
    Read(PathBuf, There),
    File {
        path: PathBuf,
        written: Option<BlobHash>,
    },
    Branches(Vec<Resource>),
    /// The disk does not answer.
    Unclear,
}

/// A request that is taken back when nobody waits for it any more.
struct Wait<'a> {
    keeper: &'a Arc<Keeper>,
    ticket: Option<Ticket>,
}

impl Ward {
    pub(super) fn new(guard: Arc<Guard>, session: SessionId, project: Arc<str>) -> Self {
        Self { guard, session, project, known: Mutex::default(), turn: Mutex::default() }
    }

    /// The agent is about to use a tool: takes the locks for it, waits for them if it must, and says whether it may.
    pub async fn before(&self, hook: Hook) -> HookAnswer {
        let mode = self.mode();
        if mode == Enforcement::Off {
            return HookAnswer::Pass;
        }
        match self.find(&hook).await {
            Found::Nothing => HookAnswer::Pass,
            Found::Unclear if mode == Enforcement::On => HookAnswer::Deny { reason: unclear() },
            Found::Unclear => HookAnswer::Pass,
            Found::Read(path, There::Content { hash, bytes }) => {
                // What the tool reads is as new as this or newer: what has changed in between counts as unseen.
                let view = View::Content(hash, bytes);
                self.remember(&hook, Call { path, view, lease: None, plan: None, until_done: None });
                HookAnswer::Pass
            }
            Found::Read(_, There::Nothing | There::Unreadable) => HookAnswer::Pass,
            Found::Branches(branches) => match self.take(branches, mode).await {
                Ok(_) => HookAnswer::Pass,
                Err(reason) => HookAnswer::Deny { reason },
            },
            Found::File { path, written } => match self.take(vec![Resource::file(&path)], mode).await {
                Ok(lease) => self.look_before_write(hook, path, written, lease, mode).await,
                Err(reason) => HookAnswer::Deny { reason },
            },
        }
    }

    /// The agent has used a tool: notes what the session has seen, and tells the project what has changed.
    pub async fn after(&self, hook: Hook) {
        if self.mode() == Enforcement::Off {
            return;
        }
        let call = hook.tool_use_id.as_ref().and_then(|name| self.turn().calls.remove(name));
        match self.find(&hook).await {
            Found::Read(path, _) => {
                if let Some(call) = call.filter(|call| call.path == path) {
                    self.note(&hook.helper, &path, call.view, &There::Unreadable);
                }
            }
            Found::File { path, .. } => {
                let there = look_at(path.clone()).await.unwrap_or(There::Unreadable);
                // Whoever gave leave may have chosen another file: of that one nothing is known.
                let call = call.filter(|call| call.path == path);
                let (view, lease, plan, until_done) = match call {
                    Some(Call { view, lease, plan, until_done, .. }) => (view, lease, plan, until_done),
                    None => (View::Parts, None, None, None),
                };
                if let Some(lease) = lease {
                    let before = plan.as_ref().map_or(&There::Unreadable, Plan::before);
                    self.check_lease(&lease, &path, before, &there).await;
                }
                let missed = plan.as_ref().and_then(|plan| plan.missed(&hook.input, &there));
                let hash = match &missed {
                    Some(meant) => Some(BlobHash::of(meant.as_bytes())),
                    None => there.hash(),
                };
                if missed.is_none() {
                    self.guard.collisions.wrote(self.session, &path, hash);
                }
                let is_new_file = plan.as_ref().is_some_and(|plan| *plan.before() == There::Nothing);
                self.tell(Happening::FileChanged {
                    file_path: self.shown(&path),
                    change_type: if is_new_file { ChangeType::Created } else { ChangeType::Modified },
                    hash: hash.map(|hash| hash.to_string()),
                    holder: Some(self.holder()),
                });
                match (missed, &plan) {
                    (Some(meant), Some(plan)) => self.diverge(&hook.helper, &path, view, plan, meant).await,
                    _ => self.note(&hook.helper, &path, view, &there),
                }
                // Until here a watcher takes what is there for this call's.
                drop((plan, until_done));
            }
            Found::Branches(_) | Found::Nothing | Found::Unclear => {}
        }
    }

    /// The turn is over, or the agent is gone: everything is given back.
    pub fn end_turn(&self) {
        let ended = std::mem::take(&mut *self.turn());
        // Giving back wakes others, and needs no lock of ours.
        drop(ended);
    }

    /// The conversation begins anew: nothing was seen.
    pub fn forget_all(&self) {
        self.known().forget_all();
    }

    /// Takes locks until the end of the turn. Where nobody is held to them, it waits for none and goes on without.
    async fn take(&self, resources: Vec<Resource>, mode: Enforcement) -> Result<Option<Lease>, String> {
        if resources.is_empty() {
            return Ok(None);
        }
        let Guard { keeper, rules, .. } = &*self.guard;
        self.turn().life.get_or_insert_with(|| keeper.begin(self.holder()));
        let request = Request {
            holder: self.holder(),
            project: self.project.clone(),
            wants: resources.iter().map(|resource| (resource.clone(), locks::Mode::Exclusive)).collect(),
            ttl: rules.ttl,
            wait: if mode == Enforcement::On { rules.wait } else { Duration::ZERO },
            is_kept: true,
        };
        let verdict = match keeper.acquire(request) {
            Answer::Now(verdict) => verdict,
            Answer::Later(waiting, decided) => {
                let mut wait = Wait { keeper, ticket: Some(waiting.ticket) };
                let verdict = decided.await;
                wait.ticket = None;
                verdict.unwrap_or(Err(Denied { holder: None, since: None, until: None, why: Why::Gone }))
            }
        };
        match verdict {
            Ok(lease) => Ok(Some(lease)),
            Err(denied) => {
                self.tell_denied(&resources, &denied, mode);
                if mode == Enforcement::On { Err(self.why_not(&resources, &denied)) } else { Ok(None) }
            }
        }
    }

    /// Lets a write pass if what is there is what the session has seen, and otherwise asks what becomes of it.
    async fn look_before_write(
        &self,
        hook: Hook,
        path: PathBuf,
        written: Option<BlobHash>,
        lease: Option<Lease>,
        mode: Enforcement,
    ) -> HookAnswer {
        let there = match look_at(path.clone()).await {
            Some(There::Unreadable) => return HookAnswer::Pass,
            Some(there) => there,
            None if mode == Enforcement::On => return HookAnswer::Deny { reason: unclear() },
            None => return HookAnswer::Pass,
        };
        let standing = self.known().standing(&hook.helper, &path, there.hash());
        let seen = match standing {
            Standing::Changed(seen) => Some(seen),
            Standing::Same | Standing::Unseen => None,
        };
        // An edit of what was never seen is the tool's own affair: it needs the very words that are there.
        let is_fine = standing == Standing::Same || (standing == Standing::Unseen && written.is_none());
        let mut until_done = None;
        let attempt = || Attempt {
            session: self.session,
            project: self.project.clone(),
            shown: self.shown(&path),
            path: path.clone(),
            seen,
            there: there.hash(),
            tool: hook.tool.clone(),
            input: hook.input.clone(),
        };
        let answer = if is_fine {
            HookAnswer::Pass
        } else if mode == Enforcement::Warn {
            // Too late is no reason to hold it up: nobody is held to anything here.
            let _ = timeout(RULE_WITHIN, self.guard.collisions.write_over(attempt())).await;
            HookAnswer::Pass
        } else {
            let attempt = attempt();
            let again = attempt.read_again();
            let ruling = timeout(RULE_WITHIN, self.guard.collisions.before_write(attempt)).await;
            match ruling.unwrap_or(Ruling::Deny(again)) {
                Ruling::Let => HookAnswer::Pass,
                Ruling::Instead { input, until_done: undone } => {
                    until_done = undone;
                    HookAnswer::Instead { input }
                }
                Ruling::Deny(reason) => {
                    if there == There::Nothing {
                        // It knows now that there is no file, and may make it again.
                        self.known().forget(&hook.helper, &path);
                    }
                    return HookAnswer::Deny { reason };
                }
            }
        };
        let view = match written {
            Some(content) => View::Content(content, None),
            None if standing == Standing::Same => View::Disk,
            None => View::Parts,
        };
        let before = match is_fine {
            true => there,
            // Deciding has taken its time.
            false => look_at(path.clone()).await.unwrap_or(There::Unreadable),
        };
        let given = match &answer {
            HookAnswer::Instead { input } => input,
            HookAnswer::Pass | HookAnswer::Deny { .. } => &hook.input,
        };
        let plan = Plan::new(&hook.tool, &hook.input, given, before);
        self.guard.collisions.begins(plan.writing(self.session, &path));
        self.remember(&hook, Call { path, view, lease, plan: Some(plan), until_done });
        answer
    }

    /// What a call is about; looks at the disk on another thread.
    async fn find(&self, hook: &Hook) -> Found {
        let (tool, input, cwd) = (hook.tool.clone(), hook.input.clone(), hook.cwd.clone());
        let cwd = cwd.unwrap_or_else(|| PathBuf::from(&*self.project));
        let finding = spawn_blocking(move || match touch(&tool, &input, &cwd) {
            Touch::Nothing => Found::Nothing,
            Touch::Read(path) => {
                let path = canonical(&path);
                let there = look(&path);
                Found::Read(path, there)
            }
            Touch::Write { path, content } => Found::File { path: canonical(&path), written: Some(content) },
            Touch::Edit(path) => Found::File { path: canonical(&path), written: None },
            Touch::Git(uses) => Found::Branches(branches(&uses)),
        });
        match timeout(LOOK_WITHIN, finding).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => Found::Unclear,
        }
    }

    fn note(&self, helper: &Helper, path: &Path, view: View, there: &There) {
        let on_disk = match there {
            There::Content { hash, bytes } => Some((*hash, bytes.clone())),
            There::Nothing | There::Unreadable => None,
        };
        let (known, seen) = match view {
            View::Content(hash, Some(content)) => (Some(hash), Some((hash, Some(content)))),
            // What is there may be merged. Whoever looks for changes is told of that, and the session goes on from its own.
            View::Content(hash, None) => (Some(hash), on_disk),
            View::Disk => (on_disk.as_ref().map(|(hash, _)| *hash), on_disk),
            View::Parts => (None, on_disk),
        };
        match known {
            Some(hash) => self.known().note(helper, path, hash),
            None => self.known().forget(helper, path),
        }
        if let Some((hash, Some(content))) = seen {
            self.guard.collisions.seen(self.session, &self.project, path, hash, &content);
        }
    }

    /// What the session goes on from is not there.
    async fn diverge(&self, helper: &Helper, path: &Path, view: View, plan: &Plan, meant: String) {
        match view {
            View::Parts => self.known().forget(helper, path),
            View::Content(hash, _) => self.known().note(helper, path, hash),
            View::Disk => self.known().note(helper, path, BlobHash::of(meant.as_bytes())),
        }
        let (session, project, path) = (self.session, self.project.clone(), path.to_owned());
        let diverged = Diverged { session, project, path, before: plan.before().hash(), meant };
        // Too late is told all the same; the agent does not wait for it any longer.
        let _ = timeout(RULE_WITHIN, self.guard.collisions.diverged(diverged)).await;
    }

    fn remember(&self, hook: &Hook, call: Call) {
        if let Some(name) = &hook.tool_use_id {
            self.turn().calls.insert(name.clone(), call);
        }
    }

    fn mode(&self) -> Enforcement {
        self.guard.enforcements.of(&self.project)
    }

    fn holder(&self) -> Holder {
        Holder::SessionId(self.session)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// None: the disk does not answer.
async fn look_at(path: PathBuf) -> Option<There> {
    let looking = timeout(LOOK_WITHIN, spawn_blocking(move || look(&path))).await;
    looking.ok().and_then(Result::ok)
}

impl Drop for Ward {
    fn drop(&mut self) {
        self.guard.collisions.left(self.session, &self.project);
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.keeper.withdraw(ticket);
        }
    }
}
