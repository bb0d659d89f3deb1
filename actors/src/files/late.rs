//! An agent has lost its lock after it was given leave to write, and has written over what somebody else wrote meanwhile.
//! Nobody can refuse what is written already; both versions are brought to people.

use std::sync::Arc;

use crate::blobs::BlobHash;
use crate::conflicts::{self, FileEdit, Version};
use crate::guard::Late;
use crate::locks::Holder;
use crate::project::{ConflictId, Happening};

use super::{Files, Place};

impl Files {
    /// Whether it has, and is told of.
    pub(super) fn wrote_over(self: &Arc<Self>, late: Late) -> bool {
        let by = Holder::SessionId(late.session);
        let Some((over, maker)) = self.known.last(&late.path) else { return false };
        if maker == by || over == late.before || over == Some(late.now) {
            return false;
        }
        self.known.wrote(&by, &late.path, Some(late.now));
        let files = self.clone();
        drop(self.runtime.spawn(async move { files.tell_late(late, over, maker).await }));
        true
    }

    async fn tell_late(&self, late: Late, over: Option<BlobHash>, maker: Holder) {
        let Late { session, project, path, before, now } = late;
        let found = tokio::task::spawn_blocking(move || Place::find(std::path::Path::new(&*project), &path));
        let Ok(Ok(place)) = found.await else { return };
        let what = if over.is_some() { "had written it, which is gone" } else { "had removed it" };
        let edit = FileEdit {
            project: place.project().clone(),
            file: place.within().to_owned(),
            base: before,
            ours: Version {
                holder: Some(Holder::SessionId(session)),
                what: "wrote it late, without its lock".into(),
                hash: Some(now),
            },
            theirs: Version { holder: Some(maker), what: what.into(), hash: over },
        };
        let ours = self.look(&place).await.ok().filter(|found| found.hash == Some(now));
        let versions = [self.version(before).await, ours.and_then(|found| found.content)];
        self.keep_for_people(versions.into_iter().chain([self.version(over).await])).await;
        let conflict = conflicts::file_edit(edit, ConflictId::random(), self.parts.clock.now());
        self.tell(place.project(), Happening::ConflictDetected(Box::new(conflict)));
    }
}
