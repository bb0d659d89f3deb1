//! Tool calls that may write at this moment: what is found in their files is theirs, however late they say so.
//!
//! ```text
//! before the tool ──begins──▶ Calls      watcher: a file has become what an open call was to make of it
//! after it        ──wrote───▶ Known          └──▶ nobody is told until the call has ended, which tells it itself
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::stranger::MAX_LOOKS;
use super::{Files, Found, Place, Seen};
use crate::blobs::BlobHash;
use crate::conflicts::is_as_meant;
use crate::guard::Writing;
use crate::locks::Holder;
use crate::project::{ChangeType, Happening};

/// So long a call may take to say that a file which is as it was to make it is its own: other hooks of the CLI, a formatter
/// for instance, run beside ours. Then it is told for it.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(10);

/// The same, where nobody can say what the tool makes: a stranger's change to such a file is told so much later.
const UNKNOWN_WITHIN: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<PathBuf, Vec<Writing>>>);

impl Calls {
    pub(super) fn add(&self, writing: Writing) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, open| {
            open.retain(Writing::is_open);
            !open.is_empty()
        });
        calls.entry(writing.path.clone()).or_default().push(writing);
    }

    /// The open call that has made this of a file.
    fn maker(&self, path: &Path, found: &Found) -> Option<Writing> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(path)?.iter().find(|call| call.is_open() && has_made(call, found)).cloned()
    }
}

fn has_made(call: &Writing, found: &Found) -> bool {
    match (&call.meant, &found.content) {
        (Some(meant), Some(content)) => found.hash != call.before && is_as_meant(meant, content),
        (None, Some(_)) => found.hash != call.before,
        (_, None) => false,
    }
}

impl Files {
    /// Whether what is there was made by a call that is about to say so. It is looked at again when the call has ended.
    pub(super) fn is_being_made(self: &Arc<Self>, seen: &Seen, found: &Found) -> bool {
        let Some(call) = self.calls.maker(seen.place.path(), found) else { return false };
        if self.known.is_told(seen.place.path(), found.hash) {
            return true;
        }
        let (files, seen) = (self.clone(), seen.clone());
        drop(self.runtime.spawn(async move { files.look_after(call, seen).await }));
        true
    }

    async fn look_after(self: Arc<Self>, mut call: Writing, seen: Seen) {
        let within = if call.meant.is_some() { SAYS_SO_WITHIN } else { UNKNOWN_WITHIN };
        // An error is what is waited for: the call has let go.
        let _ = tokio::time::timeout(within, call.ended.changed()).await;
        for _ in 0..MAX_LOOKS {
            let times_told = self.known.times_told(seen.place.path());
            let Ok(found) = self.look(&seen.place).await else { return };
            // Whatever it is now, nobody says that it is theirs, unless it is what the call was to make.
            let is_over = match call.meant.is_some() && has_made(&call, &found) {
                true => self.tell_for(&call, &seen, found.hash, times_told),
                false => self.strange(&seen, found, times_told, false).await.is_some(),
            };
            if is_over {
                return;
            }
        }
    }

    /// The call has not told of it: its agent was ended in between, or it takes too long. `false`: somebody has told of
    /// the file since it was looked at.
    fn tell_for(&self, call: &Writing, seen: &Seen, hash: Option<BlobHash>, times_told: u64) -> bool {
        let Seen { place, change } = seen;
        if self.known.is_told(place.path(), hash) {
            return true;
        }
        let by = Holder::SessionId(call.session);
        let is_current = self.known.made_since(&by, place.path(), hash, times_told);
        if is_current {
            self.tell_change(place, *change, hash, Some(by));
        }
        is_current
    }

    pub(super) fn tell_change(
        &self,
        place: &Place,
        change_type: ChangeType,
        hash: Option<BlobHash>,
        holder: Option<Holder>,
    ) {
        let hash = hash.map(|hash| hash.to_string());
        let file_path = place.within().to_owned();
        self.tell(place.project(), Happening::FileChanged { file_path, change_type, hash, holder });
    }
}
