//! Which folders may be projects.

use std::io;
use std::path::{Path, PathBuf};

use crate::refusal::{Code, Refusal};

/// Looks at a folder on a thread for blocking work, and returns its canonical path.
///
/// # Errors
/// `project_not_found` when it does not exist or is no folder, `project_not_allowed` when it, links resolved,
/// lies below none of the roots. Of what lies outside the roots nothing is told, not even whether it exists.
pub async fn check(path: PathBuf, roots: Vec<PathBuf>) -> Result<PathBuf, Refusal> {
    let looked = tokio::task::spawn_blocking(move || look(&path, &roots)).await;
    looked.unwrap_or_else(|_stopped| Err(Refusal::shutting_down()))
}

fn look(path: &Path, roots: &[PathBuf]) -> Result<PathBuf, Refusal> {
    if !path.is_absolute() {
        return Err(Refusal::bad_field("projectPath", "The projectPath is an absolute path of a folder."));
    }
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(_) if !lies_below(path, roots) => return Err(not_allowed()),
        Err(error) => return Err(not_found(&error)),
    };
    if !lies_below(&real, roots) {
        return Err(not_allowed());
    }
    if !real.is_dir() {
        return Err(not_found(&io::ErrorKind::NotADirectory.into()));
    }
    if real.to_str().is_none() {
        return Err(Refusal::bad_field("projectPath", "The projectPath must be valid UTF-8."));
    }
    Ok(real)
}

fn lies_below(path: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|root| path.starts_with(root))
}

fn not_allowed() -> Refusal {
    Refusal::new(
        Code::ProjectNotAllowed,
        "This folder lies outside the folders that the server may work in. Add it to projects.allowedRoots to use it.",
    )
}

fn not_found(error: &io::Error) -> Refusal {
    let message = match error.kind() {
        io::ErrorKind::NotADirectory => "The projectPath is a file. Name the folder that it lies in.",
        io::ErrorKind::PermissionDenied => "The server may not read the folder at this projectPath.",
        _ => "There is no folder at this projectPath. Create it first, or correct the path.",
    };
    Refusal::new(Code::ProjectNotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(path: &Path, roots: &[PathBuf]) -> Code {
        look(path, roots).unwrap_err().code
    }

    #[test]
    fn only_folders_below_a_root_are_projects() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap().join("root");
        let project = root.join("project");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        let roots = [root.clone()];
        assert_eq!(look(&project, &roots).unwrap(), project);
        assert_eq!(look(&root.join("project/../project"), &roots).unwrap(), project);
        assert_eq!(code_of(&root.join("missing"), &roots), Code::ProjectNotFound);
        assert_eq!(code_of(&root.join("file"), &roots), Code::ProjectNotFound);
        assert_eq!(code_of(&home.path().join("elsewhere"), &roots), Code::ProjectNotAllowed);
        assert_eq!(code_of(Path::new("/etc"), &roots), Code::ProjectNotAllowed);
        assert_eq!(code_of(Path::new("relative"), &roots), Code::BadRequest);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_of_the_roots_is_no_project() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap().join("root");
        let outside = home.path().canonicalize().unwrap().join("outside");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        assert_eq!(code_of(&root.join("link"), &[root]), Code::ProjectNotAllowed);
    }
}
