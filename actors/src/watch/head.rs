//! Which branch a repository stands on, and whether git is in the middle of changing files.

use std::path::{Path, PathBuf};

/// Where git keeps what it knows of a project's tree; none where there is no git.
pub(super) fn git_folder(project: &Path) -> Option<PathBuf> {
    let git = project.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    // A second worktree has a file that says where.
    let text = std::fs::read_to_string(&git).ok()?;
    let folder = project.join(text.strip_prefix("gitdir:")?.trim());
    folder.is_dir().then_some(folder)
}

/// What HEAD says: a branch, or a commit.
pub(super) fn head(git: &Path) -> Option<String> {
    /// A name of a branch is no longer than that.
    const MAX_HEAD_BYTES: usize = 4_096;
    let text = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let head = text.trim().trim_start_matches("ref: ").trim_start_matches("refs/heads/");
    (!head.is_empty() && head.len() <= MAX_HEAD_BYTES).then(|| head.to_owned())
}

/// Whether git holds its index, as it does while it changes the files of a tree.
pub(super) fn is_busy(git: &Path) -> bool {
    git.join("index.lock").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_branch_or_a_commit() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(git_folder(home.path()), None);
        let git = home.path().join(".git");
        std::fs::create_dir(&git).unwrap();
        assert_eq!(head(&git_folder(home.path()).unwrap()), None);
        std::fs::write(git.join("HEAD"), "ref: refs/heads/feature/x\n").unwrap();
        assert_eq!(head(&git).as_deref(), Some("feature/x"));
        std::fs::write(git.join("HEAD"), "a1b2c3\n").unwrap();
        assert_eq!(head(&git).as_deref(), Some("a1b2c3"));
    }

    #[test]
    fn a_second_worktree_says_where_its_git_is() {
        let home = tempfile::tempdir().unwrap();
        let (tree, git) = (home.path().join("tree"), home.path().join("main/.git/worktrees/tree"));
        std::fs::create_dir_all(&tree).unwrap();
        std::fs::create_dir_all(&git).unwrap();
        std::fs::write(tree.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
        assert_eq!(git_folder(&tree), Some(git));
    }
}
