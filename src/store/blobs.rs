//! Attachments in the database: written part by part between other writes, read by the readers.
//!
//! ```text
//! part 0 (marked unfinished) ─ part 1 ─ … ─ last part + row (mark removed)      each a request of its own
//! ```

mod rows;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use tandem_actors::blobs::{BlobHash, BlobRow, Blobs, NewBlob, PART_BYTES};
use tandem_actors::clock::Timestamp;
use tandem_actors::journal::{JournalError, Pending};

use super::SqliteJournal;
use super::request::Request;
use super::writer_thread::Asker;

pub(super) use rows::{BlobWrite, refer, remove_unfinished};

/// The key of the next blob; no two of one run are equal, whether they are finished or not.
#[derive(Debug)]
pub(super) struct NextKey(AtomicI64);

/// A blob of which parts may be on disk and the row is not. Dropped before its end, it asks for their removal, unless the
/// row gets there first; if even that finds no room in the queue, the next start removes them.
struct Unfinished {
    asker: Asker,
    key: Option<i64>,
}

impl NextKey {
    pub(super) const fn from(key: i64) -> Self {
        Self(AtomicI64::new(key))
    }

    fn take(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Unfinished {
    async fn write(mut self, blob: NewBlob) -> Result<(), JournalError> {
        let Some(key) = self.key else { return Ok(()) };
        let mut number = 0;
        let mut rest = blob.data.clone();
        while rest.len() > PART_BYTES {
            let data = rest.split_to(PART_BYTES);
            ask(&self.asker, BlobWrite::Part { key, number, data }).await?;
            number += 1;
        }
        ask(&self.asker, BlobWrite::Finish { key, number, last_part: rest, blob }).await?;
        self.key = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            drop(ask(&self.asker, BlobWrite::Drop { key }));
        }
    }
}

fn ask(asker: &Asker, write: BlobWrite) -> Pending<bool> {
    asker.ask(|answer| Request::Blob(write, answer))
}

impl Blobs for SqliteJournal {
    fn keep(&self, blob: NewBlob) -> Pending<()> {
        let asker = self.writer.asker();
        let known = ask(&asker, BlobWrite::Touch { hash: blob.hash, by: Some(blob.by.clone()), at: blob.at });
        let key = self.next_blob.take();
        Box::pin(async move {
            if known.await? {
                return Ok(());
            }
            Unfinished { asker, key: Some(key) }.write(blob).await
        })
    }

    fn touch(&self, hash: BlobHash, at: Timestamp) -> Pending<bool> {
        ask(&self.writer.asker(), BlobWrite::Touch { hash, by: None, at })
    }

    fn find(&self, hash: BlobHash) -> Pending<Option<BlobRow>> {
        self.readers.ask("look for an attachment", move |connection| rows::find(connection, hash))
    }

    fn part(&self, hash: BlobHash, number: u64) -> Pending<Option<Bytes>> {
        self.readers.ask("read an attachment", move |connection| rows::part(connection, hash, number))
    }

    fn forget_unused(&self, before: Timestamp) -> Pending<u64> {
        let asker = self.writer.asker();
        let unused = self
            .readers
            .ask("look for unused attachments", move |connection| rows::unused(connection, before));
        Box::pin(async move {
            let mut count = 0;
            // One at a time: others write in between.
            for key in unused.await? {
                count += u64::from(ask(&asker, BlobWrite::Forget { key, before }).await?);
            }
            Ok(count)
        })
    }
}
