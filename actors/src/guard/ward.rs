//! One session under guard: what it holds in this turn, and what it has seen.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::{InTheWay, taken, unclear, unseen};
use super::collisions::{Attempt, Ruling};
use super::known::{Helper, Known, Standing};
use super::places::{There, branches, canonical, look};
use super::touches::{Touch, touch};
use super::{Guard, Mode};
use crate::agent::{Hook, HookAnswer};
use crate::blobs::BlobHash;
use crate::ids::SessionId;
use crate::locks::{self, Answer, Denied, Holder, Lease, Life, Request, Resource, Why};
use crate::project::{ChangeType, Conflict, ConflictId, ConflictKind, Happening, Side};

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
}

/// What is remembered of a call until its end is told.
#[derive(Debug)]
struct Call {
    path: PathBuf,
    view: View,
    is_new_file: bool,
    lease: Option<Lease>,
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

impl Ward {
    pub(super) fn new(guard: Arc<Guard>, session: SessionId, project: Arc<str>) -> Self {
        Self { guard, session, project, known: Mutex::default(), turn: Mutex::default() }
    }

    /// The agent is about to use a tool: takes the locks for it, waits for them if it must, and says whether it may.
    pub async fn before(&self, hook: Hook) -> HookAnswer {
        let mode = self.mode();
        if mode == Mode::Off {
            return HookAnswer::Pass;
        }
        match self.find(&hook).await {
            Found::Nothing => HookAnswer::Pass,
            Found::Unclear if mode == Mode::On => HookAnswer::Deny { reason: unclear() },
            Found::Unclear => HookAnswer::Pass,
            Found::Read(path, There::Content { hash, bytes }) => {
                // What the tool reads is as new as this or newer: what has changed in between counts as unseen.
                let view = View::Content(hash, bytes);
                self.remember(&hook, Call { path, view, is_new_file: false, lease: None });
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
        if self.mode() == Mode::Off {
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
                let is_new_file = call.as_ref().is_some_and(|call| call.is_new_file);
                if let Some(lease) = call.as_ref().and_then(|call| call.lease.as_ref()) {
                    self.check_lease(lease, &path, &there);
                }
                let change_type = if is_new_file { ChangeType::Created } else { ChangeType::Modified };
                self.tell(Happening::FileChanged {
                    file_path: self.shown(&path),
                    change_type,
                    hash: there.hash().map(|hash| hash.to_string()),
                    holder: Some(self.holder()),
                });
                self.note(&hook.helper, &path, call.map_or(View::Parts, |call| call.view), &there);
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
    async fn take(&self, resources: Vec<Resource>, mode: Mode) -> Result<Option<Lease>, String> {
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
            wait: if mode == Mode::On { rules.wait } else { Duration::ZERO },
            is_kept: true,
        };
        let verdict = match keeper.acquire(request) {
            Answer::Now(verdict) => verdict,
            Answer::Later(_, decided) => {
                let gone = Denied { holder: None, since: None, until: None, why: Why::Gone };
                decided.await.unwrap_or(Err(gone))
            }
        };
        match verdict {
            Ok(lease) => Ok(Some(lease)),
            Err(denied) if mode == Mode::On => Err(self.why_not(&resources, &denied)),
            Err(_) => Ok(None),
        }
    }

    /// Lets a write pass if what is there is what the session has seen, and otherwise asks what becomes of it.
    async fn look_before_write(
        &self,
        hook: Hook,
        path: PathBuf,
        written: Option<BlobHash>,
        lease: Option<Lease>,
        mode: Mode,
    ) -> HookAnswer {
        let there = match look_at(path.clone()).await {
            Some(There::Unreadable) => return HookAnswer::Pass,
            Some(there) => there,
            None if mode == Mode::On => return HookAnswer::Deny { reason: unclear() },
            None => return HookAnswer::Pass,
        };
        let standing = self.known().standing(&hook.helper, &path, there.hash());
        let seen = match standing {
            Standing::Changed(seen) => Some(seen),
            Standing::Same | Standing::Unseen => None,
        };
        // An edit of what was never seen is the tool's own affair: it needs the very words that are there.
        let is_fine = standing == Standing::Same || (standing == Standing::Unseen && written.is_none());
        let answer = if is_fine {
            HookAnswer::Pass
        } else if mode == Mode::Warn {
            self.tell_unseen(&path, seen, there.hash(), written);
            HookAnswer::Pass
        } else {
            let (tool, input) = (hook.tool.clone(), hook.input.clone());
            let attempt = Attempt {
                session: self.session,
                project: self.project.clone(),
                shown: self.shown(&path),
                path: path.clone(),
                seen,
                there: there.hash(),
                tool,
                input,
            };
            let again = unseen(&attempt.shown, seen.is_some(), attempt.there.is_some());
            let ruling = timeout(RULE_WITHIN, self.guard.collisions.before_write(attempt)).await;
            match ruling.unwrap_or(Ruling::Deny(again)) {
                Ruling::Let => HookAnswer::Pass,
                Ruling::Instead(input) => HookAnswer::Instead { input },
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
        self.remember(&hook, Call { path, view, is_new_file: there == There::Nothing, lease });
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
        let (hash, content) = match (view, there) {
            (View::Content(hash, Some(content)), _) => (Some(hash), Some(content)),
            (View::Content(hash, None), There::Content { hash: on_disk, bytes }) if hash == *on_disk => {
                (Some(hash), bytes.clone())
            }
            (View::Content(hash, None), _) => (Some(hash), None),
            (View::Disk, There::Content { hash, bytes }) => (Some(*hash), bytes.clone()),
            (View::Disk | View::Parts, _) => (None, None),
        };
        match hash {
            Some(hash) => self.known().note(helper, path, hash),
            None => self.known().forget(helper, path),
        }
        if let (Some(hash), Some(content)) = (hash, content) {
            self.guard.collisions.seen(self.session, &self.project, path, hash, &content);
        }
    }

    fn remember(&self, hook: &Hook, call: Call) {
        if let Some(name) = &hook.tool_use_id {
            self.turn().calls.insert(name.clone(), call);
        }
    }

    /// A lock that somebody took away while the tool ran has not held: people must see what came of it.
    fn check_lease(&self, lease: &Lease, path: &Path, there: &There) {
        if self.guard.keeper.is_current(lease.ticket, lease.fence) {
            return;
        }
        let now = self.guard.clock.now();
        let side = |holder, what: &str, hash: Option<BlobHash>| Side {
            holder,
            what: what.to_owned(),
            hash: hash.map(|hash| hash.to_string()),
            at: now,
        };
        let ours = side(None, "The lock was taken away while the tool ran.", None);
        let theirs = side(Some(self.holder()), "The file was written without the lock.", there.hash());
        self.tell_conflict(ConflictKind::ResourceLock, path, ours, theirs, None);
    }

    fn tell_unseen(
        &self,
        path: &Path,
        seen: Option<BlobHash>,
        there: Option<BlobHash>,
        written: Option<BlobHash>,
    ) {
        let now = self.guard.clock.now();
        let ours = Side {
            holder: None,
            what: "The file was changed, and the session has not read it since.".to_owned(),
            hash: there.map(|hash| hash.to_string()),
            at: now,
        };
        let theirs = Side {
            holder: Some(self.holder()),
            what: "It was written over; the project's locks only warn.".to_owned(),
            hash: written.map(|hash| hash.to_string()),
            at: now,
        };
        self.tell_conflict(ConflictKind::FileEdit, path, ours, theirs, seen);
    }

    fn tell_conflict(
        &self,
        kind: ConflictKind,
        path: &Path,
        ours: Side,
        theirs: Side,
        base: Option<BlobHash>,
    ) {
        self.tell(Happening::ConflictDetected(Box::new(Conflict {
            conflict_id: ConflictId::random(),
            kind,
            project_path: self.project.clone(),
            subject: self.shown(path),
            found_at: self.guard.clock.now(),
            ours,
            theirs,
            base: base.map(|hash| hash.to_string()),
            hunks: None,
            resolution: None,
            resolved_by: None,
        })));
    }

    fn tell(&self, happening: Happening) {
        self.guard.rules.feed.tell(&self.project, happening.into());
    }

    fn why_not(&self, resources: &[Resource], denied: &Denied) -> String {
        let names = resources.iter().map(|resource| self.named(resource)).collect::<Vec<_>>().join(", ");
        let who = denied.holder.clone().map(|holder| {
            let title = match &holder {
                Holder::SessionId(session) => {
                    self.guard.board.get(*session).and_then(|one| one.title.clone())
                }
                Holder::DeviceId(_) => None,
            };
            InTheWay { holder, title }
        });
        taken(&names, denied, who.as_ref(), self.guard.rules.wait, self.guard.clock.now())
    }

    fn named(&self, resource: &Resource) -> String {
        let name = resource.to_string();
        name.strip_prefix(&format!("{}/", self.project)).map(str::to_owned).unwrap_or(name)
    }

    /// A file as people are shown it: within the project without the way there.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&*self.project).unwrap_or(path).display().to_string()
    }

    fn mode(&self) -> Mode {
        self.guard.rules.enforcement.of(&self.project)
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
        self.guard.collisions.left(self.session);
    }
}
