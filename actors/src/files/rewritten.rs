//! Git writes files for somebody: everybody is told whose change it is. Sessions that had read what was there before are
//! stopped when they write over it, and not before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Files, Place};
use crate::locks::Holder;
use crate::project::{ChangeType, Happening};

/// Files that are told of one by one; of more than that, only those that sessions know. As many as the watcher looks at.
const MAX_TOLD: usize = 512;

/// As long as this lives, what changes below its folder is about to be told of.
#[derive(Debug)]
pub struct Rewriting {
    files: Arc<Files>,
    top: PathBuf,
}

impl Files {
    /// Files below this folder are about to be written, and [`Files::rewritten`] will say by whom.
    #[must_use]
    pub fn rewriting(self: &Arc<Self>, top: &Path) -> Rewriting {
        self.tops().push(top.to_owned());
        Rewriting { files: self.clone(), top: top.to_owned() }
    }

    /// Whether anything of a project is being written so.
    pub(crate) fn is_being_rewritten(&self, project: &Path) -> bool {
        self.tops().iter().any(|top| top.starts_with(project) || project.starts_with(top))
    }

    /// Takes these files, named by their absolute paths, for written by `by` with what is there now.
    pub async fn rewritten(&self, project: &Arc<str>, by: &Holder, changed: Vec<(PathBuf, ChangeType)>) {
        let counts = |(number, (path, _)): &(usize, (PathBuf, ChangeType))| {
            *number < MAX_TOLD || self.known.has_readers(path)
        };
        let changed: Vec<(PathBuf, ChangeType)> =
            changed.into_iter().enumerate().filter(counts).map(|(_, changed)| changed).collect();
        let folder = PathBuf::from(&**project);
        let places = tokio::task::spawn_blocking(move || {
            let placed = |(path, change): (PathBuf, _)| Some((Place::at(&folder, &path)?, change));
            changed.into_iter().filter_map(placed).collect::<Vec<_>>()
        });
        for (place, change_type) in places.await.unwrap_or_default() {
            let Ok(found) = self.look(&place).await else { continue };
            self.known.wrote(by, place.path(), found.hash);
            let happening = Happening::FileChanged {
                file_path: place.within().to_owned(),
                change_type,
                hash: found.hash.map(|hash| hash.to_string()),
                holder: Some(by.clone()),
            };
            self.tell(project, happening);
        }
    }

    fn tops(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.rewriting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rewriting {
    fn drop(&mut self) {
        let mut tops = self.files.tops();
        if let Some(mine) = tops.iter().position(|top| *top == self.top) {
            tops.swap_remove(mine);
        }
    }
}
