//! Changes that came close together, each path once. Pure.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::Change;
use crate::files::is_unfinished;
use crate::project::ChangeType;

/// Paths of one batch that are looked at one by one; a flood is a build or a checkout, and only what sessions know counts.
const MAX_PATHS: usize = 512;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Batch {
    paths: BTreeMap<PathBuf, bool>,
    has_missed: bool,
    is_about_git: bool,
}

impl Batch {
    pub(super) fn add(&mut self, change: Change, project: &Path) {
        let (path, is_made) = match change {
            Change::Made(path) => (path, true),
            Change::Touched(path) => (path, false),
            Change::Missed => {
                self.has_missed = true;
                return;
            }
        };
        let Ok(within) = path.strip_prefix(project) else { return };
        if within.starts_with(".git") {
            self.is_about_git = true;
            return;
        }
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_unfinished) {
            return;
        }
        if self.paths.len() >= MAX_PATHS && !self.paths.contains_key(&path) {
            self.has_missed = true;
            return;
        }
        *self.paths.entry(path).or_default() |= is_made;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.has_missed && !self.is_about_git
    }

    /// Whether some changes are not among the paths.
    pub(super) const fn has_missed(&self) -> bool {
        self.has_missed
    }

    pub(super) fn into_paths(self) -> impl Iterator<Item = PathBuf> {
        self.paths.into_keys()
    }
}

/// What became of a file, by whether it was there before and is now; none where it was not and is not.
pub(super) fn change_of(path: &Path, is_there: bool, before: &mut HashSet<PathBuf>) -> Option<ChangeType> {
    let was_there = if is_there { !before.insert(path.to_owned()) } else { before.remove(path) };
    match (was_there, is_there) {
        (true, true) => Some(ChangeType::Modified),
        (true, false) => Some(ChangeType::Deleted),
        (false, true) => Some(ChangeType::Created),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(path: &str) -> Change {
        Change::Touched(path.into())
    }

    #[test]
    fn each_path_is_looked_at_once() {
        let project = Path::new("/p");
        let mut batch = Batch::default();
        for path in ["/p/a", "/p/a", "/p/.tandem-00000000-0000-4000-8000-000000000000", "/q/b"] {
            batch.add(touched(path), project);
        }
        assert!(!batch.has_missed());
        assert_eq!(batch.into_paths().collect::<Vec<_>>(), [PathBuf::from("/p/a")]);
    }

    #[test]
    fn what_is_gits_own_is_not_looked_at() {
        let mut batch = Batch::default();
        batch.add(touched("/p/.git/index"), Path::new("/p"));
        assert!(!batch.is_empty());
        assert_eq!(batch.into_paths().count(), 0);
    }

    #[test]
    fn a_flood_is_cut_and_said_so() {
        let mut batch = Batch::default();
        for file in 0..=MAX_PATHS {
            batch.add(touched(&format!("/p/{file}")), Path::new("/p"));
        }
        assert!(batch.has_missed());
        assert_eq!(batch.into_paths().count(), MAX_PATHS);
    }

    #[test]
    fn what_came_and_went_is_no_change() {
        let mut before = HashSet::from([PathBuf::from("/p/old")]);
        let path = |name: &str| PathBuf::from(format!("/p/{name}"));
        assert_eq!(change_of(&path("old"), true, &mut before), Some(ChangeType::Modified));
        assert_eq!(change_of(&path("new"), true, &mut before), Some(ChangeType::Created));
        assert_eq!(change_of(&path("old"), false, &mut before), Some(ChangeType::Deleted));
        assert_eq!(change_of(&path("gone"), false, &mut before), None);
    }
}
