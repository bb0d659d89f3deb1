//! What a client means by a name: a file, a branch, a database. Paths are canonical, and never lead out of the project.

use std::io;
use std::path::{Path, PathBuf};

use super::repository::common_folder;
use crate::locks::{Kind, Resource};
use crate::refusal::{Code, Refusal};

/// Longer names are no branch and no database; `git` itself stops at the 255 bytes of a file's name.
const MAX_NAME_BYTES: usize = 255;

/// What is locked, as a client names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockName {
    /// What sort of thing it is.
    pub kind: Kind,
    /// `file`: a path, absolute or within the project. `git`: a branch, or `PATH:BRANCH`. `database`: its name.
    pub id: String,
}

impl LockName {
    /// What it names, where the disk need not be asked.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub fn resource_at_once(&self, project: &Path) -> Result<Option<Resource>, Refusal> {
        match self.kind {
            Kind::File | Kind::Git => Ok(None),
            Kind::Project => Ok(Some(Resource::project(project))),
            Kind::Exclusive => Ok(Some(Resource::everything())),
            Kind::Database => {
                check_name(&self.id, "database")?;
                Ok(Some(Resource::database(project, &self.id)))
            }
        }
    }

    /// What it names. Looks at the disk; `project` is canonical.
    ///
    /// # Errors
    /// `bad_request` that names the field; `project_not_allowed` for what lies outside of the project.
    pub fn resource(&self, project: &Path) -> Result<Resource, Refusal> {
        if let Some(resource) = self.resource_at_once(project)? {
            return Ok(resource);
        }
        if self.kind == Kind::File {
            return file_in(project, &self.id, "resourceId").map(|path| Resource::file(&path));
        }
        let (folder, branch) = match self.id.rsplit_once(':') {
            Some((path, branch)) => (file_in(project, path, "resourceId")?, branch),
            None => (project.to_owned(), &*self.id),
        };
        check_name(branch, "branch")?;
        let repository = common_folder(&folder).unwrap_or_else(|| project.to_owned());
        Ok(Resource::branch(&repository, branch))
    }
}

/// The canonical path of a file or folder of a project, which need not exist; the folder that it lies in must.
///
/// # Errors
/// `bad_request` that names the field; `project_not_allowed` for what lies outside of the project, links resolved.
/// Of what lies there nothing is told, not even whether it exists.
pub fn file_in(project: &Path, path: &str, field: &str) -> Result<PathBuf, Refusal> {
    if path.is_empty() || path.contains('\0') {
        return Err(Refusal::bad_field(field, format!("The field {field} is the path of a file.")));
    }
    let wanted = project.join(path);
    let real = match wanted.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => new_file(project, &wanted, field)?,
        Err(_) => return Err(unreadable(project, &wanted, field)),
    };
    if !real.starts_with(project) {
        return Err(outside());
    }
    if real.to_str().is_none() {
        return Err(Refusal::bad_field(field, format!("The field {field} must be valid UTF-8.")));
    }
    Ok(real)
}

/// A path within its project, as people and events name it; the project itself is `.`.
#[must_use]
pub fn within(project: &str, path: &Path) -> String {
    let inner = path.strip_prefix(project).unwrap_or(path).to_string_lossy();
    if inner.is_empty() { ".".to_owned() } else { inner.into_owned() }
}

/// A file that is not there yet: its folder is looked at.
fn new_file(project: &Path, wanted: &Path, field: &str) -> Result<PathBuf, Refusal> {
    if wanted.is_symlink() {
        let message = format!("The field {field} names a link that leads nowhere.");
        return Err(Refusal::bad_field(field, message));
    }
    let (Some(folder), Some(name)) = (wanted.parent(), wanted.file_name()) else {
        return Err(unreadable(project, wanted, field));
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(_) => Err(unreadable(project, wanted, field)),
    }
}

fn unreadable(project: &Path, wanted: &Path, field: &str) -> Refusal {
    let leads_up = wanted.components().any(|part| part == std::path::Component::ParentDir);
    if !wanted.starts_with(project) || leads_up {
        return outside();
    }
    let message = format!("The field {field} names a file whose folder does not exist. Create it first.");
    Refusal::bad_field(field, message)
}

fn outside() -> Refusal {
    Refusal::new(Code::ProjectNotAllowed, "This path lies outside of the project. Name a file within it.")
}

fn check_name(name: &str, what: &str) -> Result<(), Refusal> {
    let is_plain = !name.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !is_plain {
        let message =
            format!("The field resourceId names a {what}: 1 to {MAX_NAME_BYTES} bytes without spaces.");
        return Err(Refusal::bad_field("resourceId", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Place {
        _home: tempfile::TempDir,
        project: PathBuf,
    }

    fn place() -> Place {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().canonicalize().unwrap().join("app");
        fs::create_dir_all(project.join("src")).unwrap();
        fs::write(project.join("src/main.rs"), "").unwrap();
        fs::write(project.join("../secret"), "").unwrap();
        Place { _home: home, project }
    }

    fn name(kind: Kind, id: &str) -> LockName {
        LockName { kind, id: id.to_owned() }
    }

    fn code_of(place: &Place, kind: Kind, id: &str) -> Code {
        name(kind, id).resource(&place.project).unwrap_err().code
    }

    #[test]
    fn all_ways_to_name_a_file_are_one() {
        let place = place();
        let expected = Resource::file(&place.project.join("src/main.rs"));
        let absolute = place.project.join("src/main.rs").to_string_lossy().into_owned();
        #[cfg(unix)]
        std::os::unix::fs::symlink("src/main.rs", place.project.join("link.rs")).unwrap();
        for id in ["src/main.rs", "./src/../src/main.rs", &absolute, "link.rs"] {
            assert_eq!(name(Kind::File, id).resource(&place.project).unwrap(), expected, "{id}");
        }
        let new = name(Kind::File, "src/new.rs").resource(&place.project).unwrap();
        assert_eq!(new, Resource::file(&place.project.join("src/new.rs")));
    }

    #[cfg(unix)]
    #[test]
    fn no_name_leads_out_of_the_project() {
        let place = place();
        std::os::unix::fs::symlink("../secret", place.project.join("out")).unwrap();
        std::os::unix::fs::symlink("..", place.project.join("up")).unwrap();
        std::os::unix::fs::symlink("../nothing", place.project.join("dangling")).unwrap();
        for id in [
            "/etc/passwd",
            "../secret",
            "../missing",
            "out",
            "up/secret",
            "up/missing",
            "/no/such",
            "src/../../x",
        ] {
            assert_eq!(code_of(&place, Kind::File, id), Code::ProjectNotAllowed, "{id}");
        }
        assert_eq!(code_of(&place, Kind::File, "dangling"), Code::BadRequest);
        assert_eq!(code_of(&place, Kind::Git, "up:main"), Code::ProjectNotAllowed);
    }

    #[test]
    fn what_is_no_name_is_refused_and_says_where() {
        let place = place();
        for (kind, id) in [
            (Kind::File, ""),
            (Kind::File, "a\0b"),
            (Kind::File, "missing/file"),
            (Kind::File, "src/main.rs/below"),
            (Kind::Git, ""),
            (Kind::Git, "two words"),
            (Kind::Database, ""),
            (Kind::Database, "line\nbreak"),
        ] {
            let refusal = name(kind, id).resource(&place.project).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest, "{id:?}");
            assert_eq!(refusal.details.unwrap()["field"], "resourceId", "{id:?}");
        }
    }

    #[test]
    fn a_branch_is_one_of_its_repository() {
        let place = place();
        fs::create_dir(place.project.join(".git")).unwrap();
        let expected = Resource::branch(&place.project, "feature/x");
        for id in ["feature/x", "src:feature/x", ".:feature/x"] {
            assert_eq!(name(Kind::Git, id).resource(&place.project).unwrap(), expected, "{id}");
        }
    }

    #[test]
    fn the_rest_needs_no_disk() {
        let place = place();
        let at_once = |kind, id| name(kind, id).resource_at_once(&place.project).unwrap();
        assert_eq!(at_once(Kind::Project, "ignored"), Some(Resource::project(&place.project)));
        assert_eq!(at_once(Kind::Exclusive, ""), Some(Resource::everything()));
        assert_eq!(at_once(Kind::Database, "orders"), Some(Resource::database(&place.project, "orders")));
        assert_eq!(at_once(Kind::File, "src"), None);
    }
}
