//! Failures on order: what a disk does once in years, a test sees every time.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::ffi;

/// A handle on the failures of one journal; clones share it. It starts with none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    next: Arc<Mutex<Option<(Moment, Failure)>>>,
}

/// Where in a group commit the failure comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Everything is inserted, nothing committed.
    BeforeCommit,
    /// The commit itself fails and nothing gets to the disk.
    InsteadOfCommit,
    /// The commit gets to the disk and is reported as failed all the same.
    AfterCommit,
}

/// What SQLite then says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No space is left.
    DiskFull,
    /// A write or a sync failed.
    Io,
}

impl Faults {
    /// Makes the next group commit that comes to this moment fail, once.
    pub fn strike_next(&self, moment: Moment, failure: Failure) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some((moment, failure));
    }

    /// Fails if it was ordered for this moment.
    pub(super) fn strike(&self, moment: Moment) -> rusqlite::Result<()> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, failure)) = next.take_if(|(at, _)| *at == moment) else {
            return Ok(());
        };
        let code = match failure {
            Failure::DiskFull => ffi::SQLITE_FULL,
            Failure::Io => ffi::SQLITE_IOERR_FSYNC,
        };
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}
