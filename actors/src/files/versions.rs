//! Versions that somebody may have begun from, in a folder that begins empty: whoever knew one has ended with the server.
//!
//! They are many and needed for hours at most, so they do not go through the journal; the versions of a conflict do.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::blobs::BlobHash;
use crate::conflicts::MAX_MERGED_BYTES;

/// All versions together: the sources of several large projects.
pub const MAX_VERSION_BYTES: u64 = 256 << 20;

/// See the module. Those that were needed last stay longest.
#[derive(Clone)]
pub struct Versions {
    folder: Arc<Path>,
    shelf: Arc<Mutex<Shelf>>,
    max_bytes: u64,
}

#[derive(Default)]
struct Shelf {
    kept: HashMap<BlobHash, Kept>,
    by_use: BTreeMap<u64, BlobHash>,
    uses: u64,
    bytes: u64,
}

struct Kept {
    bytes: u64,
    last_use: u64,
}

impl Versions {
    /// Empties the folder, which nobody else uses, and begins.
    ///
    /// # Errors
    /// The folder cannot be made, or what is in it cannot be removed.
    pub fn open(folder: PathBuf, max_bytes: u64) -> io::Result<Self> {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir_all(&folder)?,
        }
        Ok(Self { folder: folder.into(), shelf: Arc::default(), max_bytes })
    }

    /// Keeps nothing, so that nothing is merged.
    #[must_use]
    pub fn none() -> Self {
        Self { folder: Path::new("").into(), shelf: Arc::default(), max_bytes: 0 }
    }

    /// Keeps a version for a while. One that cannot be merged is not kept; neither is one that the disk does not take, at
    /// the price of a merge.
    pub async fn keep(&self, hash: BlobHash, content: Bytes) {
        if content.len() > MAX_MERGED_BYTES || self.max_bytes == 0 || self.use_again(hash) {
            return;
        }
        let path = self.path(hash);
        let bytes = content.len() as u64;
        let written = tokio::task::spawn_blocking(move || std::fs::write(path, content)).await;
        match written {
            Ok(Ok(())) => {
                let gone = self.shelf().add(hash, bytes, self.max_bytes);
                self.forget(gone).await;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a version of a file cannot be kept; what begins from it cannot be merged");
            }
            Err(_stopped) => {}
        }
    }

    /// A version that is still kept, whole.
    pub async fn get(&self, hash: BlobHash) -> Option<Bytes> {
        if !self.use_again(hash) {
            return None;
        }
        let path = self.path(hash);
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await.ok()?;
        let whole = read.ok().filter(|read| BlobHash::of(read) == hash);
        if whole.is_none() {
            // So that it is written once more when somebody has it.
            self.shelf().remove(hash);
        }
        whole.map(Bytes::from)
    }

    async fn forget(&self, hashes: Vec<BlobHash>) {
        if hashes.is_empty() {
            return;
        }
        let paths: Vec<PathBuf> = hashes.into_iter().map(|hash| self.path(hash)).collect();
        let forgetting =
            move || paths.into_iter().filter_map(|path| std::fs::remove_file(path).err()).count();
        match tokio::task::spawn_blocking(forgetting).await {
            Ok(0) | Err(_) => {}
            Ok(count) => tracing::warn!(count, "versions of files cannot be removed"),
        }
    }

    fn use_again(&self, hash: BlobHash) -> bool {
        self.shelf().use_again(hash)
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Adds one; returns those that have to go for it.
    fn add(&mut self, hash: BlobHash, bytes: u64, max_bytes: u64) -> Vec<BlobHash> {
        if !self.use_again(hash) {
            self.uses += 1;
            self.bytes += bytes;
            self.kept.insert(hash, Kept { bytes, last_use: self.uses });
            self.by_use.insert(self.uses, hash);
        }
        let mut gone = Vec::new();
        while self.bytes > max_bytes
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.bytes -= self.kept.remove(&oldest).map_or(0, |kept| kept.bytes);
            gone.push(oldest);
        }
        gone
    }

    fn remove(&mut self, hash: BlobHash) {
        if let Some(kept) = self.kept.remove(&hash) {
            self.by_use.remove(&kept.last_use);
            self.bytes -= kept.bytes;
        }
    }

    fn use_again(&mut self, hash: BlobHash) -> bool {
        let Some(kept) = self.kept.get_mut(&hash) else { return false };
        self.by_use.remove(&kept.last_use);
        self.uses += 1;
        kept.last_use = self.uses;
        self.by_use.insert(self.uses, hash);
        true
    }
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shelf = self.shelf();
        write!(out, "Versions({}, {} bytes)", shelf.kept.len(), shelf.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_that_were_needed_last_stay() {
        let folder = tempfile::tempdir().unwrap();
        let versions = Versions::open(folder.path().join("versions"), 25).unwrap();
        let contents = [b'a', b'b', b'c'].map(|letter| Bytes::from(vec![letter; 10]));
        let [first, second, third] = contents.clone().map(|content| BlobHash::of(&content));
        versions.keep(first, contents[0].clone()).await;
        versions.keep(second, contents[1].clone()).await;
        assert_eq!(versions.get(first).await, Some(contents[0].clone()));
        versions.keep(third, contents[2].clone()).await;
        assert_eq!(versions.get(second).await, None);
        assert_eq!(versions.get(first).await, Some(contents[0].clone()));
        assert_eq!(std::fs::read_dir(folder.path().join("versions")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_damaged_version_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let versions = Versions::open(folder.path().join("versions"), 100).unwrap();
        let hash = BlobHash::of(b"a");
        versions.keep(hash, Bytes::from_static(b"a")).await;
        std::fs::write(versions.path(hash), "b").unwrap();
        assert_eq!(versions.get(hash).await, None);
        versions.keep(hash, Bytes::from_static(b"a")).await;
        assert_eq!(versions.get(hash).await.as_deref(), Some(&b"a"[..]), "it is written once more");
    }
}
