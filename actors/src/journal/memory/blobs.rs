//! Attachments without a disk.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{MemoryJournal, Shelf, ready};
use crate::blobs::{BlobHash, BlobRow, Blobs, Kind, NewBlob, PART_BYTES};
use crate::clock::Timestamp;
use crate::ids::{DeviceId, SessionId};
use crate::journal::{JournalError, Pending};

/// A blob and who has to do with it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    kind: Kind,
    data: Bytes,
    devices: BTreeSet<DeviceId>,
    sessions: BTreeSet<SessionId>,
    touched_at: Timestamp,
}

impl MemoryJournal {
    /// Puts other bytes in the place of a blob's, or takes it away, as a failing disk does.
    pub fn damage_blob(&self, hash: BlobHash, bytes: Option<&'static [u8]>) {
        let mut shelf = self.shelf();
        match (shelf.blobs.get_mut(&hash), bytes) {
            (Some(kept), Some(bytes)) => kept.data = Bytes::from_static(bytes),
            (Some(_), None) => drop(shelf.blobs.remove(&hash)),
            (None, _) => {}
        }
    }
}

impl Shelf {
    /// Takes note that a session refers to a blob.
    pub(super) fn refer(&mut self, hash: BlobHash, session: SessionId) {
        if let Some(kept) = self.blobs.get_mut(&hash) {
            kept.sessions.insert(session);
        }
    }

    fn touch(&mut self, hash: BlobHash, by: Option<DeviceId>, at: Timestamp) -> bool {
        let Some(kept) = self.blobs.get_mut(&hash) else { return false };
        kept.devices.extend(by);
        kept.touched_at = kept.touched_at.max(at);
        true
    }
}

impl Blobs for MemoryJournal {
    fn keep(&self, blob: NewBlob) -> Pending<()> {
        let NewBlob { hash, kind, data, by, at } = blob;
        let mut shelf = self.shelf();
        if let Some(reason) = shelf.trouble.clone() {
            return ready(Err(JournalError::NotWritten { reason }));
        }
        if !shelf.touch(hash, Some(by.clone()), at) {
            let (devices, sessions) = (BTreeSet::from([by]), BTreeSet::new());
            shelf.blobs.insert(hash, Kept { kind, data, devices, sessions, touched_at: at });
        }
        ready(Ok(()))
    }

    fn touch(&self, hash: BlobHash, at: Timestamp) -> Pending<bool> {
        ready(Ok(self.shelf().touch(hash, None, at)))
    }

    fn find(&self, hash: BlobHash) -> Pending<Option<BlobRow>> {
        let shelf = self.shelf();
        let row = shelf.blobs.get(&hash).map(|kept| BlobRow {
            kind: kept.kind,
            bytes: kept.data.len() as u64,
            devices: kept.devices.iter().cloned().collect(),
            sessions: kept.sessions.iter().copied().collect(),
        });
        ready(Ok(row))
    }

    fn part(&self, hash: BlobHash, number: u64) -> Pending<Option<Bytes>> {
        let shelf = self.shelf();
        let part = shelf.blobs.get(&hash).and_then(|kept| {
            let start = usize::try_from(number).ok()?.checked_mul(PART_BYTES)?;
            let end = kept.data.len().min(start + PART_BYTES);
            (start < end).then(|| kept.data.slice(start..end))
        });
        ready(Ok(part))
    }

    fn forget_unused(&self, before: Timestamp) -> Pending<u64> {
        let mut shelf = self.shelf();
        let count = shelf.blobs.len();
        shelf.blobs.retain(|_, kept| !kept.sessions.is_empty() || kept.touched_at >= before);
        ready(Ok((count - shelf.blobs.len()) as u64))
    }
}
