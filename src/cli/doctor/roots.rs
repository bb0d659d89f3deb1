//! Are the folders there in which conversations may work?

use std::path::PathBuf;

use super::Check;

const NAME: &str = "project folder";

/// One check for each folder. A missing one is a warning as long as another is there: a disk may not be mounted.
pub(super) fn check(roots: &[PathBuf]) -> Vec<Check> {
    let has_any = roots.iter().any(|root| root.is_dir());
    let judge = |root: &PathBuf| {
        let shown = root.display();
        if root.is_dir() {
            return Check::ok(NAME, shown.to_string());
        }
        let problem = if root.exists() { "is not a folder" } else { "is not there" };
        let message = format!("{shown} {problem}");
        let remedy = "create it, or change projects.allowedRoots (TANDEM_ALLOWED_ROOTS, --allowed-root)";
        if has_any { Check::warn(NAME, message, remedy) } else { Check::fail(NAME, message, remedy) }
    };
    roots.iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn one_missing_folder_is_a_warning_and_all_missing_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let (here, gone) = (dir.path().to_owned(), dir.path().join("gone"));
        let statuses = |roots: &[PathBuf]| check(roots).iter().map(|check| check.status).collect::<Vec<_>>();
        assert_eq!(statuses(&[here.clone(), gone.clone()]), [Status::Ok, Status::Warn]);
        assert_eq!(statuses(&[gone]), [Status::Fail]);
        assert_eq!(statuses(&[here]), [Status::Ok]);
    }
}
