//! The index as it was before a commit, kept beside it under a second name until the commit is made. Blocks.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Lies in the tree's own git folder while a commit is made.
const FILE: &str = "tandem-operation.index";

/// How the index was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kept {
    /// There was none: nothing was ever staged in this repository.
    Absent,
    /// It lies beside the one that is there.
    Saved,
}

impl Kept {
    /// Keeps the index of the tree with this git folder. Durable when this returns, but for the name.
    pub(super) fn keep(own: &Path) -> io::Result<Self> {
        Self::remove(own);
        let (index, saved) = places(own);
        // Git never writes an index, it replaces it, so a second name keeps the old one, and its time with it.
        match fs::hard_link(&index, &saved) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            Err(_no_links_here) => drop(fs::copy(&index, &saved)?),
        }
        File::open(saved)?.sync_all()?;
        Ok(Self::Saved)
    }

    /// Puts it back, unless what is there is younger than `not_after`: then it is somebody's.
    ///
    /// As git does, by way of the lock file, so that no git changes it at the same time.
    pub(super) fn put_back(self, own: &Path, not_after: Option<SystemTime>) -> io::Result<()> {
        let (index, saved) = places(own);
        let is_younger =
            |limit| index.metadata().and_then(|is| is.modified()).is_ok_and(|written| written > limit);
        if not_after.is_some_and(is_younger) {
            return Ok(());
        }
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        match self {
            Self::Absent if !is_there(&index) => return Ok(()),
            // It was put back before, or what is there is what was kept.
            Self::Saved if !is_there(&saved) || fs::read(&index).ok() == Some(fs::read(&saved)?) => {
                return Ok(());
            }
            Self::Absent | Self::Saved => {}
        }
        let lock = index.with_extension("lock");
        drop(File::create_new(&lock)?);
        let outcome = match self {
            Self::Absent => fs::remove_file(index),
            Self::Saved => fs::rename(saved, index),
        };
        outcome.and(fs::remove_file(lock))
    }

    /// It is not needed any more.
    pub(super) fn remove(own: &Path) {
        if let Err(error) = fs::remove_file(places(own).1)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an index that was kept for a commit cannot be removed");
        }
    }
}

fn places(own: &Path) -> (PathBuf, PathBuf) {
    (own.join("index"), own.join(FILE))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(own: &Path, text: &str) {
        fs::write(own.join("index.new"), text).unwrap();
        fs::rename(own.join("index.new"), own.join("index")).unwrap();
    }

    #[test]
    fn an_index_is_put_back_as_it_was_and_no_other_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path();
        let names = || fs::read_dir(own).unwrap().count();
        assert_eq!(Kept::keep(own).unwrap(), Kept::Absent);
        write(own, "first");
        Kept::Absent.put_back(own, None).unwrap();
        assert_eq!(names(), 0, "there was none");
        write(own, "first");
        assert_eq!(Kept::keep(own).unwrap(), Kept::Saved);
        Kept::Saved.put_back(own, None).unwrap();
        write(own, "second");
        Kept::Saved.put_back(own, None).unwrap();
        Kept::Saved.put_back(own, None).unwrap();
        assert_eq!((fs::read_to_string(own.join("index")).unwrap().as_str(), names()), ("first", 1));
    }

    #[test]
    fn an_index_that_somebody_holds_or_has_changed_since_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path();
        write(own, "first");
        let kept = Kept::keep(own).unwrap();
        write(own, "second");
        fs::write(own.join("index.lock"), "").unwrap();
        assert!(kept.put_back(own, None).is_err());
        assert!(own.join("index.lock").exists(), "it is not ours");
        fs::remove_file(own.join("index.lock")).unwrap();
        kept.put_back(own, Some(SystemTime::now() - Duration::from_secs(60))).unwrap();
        assert_eq!(fs::read_to_string(own.join("index")).unwrap(), "second");
        kept.put_back(own, Some(SystemTime::now() + Duration::from_secs(60))).unwrap();
        assert_eq!(fs::read_to_string(own.join("index")).unwrap(), "first");
    }
}
