//! Can the data folder be written, and does only its owner see what is in it?

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::auth::{TokenError, read_token, token_path};

use super::Check;

const FOLDER: &str = "data folder";
const TOKEN: &str = "token";

/// Writes, syncs and removes a file there. A folder that is not there yet is tried in the nearest one that is.
pub(super) fn check(dir: &Path) -> Check {
    let shown = dir.display();
    let Some(nearest) = dir.ancestors().find(|ancestor| ancestor.exists()) else {
        return Check::fail(FOLDER, format!("{shown} cannot be reached"), "choose another with --data-dir");
    };
    if let Err(error) = try_write(nearest) {
        let message = format!("{} cannot be written: {error}", nearest.display());
        return Check::fail(
            FOLDER,
            message,
            "give this user the right to write there, or choose another with --data-dir",
        );
    }
    if nearest != dir {
        return Check::ok(FOLDER, format!("{shown} is not there yet; the first start makes it"));
    }
    match mode(dir) {
        Some(mode) if mode & 0o077 != 0 => Check::warn(
            FOLDER,
            format!(
                "{shown} can be written, but other users of this machine may look into it (mode {mode:03o})"
            ),
            format!("chmod 700 '{shown}'"),
        ),
        _ => Check::ok(FOLDER, format!("{shown} can be written")),
    }
}

/// Whether the token is whole and readable by its owner alone.
pub(super) fn check_token(dir: &Path) -> Check {
    let path = token_path(dir);
    let shown = path.display();
    match read_token(dir) {
        Ok(_) => match mode(&path) {
            Some(mode) if mode & 0o077 != 0 => Check::fail(
                TOKEN,
                format!(
                    "other users of this machine can read {shown} (mode {mode:03o}) and with it your conversations"
                ),
                format!("chmod 600 '{shown}'"),
            ),
            _ => Check::ok(TOKEN, format!("{shown}, readable by its owner alone")),
        },
        Err(TokenError::Missing { .. }) => Check::ok(TOKEN, "not there yet; the first start makes it"),
        Err(error) => Check::fail(TOKEN, format!("{shown} cannot be used"), error.to_string()),
    }
}

fn try_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".tandem-doctor.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let written = file.write_all(b"written by `tandem doctor`\n").and_then(|()| file.sync_all());
    drop(file);
    let removed = fs::remove_file(&path);
    written.and(removed)
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().ok().map(|file| file.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Status;
    use super::*;
    use crate::auth::{Token, write_token};

    #[test]
    fn a_private_folder_is_ok_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(check(dir.path()).status, Status::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_others_can_read_is_warned_about() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let check = check(dir.path());
        assert_eq!(check.status, Status::Warn);
        assert!(check.remedy.unwrap().starts_with("chmod 700"));
    }

    #[test]
    fn a_folder_to_be_made_is_ok_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = dir.path().join("a/b");
        assert_eq!(check(&wanted).status, Status::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_place_of_the_folder_fails() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data");
        fs::write(&file, "").unwrap();
        assert_eq!(check(&file).status, Status::Fail);
        assert_eq!(check(&file.join("below")).status, Status::Fail);
    }

    #[test]
    fn a_token_must_be_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check_token(dir.path()).status, Status::Ok, "none yet");
        write_token(dir.path(), &Token::generate().unwrap()).unwrap();
        assert_eq!(check_token(dir.path()).status, Status::Ok);
        fs::set_permissions(token_path(dir.path()), PermissionsExt::from_mode(0o640)).unwrap();
        assert_eq!(check_token(dir.path()).status, Status::Fail);
        fs::write(token_path(dir.path()), "something else").unwrap();
        assert_eq!(check_token(dir.path()).status, Status::Fail);
    }
}
