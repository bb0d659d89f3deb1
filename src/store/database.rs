//! Connections to the database: their settings, read back, and the schema's versions.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tandem_actors::ids::Epoch;

use super::folder::{self, Folder};
use super::lost_tail;
use super::open_error::OpenError;

/// The first release without the WAL-reset bug, as `sqlite3_libversion_number` counts.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// All versions of the schema in their order: the first makes version 1, each one more.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
];

/// From this version on there are channels beside the sessions.
const CHANNELS_SINCE: i64 = 4;

/// How long one connection waits for another's lock. Only start-up and a checkpoint behind a reader ever wait.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared; more than there are in `writer` or `reader`.
const PREPARED_STATEMENTS: usize = 64;

/// Up to this size, a start looks at every page before it writes: about a tenth of a second. A larger database is
/// checked by `tandem doctor --check`, so that a start takes no longer the longer a server has been in use.
const CHECK_AT_START_BYTES: u64 = 64 << 20;

/// Pragma, what it is set to, what reading it back must say.
///
/// `synchronous` FULL syncs the log at every commit; with NORMAL an acknowledged append could be lost with the power.
/// Checkpoints are the writer's own (`checkpoint.rs`). The two `fullfsync` matter on macOS only and do no harm elsewhere.
const WRITER_SETTINGS: &[(&str, &str, &str)] = &[
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", "2"),
    ("wal_autocheckpoint", "0", "0"),
    ("journal_size_limit", "67108864", "67108864"),
    ("mmap_size", "0", "0"),
    ("foreign_keys", "ON", "1"),
    ("temp_store", "MEMORY", "2"),
    ("fullfsync", "ON", "1"),
    ("checkpoint_fullfsync", "ON", "1"),
];

const READER_SETTINGS: &[(&str, &str, &str)] =
    &[("query_only", "ON", "1"), ("mmap_size", "0", "0"), ("temp_store", "MEMORY", "2")];

/// Opens the only connection that writes, brings the schema up to date and reads the history's identity.
///
/// *Crash:* each version of the schema is there completely or not at all.
pub(super) fn open_writer(folder: &Folder) -> Result<(Connection, Epoch), OpenError> {
    if rusqlite::version_number() < OLDEST_LIBRARY {
        return Err(OpenError::OldLibrary { found: rusqlite::version() });
    }
    let mut connection = open(folder.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Before anything is set: on a damaged database, nothing is written, and closing it leaves the log where it is.
    keep_log_at_close(&connection, true).map_err(failed("keep the log", folder.path()))?;
    check_if_small(&connection, folder)?;
    check_log(&connection, folder)?;
    keep_log_at_close(&connection, false).map_err(failed("release the log", folder.path()))?;
    set_up(&connection, folder.path(), WRITER_SETTINGS)?;
    migrate(&mut connection, folder)?;
    let epoch = epoch(&connection).map_err(failed("read the epoch", folder.path()))?;
    Ok((connection, epoch))
}

/// Opens a connection that cannot write. The writer's must be open.
pub(super) fn open_reader(folder: &Folder) -> Result<Connection, OpenError> {
    open_beside(folder.path())
}

/// Opens a connection that cannot write, beside a server that runs, or without one.
pub(super) fn open_beside(folder: &Path) -> Result<Connection, OpenError> {
    let connection = open(folder, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    set_up(&connection, folder, READER_SETTINGS)?;
    Ok(connection)
}

fn open(folder: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    // A connection never leaves its thread, so SQLite need not guard it.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(folder::database_of(folder), flags)
        .map_err(failed("open the database", folder))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed("set the busy timeout", folder))?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    Ok(connection)
}

fn set_up(
    connection: &Connection,
    folder: &Path,
    settings: &[(&'static str, &'static str, &str)],
) -> Result<(), OpenError> {
    for &(name, wanted, expected) in settings {
        // Some of these answer with a row when they are set and some do not; both are read and put aside.
        connection.pragma(None, name, wanted, |_| Ok(())).map_err(failed("set up the database", folder))?;
        let found = read_setting(connection, name).map_err(failed("read the settings back", folder))?;
        if found != expected {
            return Err(OpenError::Setting { name, wanted, found });
        }
    }
    Ok(())
}

/// Whether closing the last connection leaves the log as it is, instead of copying and removing it.
pub(super) fn keep_log_at_close(connection: &Connection, is_kept: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept)?;
    Ok(())
}

fn check_if_small(connection: &Connection, folder: &Folder) -> Result<(), OpenError> {
    let bytes = folder.database().metadata().map_or(0, |file| file.len());
    if bytes > CHECK_AT_START_BYTES {
        return Ok(());
    }
    match first_damage(connection).map_err(failed("check the database", folder.path()))? {
        None => Ok(()),
        Some(what) => Err(OpenError::Damaged { database: folder.database(), what }),
    }
}

/// Whether SQLite has read all of the log that it should have.
fn check_log(connection: &Connection, folder: &Folder) -> Result<(), OpenError> {
    // Reading anything makes it read the log.
    let read: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)))
        .map_err(failed("read the log", folder.path()))?;
    let lost = lost_tail::look(&folder.wal(), u64::try_from(read).unwrap_or(0))
        .map_err(|cause| OpenError::Folder { operation: "read", path: folder.wal(), cause })?;
    match lost {
        None => Ok(()),
        Some(what) => Err(OpenError::Damaged { database: folder.database(), what }),
    }
}

/// Reads every page and says what is wrong with the first that is damaged; its contents are not looked at.
pub(super) fn first_damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then(|| found.replace('\n', " ")))
}

fn read_setting(connection: &Connection, name: &str) -> rusqlite::Result<String> {
    use rusqlite::types::Value;
    connection.pragma_query_value(None, name, |row| {
        Ok(match row.get(0)? {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    })
}

fn migrate(connection: &mut Connection, folder: &Folder) -> Result<(), OpenError> {
    let error = || failed("bring the schema up to date", folder.path());
    let known = MIGRATIONS.len();
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(error())?;
    let Some(missing) = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..)) else {
        return Err(OpenError::NewerSchema {
            folder: folder.path().to_owned(),
            found: version,
            known: i64::try_from(known).unwrap_or(i64::MAX),
        });
    };
    let first_missing = known - missing.len() + 1;
    for (new_version, sql) in (first_missing..).zip(missing) {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error())?;
        transaction.execute_batch(sql).map_err(error())?;
        transaction.execute_batch(&format!("PRAGMA user_version = {new_version}")).map_err(error())?;
        transaction.commit().map_err(error())?;
    }
    Ok(())
}

/// Whether this program knows the schema of a database that has one.
pub(super) fn is_known(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).is_ok_and(|version| (1..=MIGRATIONS.len()).contains(&version)))
}

/// Whether the database is of a version that keeps channels of projects beside its sessions.
pub(super) fn has_channels(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version >= CHANNELS_SINCE)
}

fn epoch(connection: &Connection) -> rusqlite::Result<Epoch> {
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('epoch', ?1) ON CONFLICT DO NOTHING",
        [Epoch::random().as_str()],
    )?;
    let text: String =
        connection.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))?;
    Ok(Epoch::stored(&text))
}

/// Says what could not be done, and tells a damaged database from one that is only out of reach.
pub(super) fn failed(
    operation: &'static str,
    folder: &Path,
) -> impl FnOnce(rusqlite::Error) -> OpenError + use<> {
    let folder = folder.to_owned();
    move |cause| match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged { database: folder::database_of(&folder), what: cause.to_string() }
        }
        _ => OpenError::Database { operation, folder, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_stays_when_the_database_is_opened_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let (_, first) = open_writer(&folder).unwrap();
        let (_, second) = open_writer(&folder).unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let (connection, _) = open_writer(&folder).unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        drop(connection);
        let error = open_writer(&folder).unwrap_err();
        assert!(matches!(error, OpenError::NewerSchema { found: 7, .. }));
        let text = error.to_string();
        assert!(
            text.ends_with(&format!("this Tandem knows up to {}; install a newer one", MIGRATIONS.len())),
            "{text}"
        );
    }

    #[test]
    fn a_folder_of_version_1_opens_and_keeps_everything() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let old = Connection::open(folder.database()).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "PRAGMA user_version = 1;
             INSERT INTO meta VALUES ('epoch', 'as before');
             INSERT INTO session VALUES (1, x'00112233445566778899aabbccddeeff', 3, 1, x'07', 0, '{}');
             INSERT INTO event VALUES (1 << 40 | 1, 5, 3, x'07', 'session_created', '{\"a\":1}');
             INSERT INTO device VALUES ('phone', 'Pixel', NULL, 5);",
        )
        .unwrap();
        drop(old);
        let (connection, epoch) = open_writer(&folder).unwrap();
        assert_eq!(epoch.as_str(), "as before");
        let count = |table: &str| -> i64 {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!(["session", "event", "device", "cursor", "notice"].map(count), [1, 1, 1, 0, 0]);
        let data: String = connection.query_row("SELECT data FROM event", [], |row| row.get(0)).unwrap();
        assert_eq!(data, r#"{"a":1}"#);
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(version).unwrap(), MIGRATIONS.len());
    }

    #[test]
    fn a_setting_that_does_not_take_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let impossible = [("journal_mode", "MEMORY", "wal")];
        let connection = open(folder.path(), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let error = set_up(&connection, folder.path(), &impossible).unwrap_err();
        assert!(matches!(error, OpenError::Setting { name: "journal_mode", .. }));
    }

    #[test]
    fn a_reader_cannot_write() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let (_writer, _) = open_writer(&folder).unwrap();
        let reader = open_reader(&folder).unwrap();
        assert!(reader.execute("DELETE FROM meta", []).is_err());
    }
}
