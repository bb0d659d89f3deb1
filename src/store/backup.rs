//! Copies of a history: taken beside a running server, and brought back into a stopped one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::Utc;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tandem_actors::ids::Epoch;

use super::database;
use super::folder::{self, Folder};
use super::open_error::OpenError;

/// Pages that one step copies, 4 MiB: between two steps others get at the disk.
const STEP_PAGES: i32 = 1024;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Conversations.
    pub sessions: u64,
    /// Their events.
    pub events: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// What a restore has done.
#[derive(Debug)]
pub struct Restored {
    /// What is in the folder now.
    pub contents: Contents,
    /// Where the database that was there is now; its log, if it had one, lies beside it.
    pub moved_aside: Option<PathBuf>,
}

/// Why there is no copy, or nothing was brought back.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// A backup never replaces a file.
    #[error("{0} is already there, and a backup replaces nothing; choose another name")]
    Exists(PathBuf),
    /// There is nothing to copy.
    #[error("there is no database in {0}; start `tandem serve` once, or name another folder with --data-dir")]
    NothingThere(PathBuf),
    /// The file is no whole backup.
    #[error("{file} is not a whole backup of Tandem ({what}); nothing was changed")]
    NotWhole {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file could not be written.
    #[error("could not {operation} {path}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// SQLite refused.
    #[error("could not copy the database to {file}")]
    Copy {
        /// The copy.
        file: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
}

/// Copies the history of a data folder, as it is at one moment, into a file for its owner alone.
///
/// A server may run and write meanwhile. The copy is one file without a log, checked page by page. *Crash:* leaves
/// `FILE.unfinished` and no `FILE`.
///
/// # Errors
/// [`CopyError`]; there is no `FILE` then.
pub fn back_up(folder: &Path, file: &Path) -> Result<Contents, CopyError> {
    if !folder::database_of(folder).exists() {
        return Err(CopyError::NothingThere(folder.to_owned()));
    }
    if file.exists() {
        return Err(CopyError::Exists(file.to_owned()));
    }
    let source = database::open_beside(folder)?;
    let unfinished = beside(file, "unfinished");
    remove(&unfinished);
    let copied = copy(&source, &unfinished).and_then(|()| finish(&unfinished, None));
    let contents = copied.inspect_err(|_| remove(&unfinished))?;
    fs::rename(&unfinished, file).map_err(file_failed("create", file))?;
    sync_folder_of(file)?;
    Ok(contents)
}

/// Brings a backup back into a data folder that no server uses, as a history of its own: with a new epoch, so that
/// devices that have seen more than it holds begin again.
///
/// *Crash:* the folder is as it was, or refuses to start until the restore is run again.
///
/// # Errors
/// [`CopyError`]; the old database is in its place, or aside.
pub fn restore(folder: &Path, file: &Path) -> Result<Restored, CopyError> {
    let backup = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|cause| not_whole(file, &cause.to_string()))?;
    require_whole(&backup, file)?;
    let folder = Folder::take(folder)?;
    let unfinished = beside(&folder.database(), "restoring");
    remove(&unfinished);
    let copied = copy(&backup, &unfinished).and_then(|()| finish(&unfinished, Some(&Epoch::random())));
    let contents = copied.inspect_err(|_| remove(&unfinished))?;
    folder.note_restoring()?;
    let moved_aside = move_aside(&folder)?;
    let database = folder.database();
    fs::rename(&unfinished, &database).map_err(file_failed("create", &database))?;
    folder.sync()?;
    folder.note_used()?;
    Ok(Restored { contents, moved_aside })
}

/// Copies every page within one read transaction: without it, each write of a server would begin the copy again.
fn copy(source: &Connection, file: &Path) -> Result<(), CopyError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(file_failed("create", file))?;
    let failed = |cause| CopyError::Copy { file: file.to_owned(), cause };
    let moment = source.unchecked_transaction().map_err(failed)?;
    moment.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(failed)?;
    let mut target = Connection::open(file).map_err(failed)?;
    // Synced as a whole at the end; a copy that is cut off is thrown away.
    target.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    let backup = Backup::new(source, &mut target).map_err(failed)?;
    loop {
        match backup.step(STEP_PAGES).map_err(failed)? {
            StepResult::Done => return Ok(()),
            _ => std::thread::yield_now(),
        }
    }
}

/// Makes the copy one file, gives it another epoch if it is to have one, checks it, and syncs it.
fn finish(file: &Path, epoch: Option<&Epoch>) -> Result<Contents, CopyError> {
    let failed = |cause| CopyError::Copy { file: file.to_owned(), cause };
    let connection = Connection::open(file).map_err(failed)?;
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(failed)?;
    if let Some(epoch) = epoch {
        let sql = "UPDATE meta SET value = ?1 WHERE name = 'epoch'";
        connection.execute(sql, [epoch.as_str()]).map_err(failed)?;
    }
    require_whole(&connection, file)?;
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let of = match database::has_channels(&connection).map_err(failed)? {
        true => "project IS NULL",
        false => "TRUE",
    };
    let sessions = count(&format!("SELECT count(*) FROM session WHERE head > 0 AND {of}"));
    let sessions = sessions.map_err(failed)?.cast_unsigned();
    let events = count(&format!(
        "SELECT coalesce(sum((SELECT count(*) FROM event WHERE id > key << 40 AND id < (key + 1) << 40)), 0) \
         FROM session WHERE {of}"
    ));
    let events = events.map_err(failed)?.cast_unsigned();
    connection.close().map_err(|(_, cause)| failed(cause))?;
    let synced = File::open(file).and_then(|copy| copy.sync_all().and_then(|()| copy.metadata()));
    let bytes = synced.map_err(file_failed("sync", file))?.len();
    Ok(Contents { sessions, events, bytes })
}

fn require_whole(connection: &Connection, file: &Path) -> Result<(), CopyError> {
    let damage = database::first_damage(connection).map_err(|cause| not_whole(file, &cause.to_string()))?;
    if let Some(what) = damage {
        return Err(not_whole(file, &what));
    }
    let epoch = "SELECT 1 FROM meta WHERE name = 'epoch'";
    connection.query_row(epoch, [], |_| Ok(())).map_err(|_| not_whole(file, "it holds no history"))?;
    match database::is_known(connection) {
        Ok(true) => Ok(()),
        Ok(false) => Err(not_whole(file, "it was made by a newer Tandem; install that one")),
        Err(cause) => Err(not_whole(file, &cause.to_string())),
    }
}

/// Renames what is there, the log first: a database whose log is elsewhere is never taken for a whole one, because the
/// folder is noted as being restored.
fn move_aside(folder: &Folder) -> Result<Option<PathBuf>, CopyError> {
    let database = folder.database();
    let stamp = Utc::now().format("%Y%m%dT%H%M%S%.3fZ");
    let aside = beside(&database, &format!("before-restore-{stamp}"));
    let had_any = database.metadata().is_ok_and(|file| file.len() > 0) || folder.wal().exists();
    let aside_log = aside.with_file_name(format!("{}-wal", name_of(&aside)));
    for (from, to) in [(folder.wal(), aside_log), (database.clone(), aside.clone())] {
        match fs::rename(&from, &to) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(file_failed("move aside", &from)(cause));
            }
            _ => {}
        }
    }
    // Only an index of the log that is gone; SQLite makes it again.
    remove(&database.with_file_name(format!("{}-shm", name_of(&database))));
    folder.sync()?;
    Ok(had_any.then_some(aside))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    file.with_file_name(format!("{}.{ending}", name_of(file)))
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A leftover is harmless; what led here is the thing to tell.
fn remove(file: &Path) {
    let _ = fs::remove_file(file);
}

fn sync_folder_of(file: &Path) -> Result<(), CopyError> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_failed("sync", folder))
}

fn file_failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CopyError + use<> {
    let path = path.to_owned();
    move |cause| CopyError::File { operation, path, cause }
}

fn not_whole(file: &Path, what: &str) -> CopyError {
    CopyError::NotWhole { file: file.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests;
