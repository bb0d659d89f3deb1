//! How a conflict is settled: by one person, once, carried out before it is written down.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::projects::Projects;
use super::{Conflict, ConflictId, ConflictKind, Happening, Resolution};
use crate::event::By;
use crate::refusal::{Code, Refusal};

/// How somebody wants a conflict to end.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which conflict.
    pub conflict: Arc<Conflict>,
    /// What is to be there.
    pub resolution: Resolution,
    /// The whole new content, where [`Resolution::Merged`] brings one.
    pub content: Option<String>,
    /// Who decided it.
    pub by: By,
}

/// Carries out how conflicts are settled: puts the files right.
pub trait Settler: Send + Sync + 'static {
    /// Does what the settlement says. Done again after a crash, it comes to the same.
    ///
    /// # Errors
    /// The refusal says why; the conflict stays open.
    fn settle(&self, settlement: Settlement) -> BoxFuture<'static, Result<(), Refusal>>;
}

/// Takes what needs nothing done, and refuses the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordOnly;

impl Settler for RecordOnly {
    fn settle(&self, settlement: Settlement) -> BoxFuture<'static, Result<(), Refusal>> {
        let is_of_files = matches!(settlement.conflict.kind, ConflictKind::FileEdit | ConflictKind::GitMerge);
        let changes_nothing = matches!(settlement.resolution, Resolution::Ours | Resolution::Waited);
        let outcome = match is_of_files && !changes_nothing {
            false => Ok(()),
            true => Err(Refusal::bad_field(
                "resolution",
                "This server cannot put the file right by itself: do it by hand, then say ours.",
            )),
        };
        Box::pin(std::future::ready(outcome))
    }
}

impl Projects {
    /// Settles a conflict; it is carried out and on disk when this returns. Of several who try, one does. Once begun it goes
    /// on to its end, whether anybody still waits for it or not.
    ///
    /// # Errors
    /// `conflict_not_found`, `already_resolved` (with what was decided), what the settler says, `storage_unavailable`.
    pub async fn resolve(
        self: &Arc<Self>,
        id: ConflictId,
        resolution: Resolution,
        content: Option<String>,
        by: By,
    ) -> Result<(), Refusal> {
        let projects = self.clone();
        let settling =
            self.runtime().spawn(async move { projects.resolve_through(id, resolution, content, by).await });
        settling.await.unwrap_or_else(|_stopped| Err(Refusal::session_restarted()))
    }

    async fn resolve_through(
        &self,
        id: ConflictId,
        resolution: Resolution,
        content: Option<String>,
        by: By,
    ) -> Result<(), Refusal> {
        let (visit, _) = self.visit_of(id).await?;
        let Some(_settling) = visit.channel().begin_settling(id) else {
            let message = "Somebody else is settling this conflict at this moment.";
            return Err(Refusal::new(Code::AlreadyResolved, message).with_retry_after(1));
        };
        // Looked at again: whoever was first may have finished in between.
        let conflict = visit.channel().conflict(id).ok_or_else(Refusal::session_restarted)?;
        if let Some(decided) = conflict.resolution {
            let message = "This conflict is settled already.";
            let details = json!({ "resolution": decided, "by": conflict.resolved_by });
            return Err(Refusal::new(Code::AlreadyResolved, message).with_details(details));
        }
        let settlement = Settlement { conflict, resolution, content, by: by.clone() };
        self.settler().settle(settlement).await?;
        let resolved = Happening::ConflictResolved { conflict_id: id, resolution, by: Some(by) };
        self.tell_durably(visit.project(), resolved.into()).await
    }
}
