//! Tells of files that an operation has written, as made by who asked for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tandem_actors::files::{Files, Rewriting};
use tandem_actors::locks::Holder;
use tandem_actors::project::ChangeType;

use super::call::Caller;

/// Who is told of, and where.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) files: Arc<Files>,
    pub(super) project: Arc<str>,
    pub(super) holder: Holder,
}

impl Caller<'_> {
    /// Says that files of the tree are about to be written and told of, until it is dropped.
    pub(super) fn rewriting(&self) -> Option<Rewriting> {
        let top = &self.repository().ok()?.top;
        Some(self.teller.as_ref()?.files.rewriting(top))
    }

    /// Tells of what differs between two commits, the second of which lies in the tree now.
    pub(super) async fn tell_of(&self, from: Option<&str>) {
        let (Some(teller), Some(from)) = (&self.teller, from) else { return };
        let args = ["diff-tree", "-r", "-z", "--name-status", "--no-renames", from, "HEAD"];
        let (Ok(ran), Ok(repository)) = (self.look(&args).await, self.repository()) else { return };
        let changed = parse(&String::from_utf8_lossy(&ran.stdout), &repository.top);
        teller.files.rewritten(&teller.project, &teller.holder, changed).await;
    }
}

/// `STATUS`, then the path, each ended by NUL. Pure.
fn parse(answer: &str, top: &Path) -> Vec<(PathBuf, ChangeType)> {
    let mut entries = answer.split('\0');
    let mut changed = Vec::new();
    while let (Some(status), Some(path)) = (entries.next(), entries.next()) {
        let change = match status {
            "A" => ChangeType::Created,
            "D" => ChangeType::Deleted,
            _ => ChangeType::Modified,
        };
        changed.push((top.join(path), change));
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_read() {
        let changed = parse("A\0a b\0M\0d/c\0D\0gone\0T\0link\0", Path::new("/p"));
        let expected = [
            ("/p/a b", ChangeType::Created),
            ("/p/d/c", ChangeType::Modified),
            ("/p/gone", ChangeType::Deleted),
            ("/p/link", ChangeType::Modified),
        ];
        assert_eq!(changed, expected.map(|(path, change)| (PathBuf::from(path), change)));
        assert!(parse("", Path::new("/p")).is_empty());
    }
}
