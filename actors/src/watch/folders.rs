//! Which folders are watched: those in which people and agents write, the shallow ones first, so many at most.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// What programs have put there by the thousand. Folders that say so by a `CACHEDIR.TAG` are passed over as well.
const MADE_BY_PROGRAMS: [&str; 1] = ["node_modules"];

/// A file that marks a folder as nothing that anybody wrote (<https://bford.info/cachedir/>).
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// How many files are remembered of a walk: enough for any project whose folders are all watched.
const MAX_FILES: usize = 262_144;

/// The folders that are watched.
#[derive(Debug)]
pub(super) struct Folders {
    watched: BTreeSet<PathBuf>,
    max: usize,
    has_warned: bool,
}

impl Folders {
    pub(super) const fn new(max: usize) -> Self {
        Self { watched: BTreeSet::new(), max, has_warned: false }
    }

    pub(super) fn len(&self) -> usize {
        self.watched.len()
    }

    pub(super) fn contains(&self, folder: &Path) -> bool {
        self.watched.contains(folder)
    }

    /// Whether it is to be watched from now on.
    pub(super) fn add(&mut self, folder: &Path) -> bool {
        if self.watched.contains(folder) {
            return false;
        }
        if self.watched.len() >= self.max {
            if !std::mem::replace(&mut self.has_warned, true) {
                tracing::warn!(
                    folders = self.max,
                    "too many folders to watch all: changes in the deepest ones are not seen at once"
                );
            }
            return false;
        }
        self.watched.insert(folder.to_owned())
    }

    pub(super) fn remove(&mut self, folder: &Path) {
        self.watched.remove(folder);
    }

    /// Forgets a folder with all below it; returns them.
    pub(super) fn remove_below(&mut self, folder: &Path) -> Vec<PathBuf> {
        let gone: Vec<PathBuf> =
            self.watched.iter().filter(|watched| watched.starts_with(folder)).cloned().collect();
        for folder in &gone {
            self.watched.remove(folder);
        }
        gone
    }
}

/// The folders to watch from here down, the shallow ones first, and the files in them. Links are not followed,
/// and what is the server's own (`is_own`) is passed over: what it writes there of a change would be the next one.
pub(super) fn walk(
    project: &Path,
    from: &Path,
    is_own: impl Fn(&Path) -> bool,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    let mut open = VecDeque::from([from.to_owned()]);
    while let Some(folder) = open.pop_front() {
        if is_own(&folder) || is_passed_over(project, &folder) {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let is_git = is_git(project, &folder);
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_git => open.push_back(entry.path()),
                Ok(kind) if kind.is_file() && !is_git && files.len() < MAX_FILES => files.push(entry.path()),
                _ => {}
            }
        }
        folders.push(folder);
    }
    (folders, files)
}

/// The folder of git itself: watched for its HEAD, and no deeper.
pub(super) fn is_git(project: &Path, folder: &Path) -> bool {
    folder.parent() == Some(project) && folder.ends_with(".git")
}

fn is_passed_over(project: &Path, folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    let is_inner_git = name == ".git" && !is_git(project, folder);
    is_inner_git
        || MADE_BY_PROGRAMS.iter().any(|other| name == *other)
        || (folder != project && folder.join(CACHE_TAG).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_have_made_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let project = home.path();
        for folder in
            ["data", ".git/objects/aa", "src/deep", "node_modules/x", "target/debug", "vendor/.git/refs"]
        {
            std::fs::create_dir_all(project.join(folder)).unwrap();
        }
        std::fs::write(project.join("target/CACHEDIR.TAG"), "").unwrap();
        std::fs::write(project.join("src/a.txt"), "").unwrap();
        std::fs::write(project.join(".git/HEAD"), "").unwrap();
        let (mut folders, files) = walk(project, project, |folder| folder.ends_with("data"));
        assert_eq!(folders[0], project);
        assert_eq!(folders.last().unwrap(), &project.join("src/deep"), "the shallow ones first");
        folders.sort();
        let expected = ["", ".git", "src", "src/deep", "vendor"].map(|folder| project.join(folder));
        assert_eq!(folders, expected);
        assert_eq!(files, [project.join("src/a.txt")]);
    }

    #[test]
    fn so_many_are_watched_and_no_more() {
        let mut folders = Folders::new(2);
        assert!(folders.add(Path::new("/p")) && folders.add(Path::new("/p/a")));
        assert!(!folders.add(Path::new("/p/b")));
        assert_eq!(folders.remove_below(Path::new("/p/a")), [Path::new("/p/a")]);
        assert!(folders.add(Path::new("/p/b")));
    }
}
