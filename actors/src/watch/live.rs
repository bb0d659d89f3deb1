//! Which projects are watched: those in which an agent runs or a device looks at a conversation.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::{Interest, Watcher};
use crate::files::Files;
use crate::ids::SessionId;
use crate::registry::{Board, Followed};
use crate::session::Summary;

/// Follows the list of sessions for as long as there are files to look after.
pub async fn follow(watcher: Watcher, files: Weak<Files>, board: Arc<Board>) {
    let mut live = HashMap::new();
    let (mut list, mut changed) = Followed::start(board);
    while files.strong_count() > 0 {
        look(&watcher, &mut live, &changed);
        changed = list.changed().await;
    }
}

fn look(watcher: &Watcher, live: &mut HashMap<SessionId, Interest>, summaries: &[Arc<Summary>]) {
    for summary in summaries {
        if summary.pid.is_none() && summary.online.is_empty() {
            live.remove(&summary.session_id);
        } else {
            let project = || watcher.watch(&summary.project_path.as_str().into());
            live.entry(summary.session_id).or_insert_with(project);
        }
    }
}
