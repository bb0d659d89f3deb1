//! What a device can want of a project, and how the stream of one begins.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::Subscribe;
use crate::ids::{Epoch, Seq, SessionId};
use crate::locks::Mode;
use crate::project::{
    ChangeType, Conflict, ConflictId, Enforcement, LockAct, LockEntry, LockName, Member, Resolution,
};

/// One frame about a project. `project` is a path as the client writes it; none for the one project that it follows.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are the wire's own, described in docs/protocol.md")]
pub enum ProjectWish {
    /// Follow it.
    Subscribe(SubscribeProject),
    /// Follow it no more.
    Unsubscribe { project: Option<String> },
    /// Have a lock, give it back, have it for longer.
    Lock { project: Option<String>, name: LockName, also: Vec<(LockName, Mode)>, act: LockAct },
    /// A file has other content.
    FileChange { project: Option<String>, file_path: String, change_type: ChangeType, hash: Option<String> },
    /// Where the person is; passed on as it is.
    CursorPosition { project: Option<String>, data: Value },
    /// Settle a conflict.
    Resolve { conflict: ConflictId, resolution: Resolution, content: Option<String> },
}

/// From where a device wants to follow a project.
#[derive(Debug, Clone)]
pub struct SubscribeProject {
    /// Which project, as the client writes its path.
    pub project: String,
    /// The last event that the device holds.
    pub after: Option<Seq>,
    /// The history that it belongs to.
    pub epoch: Option<Epoch>,
    /// That event's hash, as the device saw it.
    pub hash: Option<String>,
    /// Without `after`: how many of the newest events.
    pub tail: Option<Seq>,
}

/// The start of a project's stream, as it goes over the wire.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribedProject {
    /// Which project; canonical.
    pub project_path: Arc<str>,
    /// The last event as of `conflicts`.
    pub head: Seq,
    /// The first event that will be sent.
    pub from: Seq,
    /// The history.
    pub epoch: Epoch,
    /// Whether the device must drop what it holds.
    pub reset: bool,
    /// What is held and waited for at this moment, which is not before `head`.
    pub locks: Vec<LockEntry>,
    /// Open ones, the oldest first; then those that were settled last.
    pub conflicts: Vec<Arc<Conflict>>,
    /// Conversations that are connected, the one that leads first.
    pub sessions: Vec<Member>,
    /// How agents are held to the locks, at this moment.
    pub enforcement: Enforcement,
}

impl SubscribeProject {
    /// The same for the channel that the project turned out to have.
    pub(super) fn of_channel(self, channel: SessionId) -> Subscribe {
        let Self { project: _, after, epoch, hash, tail } = self;
        Subscribe { session: channel, after, epoch, hash, tail }
    }
}
