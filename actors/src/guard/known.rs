//! Which content of which files a session has seen: what it read last, or wrote itself. Pure.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::blobs::BlobHash;

/// How many files are remembered for a session: more than a conversation holds. The oldest is forgotten, and must then be
/// read again before it is written.
const MAX_FILES: usize = 10_000;

/// Who of a session has seen something: the agent itself, or one of its helpers.
pub type Helper = Option<String>;

/// See the module.
#[derive(Debug, Default)]
pub struct Known {
    files: HashMap<(Helper, PathBuf), Seen>,
    looks: u64,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    hash: BlobHash,
    look: u64,
}

/// How what is there compares with what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is what was seen; or there is no file, and none was seen.
    Same,
    /// There is a file that was never seen.
    Unseen,
    /// This was seen, and something else is there, or nothing any more.
    Changed(BlobHash),
}

impl Known {
    /// Compares what is there with what was seen; none is no file.
    #[must_use]
    pub fn standing(&self, helper: &Helper, path: &Path, there: Option<BlobHash>) -> Standing {
        let seen = self.files.get(&(helper.clone(), path.to_owned())).map(|seen| seen.hash);
        match (seen, there) {
            (None, None) => Standing::Same,
            (None, Some(_)) => Standing::Unseen,
            (Some(seen), there) if there == Some(seen) => Standing::Same,
            (Some(seen), _) => Standing::Changed(seen),
        }
    }

    /// This was seen.
    pub fn note(&mut self, helper: &Helper, path: &Path, hash: BlobHash) {
        self.looks += 1;
        self.files.insert((helper.clone(), path.to_owned()), Seen { hash, look: self.looks });
        if self.files.len() > MAX_FILES {
            let oldest = self.files.iter().min_by_key(|(_, seen)| seen.look).map(|(file, _)| file.clone());
            oldest.map(|file| self.files.remove(&file));
        }
    }

    /// What is there is not what was seen any more, or the session was told that there is nothing.
    pub fn forget(&mut self, helper: &Helper, path: &Path) {
        self.files.remove(&(helper.clone(), path.to_owned()));
    }

    /// The conversation begins anew.
    pub fn forget_all(&mut self) {
        self.files.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Option<BlobHash> {
        Some(BlobHash::of(text.as_bytes()))
    }

    #[test]
    fn what_is_there_is_compared_with_what_was_seen() {
        let (mut known, me, file) = (Known::default(), None, Path::new("/a"));
        assert_eq!(known.standing(&me, file, None), Standing::Same, "a new file");
        assert_eq!(known.standing(&me, file, hash("x")), Standing::Unseen);
        known.note(&me, file, hash("x").unwrap());
        assert_eq!(known.standing(&me, file, hash("x")), Standing::Same);
        assert_eq!(known.standing(&me, file, hash("y")), Standing::Changed(hash("x").unwrap()));
        assert_eq!(known.standing(&me, file, None), Standing::Changed(hash("x").unwrap()), "it was deleted");
        known.forget(&me, file);
        assert_eq!(known.standing(&me, file, None), Standing::Same);
    }

    #[test]
    fn a_helper_has_not_seen_what_the_agent_has() {
        let (mut known, helper, file) = (Known::default(), Some("h".to_owned()), Path::new("/a"));
        known.note(&None, file, hash("x").unwrap());
        assert_eq!(known.standing(&helper, file, hash("x")), Standing::Unseen);
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut known = Known::default();
        for number in 0..=MAX_FILES {
            known.note(&None, Path::new(&format!("/{number}")), BlobHash::of(b"x"));
        }
        assert_eq!(known.files.len(), MAX_FILES);
        assert_eq!(known.standing(&None, Path::new("/0"), hash("x")), Standing::Unseen);
        assert_eq!(known.standing(&None, Path::new("/1"), hash("x")), Standing::Same);
    }
}
