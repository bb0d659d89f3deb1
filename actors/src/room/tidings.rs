//! When the devices in a room are told who is there, and the words for it. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::people::{Change, Present};
use super::tail::Signal;

/// How long changes are gathered that follow one that was told at once. Shorter than anybody notices.
const GATHER_FOR: Duration = Duration::from_millis(30);

/// In a room of many, every device is told of all the others, so that the work grows with the square: each device makes
/// the pause longer by this. A thousand that come back together are told of each other once a second.
const GATHER_LONGER_BY: Duration = Duration::from_millis(1);

/// All cursors in one roster together, as JSON; those for which there is no room are left out. 64 KiB are some thousand
/// ordinary ones.
const MAX_CURSORS_BYTES: usize = 64 * 1024;

/// What was told last, and what was not told yet.
#[derive(Debug, Default)]
pub(super) struct Tidings {
    pause_until: Option<Instant>,
    are_waiting: bool,
}

impl Tidings {
    /// Takes note of a change, and says whether to tell now how it is.
    pub(super) fn are_due(&mut self, change: Change, devices: usize, now: Instant) -> bool {
        self.are_waiting |= change.is_visible;
        let is_pause = self.pause_until.is_some_and(|until| now < until);
        if !self.are_waiting || is_pause {
            return false;
        }
        let longer = GATHER_LONGER_BY * u32::try_from(devices).unwrap_or(u32::MAX);
        self.pause_until = Some(now + GATHER_FOR.max(longer));
        self.are_waiting = false;
        true
    }

    /// When [`Tidings::are_due`] wants to be asked again.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.pause_until.filter(|_| self.are_waiting)
    }
}

/// The signal that says who is there.
pub(super) fn presence(roster: &[Present]) -> Signal {
    let mut room_for_cursors = MAX_CURSORS_BYTES;
    let devices: Vec<Value> = roster.iter().map(|present| entry(present, &mut room_for_cursors)).collect();
    Signal::presence(&devices)
}

fn entry(present: &Present, room_for_cursors: &mut usize) -> Value {
    let mut entry = json!({
        "deviceId": present.device,
        "userId": present.user,
        "online": present.is_online,
        "activity": present.activity,
    });
    if let Some(name) = &present.name {
        entry["deviceName"] = json!(name);
    }
    if let Some(kind) = &present.kind {
        entry["kind"] = json!(kind);
    }
    if let Some(cursor) = &present.cursor {
        let bytes = cursor.to_string().len();
        if let Some(left) = room_for_cursors.checked_sub(bytes) {
            *room_for_cursors = left;
            entry["cursor"] = json!(cursor);
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Change = Change { is_visible: true, is_of_online: false };

    #[test]
    fn the_first_change_is_told_at_once_and_a_storm_together_at_its_end() {
        let mut tidings = Tidings::default();
        let start = Instant::now();
        assert!(!tidings.are_due(Change::default(), 1, start), "nothing has changed");
        assert!(tidings.are_due(SEEN, 1, start));
        for millis in 1..30 {
            assert!(!tidings.are_due(SEEN, 1, start + Duration::from_millis(millis)));
        }
        let end = start + GATHER_FOR;
        assert_eq!(tidings.due_at(), Some(end));
        assert!(tidings.are_due(Change::default(), 1, end), "the last change is not lost");
        assert_eq!(tidings.due_at(), None);
        assert!(!tidings.are_due(Change::default(), 1, end + GATHER_FOR));
    }

    #[test]
    fn a_thousand_devices_are_told_of_each_other_once_a_second() {
        let mut tidings = Tidings::default();
        let start = Instant::now();
        assert!(tidings.are_due(SEEN, 1_000, start));
        assert!(!tidings.are_due(SEEN, 1_000, start + Duration::from_millis(999)));
        assert_eq!(tidings.due_at(), Some(start + Duration::from_secs(1)));
    }
}
