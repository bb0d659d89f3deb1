//! Which conversations are connected: those whose agent runs, and those that a device is in. Read from the list of sessions.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use super::projects::Projects;
use crate::session::Summary;

/// Follows the list of sessions for as long as there are projects.
pub(super) async fn watch(projects: Weak<Projects>) {
    let Some(board) = projects.upgrade().map(|projects| projects.board()) else { return };
    let (mut changed, mut after) = board.all();
    while let Some(projects) = projects.upgrade() {
        look(&projects, &changed);
        drop(projects);
        changed = poll_fn(|task| board.poll_changes(&mut after, task.waker())).await;
    }
}

/// Says of these conversations whether they are connected.
pub(super) fn look(projects: &Projects, summaries: &[Arc<Summary>]) {
    // The list begins with the newest; whoever was there first is to come first.
    for summary in summaries.iter().rev() {
        let is_connected = summary.pid.is_some() || !summary.online.is_empty();
        projects.note_member(&summary.project_path.as_str().into(), summary.session_id, is_connected);
    }
}
