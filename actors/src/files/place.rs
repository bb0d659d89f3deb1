//! A file of a project, found by the path that somebody named: links resolved, and never outside.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::refusal::{Code, Refusal};

/// Where a file is or may come to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    project: Arc<str>,
    path: PathBuf,
    within: String,
}

impl Place {
    /// Finds a file; `project` is canonical, `file` absolute or within the project. Waits for the disk.
    ///
    /// # Errors
    /// See [`super::Files::place`].
    pub fn find(project: &Path, file: &Path) -> Result<Self, Refusal> {
        let wanted = project.join(file);
        let path = match wanted.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !wanted.is_symlink() => {
                in_parent(&wanted)?
            }
            Err(_) => return Err(bad("The filePath cannot be followed to a file of the project.")),
        };
        let Ok(within) = path.strip_prefix(project) else { return Err(outside()) };
        if within
            .components()
            .any(|part| matches!(part, Component::Normal(name) if name.eq_ignore_ascii_case(".git")))
        {
            return Err(bad("What lies in .git is git's own."));
        }
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(bad("The filePath names something that is no plain file."));
        }
        let (Some(within), Some(project)) = (within.to_str(), project.to_str()) else {
            return Err(bad("The filePath must be valid UTF-8."));
        };
        Ok(Self { project: project.into(), within: within.to_owned(), path })
    }

    /// A place that a watcher names: absolute, below the project, and perhaps with its folder gone.
    pub(crate) fn at(project: &Path, path: &Path) -> Option<Self> {
        let within = path.strip_prefix(project).ok()?.to_str()?.to_owned();
        let is_plain = path.symlink_metadata().map_or(true, |found| found.is_file());
        (is_plain && !within.is_empty())
            .then(|| Some(Self { project: project.to_str()?.into(), path: path.into(), within }))?
    }

    /// The project; canonical.
    #[must_use]
    pub const fn project(&self) -> &Arc<str> {
        &self.project
    }

    /// Absolute and canonical.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Within the project, as people name it.
    #[must_use]
    pub fn within(&self) -> &str {
        &self.within
    }
}

/// A file that does not exist yet lies where its folder really is.
fn in_parent(wanted: &Path) -> Result<PathBuf, Refusal> {
    let (Some(parent), Some(name)) = (wanted.parent(), wanted.file_name()) else {
        return Err(bad("The filePath names no file."));
    };
    if wanted.components().any(|part| part == Component::ParentDir) {
        return Err(outside());
    }
    let parent = parent.canonicalize();
    let parent = parent.map_err(|_| bad("The folder of this filePath does not exist. Create it first."))?;
    Ok(parent.join(name))
}

fn outside() -> Refusal {
    Refusal::new(Code::ProjectNotAllowed, "The filePath lies outside of the project.")
}

fn bad(message: &str) -> Refusal {
    Refusal::bad_field("filePath", message)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn code(project: &Path, file: &str) -> Code {
        Place::find(project, Path::new(file)).unwrap_err().code
    }

    #[test]
    fn only_plain_files_of_the_project_are_places() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let project = home.join("project");
        std::fs::create_dir_all(project.join(".git")).unwrap();
        std::fs::create_dir_all(project.join("src")).unwrap();
        std::fs::write(project.join("src/a.txt"), "").unwrap();
        std::fs::write(home.join("secret"), "").unwrap();
        symlink(home.join("secret"), project.join("out")).unwrap();
        symlink(&home, project.join("up")).unwrap();
        symlink("nowhere", project.join("dangling")).unwrap();
        symlink("src", project.join("link")).unwrap();

        let found = Place::find(&project, Path::new("link/a.txt")).unwrap();
        assert_eq!((found.path(), found.within()), (&*project.join("src/a.txt"), "src/a.txt"));
        assert_eq!(Place::find(&project, &project.join("src/new.txt")).unwrap().within(), "src/new.txt");
        for outside in ["out", "up/secret", "up/new", "../secret", "/etc/passwd", "src/../../new"] {
            assert_eq!(code(&project, outside), Code::ProjectNotAllowed, "{outside}");
        }
        for bad in ["src", ".", "", "missing/new.txt", "dangling", ".git/config", ".GIT/hooks", "src/a.txt/b"]
        {
            assert_eq!(code(&project, bad), Code::BadRequest, "{bad}");
        }
    }
}
