//! What the tests of the list share.

use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::session::{Status, Summary};

/// A session in which nothing has happened.
pub(super) fn summary() -> Summary {
    let start = Timestamp::from_millis(0);
    Summary {
        session_id: SessionId::random(),
        project_path: "/p".to_owned(),
        title: None,
        status: Status::Idle,
        head: 1,
        created_at: start,
        last_activity_at: start,
        expires_at: start,
        turns: 0,
        messages: 0,
        queued: 0,
        approvals: 0,
        notable: 0,
        cost_usd: 0.0,
        devices: Vec::new(),
        online: Vec::new(),
        pid: None,
        is_warned: false,
    }
}
