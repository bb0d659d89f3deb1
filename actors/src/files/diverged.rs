//! A session has used a tool, and what is in the file is not what the tool was to make of it.
//!
//! Somebody wrote in between, a formatter went over it, or the tool did something else: what the session goes on from is
//! not there. It is told at once, with both versions; it is settled when the session reads the file again, or a person
//! decides which of the two is to be there.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Files, Place};
use crate::blobs::BlobHash;
use crate::conflicts::{self, FileEdit, Version};
use crate::guard::Diverged;
use crate::locks::Holder;
use crate::project::{ChangeType, Conflict, ConflictKind, Happening};

impl Files {
    /// Keeps both versions and tells people.
    pub(super) async fn note_divergence(self: &Arc<Self>, diverged: Diverged) {
        let Diverged { session, project, path, before, meant } = diverged;
        let found = tokio::task::spawn_blocking(move || Place::find(Path::new(&*project), &path)).await;
        let Ok(Ok(place)) = found else { return };
        let Ok(found) = self.look(&place).await else { return };
        let by = Holder::SessionId(session);
        let written = BlobHash::of(meant.as_bytes());
        // A conflict that the session has about the file already is this one; so is one that a watcher has just made of it.
        let id = self.still_open(self.known.open_conflict(session, place.path()));
        let maker = self.known.maker(place.path(), found.hash).filter(|maker| *maker != by);
        let is_told = self.known.is_told(place.path(), found.hash);
        self.known.believes(session, place.path(), Some(written), id);
        if !is_told {
            self.known.is_still(place.path(), found.hash, None);
            let change = if found.hash.is_some() { ChangeType::Modified } else { ChangeType::Deleted };
            self.tell_change(&place, change, found.hash, None);
        }
        let what = match found.hash {
            Some(_) => "is there now, and is not what the tool wrote",
            None => "removed it",
        };
        let edit = FileEdit {
            project: place.project().clone(),
            file: place.within().to_owned(),
            base: before,
            ours: Version { holder: maker, what: what.to_owned(), hash: found.hash },
            theirs: Version {
                holder: Some(by),
                what: "wrote it, and goes on from that".to_owned(),
                hash: Some(written),
            },
        };
        let base = self.version(before).await;
        self.keep_for_people([base, found.content, Some(Bytes::from(meant))]).await;
        let conflict = conflicts::file_edit(edit, id, self.parts.clock.now());
        let conflict = Conflict { kind: ConflictKind::StateDivergence, ..conflict };
        self.tell(place.project(), Happening::ConflictDetected(Box::new(conflict)));
    }
}
