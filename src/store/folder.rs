//! The data folder on disk: made for its owner alone, synced, and held by one server at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// The only file that backups and people should care about; SQLite keeps `-wal` and `-shm` beside it.
const DATABASE: &str = "tandem.db";
const LOCK: &str = "tandem.lock";

/// What the lock file says of a folder that has had a history: an empty database is a loss there, and not a beginning.
const USED: &str = "used\n";

/// What it says while files are being exchanged.
const RESTORING: &str = "restoring\n";

/// A data folder that this process holds. Dropping it lets the next server in, and so does the end of the process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The lock belongs to this open file and goes when it is closed.
    lock: File,
}

/// The database of a data folder.
pub(super) fn database_of(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

impl Folder {
    /// Makes what is missing (folder 0700, files 0600), syncs the entries, and takes the lock.
    ///
    /// A folder or file that is there already keeps its mode: its owner may have had a reason.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] when what is there cannot be the end of an orderly life: SQLite would begin anew on an
    /// empty database, and remove the log beside it.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
        let folder = Self::take(path)?;
        folder.refuse_what_is_lost()?;
        // Only behind the lock: closing any handle of the file would end the locks that SQLite holds in this process.
        private_file(&folder.database()).map_err(failed("create", &folder.database()))?;
        // SQLite does not report a failure of this sync when it makes a database; so it is done here.
        sync(&folder.path)?;
        Ok(folder)
    }

    /// As [`Folder::hold`], whatever the database is, and without making one.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let is_new = !path.is_dir();
        if is_new {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(failed("create the data folder", path))?;
        }
        // Absolute, so that the parent has a name even for `tandem open .`.
        let path = path.canonicalize().map_err(failed("find the data folder", path))?;
        if is_new && let Some(parent) = path.parent() {
            sync(parent)?;
        }
        let lock = lock(&path)?;
        Ok(Self { path, lock })
    }

    /// The folder itself, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    pub(super) fn database(&self) -> PathBuf {
        database_of(&self.path)
    }

    /// SQLite's write-ahead log.
    pub(super) fn wal(&self) -> PathBuf {
        self.path.join(format!("{DATABASE}-wal"))
    }

    /// Remembers that there is a history here.
    pub(super) fn note_used(&self) -> Result<(), OpenError> {
        self.note(USED)
    }

    /// Remembers that files are being exchanged, so that no start takes a half of it for the whole.
    pub(super) fn note_restoring(&self) -> Result<(), OpenError> {
        self.note(RESTORING)
    }

    /// Makes renamed and new files of the folder outlive a loss of power.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        sync(&self.path)
    }

    fn refuse_what_is_lost(&self) -> Result<(), OpenError> {
        let note = self.noted().map_err(failed("read", &self.path.join(LOCK)))?;
        if note == RESTORING {
            return Err(OpenError::UnfinishedRestore { folder: self.path.clone() });
        }
        let bytes = |path: &Path| path.metadata().ok().map(|file| file.len());
        let (database, log) = (self.database(), self.wal());
        let what = match (bytes(&database), bytes(&log)) {
            (None, Some(1..)) => "it is gone, and its log is still there",
            (Some(0), Some(1..)) => "it is empty, and its log is not",
            (Some(0), None | Some(0)) if note == USED => "it is empty",
            _ => return Ok(()),
        };
        Err(OpenError::Damaged { database, what: what.to_owned() })
    }

    fn noted(&self) -> io::Result<String> {
        let mut bytes = [0; 16];
        let length = self.lock.read_at(&mut bytes, 0)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    fn note(&self, note: &str) -> Result<(), OpenError> {
        let write = || {
            if self.noted()? == note {
                return Ok(());
            }
            self.lock.set_len(0)?;
            self.lock.write_all_at(note.as_bytes(), 0)?;
            self.lock.sync_all()
        };
        write().map_err(failed("write", &self.path.join(LOCK)))
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(failed("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(failed("lock", &path)(cause)),
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn sync(folder: &Path) -> Result<(), OpenError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |cause| OpenError::Folder { operation, path, cause }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_it_makes_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new/tandem");
        let folder = Folder::hold(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&folder.database()), 0o600);
        assert_eq!(mode(&path.join(LOCK)), 0o600);
    }

    #[test]
    fn a_second_holder_is_refused_in_a_sentence_until_the_first_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let first = Folder::hold(home.path()).unwrap();
        let refusal = Folder::hold(home.path()).unwrap_err();
        assert!(matches!(refusal, OpenError::InUse { .. }));
        assert!(refusal.to_string().starts_with("another Tandem server is using the data folder"));
        drop(first);
        assert!(Folder::hold(home.path()).is_ok());
    }

    #[test]
    fn an_empty_database_is_a_beginning_only_where_there_was_no_history() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        drop(folder);
        let folder = Folder::hold(home.path()).unwrap();
        folder.note_used().unwrap();
        drop(folder);
        let refusal = Folder::hold(home.path()).unwrap_err().to_string();
        assert!(refusal.contains("it is empty") && refusal.contains("tandem restore"), "{refusal}");
        std::fs::remove_file(home.path().join(DATABASE)).unwrap();
        drop(Folder::hold(home.path()).unwrap());
    }

    #[test]
    fn a_log_without_its_database_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let log = home.path().join("tandem.db-wal");
        std::fs::write(&log, "what was said").unwrap();
        for _ in 0..2 {
            assert!(matches!(Folder::hold(home.path()), Err(OpenError::Damaged { .. })));
            assert_eq!(std::fs::read(&log).unwrap(), b"what was said");
        }
    }

    #[test]
    fn a_restore_that_was_cut_off_is_not_taken_for_a_beginning() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::take(home.path()).unwrap();
        folder.note_restoring().unwrap();
        drop(folder);
        assert!(matches!(Folder::hold(home.path()), Err(OpenError::UnfinishedRestore { .. })));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Folder::hold(&file.join("folder")).unwrap_err().to_string();
        assert!(error.starts_with("could not create the data folder"), "{error}");
        assert!(error.contains("file/folder"), "{error}");
    }
}
