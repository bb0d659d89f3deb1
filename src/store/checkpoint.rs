//! When the write-ahead log goes back into the database. Only the writer does it: the bugs of the past needed two.

use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode};

use super::folder::Folder;

/// Past this much that is not in the database yet, it is copied without disturbing readers.
///
/// About 4,000 pages: some tens of milliseconds of copying, and a short recovery after a crash.
const COPY_ABOVE_BYTES: u64 = 16 << 20;

/// Past this, the log is also cut, waiting for readers if it must. Equal to `journal_size_limit`.
const CUT_ABOVE_BYTES: u64 = 64 << 20;

/// SQLite's default, which the schema leaves alone.
const PAGE_BYTES: u64 = 4096;

/// The write-ahead log as its only writer sees it.
#[derive(Debug)]
pub(super) struct Wal {
    file: PathBuf,
    may_hold_pages: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Checkpoint {
    NotDue,
    Copy,
    Cut,
}

/// What a checkpoint says: pages in the log, and how many of them are in the database.
#[derive(Debug, Clone, Copy)]
struct Pages {
    logged: u64,
    copied: u64,
}

impl Wal {
    /// A log that recovery may have left pages in.
    pub(super) fn of(folder: &Folder) -> Self {
        Self { file: folder.wal(), may_hold_pages: true }
    }

    /// Whether an idle moment should be used to cut it.
    pub(super) fn may_hold_pages(&self) -> bool {
        self.may_hold_pages
    }

    /// Looks after a commit, and copies or cuts when it is time.
    ///
    /// # Errors
    /// As [`Wal::cut`].
    pub(super) fn committed(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.may_hold_pages = true;
        // The file's length is an upper bound that costs one system call: it does not shrink when the log starts over.
        let file_bytes = self.file.metadata().map_or(0, |file| file.len());
        if file_bytes <= COPY_ABOVE_BYTES {
            return Ok(());
        }
        let Some(pages) = checkpoint(connection, "NOOP")? else {
            return Ok(());
        };
        match due(pages) {
            Checkpoint::NotDue => Ok(()),
            Checkpoint::Copy => checkpoint(connection, "PASSIVE").map(|_| ()),
            Checkpoint::Cut => self.cut(connection),
        }
    }

    /// Copies everything and cuts the file to nothing. One that does not come through (a reader is in the way, the disk
    /// is full) is logged; the log keeps what it has.
    ///
    /// # Errors
    /// A write or a sync of the database failed. The system may have dropped the pages, and would report a second sync
    /// as done: whoever tries again may cut a log whose pages are nowhere else.
    pub(super) fn cut(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(Pages { logged: 0, .. }) = checkpoint(connection, "TRUNCATE")? {
            self.may_hold_pages = false;
        }
        Ok(())
    }
}

fn due(pages: Pages) -> Checkpoint {
    if pages.logged * PAGE_BYTES > CUT_ABOVE_BYTES {
        Checkpoint::Cut
    } else if (pages.logged - pages.copied) * PAGE_BYTES > COPY_ABOVE_BYTES {
        Checkpoint::Copy
    } else {
        Checkpoint::NotDue
    }
}

/// Runs one; `None` if it did not come through.
fn checkpoint(connection: &Connection, mode: &'static str) -> rusqlite::Result<Option<Pages>> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let pages = connection.prepare_cached(&sql).and_then(|mut statement| {
        statement.query_row([], |row| {
            let count = |column| -> rusqlite::Result<u64> {
                Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
            };
            Ok(Pages { logged: count(1)?, copied: count(2)? })
        })
    });
    match pages {
        Ok(pages) => Ok(Some(pages)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => Err(error),
        Err(error) => {
            tracing::warn!(mode, %error, "checkpoint failed");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::database;
    use super::*;

    #[test]
    fn copying_is_due_for_what_is_not_copied_and_cutting_for_the_whole() {
        let pages = |logged, copied| Pages { logged, copied };
        assert_eq!(due(pages(4096, 0)), Checkpoint::NotDue);
        assert_eq!(due(pages(4097, 0)), Checkpoint::Copy);
        assert_eq!(due(pages(8000, 7000)), Checkpoint::NotDue);
        assert_eq!(due(pages(16385, 16385)), Checkpoint::Cut);
    }

    #[test]
    fn a_log_that_was_cut_is_empty_until_the_next_commit() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let (connection, _) = database::open_writer(&folder).unwrap();
        let mut wal = Wal::of(&folder);
        assert!(folder.wal().metadata().unwrap().len() > 0);
        wal.cut(&connection).unwrap();
        assert_eq!(folder.wal().metadata().unwrap().len(), 0);
        assert!(!wal.may_hold_pages());
        wal.committed(&connection).unwrap();
        assert!(wal.may_hold_pages());
    }

    #[test]
    fn a_log_that_no_one_cuts_in_an_idle_moment_stays_below_its_bound() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let (connection, _) = database::open_writer(&folder).unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut wal = Wal::of(&folder);
        let mut largest = 0;
        for _ in 0..40 {
            connection.execute("REPLACE INTO meta VALUES ('big', hex(randomblob(1 << 20)))", []).unwrap();
            wal.committed(&connection).unwrap();
            largest = largest.max(folder.wal().metadata().unwrap().len());
        }
        assert!(largest > COPY_ABOVE_BYTES);
        assert!(largest < COPY_ABOVE_BYTES + (8 << 20), "{largest} bytes");
    }

    #[test]
    fn a_reader_in_the_way_does_not_fail_the_writer() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let (connection, _) = database::open_writer(&folder).unwrap();
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let reader = database::open_reader(&folder).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM meta;").unwrap();
        let mut wal = Wal::of(&folder);
        wal.cut(&connection).unwrap();
        assert!(wal.may_hold_pages());
        reader.execute_batch("COMMIT").unwrap();
        wal.cut(&connection).unwrap();
        assert!(!wal.may_hold_pages());
    }
}
