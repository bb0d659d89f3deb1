//! How a tree is, to the byte, so that it can be told whether it is the same again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::call::Caller;
use super::repository::Standing;
use super::status::{Change, Changes};
use super::trouble::{Reason, Trouble};

/// HEAD, index and tree. Files that are as in the index are vouched for by git, the others by their hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    standing: Standing,
    index: [u8; 32],
    changes: Changes,
    changed_files: BTreeMap<String, [u8; 32]>,
}

impl Snapshot {
    /// Looks at everything.
    pub(super) async fn take(caller: &Caller<'_>) -> Result<Self, Trouble> {
        let standing = caller.standing().await?;
        let changes = caller.changes().await?;
        let index = caller.look(&["ls-files", "--stage", "-z"]).await?;
        let top = caller.repository()?.top.clone();
        if !index.is_ok() {
            return Err(Trouble::failed(&index, &top));
        }
        let paths: Vec<String> = changes.in_tree().map(str::to_owned).collect();
        let hashed = tokio::task::spawn_blocking(move || {
            paths.into_iter().map(|path| hash_of(&top.join(&path)).map(|hash| (path, hash))).collect()
        });
        let changed_files: io::Result<BTreeMap<String, [u8; 32]>> =
            hashed.await.unwrap_or_else(|_| Ok(BTreeMap::new()));
        let changed_files = changed_files.map_err(|error| {
            let sentence = format!("A file of the tree cannot be read: {}.", error.kind());
            Trouble::refused(Reason::Other, sentence)
        })?;
        Ok(Self { standing, index: Sha256::digest(&index.stdout).into(), changes, changed_files })
    }

    /// The paths that are not as in the last commit.
    pub(super) fn changed(&self) -> Vec<String> {
        self.changes.files.iter().map(|change| change.path.clone()).collect()
    }

    /// Whether HEAD, index and these files are the same in both; looks into the tree `top` for new ones. Blocks.
    pub(super) fn is_same_in(&self, other: &Self, files: &BTreeSet<String>, top: &Path) -> bool {
        // Of a folder that git does not know at all, only files count that may have been written there.
        let is_meant = |path: &str| {
            let lies_there =
                |file: &&String| file.starts_with(path) && top.join(file).symlink_metadata().is_ok();
            if path.ends_with('/') {
                files.iter().any(|file| lies_there(&file))
            } else {
                files.contains(path)
            }
        };
        let changes = |snapshot: &Self| -> Vec<Change> {
            snapshot.changes.files.iter().filter(|change| is_meant(&change.path)).cloned().collect()
        };
        let hashes = |snapshot: &Self| -> BTreeMap<String, [u8; 32]> {
            let all = snapshot.changed_files.iter().filter(|(path, _)| is_meant(path));
            all.map(|(path, hash)| (path.clone(), *hash)).collect()
        };
        self.standing == other.standing
            && self.index == other.index
            && changes(self) == changes(other)
            && hashes(self) == hashes(other)
    }

    /// The commit that was checked out.
    pub(super) fn head(&self) -> Option<&str> {
        self.standing.head.as_deref()
    }

    /// What git knows and is not as in the last commit.
    pub(super) const fn changes(&self) -> &Changes {
        &self.changes
    }
}

/// Zeroes for what is not there any more.
fn hash_of(path: &Path) -> io::Result<[u8; 32]> {
    let kind = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok([0; 32]),
        Err(error) => return Err(error),
    };
    if kind.is_symlink() {
        return Ok(Sha256::digest(path.read_link()?.as_os_str().as_encoded_bytes()).into());
    }
    if !kind.is_file() {
        return Ok([1; 32]);
    }
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
}
