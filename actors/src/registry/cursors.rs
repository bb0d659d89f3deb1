//! How far each device has read in each session, and what is unread for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::Board;
use super::changes::{Changes, Place};
use crate::ids::{DeviceId, Seq, SessionId};
use crate::journal::CursorRow;
use crate::session::Summary;

/// The cursors of all devices. Kept in the journal, written down in batches.
///
/// *Crash:* the last batch of acknowledgements is forgotten, which only shows more as unread.
#[derive(Debug, Default)]
pub struct Cursors {
    devices: Mutex<BTreeMap<DeviceId, Reader>>,
}

/// One device.
#[derive(Debug, Default)]
struct Reader {
    cursors: BTreeMap<SessionId, Cursor>,
    /// Sessions in which something else is unread than before, for the device's other connections.
    changes: Changes,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    seq: Seq,
    notable: u64,
    is_saved: bool,
}

impl Cursors {
    /// Starts with what the journal remembers. A cursor above the head of its session, which a restored history may have
    /// left behind, is cut to it.
    #[must_use]
    pub fn new(rows: Vec<CursorRow>, board: &Board) -> Self {
        let mut devices: BTreeMap<DeviceId, Reader> = BTreeMap::new();
        for row in rows {
            let mut cursor = Cursor { seq: row.seq, notable: row.notable, is_saved: true };
            if let Some(summary) = board.get(row.session).filter(|summary| summary.head < row.seq) {
                cursor =
                    Cursor { seq: summary.head, notable: row.notable.min(summary.notable), is_saved: false };
            }
            devices.entry(row.device).or_default().cursors.insert(row.session, cursor);
        }
        Self { devices: Mutex::new(devices) }
    }

    /// A device has everything up to `seq`, and there were `notable` things for a person up to then. A lower number than
    /// before changes nothing.
    pub fn ack(&self, session: SessionId, device: &DeviceId, seq: Seq, notable: u64) {
        let mut devices = self.devices();
        let reader = devices.entry(device.clone()).or_default();
        let cursor = reader.cursors.entry(session).or_default();
        if seq <= cursor.seq {
            return;
        }
        let before = std::mem::replace(cursor, Cursor { seq, notable, is_saved: false });
        if before.notable != notable {
            reader.changes.note(session);
        }
    }

    /// Up to where a device has acknowledged; 0 when it never did.
    #[must_use]
    pub fn acked(&self, session: SessionId, device: &DeviceId) -> Seq {
        self.cursor(session, device).seq
    }

    /// How many things for a person lie behind a device's cursor; none for a device that is not linked.
    #[must_use]
    pub fn unread(&self, summary: &Summary, device: &DeviceId) -> Option<u64> {
        let is_linked = summary.devices.contains(device);
        let read = self.cursor(summary.session_id, device).notable;
        is_linked.then(|| summary.notable.saturating_sub(read))
    }

    /// What changed since the last call, for the journal.
    #[must_use]
    pub fn take_unsaved(&self) -> Vec<CursorRow> {
        let mut unsaved = Vec::new();
        for (device, reader) in self.devices().iter_mut() {
            for (session, cursor) in reader.cursors.iter_mut().filter(|(_, cursor)| !cursor.is_saved) {
                cursor.is_saved = true;
                let Cursor { seq, notable, .. } = *cursor;
                unsaved.push(CursorRow { session: *session, device: device.clone(), seq, notable });
            }
        }
        unsaved
    }

    /// These could not be written: they are taken again with the next.
    pub fn put_back(&self, rows: &[CursorRow]) {
        let mut devices = self.devices();
        for row in rows {
            let reader = devices.get_mut(&row.device);
            if let Some(cursor) = reader.and_then(|reader| reader.cursors.get_mut(&row.session)) {
                cursor.is_saved = false;
            }
        }
    }

    /// The place of one who knows what is unread for a device; until [`Cursors::leave`].
    pub(super) fn follow(&self, device: &DeviceId) -> Place {
        let mut devices = self.devices();
        let changes = &mut devices.entry(device.clone()).or_default().changes;
        changes.follow(changes.last())
    }

    /// In which sessions something else is unread for a device than before.
    pub(super) fn poll_changes(
        &self,
        device: &DeviceId,
        place: &mut Place,
        waker: &Waker,
    ) -> Poll<Vec<SessionId>> {
        self.devices().entry(device.clone()).or_default().changes.poll(place, waker)
    }

    /// Somebody follows no longer what is unread for a device.
    pub(super) fn leave(&self, device: &DeviceId, place: &Place) {
        if let Some(reader) = self.devices().get_mut(device) {
            reader.changes.leave(place);
        }
    }

    fn cursor(&self, session: SessionId, device: &DeviceId) -> Cursor {
        let devices = self.devices();
        devices.get(device).and_then(|reader| reader.cursors.get(&session)).copied().unwrap_or_default()
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Reader>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::testing::summary;

    fn phone() -> DeviceId {
        "phone".parse().unwrap()
    }

    #[test]
    fn a_cursor_never_goes_back() {
        let (cursors, session) = (Cursors::default(), SessionId::random());
        assert_eq!(cursors.acked(session, &phone()), 0);
        cursors.ack(session, &phone(), 7, 2);
        cursors.ack(session, &phone(), 3, 1);
        assert_eq!(cursors.acked(session, &phone()), 7);
    }

    #[test]
    fn what_lies_behind_the_cursor_is_unread_for_a_linked_device() {
        let cursors = Cursors::default();
        let listed = Summary { devices: vec![phone()], notable: 5, head: 9, ..summary() };
        assert_eq!(cursors.unread(&listed, &phone()), Some(5), "it never acknowledged");
        cursors.ack(listed.session_id, &phone(), 8, 3);
        assert_eq!(cursors.unread(&listed, &phone()), Some(2));
        assert_eq!(cursors.unread(&listed, &"stranger".parse().unwrap()), None);
        cursors.ack(listed.session_id, &phone(), 20, 8);
        assert_eq!(cursors.unread(&listed, &phone()), Some(0), "the list is a moment behind");
    }

    #[test]
    fn every_cursor_is_written_once_and_again_when_that_failed() {
        let (cursors, session) = (Cursors::default(), SessionId::random());
        cursors.ack(session, &phone(), 1, 0);
        cursors.ack(session, &phone(), 7, 2);
        let row = CursorRow { session, device: phone(), seq: 7, notable: 2 };
        assert_eq!(cursors.take_unsaved(), std::slice::from_ref(&row));
        assert!(cursors.take_unsaved().is_empty());
        cursors.put_back(std::slice::from_ref(&row));
        assert_eq!(cursors.take_unsaved(), [row]);
    }

    #[test]
    fn a_cursor_above_the_head_is_cut_to_it() {
        let board = Board::default();
        let restored = Summary { head: 5, notable: 1, devices: vec![phone()], ..summary() };
        let session = restored.session_id;
        board.post(restored);
        let elsewhere = SessionId::random();
        let row = CursorRow { session, device: phone(), seq: 9, notable: 3 };
        let cursors = Cursors::new(vec![row.clone(), CursorRow { session: elsewhere, ..row }], &board);
        assert_eq!(cursors.acked(session, &phone()), 5);
        assert_eq!(cursors.unread(&board.get(session).unwrap(), &phone()), Some(0));
        assert_eq!(cursors.acked(elsewhere, &phone()), 9);
        assert_eq!(cursors.take_unsaved().len(), 1, "what was cut is written");
    }
}
