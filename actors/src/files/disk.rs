//! Reading and writing a file of a project, by handles that cannot be led out of it while that goes on.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use uuid::Uuid;

use super::place::Place;
use super::{Found, MAX_FILE_BYTES};
use crate::refusal::{Code, Effect, Refusal};

/// What is written before it is whole begins so; the watcher passes it over.
pub(crate) const UNFINISHED: &str = ".tandem-";

/// What a server that was killed has left in a folder is removed after so long: no write takes that.
const LEFT_AFTER: Duration = Duration::from_secs(600);

/// Reads a file with its hash. Waits for the disk.
pub(super) fn look(place: &Place) -> Result<Found, Refusal> {
    let opened = open_folder(place).and_then(|(folder, name)| folder.open(&name));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::of(None)),
        Err(error) => return Err(cannot_be("read", &error)),
    };
    let mut content = Vec::new();
    let limit = MAX_FILE_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut content).map_err(|error| cannot_be("read", &error))?;
    if content.len() > MAX_FILE_BYTES {
        let message = format!("The file is larger than {} MiB.", MAX_FILE_BYTES >> 20);
        return Err(Refusal::new(Code::TooLarge, message));
    }
    Ok(Found::of(Some(Bytes::from(content))))
}

/// What became of a replacement.
enum Replaced {
    /// All of it lasts.
    Yes,
    /// `may_replace` said no.
    No,
    /// It is there, and may not outlast a crash.
    InDoubt(io::Error),
}

/// Puts content in the place of a file: all of it or, at any crash, nothing. The file keeps its mode, and its owner and
/// group where the server may give it away; what is beside them (access control lists) is lost. A read-only one stays.
///
/// `may_replace` is asked when all of it is on disk, right before it takes the place; whether it did is returned.
/// Without content the file is removed.
///
/// # Errors
/// Nothing is changed, unless the effect is `unknown`: then it is there, and may not be after a crash of the machine.
pub(super) fn replace(
    place: &Place,
    content: Option<&[u8]>,
    may_replace: impl FnOnce() -> bool,
) -> Result<bool, Refusal> {
    replace_with(place, content, may_replace, sync_folder)
}

fn replace_with(
    place: &Place,
    content: Option<&[u8]>,
    may_replace: impl FnOnce() -> bool,
    sync: impl FnOnce(&Dir) -> io::Result<()>,
) -> Result<bool, Refusal> {
    let (folder, name) = open_folder(place).map_err(|error| cannot_be("reached", &error))?;
    let replaced = match content {
        Some(content) => replace_in(&folder, &name, content, may_replace),
        None if !may_replace() => Ok(Replaced::No),
        None => folder.remove_file(&name).map(|()| Replaced::Yes),
    };
    let replaced = replaced.map(|replaced| match replaced {
        Replaced::Yes => sync(&folder).map_or_else(Replaced::InDoubt, |()| Replaced::Yes),
        other => other,
    });
    match replaced {
        Ok(Replaced::Yes) => Ok(true),
        Ok(Replaced::No) => Ok(false),
        Ok(Replaced::InDoubt(error)) => Err(in_doubt(&error)),
        Err(error) => Err(cannot_be("written", &error)),
    }
}

fn replace_in(
    folder: &Dir,
    name: &OsString,
    content: &[u8],
    may_replace: impl FnOnce() -> bool,
) -> io::Result<Replaced> {
    let unfinished = format!("{UNFINISHED}{}", Uuid::new_v4());
    let written = write_beside(folder, name, &unfinished, content);
    let replaced = written.and_then(|()| {
        if !may_replace() {
            return Ok(Replaced::No);
        }
        folder.rename(&unfinished, folder, name)?;
        Ok(Replaced::Yes)
    });
    if !matches!(replaced, Ok(Replaced::Yes)) {
        let _ = folder.remove_file(&unfinished);
    }
    replaced
}

fn write_beside(folder: &Dir, name: &OsString, unfinished: &str, content: &[u8]) -> io::Result<()> {
    let old = match folder.metadata(name) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut file = folder.open_with(unfinished, OpenOptions::new().write(true).create_new(true))?;
    if let Some(old) = old {
        keep_owner(&file, &old);
        // After the owner: a change of that takes some bits of the mode away.
        file.set_permissions(old.permissions())?;
    }
    file.write_all(content)?;
    file.sync_all()
}

/// Only a privileged server may give files to others; then and else the group is tried alone.
#[cfg(unix)]
fn keep_owner(file: &cap_std::fs::File, old: &cap_std::fs::Metadata) {
    use cap_std::fs::MetadataExt as _;
    if std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
        let _ = std::os::unix::fs::fchown(file, None, Some(old.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_file: &cap_std::fs::File, _old: &cap_std::fs::Metadata) {}

/// A rename lasts only when its folder is on disk.
fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Removes what a server that was killed had not finished in the folder of a place.
pub(super) fn sweep(place: &Place) {
    let Ok((folder, _)) = open_folder(place) else { return };
    let Ok(entries) = folder.entries() else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_unfinished);
        let modified = entry.metadata().and_then(|found| found.modified()).ok();
        let age = modified.and_then(|at| SystemTime::now().duration_since(at.into_std()).ok());
        if is_ours && age.is_some_and(|age| age > LEFT_AFTER) {
            let _ = entry.remove_file();
        }
    }
}

/// Whether a name is that of a file that is not whole yet.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_prefix(UNFINISHED).is_some_and(|rest| rest.parse::<Uuid>().is_ok())
}

/// A file to be read, or to be given another time.
pub(super) fn open_file(place: &Place) -> io::Result<File> {
    let (folder, name) = open_folder(place)?;
    Ok(folder.open(&name)?.into_std())
}

/// The folder of a place, opened without ever leaving the project.
fn open_folder(place: &Place) -> io::Result<(Dir, OsString)> {
    let project = Dir::open_ambient_dir(&**place.project(), ambient_authority())?;
    let within = Path::new(place.within());
    let name = within.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    match within.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => Ok((project.open_dir(parent)?, name)),
        None => Ok((project, name)),
    }
}

fn in_doubt(error: &io::Error) -> Refusal {
    tracing::warn!(%error, "a file of a project was written, and the disk does not say that this lasts");
    let message = "The file is written, but the disk does not say that this outlasts a crash. Read it to see what is there, and write it again.";
    Refusal { effect: Effect::Unknown, ..Refusal::new(Code::StorageUnavailable, message) }
}

fn cannot_be(done: &str, error: &io::Error) -> Refusal {
    tracing::debug!(%error, "a file of a project cannot be {done}");
    let why = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "its mode, the server, or a link that leads out of the project does not allow it"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full",
        io::ErrorKind::ReadOnlyFilesystem => "the disk takes no writes",
        io::ErrorKind::NotFound => "its folder is gone",
        _ => "the disk answered with an error",
    };
    Refusal::new(Code::StorageUnavailable, format!("The file cannot be {done}: {why}. Nothing was changed."))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn place(file: &str) -> (tempfile::TempDir, Place) {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().canonicalize().unwrap().join("project");
        std::fs::create_dir_all(project.join("src")).unwrap();
        let place = Place::find(&project, Path::new(file)).unwrap();
        (home, place)
    }

    fn names(place: &Place) -> Vec<String> {
        let entries = std::fs::read_dir(place.path().parent().unwrap()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        let (_home, place) = place("src/run.sh");
        std::fs::write(place.path(), "old").unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(replace(&place, Some(b"new"), || true).unwrap());
        assert_eq!(look(&place).unwrap(), Found::of(Some(Bytes::from_static(b"new"))));
        assert_eq!(place.path().metadata().unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(names(&place), ["run.sh"]);
    }

    #[test]
    fn what_may_not_take_the_place_leaves_nothing() {
        let (_home, place) = place("src/a.txt");
        std::fs::write(place.path(), "old").unwrap();
        assert!(!replace(&place, Some(b"new"), || false).unwrap());
        assert!(!replace(&place, None, || false).unwrap());
        assert_eq!(std::fs::read(place.path()).unwrap(), b"old");
        assert_eq!(names(&place), ["a.txt"]);
    }

    #[test]
    fn a_file_that_nobody_may_write_is_not_replaced() {
        let (_home, place) = place("src/a.txt");
        std::fs::write(place.path(), "old").unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o444)).unwrap();
        let refusal = replace(&place, Some(b"new"), || true).unwrap_err();
        assert_eq!((refusal.code, refusal.effect), (Code::StorageUnavailable, Effect::None));
        assert_eq!(std::fs::read(place.path()).unwrap(), b"old");
        assert_eq!(names(&place), ["a.txt"]);
    }

    #[test]
    fn a_file_stays_its_owners() {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let (_home, place) = place("src/a.txt");
        std::fs::write(place.path(), "old").unwrap();
        // Without the right to give files away both are ours, and stay so.
        let _ = chown(place.path(), Some(4_321), Some(4_321));
        let owner = || place.path().metadata().map(|found| (found.uid(), found.gid())).unwrap();
        let before = owner();
        assert!(replace(&place, Some(b"new"), || true).unwrap());
        assert_eq!(owner(), before);
    }

    #[test]
    fn what_is_there_and_may_not_last_is_in_doubt() {
        let (_home, place) = place("src/a.txt");
        std::fs::write(place.path(), "old").unwrap();
        let fails = |_: &Dir| Err(io::ErrorKind::Other.into());
        let refusal = replace_with(&place, Some(b"new"), || true, fails).unwrap_err();
        assert_eq!(refusal.effect, Effect::Unknown);
        assert_eq!(std::fs::read(place.path()).unwrap(), b"new");
    }

    #[test]
    fn a_folder_that_becomes_a_link_leads_nowhere() {
        let (home, place) = place("src/a.txt");
        let outside = home.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("a.txt"), "secret").unwrap();
        std::fs::remove_dir(place.path().parent().unwrap()).unwrap();
        symlink(&outside, place.path().parent().unwrap()).unwrap();
        assert!(look(&place).is_err());
        assert!(replace(&place, Some(b"new"), || true).is_err());
        assert_eq!(std::fs::read(outside.join("a.txt")).unwrap(), b"secret");
    }

    #[test]
    fn what_a_killed_server_left_is_removed_and_nothing_else() {
        let (_home, place) = place("src/a.txt");
        let folder = place.path().parent().unwrap();
        let (old, fresh) =
            (format!("{UNFINISHED}{}", Uuid::new_v4()), format!("{UNFINISHED}{}", Uuid::new_v4()));
        for name in [&*old, &fresh, ".tandem-notes"] {
            std::fs::write(folder.join(name), "half").unwrap();
        }
        let long_ago = SystemTime::now() - 2 * LEFT_AFTER;
        for name in [&*old, ".tandem-notes"] {
            std::fs::File::open(folder.join(name)).unwrap().set_modified(long_ago).unwrap();
        }
        sweep(&place);
        let mut left = names(&place);
        left.sort();
        assert_eq!(left, [&*fresh, ".tandem-notes"]);
    }
}
