//! A file whose time is set back until an agent's tool has written it.
//!
//! Measured on CLI 2.1.328: its Write refuses a file that is newer than what it has read, in words of its own and whatever
//! input a hook gives it; it compares times, not contents. So the merged content can be written only over a file that
//! looks old. The check still holds for what comes after: whoever writes meanwhile makes the file new again.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;

use super::disk::open_file;
use super::{MAX_FILE_BYTES, Place};
use crate::blobs::BlobHash;

/// 1980-01-01: older than anything that was read, and the first day that every archive can hold. Where a server that was
/// killed has left it, a person sees at once that it is nobody's time.
const LONG_AGO: Duration = Duration::from_secs(315_532_800);

/// See the module. When it is dropped and nobody has written, the file has its own time again.
pub(super) struct SetBack {
    place: Place,
    modified: SystemTime,
    runtime: Handle,
}

impl SetBack {
    /// Sets the time of a file back. None: it has not this content any more. Waits for the disk.
    pub(super) fn new(place: Place, content: BlobHash, runtime: Handle) -> io::Result<Option<Self>> {
        let file = open_file(&place)?;
        let modified = file.metadata()?.modified()?;
        file.set_modified(long_ago())?;
        // Who wrote before its time was set back is found by the content, who writes afterwards by the tool.
        if hash(&file)? != content {
            file.set_modified(SystemTime::now())?;
            return Ok(None);
        }
        let was_left = modified == long_ago();
        let modified = if was_left { SystemTime::now() } else { modified };
        Ok(Some(Self { place, modified, runtime }))
    }
}

impl Drop for SetBack {
    fn drop(&mut self) {
        let (place, modified) = (self.place.clone(), self.modified);
        drop(self.runtime.spawn_blocking(move || {
            if let Err(error) = set_forward(&place, modified) {
                tracing::warn!(%error, "a file keeps the time to which it was set back");
            }
        }));
    }
}

impl fmt::Debug for SetBack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SetBack")
    }
}

fn set_forward(place: &Place, modified: SystemTime) -> io::Result<()> {
    let file = match open_file(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if file.metadata()?.modified()? == long_ago() {
        file.set_modified(modified)?;
    }
    Ok(())
}

fn hash(file: &File) -> io::Result<BlobHash> {
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(BlobHash::of(&content))
}

fn long_ago() -> SystemTime {
    UNIX_EPOCH + LONG_AGO
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn place(content: &str) -> (tempfile::TempDir, Place) {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().canonicalize().unwrap();
        fs::write(project.join("a.txt"), content).unwrap();
        let place = Place::find(&project, "a.txt".as_ref()).unwrap();
        (home, place)
    }

    fn modified(place: &Place) -> SystemTime {
        fs::metadata(place.path()).unwrap().modified().unwrap()
    }

    async fn until_modified(place: &Place, is_it: impl Fn(SystemTime) -> bool) {
        while !is_it(modified(place)) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_file_that_nobody_writes_gets_its_time_back() {
        let (_home, place) = place("one");
        let before = modified(&place);
        let set_back = SetBack::new(place.clone(), BlobHash::of(b"one"), Handle::current()).unwrap();
        assert_eq!(modified(&place), long_ago());
        drop(set_back);
        until_modified(&place, |now| now == before).await;
    }

    #[tokio::test]
    async fn what_was_written_meanwhile_is_new() {
        let (_home, place) = place("one");
        let set_back = SetBack::new(place.clone(), BlobHash::of(b"one"), Handle::current()).unwrap().unwrap();
        fs::write(place.path(), "two").unwrap();
        let written = modified(&place);
        set_forward(&place, set_back.modified).unwrap();
        assert_eq!(modified(&place), written);
    }

    #[tokio::test]
    async fn another_content_is_not_made_old() {
        let (_home, place) = place("two");
        let set_back = SetBack::new(place.clone(), BlobHash::of(b"one"), Handle::current()).unwrap();
        assert!(set_back.is_none());
        assert!(modified(&place) > long_ago());
    }

    #[tokio::test]
    async fn a_time_that_a_killed_server_has_left_is_not_given_back() {
        let (_home, place) = place("one");
        fs::File::open(place.path()).unwrap().set_modified(long_ago()).unwrap();
        drop(SetBack::new(place.clone(), BlobHash::of(b"one"), Handle::current()).unwrap());
        until_modified(&place, |now| now > long_ago()).await;
    }
}
