//! Merged content that an agent's tool was given and has not written yet: what becomes of its conflict is seen on the disk.
//!
//! ```text
//! Ruling::Instead ──▶ Merging ──the session has it on disk──▶ merged
//!                        └─ the call is over, or never ran ──▶ look: merged, waited (nothing was written), or a person's
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::collide::{Case, Wish};
use super::set_back::SetBack;
use super::{Files, Found};
use crate::blobs::BlobHash;
use crate::conflicts::is_as_meant;
use crate::ids::SessionId;
use crate::project::{ConflictId, Resolution};

/// What is to come of conflicts that are being merged; one for each call.
#[derive(Debug, Default)]
pub(super) struct Merges(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    calls: HashMap<u64, (ConflictId, Arc<str>)>,
    last: u64,
}

/// One of them, until its call is over.
pub(super) struct Merging {
    files: Arc<Files>,
    number: u64,
    /// None when it is over.
    about: Option<About>,
    _set_back: Option<SetBack>,
}

struct About {
    session: SessionId,
    wish: Wish,
    case: Case,
    on: Option<BlobHash>,
    merged: Arc<str>,
}

impl Merges {
    /// How a conflict ends with this content on disk.
    pub(super) fn resolution(&self, conflict: ConflictId, there: &[u8]) -> Resolution {
        let is_made = |(of, merged): &(ConflictId, Arc<str>)| *of == conflict && is_as_meant(merged, there);
        if self.open().calls.values().any(is_made) { Resolution::Merged } else { Resolution::Waited }
    }

    fn add(&self, conflict: ConflictId, merged: Arc<str>) -> u64 {
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        open.calls.insert(number, (conflict, merged));
        number
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Merging {
    /// A session is about to write this over what is there.
    pub(super) fn begin(
        files: &Arc<Files>,
        session: SessionId,
        wish: &Wish,
        case: Case,
        on: &Found,
        merged: &str,
        set_back: Option<SetBack>,
    ) -> Self {
        let merged: Arc<str> = merged.into();
        let number = files.merges.add(case.id, merged.clone());
        files.known.denied(session, wish.place.path(), case.id);
        let about = About { session, wish: wish.clone(), case, on: on.hash, merged };
        Self { files: files.clone(), number, about: Some(about), _set_back: set_back }
    }
}

impl Drop for Merging {
    fn drop(&mut self) {
        self.files.merges.open().calls.remove(&self.number);
        let Some(about) = self.about.take() else { return };
        // Settled by what the session has seen on disk, as a rule.
        if self.files.known.is_denied(about.session, about.wish.place.path(), about.case.id) {
            let files = self.files.clone();
            drop(self.files.runtime.spawn(async move { files.end_merging(about).await }));
        }
    }
}

impl Files {
    /// A call is over that was to write merged content, and nobody has said that it is there.
    async fn end_merging(&self, about: About) {
        let About { session, wish, case, on, merged } = about;
        let found = self.look(&wish.place).await;
        if !self.known.is_denied(session, wish.place.path(), case.id) {
            return;
        }
        let resolution = match &found {
            Ok(Found { content: Some(there), .. }) if is_as_meant(&merged, there) => Resolution::Merged,
            // Nothing was written, and nothing had been refused before.
            Ok(found) if found.hash == on && wish.conflict.is_none() => Resolution::Waited,
            _ => {
                let found = found.unwrap_or(Found { content: None, hash: on });
                self.leave_open(&wish, case, &found, None).await;
                return;
            }
        };
        self.known.is_settled(case.id);
        self.settle(wish.place.project(), case.id, resolution, None);
    }
}

impl fmt::Debug for Merging {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Merging({})", self.number)
    }
}
