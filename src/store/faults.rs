//! Failures on order: what a disk does once in years, a test sees every time.
//!
//! Within a process a test orders them with [`Faults::strike_next`]. From outside it names a file in the variable
//! [`VARIABLE`], and writes its order into that file when it wants the failure:
//!
//! | order | from the N-th group commit on, counted from the order |
//! |---|---|
//! | `disk-full N` | the disk is full, until the file is removed |
//! | `disk-short N` | as little is free as on a full disk, but writes get through |
//! | `commit-lost N` | the commit fails with an I/O error, and nothing got to the disk |
//! | `commit-kept N` | the commit fails with an I/O error, and is on the disk all the same |
//!
//! The number in the file is counted down; 0 says that it has struck.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::ffi;

/// Names the file of orders. For tests alone: a server that has it says so in its log.
pub const VARIABLE: &str = "TANDEM_TEST_FAULT";

/// A handle on the failures of one journal; clones share it. It starts with none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    next: Arc<Mutex<Option<(Moment, Failure)>>>,
    orders: Option<PathBuf>,
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

/// What a file of orders says.
struct Order {
    what: String,
    commits: u64,
}

impl Faults {
    /// None, unless `TANDEM_TEST_FAULT` names a file; the log then says so loudly.
    #[must_use]
    pub fn of_environment() -> Self {
        let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            return Self::default();
        };
        tracing::error!(
            ?path,
            "{VARIABLE} IS SET: THE DISK OF THIS SERVER FAILS ON ORDER. Unset it, unless this is a test"
        );
        Self::from_file(path)
    }

    /// Those that this file will order, when it is there.
    #[must_use]
    pub fn from_file(orders: PathBuf) -> Self {
        Self { next: Arc::default(), orders: Some(orders) }
    }

    /// Makes the next group commit that comes to this moment fail, once.
    pub fn strike_next(&self, moment: Moment, failure: Failure) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some((moment, failure));
    }

    /// Fails if it was ordered for this moment.
    pub(super) fn strike(&self, moment: Moment) -> rusqlite::Result<()> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let ordered_here = next.take_if(|(at, _)| *at == moment).map(|(_, failure)| failure);
        drop(next);
        let code = match ordered_here.or_else(|| self.ordered_from_outside(moment)) {
            None => return Ok(()),
            Some(Failure::DiskFull) => ffi::SQLITE_FULL,
            Some(Failure::Io) => ffi::SQLITE_IOERR_FSYNC,
        };
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    /// Whether nothing is free by order.
    pub(super) fn is_disk_full(&self) -> bool {
        self.order().is_some_and(|order| order.commits == 0 && order.what.starts_with("disk-"))
    }

    fn ordered_from_outside(&self, moment: Moment) -> Option<Failure> {
        let order = self.order()?;
        if moment == Moment::BeforeCommit {
            self.count_down(&order);
            return None;
        }
        match (&*order.what, order.commits, moment) {
            ("disk-full", 0, Moment::InsteadOfCommit) => Some(Failure::DiskFull),
            ("commit-lost", 0, Moment::InsteadOfCommit) | ("commit-kept", 0, Moment::AfterCommit) => {
                Some(Failure::Io)
            }
            _ => None,
        }
    }

    fn order(&self) -> Option<Order> {
        let text = fs::read_to_string(self.orders.as_ref()?).ok()?;
        let (what, commits) = text.trim().split_once(' ')?;
        Some(Order { what: what.to_owned(), commits: commits.parse().ok()? })
    }

    /// Writes into the file that is there and makes none: it may have been removed in between.
    fn count_down(&self, order: &Order) {
        if order.commits == 0 {
            return;
        }
        let Some(path) = &self.orders else { return };
        let file = fs::OpenOptions::new().write(true).truncate(true).open(path);
        if let Err(error) = file.and_then(|mut file| write!(file, "{} {}", order.what, order.commits - 1)) {
            tracing::error!(%error, "the order of a fault cannot be counted down");
        }
    }
}
