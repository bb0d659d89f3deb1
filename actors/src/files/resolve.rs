//! A person settles a conflict.

use std::path::Path;
use std::sync::Weak;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::collide::Wish;
use super::{Files, Place};
use crate::blobs::BlobHash;
use crate::conflicts;
use crate::locks::Holder;
use crate::project::{Conflict, ConflictKind, Happening, Resolution, Settlement, Settler};
use crate::refusal::{Code, Refusal};

/// Weak, since files tell the projects, too, that ask to settle.
impl Settler for Weak<Files> {
    fn settle(&self, settlement: Settlement) -> BoxFuture<'static, Result<(), Refusal>> {
        let files = self.upgrade();
        Box::pin(async move { files.ok_or_else(Refusal::shutting_down)?.carry_out(settlement).await })
    }
}

impl Files {
    /// Does what a person has decided. Whoever asks sees to it that one settles a conflict, once, and tells of it.
    ///
    /// # Errors
    /// `bad_request` for what cannot be meant; `conflict` when the file has become another one since the person was shown
    /// it: the conflict stays open, and the new record is told and in the details. Else as for [`Files::put`].
    async fn carry_out(&self, settlement: Settlement) -> Result<(), Refusal> {
        let Settlement { conflict, resolution, content, by } = settlement;
        let content = content.map(Bytes::from);
        let is_file = matches!(conflict.kind, ConflictKind::FileEdit | ConflictKind::StateDivergence);
        if resolution == Resolution::Waited {
            return Err(Refusal::bad_field("resolution", "A person decides ours, theirs or merged."));
        }
        if content.is_some() && !(resolution == Resolution::Merged && is_file) {
            return Err(Refusal::bad_field("content", "Content belongs to merged, and to a file."));
        }
        if !is_file && resolution != Resolution::Ours {
            return Err(Refusal::bad_field("resolution", by_hand(conflict.kind)));
        }
        let wanted = match (resolution, content) {
            (Resolution::Ours | Resolution::Waited, _) => return Ok(()),
            (Resolution::Merged, Some(content)) => content,
            (Resolution::Merged, None) => {
                let message = "The field content is missing: what both are together.";
                return Err(Refusal::bad_field("content", message));
            }
            (Resolution::Theirs, _) => self.theirs(&conflict).await?,
        };
        let place = self.place(Path::new(&*conflict.project_path), Path::new(&conflict.subject)).await?;
        let holder = Holder::DeviceId(by.device_id.clone());
        let _turn = self.turn(place.path()).await;
        let lock = self.lock(&place, &holder, None).await?;
        let found = self.look(&place).await?;
        let hash = found.hash.map(|hash| hash.to_string());
        let wish = Wish { place, by: holder, base: found.hash, proposed: wanted, conflict: None };
        let is_as_shown = hash == conflict.ours.hash || found.content.as_ref() == Some(&wish.proposed);
        let content = wish.proposed.clone();
        if is_as_shown && self.write(&wish, &lock, found, content).await? {
            return Ok(());
        }
        Err(self.show_again(&conflict, &wish.place).await?)
    }

    /// As [`Files::version`]; no file is an empty one. None: it is not kept.
    async fn version_or_none(&self, hash: Option<BlobHash>) -> Option<Bytes> {
        if hash.is_some() { self.version(hash).await } else { Some(Bytes::new()) }
    }

    async fn theirs(&self, conflict: &Conflict) -> Result<Bytes, Refusal> {
        let hash = conflict.theirs.hash.as_ref().and_then(|hash| hash.parse().ok());
        self.version(hash).await.ok_or_else(|| {
            let message = "Their version is not kept: it is no text, or it was never written. Send it as merged, with content.";
            Refusal::bad_field("resolution", message)
        })
    }

    /// The file has changed again: the person is to see that first.
    async fn show_again(&self, conflict: &Conflict, place: &Place) -> Result<Refusal, Refusal> {
        let found = self.look(place).await?;
        let (base, theirs) = (hash_of(conflict.base.as_deref()), hash_of(conflict.theirs.hash.as_deref()));
        let (base, theirs) = (self.version_or_none(base).await, self.version(theirs).await);
        self.keep_for_people([found.content.clone()]).await;
        let versions = base.zip(found.content.clone()).zip(theirs);
        let merging = versions.map(|((base, ours), theirs)| {
            tokio::task::spawn_blocking(move || conflicts::merge(&base, &ours, &theirs).ok())
        });
        let merged = match merging {
            Some(merging) => merging.await.ok().flatten(),
            None => None,
        };
        let hunks = match merged {
            Some(conflicts::Merge::Hunks(hunks)) => Some(hunks),
            Some(conflicts::Merge::Clean(_)) | None => None,
        };
        let mut again = Conflict { hunks, ..conflict.clone() };
        again.ours.hash = found.hash.map(|hash| hash.to_string());
        again.ours.holder = self.known.maker(place.path(), found.hash);
        again.ours.what = "has changed it again".into();
        again.ours.at = self.parts.clock.now();
        self.tell(place.project(), Happening::ConflictDetected(Box::new(again.clone())));
        let message =
            "The file has changed again since this conflict was shown. Look at it once more, then decide.";
        Ok(Refusal::new(Code::Conflict, message).with_details(json!({ "conflict": again })))
    }
}

/// What is to be done about a conflict that is about no file: `ours` says that it is done, or that all stays as it is.
const fn by_hand(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::GitMerge => {
            "Histories are merged in the repository: merge them by hand and commit, then ask for the same operation again, which settles this. With ours everything stays as it is."
        }
        ConflictKind::ContextSwitch => {
            "The branch is what it is: it settles itself when the conversation has read its files again. Say ours to settle it now."
        }
        ConflictKind::ResourceLock | ConflictKind::FileEdit | ConflictKind::StateDivergence => {
            "A lock cannot be given afterwards: say ours, and take it away from its holder if you must."
        }
    }
}

fn hash_of(text: Option<&str>) -> Option<BlobHash> {
    text?.parse().ok()
}
