//! A project: what the conversations, people and programs that share a folder are told of each other.
//!
//! ```text
//! Keeper (locks) ──┐
//! guard (agents) ──┼──tell──▶ Feed ──▶ the project's channel: journalled, numbered, sent to who follows it
//! watcher (disk) ──┘
//! ```

mod attendance;
mod channel;
mod conflict;
mod counting;
mod enforcement;
mod event;
mod lock_answer;
mod lock_desk;
mod members;
mod place;
mod projects;
mod repository;
mod settler;

use std::sync::Arc;

pub use channel::first_kept;
pub use conflict::{Conflict, ConflictId, ConflictKind, HOLDS_ITS_LOCK, KNEW_ANOTHER, Resolution, Side};
pub use enforcement::{Enforcement, Enforcements};
pub use event::{ChangeType, Happening, ProjectEvent, Role};
pub use lock_answer::{LockAnswer, LockEntry};
pub use lock_desk::{LockAct, LockAsk, LockDesk, LockOutcome, LockPolicy, Wait, Waiter};
pub use place::{LockName, file_in, within};
pub use projects::{Member, ProjectEntry, ProjectParts, Projects, Visit};
pub use repository::common_folder;
pub use settler::{Settlement, Settler};

/// Where what happens in projects is told. Takes everything in without waiting, in the order of telling.
pub trait Feed: Send + Sync + 'static {
    /// Something happened in a project; `project` is its canonical path.
    fn tell(&self, project: &Arc<str>, event: ProjectEvent);
}

/// Tells two, in this order.
pub struct Both<A: ?Sized, B: ?Sized>(pub Arc<A>, pub Arc<B>);

impl<A: Feed + ?Sized, B: Feed + ?Sized> Feed for Both<A, B> {
    fn tell(&self, project: &Arc<str>, event: ProjectEvent) {
        self.0.tell(project, event.clone());
        self.1.tell(project, event);
    }
}
