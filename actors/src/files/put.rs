//! A device writes a file of a project.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::collide::{Case, Collision, Wish};
use super::{Files, Found, MAX_FILE_BYTES, Place, WRITE_TTL, disk};
use crate::blobs::BlobHash;
use crate::ids::DeviceId;
use crate::locks::{Answer, Fence, Held, Holder, Keeper, Mode, Request, Resource, Ticket};
use crate::project::{ChangeType, Conflict, Happening, Resolution};
use crate::refusal::{Code, Effect, Refusal};

/// How often a write begins anew because somebody was faster in the moment before it; then it is a conflict.
const MAX_TRIES: usize = 3;

/// Folders that are remembered as tidy; beyond that they are tidied once more.
const MAX_SWEPT: usize = 4_096;

/// What a device wants to write.
#[derive(Debug, Clone)]
pub struct Put {
    /// Which device.
    pub by: DeviceId,
    /// The project's folder.
    pub project: PathBuf,
    /// Absolute, or within the project.
    pub file: PathBuf,
    /// All of the file.
    pub content: Bytes,
    /// From where the device began; none if it knows of no such file.
    pub base: Option<BlobHash>,
    /// Under which the device holds a lock of the file already; a number that is over is refused.
    pub fence: Option<Fence>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Within the project.
    pub file: String,
    /// The content that is there now.
    pub hash: BlobHash,
    /// Whether it is not what was sent, but that and what somebody else has changed.
    pub is_merged: bool,
}

/// A lock of a file, given back when it is dropped unless somebody had it before.
pub(super) struct Lock {
    keeper: Arc<Keeper>,
    ticket: Ticket,
    fence: Fence,
    is_own: bool,
}

impl Files {
    /// Writes a file: whole or not at all, merged with what others have written, or refused as a conflict.
    ///
    /// Once begun it goes on to its end, whether anybody still waits for it or not. *Crash:* the file is the old or the new one.
    ///
    /// # Errors
    /// As for [`Files::place`]; `conflict` with the record in its details, `lock_denied`, `lock_queue_full`, `lock_not_held`,
    /// `too_large`, `storage_unavailable`. Nothing is written then, unless the effect is `unknown`.
    pub async fn put(self: &Arc<Self>, put: Put) -> Result<Written, Refusal> {
        let files = self.clone();
        let putting = self.carry_through(async move { files.put_through(put).await });
        putting.await.unwrap_or_else(|| Err(Refusal::shutting_down()))
    }

    async fn put_through(&self, put: Put) -> Result<Written, Refusal> {
        let Put { by, project, file, content, base, fence } = put;
        if content.len() > MAX_FILE_BYTES {
            let message = format!("A file is written with at most {} MiB.", MAX_FILE_BYTES >> 20);
            return Err(Refusal::new(Code::TooLarge, message));
        }
        let place = self.place(&project, &file).await?;
        let by = Holder::DeviceId(by);
        let _turn = self.turn(place.path()).await?;
        let lock = self.lock(&place, &by, fence).await?;
        let mut wish = Wish { place, by, base, proposed: content, conflict: None };
        let mut open: Option<Conflict> = None;
        for _ in 0..MAX_TRIES {
            let found = self.look(&wish.place).await?;
            let (found, content, merged) = if wish.fits(&found) {
                (found, wish.proposed.clone(), None)
            } else {
                match self.collide(&wish, found).await {
                    Collision::Over(found) => (found, wish.proposed.clone(), None),
                    Collision::Merged { case, on, content } => (on, content.into(), Some(case)),
                    Collision::Open(conflict) => return Err(refuse(&conflict)),
                }
            };
            let (hash, there) = (BlobHash::of(&content), found.clone());
            let written = match found.hash == Some(hash) {
                true => Ok(true),
                false => self.write(&wish, &lock, found, content).await,
            };
            if matches!(written, Ok(true)) {
                return Ok(self.has_written(&wish, hash, merged));
            }
            if let Some(case) = merged {
                // It was told of and stays open, so a person may still decide.
                open = Some(self.leave_open(&wish, case, &there, None).await);
                wish.conflict = Some(case.id);
            }
            written?;
        }
        Err(open.as_ref().map_or_else(all_the_time, refuse))
    }

    fn has_written(&self, wish: &Wish, hash: BlobHash, merged: Option<Case>) -> Written {
        let project = wish.place.project();
        match (merged, wish.conflict) {
            (Some(case), _) => self.settle(project, case.id, Resolution::Merged, None),
            // It was one at the first try, and has gone away.
            (None, Some(conflict)) => self.settle_by_itself(project, conflict),
            (None, None) => {}
        }
        Written { file: wish.place.within().to_owned(), hash, is_merged: merged.is_some() }
    }

    /// Writes over what was found. `false`: it is not there any more.
    pub(super) async fn write(
        &self,
        wish: &Wish,
        lock: &Lock,
        found: Found,
        content: Bytes,
    ) -> Result<bool, Refusal> {
        let hash = BlobHash::of(&content);
        if let (Some(old), Some(content)) = (found.hash, found.content) {
            self.parts.versions.keep(old, content).await;
        }
        self.parts.versions.keep(hash, content.clone()).await;
        self.tidy(&wish.place).await;
        // Told before it happens: a watcher that sees it at once knows whose it is.
        let before = self.known.maker(wish.place.path(), found.hash);
        self.known.wrote(&wish.by, wish.place.path(), Some(hash));
        let (place, checked) = (wish.place.clone(), lock.check());
        let outcome = tokio::task::spawn_blocking(move || {
            let mut refused = None;
            let may_replace = || {
                let is_as_found = disk::look(&place).is_ok_and(|now| now.hash == found.hash);
                // The last thing that is asked: a writer that was paused has lost its lock, and its write is late.
                let is_held = checked();
                refused = (!is_held).then(not_held);
                is_as_found && is_held
            };
            let replaced = disk::replace(&place, Some(&content), may_replace);
            refused.map_or(replaced, Err)
        });
        let outcome = outcome.await.unwrap_or_else(|_stopped| Err(Refusal::shutting_down()));
        let is_in_doubt = matches!(&outcome, Err(refusal) if refusal.effect == Effect::Unknown);
        if !matches!(outcome, Ok(true)) && !is_in_doubt {
            self.known.is_still(wish.place.path(), found.hash, before);
            return outcome;
        }
        let change_type = if found.hash.is_some() { ChangeType::Modified } else { ChangeType::Created };
        let happening = Happening::FileChanged {
            file_path: wish.place.within().to_owned(),
            change_type,
            hash: Some(hash.to_string()),
            holder: Some(wish.by.clone()),
        };
        self.tell(wish.place.project(), happening);
        outcome
    }

    /// Takes the lock of a file; one that the holder has already is used and not given back.
    pub(super) async fn lock(
        &self,
        place: &Place,
        by: &Holder,
        fence: Option<Fence>,
    ) -> Result<Lock, Refusal> {
        let keeper = self.parts.keeper.clone();
        let resource = Resource::file(place.path());
        let covers = |(held, mode): &(Resource, Mode)| {
            *mode == Mode::Exclusive
                && if fence.is_some() { held.is_related_to(&resource) } else { *held == resource }
        };
        let is_own = |held: &Held| held.holder == *by && !held.is_apart && held.wants.iter().any(covers);
        let own = keeper.list().into_iter().filter(is_own);
        let mut own = own.filter_map(|held| Some((held.ticket, held.fence?)));
        let held = own.find(|(_, held)| fence.is_none_or(|fence| fence == *held));
        if let Some((ticket, fence)) = held {
            return Ok(Lock { keeper, ticket, fence, is_own: false });
        }
        if fence.is_some() {
            return Err(not_held());
        }
        let request = Request {
            holder: by.clone(),
            project: place.project().clone(),
            wants: vec![(resource, Mode::Exclusive)],
            ttl: WRITE_TTL,
            wait: self.parts.lock_wait,
            is_kept: false,
        };
        let verdict = match keeper.acquire_apart(request) {
            Answer::Now(verdict) => verdict,
            Answer::Later(_, decided) => decided.await.map_err(|_gone| Refusal::shutting_down())?,
        };
        match verdict {
            Ok(lease) => Ok(Lock { keeper, ticket: lease.ticket, fence: lease.fence, is_own: true }),
            Err(denied) => {
                let who =
                    denied.holder.as_ref().map_or_else(|| "Somebody else".to_owned(), ToString::to_string);
                let message = format!("{who} has the lock of this file. Nothing was written; try again.");
                let details = json!({ "holder": denied.holder, "since": denied.since, "expiresAt": denied.until, "reason": denied.why.reason() });
                Err(Refusal::new(Code::LockDenied, message).with_details(details).with_retry_after(5))
            }
        }
    }

    /// Removes what a killed server has left, once for each folder.
    async fn tidy(&self, place: &Place) {
        let is_tidy = {
            let mut swept: std::sync::MutexGuard<'_, HashSet<PathBuf>> =
                self.swept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if swept.len() >= MAX_SWEPT {
                swept.clear();
            }
            !place.path().parent().is_some_and(|folder| swept.insert(folder.to_owned()))
        };
        if !is_tidy {
            let place = place.clone();
            let _ = tokio::task::spawn_blocking(move || disk::sweep(&place)).await;
        }
    }
}

impl Lock {
    /// Asks from any thread whether it still holds.
    fn check(&self) -> impl FnOnce() -> bool + Send + use<> {
        let (keeper, ticket, fence) = (self.keeper.clone(), self.ticket, self.fence);
        move || keeper.is_current(ticket, fence)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_own {
            self.keeper.withdraw(self.ticket);
        }
    }
}

fn not_held() -> Refusal {
    Refusal::new(
        Code::LockNotHeld,
        "The lock of this file is not held any more, so nothing was written. Read the file again, take the lock, and try once more.",
    )
}

fn all_the_time() -> Refusal {
    Refusal::new(Code::Conflict, "Others write this file all the time. Read it again, and try once more.")
}

/// A conflict as a refusal; the record is in its details.
pub(super) fn refuse(conflict: &Conflict) -> Refusal {
    let message = "Somebody else has changed this file since, and both changes do not fit together. Nothing was written; a person is to decide.";
    Refusal::new(Code::Conflict, message).with_details(json!({ "conflict": conflict }))
}
