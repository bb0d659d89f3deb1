//! Why a journal could not be opened.

use std::io;
use std::path::PathBuf;

/// What stands between a data folder and its journal. Nothing was changed that a later attempt would miss.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it could not be made or synced.
    #[error("could not {operation} {path}")]
    Folder {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A running server holds the folder; two would tear its conversations apart.
    #[error(
        "another Tandem server is using the data folder {folder}; stop it, or give this one a folder of its own"
    )]
    InUse {
        /// Which folder.
        folder: PathBuf,
    },
    /// The SQLite in this program is older than the fix of the WAL-reset bug (sqlite.org/wal.html#walresetbug).
    #[error(
        "this program contains SQLite {found}; 3.51.3 is the oldest that does not damage its write-ahead log"
    )]
    OldLibrary {
        /// The version as SQLite names it.
        found: &'static str,
    },
    /// The database was written by a newer Tandem.
    #[error(
        "the database in {folder} has schema version {found}, this Tandem knows up to {known}; install a newer one"
    )]
    NewerSchema {
        /// Which folder.
        folder: PathBuf,
        /// The version that the database names.
        found: i64,
        /// The last version that this program knows.
        known: i64,
    },
    /// A setting that durability rests on did not take.
    #[error("SQLite was told {name} = {wanted} and answers {found}")]
    Setting {
        /// The pragma.
        name: &'static str,
        /// What it was set to.
        wanted: &'static str,
        /// What reading it back gave.
        found: String,
    },
    /// What is there is no whole database. It was only read.
    #[error(
        "the database {database} is damaged ({what}); nothing was changed. Bring back a backup with `tandem restore FILE`, \
         which keeps what is there; `tandem doctor --check` shows what can still be read, and `tandem backup FILE` saves it \
         if it is whole in itself"
    )]
    Damaged {
        /// Which file.
        database: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A restore was cut off between the old files and the new one.
    #[error(
        "a restore into {folder} did not come to its end; run `tandem restore FILE` again, which keeps the old files"
    )]
    UnfinishedRestore {
        /// The data folder.
        folder: PathBuf,
    },
    /// SQLite refused.
    #[error("could not {operation} in {folder}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// The data folder.
        folder: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The system gave no thread.
    #[error("could not start the thread {name}")]
    Thread {
        /// Which thread.
        name: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}
