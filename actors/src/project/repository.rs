//! To which repository a folder belongs: read from the disk as `git` does, without running it.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder by which all worktrees of a repository are one: the one with `.git` in it, or a bare repository itself.
///
/// `from` is canonical; so is the answer. None where there is no repository on the way to the root.
#[must_use]
pub fn common_folder(from: &Path) -> Option<PathBuf> {
    from.ancestors().find_map(|folder| {
        let git = folder.join(".git");
        if git.is_dir() {
            return Some(folder.to_owned());
        }
        let own = git_folder_of(&git)?;
        Some(main_of(&own).unwrap_or_else(|| folder.to_owned()))
    })
}

/// Where the file `.git` of a worktree or a submodule leads to.
fn git_folder_of(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let told = text.lines().next()?.strip_prefix("gitdir:")?.trim();
    file.parent()?.join(told).canonicalize().ok()
}

/// The repository of a worktree; a submodule is a repository of its own and has none.
fn main_of(git_folder: &Path) -> Option<PathBuf> {
    let told = fs::read_to_string(git_folder.join("commondir")).ok()?;
    let common = git_folder.join(told.trim()).canonicalize().ok()?;
    match common.file_name() {
        Some(name) if name == ".git" => common.parent().map(Path::to_owned),
        _ => Some(common),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_the_repository_above_it() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("app/.git")).unwrap();
        fs::create_dir_all(root.join("app/src/deep")).unwrap();
        assert_eq!(common_folder(&root.join("app/src/deep")), Some(root.join("app")));
        assert_eq!(common_folder(&root.join("app")), Some(root.join("app")));
    }

    #[test]
    fn a_worktree_is_the_repository_that_it_was_made_of() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let own = root.join("app/.git/worktrees/side");
        fs::create_dir_all(&own).unwrap();
        fs::create_dir_all(root.join("side/src")).unwrap();
        fs::write(own.join("commondir"), "../..\n").unwrap();
        fs::write(root.join("side/.git"), format!("gitdir: {}\n", own.display())).unwrap();
        assert_eq!(common_folder(&root.join("side/src")), Some(root.join("app")));
    }

    #[test]
    fn a_submodule_is_a_repository_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("app/.git/modules/part")).unwrap();
        fs::create_dir_all(root.join("app/part")).unwrap();
        fs::write(root.join("app/part/.git"), "gitdir: ../.git/modules/part\n").unwrap();
        assert_eq!(common_folder(&root.join("app/part")), Some(root.join("app/part")));
    }
}
