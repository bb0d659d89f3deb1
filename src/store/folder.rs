//! The data folder on disk: made for its owner alone, synced, and held by one server at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// The only file that backups and people should care about; SQLite keeps `-wal` and `-shm` beside it.
const DATABASE: &str = "tandem.db";
const LOCK: &str = "tandem.lock";

/// A data folder that this process holds. Dropping it lets the next server in, and so does the end of the process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The lock belongs to this open file and goes when it is closed.
    _lock: File,
}

impl Folder {
    /// Makes what is missing (folder 0700, files 0600), syncs the entries, and takes the lock.
    ///
    /// A folder or file that is there already keeps its mode: its owner may have had a reason.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
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
        let folder = Self { path, _lock: lock };
        // Only behind the lock: closing any handle of the file would end the locks that SQLite holds in this process.
        private_file(&folder.database()).map_err(failed("create", &folder.database()))?;
        // SQLite does not report a failure of this sync when it makes a database; so it is done here.
        sync(&folder.path)?;
        Ok(folder)
    }

    /// The folder itself, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// SQLite's write-ahead log.
    pub(super) fn wal(&self) -> PathBuf {
        self.path.join(format!("{DATABASE}-wal"))
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = private_file(&path).map_err(failed("create", &path))?;
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
    fn a_folder_that_cannot_be_made_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Folder::hold(&file.join("folder")).unwrap_err().to_string();
        assert!(error.starts_with("could not create the data folder"), "{error}");
        assert!(error.contains("file/folder"), "{error}");
    }
}
