//! A project: what the conversations, people and programs that share a folder are told of each other.
//!
//! ```text
//! Keeper (locks) ──┐
//! guard (agents) ──┼──tell──▶ Feed ──▶ the project's channel: journalled, numbered, sent to who follows it
//! watcher (disk) ──┘
//! ```

mod conflict;
mod event;

use std::sync::Arc;

pub use conflict::{Conflict, ConflictId, ConflictKind, Resolution, Side};
pub use event::{ChangeType, Happening, ProjectEvent, Role};

/// Where what happens in projects is told. Takes everything in without waiting, in the order of telling.
pub trait Feed: Send + Sync + 'static {
    /// Something happened in a project; `project` is its canonical path.
    fn tell(&self, project: &Arc<str>, event: ProjectEvent);
}
