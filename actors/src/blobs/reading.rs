//! Reading a blob part by part, and never handing out the end of one that is not what its name says.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{BlobHash, BlobRow, Blobs, Kind, PART_BYTES};
use crate::journal::JournalError;

/// A blob as it is read. Takes one part of memory at a time.
pub struct Reading {
    blobs: Arc<dyn Blobs>,
    hash: BlobHash,
    next_part: u64,
    left: u64,
    hasher: Sha256,
}

/// Why a blob cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unusable {
    /// There is no such blob.
    #[error("there is no such attachment")]
    Missing,
    /// Its bytes are not those that were kept.
    #[error("the attachment is damaged on the disk")]
    Damaged,
    /// The disk gave no answer; another try may.
    #[error("the attachment could not be read")]
    Unreadable(#[source] JournalError),
}

impl Reading {
    /// Begins at the start of a blob that was found.
    #[must_use]
    pub fn new(blobs: Arc<dyn Blobs>, hash: BlobHash, row: &BlobRow) -> Self {
        Self { blobs, hash, next_part: 0, left: row.bytes, hasher: Sha256::new() }
    }

    /// The next part; none after the last. The last one comes only when the whole is what its hash says.
    ///
    /// # Errors
    /// [`Unusable`]; what was handed out before is to be thrown away.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Unusable> {
        if self.left == 0 {
            return Ok(None);
        }
        let part = self.blobs.part(self.hash, self.next_part).await.map_err(Unusable::Unreadable)?;
        let part = part.ok_or(Unusable::Damaged)?;
        let length = part.len() as u64;
        if length != self.left.min(PART_BYTES as u64) {
            return Err(Unusable::Damaged);
        }
        self.hasher.update(&part);
        self.left -= length;
        self.next_part += 1;
        let found = || BlobHash::from_bytes(self.hasher.clone().finalize().into());
        if self.left == 0 && found() != self.hash {
            return Err(Unusable::Damaged);
        }
        Ok(Some(part))
    }
}

/// Reads a whole blob.
///
/// # Errors
/// [`Unusable`].
pub async fn fetch(blobs: &Arc<dyn Blobs>, hash: BlobHash) -> Result<(Kind, Bytes), Unusable> {
    let row = blobs.find(hash).await.map_err(Unusable::Unreadable)?.ok_or(Unusable::Missing)?;
    let mut data = BytesMut::with_capacity(usize::try_from(row.bytes).unwrap_or(0));
    let mut reading = Reading::new(blobs.clone(), hash, &row);
    while let Some(part) = reading.next().await? {
        data.extend_from_slice(&part);
    }
    Ok((row.kind, data.freeze()))
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Reading({} bytes left of {})", self.left, self.hash)
    }
}
