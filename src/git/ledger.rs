//! In which trees operations are at work, kept in the data folder, so that the next server finds what this one leaves when it dies.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// How often an operation at work gives a sign of life: what was done in a tree much later than the last one was not done
/// under that server.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// One file for each operation, named by it; in it lies where the tree begins. Clones are the same ledger. Blocks.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: Arc<Path>,
}

impl Ledger {
    /// Opens the one in this folder, which is made where there is none.
    ///
    /// # Errors
    /// The folder can neither be found nor made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.into() })
    }

    /// An operation begins. Durable when this returns.
    pub(super) fn begin(&self, operation: Uuid, top: &Path) -> io::Result<()> {
        let mut file = File::create(self.file(operation))?;
        file.write_all(top.as_os_str().as_encoded_bytes())?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    /// It goes on.
    pub(super) fn beat(&self, operation: Uuid) {
        if let Ok(file) = File::options().write(true).open(self.file(operation))
            && let Err(error) = file.set_modified(SystemTime::now())
        {
            tracing::debug!(%error, "a sign of life of a git operation cannot be written");
        }
    }

    /// It is over.
    pub(super) fn end(&self, operation: Uuid) {
        if let Err(error) = fs::remove_file(self.file(operation))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a git operation that is over stays in the ledger");
        }
    }

    /// When it went on for the last time.
    pub(super) fn last_sign(&self, operation: Uuid) -> Option<SystemTime> {
        self.file(operation).metadata().ok()?.modified().ok()
    }

    /// The operations that did not end, and where.
    pub(super) fn left(&self) -> Vec<(Uuid, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let left = entries.filter_map(|entry| {
            let operation = entry.file_name().to_str()?.parse().ok()?;
            Some((operation, path_of(fs::read(entry.path()).ok()?)))
        });
        left.collect()
    }

    fn file(&self, operation: Uuid) -> PathBuf {
        self.folder.join(operation.to_string())
    }
}

fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_end_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("git")).unwrap();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        ledger.begin(one, Path::new("/srv/app")).unwrap();
        ledger.begin(other, Path::new("/srv/other")).unwrap();
        ledger.end(one);
        ledger.end(one);
        ledger.beat(one);
        let again = Ledger::open(&folder.path().join("git")).unwrap();
        assert_eq!(again.left(), [(other, PathBuf::from("/srv/other"))]);
        assert_eq!(again.last_sign(one), None);
    }

    #[test]
    fn a_sign_of_life_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, operation) = (Ledger::open(folder.path()).unwrap(), Uuid::now_v7());
        ledger.begin(operation, Path::new("/srv/app")).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(ledger.file(operation)).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(ledger.last_sign(operation), Some(long_ago));
        ledger.beat(operation);
        assert!(ledger.last_sign(operation).unwrap() > long_ago);
    }
}
