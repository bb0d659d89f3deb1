//! A file whose only use is to be deleted: on a full disk, it is the room for the way out.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::folder::Folder;

/// How large it is.
///
/// A full disk stops even a checkpoint. Twice the 16 MiB of log that `checkpoint.rs` leaves uncopied: half of it takes
/// what a checkpoint adds to the database, the other half the last words of the agents that run.
pub(super) const BALLAST_BYTES: u64 = 32 << 20;

/// The ballast of one data folder.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    pub(super) fn of(folder: &Folder) -> Self {
        Self { path: folder.path().join("ballast") }
    }

    /// Whether it is there in full.
    pub(super) fn is_there(&self) -> bool {
        self.path.metadata().is_ok_and(|file| file.len() >= BALLAST_BYTES)
    }

    /// Makes it with real blocks, unless it is there. *Crash:* what is not whole is made again.
    pub(super) fn make(&self) -> io::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        let filled = fill(&file);
        if filled.is_err() {
            self.drop_it();
        }
        filled
    }

    /// Deletes it, and says whether that gave any room.
    pub(super) fn drop_it(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

/// Takes the blocks without writing them where the system can do that.
#[cfg(target_os = "linux")]
fn fill(file: &File) -> io::Result<()> {
    let bytes = i64::try_from(BALLAST_BYTES).map_err(io::Error::other)?;
    Ok(nix::fcntl::posix_fallocate(file, 0, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn fill(mut file: &File) -> io::Result<()> {
    use std::io::Write as _;
    let block = vec![0; 1 << 20];
    for _ in 0..BALLAST_BYTES >> 20 {
        file.write_all(&block)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn it_holds_real_blocks_and_gives_them_back() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::hold(home.path()).unwrap();
        let ballast = Ballast::of(&folder);
        ballast.make().unwrap();
        assert!(ballast.is_there());
        assert!(ballast.path.metadata().unwrap().blocks() * 512 >= BALLAST_BYTES);
        assert!(ballast.drop_it());
        assert!(!ballast.is_there() && !ballast.drop_it());
    }
}
