//! What can be locked: files and folders, branches, projects, databases, the whole server.
//!
//! Every resource has a place in one tree, and two of them are in each other's way iff one lies on the way to the other.
//!
//! ```text
//! (root)                      the whole server
//!   /srv/app                  the project, and the folder
//!     /srv/app/src            a folder
//!       /srv/app/src/main.rs  a file
//!     <git> main              a branch of the repository in /srv/app
//!     <db> orders             a database of the project
//! ```

use std::fmt;
use std::path::{Component, Path};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Ends each step of a place in the tree, so that `/a/b` does not lead to `/a/bc`. No path holds it.
const STEP_END: char = '\0';

/// Begins a step that is no file. No name of a file holds it.
const NO_FILE: char = '/';

/// What sort of thing is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file, or a folder with all that lies below it.
    File,
    /// A branch of a repository.
    Git,
    /// A project with everything in it.
    Project,
    /// A database of a project.
    Database,
    /// The whole server.
    Exclusive,
}

/// Something that can be locked. Cheap to clone; equal ones are the same place in the tree.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    place: Arc<str>,
    kind: Kind,
}

impl Resource {
    /// A file or a folder; `path` is absolute and canonical.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self::at(path, Kind::File, None)
    }

    /// A project; `path` is absolute and canonical.
    #[must_use]
    pub fn project(path: &Path) -> Self {
        Self::at(path, Kind::Project, None)
    }

    /// A branch of the repository whose common folder is `repository`, absolute and canonical.
    #[must_use]
    pub fn branch(repository: &Path, branch: &str) -> Self {
        Self::at(repository, Kind::Git, Some(("git", branch)))
    }

    /// A database of a project.
    #[must_use]
    pub fn database(project: &Path, name: &str) -> Self {
        Self::at(project, Kind::Database, Some(("db", name)))
    }

    /// The whole server.
    #[must_use]
    pub fn everything() -> Self {
        Self { place: "".into(), kind: Kind::Exclusive }
    }

    /// What sort of thing it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether one of the two lies on the way to the other.
    #[must_use]
    pub fn is_related_to(&self, other: &Self) -> bool {
        self.place.starts_with(&*other.place) || other.place.starts_with(&*self.place)
    }

    /// The places on the way to it, the nearest first; the root is the last one.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(&*self.place).filter(|place| !place.is_empty());
        std::iter::from_fn(move || {
            let place = rest?.strip_suffix(STEP_END)?;
            let parent = place.rfind(STEP_END).map_or("", |end| &place[..=end]);
            rest = Some(parent).filter(|parent| !parent.is_empty());
            Some(parent)
        })
    }

    /// Its place in the tree; unique.
    pub(super) const fn place(&self) -> &Arc<str> {
        &self.place
    }

    fn at(path: &Path, kind: Kind, last: Option<(&str, &str)>) -> Self {
        let mut place = String::new();
        for component in path.components() {
            if let Component::Normal(name) = component {
                place.push_str(&name.to_string_lossy());
                place.push(STEP_END);
            }
        }
        if let Some((sort, name)) = last {
            place.push(NO_FILE);
            place.push_str(sort);
            place.push(NO_FILE);
            place.extend(name.chars().filter(|letter| *letter != STEP_END));
            place.push(STEP_END);
        }
        Self { place: place.into(), kind }
    }
}

impl Resource {
    /// As clients name it: `PATH`, `PATH:BRANCH`, the name of a database, `everything`.
    #[must_use]
    pub fn id(&self) -> String {
        let (path, last) = self.parts();
        match (self.kind, last) {
            (Kind::Exclusive, _) => "everything".to_owned(),
            (_, Some(("git", branch))) => format!("{path}:{branch}"),
            (_, Some((_, name))) => name.to_owned(),
            (_, None) => path,
        }
    }

    /// The path, and what it names beside files.
    fn parts(&self) -> (String, Option<(&str, &str)>) {
        let steps: Vec<&str> = self.place.trim_end_matches(STEP_END).split(STEP_END).collect();
        let (files, last) = match steps.split_last() {
            Some((last, files)) if last.starts_with(NO_FILE) => (files, Some(*last)),
            _ => (&steps[..], None),
        };
        let last = last.and_then(|last| last[NO_FILE.len_utf8()..].split_once(NO_FILE));
        (format!("/{}", files.join("/")), last)
    }
}

impl fmt::Display for Resource {
    /// As people name it: a path, `BRANCH of PATH`, `database NAME of PATH`, `the whole server`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            return out.write_str("the whole server");
        }
        let (path, last) = self.parts();
        match last {
            Some(("git", branch)) => write!(out, "branch {branch} of {path}"),
            Some((_, name)) => write!(out, "database {name} of {path}"),
            None => out.write_str(&path),
        }
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Resource {
        Resource::file(Path::new(path))
    }

    #[test]
    fn a_folder_is_in_the_way_of_what_lies_below_it_and_of_nothing_else() {
        assert!(file("/a/b").is_related_to(&file("/a/b/c")));
        assert!(file("/a/b/c").is_related_to(&file("/a/b")));
        assert!(!file("/a/b").is_related_to(&file("/a/bc")));
        assert!(!file("/a/b/c").is_related_to(&file("/a/b/d")));
        assert!(Resource::everything().is_related_to(&file("/a")));
    }

    #[test]
    fn a_project_holds_its_files_branches_and_databases() {
        let project = Resource::project(Path::new("/srv/app"));
        let branch = Resource::branch(Path::new("/srv/app"), "feature/x");
        let database = Resource::database(Path::new("/srv/app"), "orders");
        for inside in [&file("/srv/app/src/main.rs"), &branch, &database] {
            assert!(project.is_related_to(inside), "{inside}");
        }
        assert!(!branch.is_related_to(&file("/srv/app/src")), "a file is no branch");
        assert!(!branch.is_related_to(&Resource::branch(Path::new("/srv/app"), "main")));
        assert!(!branch.is_related_to(&file("/srv/app/git/feature/x")));
    }

    #[test]
    fn the_way_leads_to_the_root() {
        let places: Vec<&str> = file("/a/b/c")
            .ancestors()
            .map(|place| place.trim_end_matches('\0'))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|place| match place {
                "a\0b" => "/a/b",
                "a" => "/a",
                _ => "",
            })
            .collect();
        assert_eq!(places, ["/a/b", "/a", ""]);
        assert_eq!(Resource::everything().ancestors().count(), 0);
    }

    #[test]
    fn people_can_read_them() {
        let shown = |resource: Resource| resource.to_string();
        assert_eq!(shown(file("/a/b.txt")), "/a/b.txt");
        assert_eq!(shown(Resource::branch(Path::new("/a"), "feature/x")), "branch feature/x of /a");
        assert_eq!(shown(Resource::database(Path::new("/a"), "orders")), "database orders of /a");
        assert_eq!(shown(Resource::everything()), "the whole server");
    }

    #[test]
    fn clients_can_ask_for_what_they_are_told() {
        assert_eq!(file("/a/b.txt").id(), "/a/b.txt");
        assert_eq!(Resource::branch(Path::new("/a"), "feature/x").id(), "/a:feature/x");
        assert_eq!(Resource::database(Path::new("/a"), "orders").id(), "orders");
        assert_eq!(Resource::everything().id(), "everything");
    }
}
