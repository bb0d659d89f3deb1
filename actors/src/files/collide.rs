//! Two versions of a file meet: what is there, and what somebody wants there who began from something else.

use bytes::Bytes;

use super::{Files, Found, Place};
use crate::blobs::{BlobHash, NewBlob, fetch};
use crate::conflicts::{self, FileEdit, Merge, Version};
use crate::ids::DeviceId;
use crate::locks::Holder;
use crate::project::{Conflict, ConflictId, Happening, Resolution};

/// Under this name versions of conflicts are kept: everybody who sees a conflict may read them.
pub const VERSIONS_DEVICE: &str = "tandem.versions";

/// What somebody wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) place: Place,
    pub(super) by: Holder,
    /// From where it began; none where it knows of no file.
    pub(super) base: Option<BlobHash>,
    pub(super) proposed: Bytes,
    /// The conflict that it is part of already, if it is.
    pub(super) conflict: Option<ConflictId>,
}

/// What becomes of it.
#[derive(Debug)]
pub(super) enum Collision {
    /// It is over by itself: the file is as the wish takes it to be, or as it wants it to be.
    Over(Found),
    /// This has the changes of both.
    Merged { conflict: ConflictId, on: Found, content: Bytes },
    /// A person is to decide.
    Open(Box<Conflict>),
}

impl Wish {
    /// Whether it may simply be written over what is there.
    pub(super) fn fits(&self, found: &Found) -> bool {
        found.hash == self.base || found.content.as_ref() == Some(&self.proposed)
    }

    /// Without what it began from nobody can tell what it changes. Where it began from no file, what is there was made
    /// beside it, and nothing is not to be taken for "as it was".
    fn can_be_merged(&self, base: Option<&Bytes>) -> bool {
        if self.base.is_some() { base.is_some() } else { !self.proposed.is_empty() }
    }
}

impl Files {
    /// Waits whether it goes away by itself, then merges, then asks a person. The collision is told of before anything else.
    pub(super) async fn collide(&self, wish: &Wish, mut found: Found) -> Collision {
        let at = self.parts.clock.now();
        let id = wish.conflict.unwrap_or_else(ConflictId::random);
        self.settled().remove(id);
        let mut conflict = conflicts::file_edit(self.record(wish, &found), id, at);
        self.tell(wish.place.project(), Happening::ConflictDetected(Box::new(conflict.clone())));
        for wait in &self.parts.waits {
            tokio::time::sleep(*wait).await;
            let Ok(now) = self.look(&wish.place).await else { continue };
            if wish.fits(&now) {
                self.settle_by_itself(wish.place.project(), id);
                return Collision::Over(now);
            }
            // Whoever writes in several steps, or holds the lock, may not be done.
            let is_done = now.hash == found.hash && !self.is_held_by_another(&wish.place, &wish.by);
            found = now;
            if is_done {
                break;
            }
        }
        let base = self.version(wish.base).await;
        let merged = match wish.can_be_merged(base.as_ref()) {
            true => merge(base.clone(), found.content.clone(), wish.proposed.clone()).await,
            false => None,
        };
        let hunks = match merged {
            Some(Merge::Clean(text)) => {
                return Collision::Merged { conflict: id, on: found, content: text.into() };
            }
            Some(Merge::Hunks(hunks)) => Some(hunks),
            None => None,
        };
        self.keep_for_people([base, found.content.clone(), Some(wish.proposed.clone())]).await;
        conflict = Conflict { hunks, ..conflicts::file_edit(self.record(wish, &found), id, at) };
        self.tell(wish.place.project(), Happening::ConflictDetected(Box::new(conflict.clone())));
        Collision::Open(Box::new(conflict))
    }

    fn record(&self, wish: &Wish, found: &Found) -> FileEdit {
        let maker = self.known.maker(wish.place.path(), found.hash).filter(|maker| *maker != wish.by);
        let what = match (&found.hash, &maker) {
            (None, _) => "removed it",
            (Some(_), Some(_)) => "wrote it",
            (Some(_), None) => "changed outside of Tandem, or before anybody looked",
        };
        let what_wish = if wish.base.is_some() {
            "wants to write it"
        } else {
            "wants to write it without having read it"
        };
        FileEdit {
            project: wish.place.project().clone(),
            file: wish.place.within().to_owned(),
            base: wish.base,
            ours: Version { holder: maker, what: what.into(), hash: found.hash },
            theirs: Version {
                holder: Some(wish.by.clone()),
                what: what_wish.into(),
                hash: Some(BlobHash::of(&wish.proposed)),
            },
        }
    }

    /// A version that somebody began from, if it is still kept.
    pub(super) async fn version(&self, hash: Option<BlobHash>) -> Option<Bytes> {
        let hash = hash?;
        if hash == BlobHash::of(b"") {
            return Some(Bytes::new());
        }
        match self.parts.versions.get(hash).await {
            Some(content) => Some(content),
            None => fetch(&self.parts.blobs, hash).await.ok().map(|(_, content)| content),
        }
    }

    /// Keeps versions with the journal, so that a person can decide after a restart as well. Only text is kept: of
    /// anything else the record has the hash, and whoever wanted to write it has the content.
    pub(super) async fn keep_for_people(&self, versions: impl IntoIterator<Item = Option<Bytes>>) {
        let device: DeviceId = VERSIONS_DEVICE.parse().expect("it is a device id");
        let at = self.parts.clock.now();
        let blobs =
            versions.into_iter().flatten().filter_map(|data| NewBlob::of(data, device.clone(), at).ok());
        let keeping = futures_util::future::join_all(blobs.map(|blob| self.parts.blobs.keep(blob)));
        for error in keeping.await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a version of a conflict cannot be kept");
        }
    }

    /// A conflict has gone away.
    pub(super) fn settle_by_itself(&self, project: &std::sync::Arc<str>, conflict: ConflictId) {
        self.settle(project, conflict, Resolution::Waited, None);
    }

    pub(super) fn settle(
        &self,
        project: &std::sync::Arc<str>,
        conflict_id: ConflictId,
        resolution: Resolution,
        by: Option<crate::event::By>,
    ) {
        if self.settled().add(conflict_id) {
            self.tell(project, Happening::ConflictResolved { conflict_id, resolution, by });
        }
    }
}

/// None where there is nothing to merge, or it cannot be.
async fn merge(base: Option<Bytes>, ours: Option<Bytes>, theirs: Bytes) -> Option<Merge> {
    let ours = ours?;
    let merging = move || conflicts::merge(&base.unwrap_or_default(), &ours, &theirs).ok();
    tokio::task::spawn_blocking(merging).await.ok()?
}
