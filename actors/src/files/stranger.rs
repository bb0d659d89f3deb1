//! A file has changed and nobody has said so: who had read what was there before?

use std::path::Path;
use std::sync::Arc;

use super::{Files, Found, Place};
use crate::blobs::BlobHash;
use crate::conflicts::{self, FileEdit, Version};
use crate::ids::SessionId;
use crate::locks::{Holder, Resource};
use crate::project::{ChangeType, ConflictId, HOLDS_ITS_LOCK, Happening, KNEW_ANOTHER};

/// How often a file is looked at while others tell of it: each look takes a millisecond, each write many.
pub(super) const MAX_LOOKS: usize = 5;

/// What a watcher has seen of a file.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which.
    pub place: Place,
    /// What became of it.
    pub change: ChangeType,
}

/// A session whose file is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Which session.
    pub session: SessionId,
    /// Within the project.
    pub file: String,
}

impl Files {
    /// Whether a session has read this file or has its lock: then whoever has written it may be about to say so.
    #[must_use]
    pub(crate) fn is_worked_on(&self, path: &Path) -> bool {
        self.known.has_readers(path) || !self.holders(path).is_empty()
    }

    /// Looks at a file that has changed. If nobody has told of its content, everybody is told, and the sessions that
    /// worked with another one get a conflict; while a branch changes (`is_switch`) they are only returned.
    pub(crate) async fn changed(self: &Arc<Self>, seen: Seen, is_switch: bool) -> Vec<Behind> {
        for _ in 0..MAX_LOOKS {
            let times_told = self.known.times_told(seen.place.path());
            let Ok(found) = self.look(&seen.place).await else { return Vec::new() };
            if !is_switch && self.is_being_made(&seen, &found) {
                return Vec::new();
            }
            if let Some(behind) = self.strange(&seen, found, times_told, is_switch).await {
                return behind;
            }
        }
        // Who writes it so often is known, and each of those changes is looked at.
        Vec::new()
    }

    /// None: somebody has told of the file since it was looked at, so it is to be looked at again.
    pub(super) async fn strange(
        &self,
        seen: &Seen,
        found: Found,
        times_told: u64,
        is_switch: bool,
    ) -> Option<Vec<Behind>> {
        let Seen { place, change } = seen;
        let strange = self.known.strange(place.path(), found.hash, times_told)?;
        if !strange.is_new {
            return Some(Vec::new());
        }
        let change_type = if found.hash.is_none() { ChangeType::Deleted } else { *change };
        self.tell_change(place, change_type, found.hash, None);
        let mut behind: Vec<(SessionId, Option<BlobHash>, &str)> =
            strange.readers.into_iter().map(|(session, hash)| (session, hash, KNEW_ANOTHER)).collect();
        for session in self.holders(place.path()) {
            if behind.iter().all(|(known, _, _)| *known != session)
                && self.known.open_conflict(session, place.path()).is_none()
            {
                behind.push((session, None, HOLDS_ITS_LOCK));
            }
        }
        if !is_switch && !behind.is_empty() {
            // First kept, then told: the record holds on to what is there.
            let mut versions = vec![found.content];
            for (_, hash, _) in &behind {
                versions.push(self.version(*hash).await);
            }
            self.keep_for_people(versions).await;
            for (session, hash, what) in &behind {
                self.file_edit(place, *session, *hash, what, found.hash);
            }
        }
        let file = |session| Behind { session, file: place.within().to_owned() };
        Some(behind.into_iter().map(|(session, _, _)| file(session)).collect())
    }

    /// Another branch is there: one conflict for each session that had read files of the one before.
    pub(crate) fn switched(&self, project: &Arc<str>, head: &str, behind: &[Behind]) {
        let mut sessions: Vec<SessionId> = behind.iter().map(|behind| behind.session).collect();
        sessions.sort();
        sessions.dedup();
        for session in sessions {
            let files = behind.iter().filter(|behind| behind.session == session);
            let mut files: Vec<String> = files.map(|behind| behind.file.clone()).collect();
            files.sort();
            let at = self.parts.clock.now();
            let conflict = conflicts::context_switch(project.clone(), head, session, &files, at);
            for file in &files {
                self.known.is_behind(session, &Path::new(&**project).join(file), conflict.conflict_id);
            }
            self.tell(project, Happening::ConflictDetected(Box::new(conflict)));
        }
    }

    fn file_edit(
        &self,
        place: &Place,
        session: SessionId,
        known: Option<BlobHash>,
        what: &str,
        now: Option<BlobHash>,
    ) {
        let outside =
            if now.is_some() { "changed it outside of Tandem" } else { "removed it outside of Tandem" };
        let edit = FileEdit {
            project: place.project().clone(),
            file: place.within().to_owned(),
            base: None,
            ours: Version { holder: None, what: outside.into(), hash: now },
            theirs: Version { holder: Some(Holder::SessionId(session)), what: what.into(), hash: known },
        };
        let id = ConflictId::random();
        self.known.is_behind(session, place.path(), id);
        let conflict = conflicts::file_edit(edit, id, self.parts.clock.now());
        self.tell(place.project(), Happening::ConflictDetected(Box::new(conflict)));
    }

    /// The sessions that have a lock of this very file.
    pub(super) fn holders(&self, path: &Path) -> Vec<SessionId> {
        let resource = Resource::file(path);
        let session = |held: crate::locks::Held| match held.holder {
            Holder::SessionId(session)
                if held.fence.is_some() && held.wants.iter().any(|(wanted, _)| *wanted == resource) =>
            {
                Some(session)
            }
            _ => None,
        };
        self.parts.keeper.list().into_iter().filter_map(session).collect()
    }
}
