//! Which git processes live: those of an operation of ours, and any that may own a lock file. Reads `/proc`; blocks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use super::program::MARKER;

/// Sends a signal to everything that an operation has started; how many there were. One that is in the middle of its
/// exec shows no environment, and is missed.
pub(super) fn signal_all_of(operation: Uuid, signal: Signal) -> usize {
    let marker = format!("{MARKER}={operation}");
    let of_operation = |folder: &PathBuf| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
    };
    let found: Vec<PathBuf> = all().filter(of_operation).collect();
    for folder in &found {
        let number = folder.file_name().and_then(|name| name.to_str()?.parse().ok());
        // One that has ended in between needs no signal.
        let _ = number.map(|number| kill(Pid::from_raw(number), signal));
    }
    found.len()
}

/// Whether it is certain that nobody lives who may have made this lock file: no git works in any of these folders,
/// and no process has the file open. Where there is no `/proc`, nothing is certain.
pub(super) fn is_owner_dead(lock: &Path, folders: &[&Path]) -> bool {
    let mut is_anything_seen = false;
    for process in all() {
        is_anything_seen = true;
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        if name.starts_with("git") {
            match fs::read_link(process.join("cwd")) {
                Ok(folder) if !folders.iter().any(|ours| folder.starts_with(ours)) => {}
                // The kernel has taken it away: the process is ending, and nothing of its program runs any more.
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {}
                Ok(_) | Err(_) => return false,
            }
        }
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        if files.filter_map(|file| fs::read_link(file.path()).ok()).any(|open| open == lock) {
            return false;
        }
    }
    is_anything_seen
}

fn all() -> impl Iterator<Item = PathBuf> {
    let is_process = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_process)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn only_processes_of_the_operation_are_meant() {
        let (ours, other) = (Uuid::now_v7(), Uuid::now_v7());
        let mut child = Command::new("sleep").arg("60").env(MARKER, ours.to_string()).spawn().unwrap();
        assert_eq!(signal_all_of(other, Signal::SIGKILL), 0);
        // In the middle of its exec a process shows no environment.
        while signal_all_of(ours, Signal::SIGKILL) == 0 {}
        assert!(!child.wait().unwrap().success());
        assert_eq!(signal_all_of(ours, Signal::SIGKILL), 0);
    }

    /// Made and opened by children alone: what this process has open, a child of another test may inherit for a moment.
    #[test]
    fn a_lock_may_be_owned_by_a_git_that_works_there_and_by_whoever_has_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let lock = folder.join("index.lock");
        let run = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args).current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
            command.spawn().unwrap()
        };
        let end = |mut child: Child| {
            child.kill().unwrap();
            child.wait().unwrap();
        };
        assert!(run("touch", &["index.lock"]).wait().unwrap().success());
        assert!(is_owner_dead(&lock, &[&folder]));
        let mut reader = run("sh", &["-c", "exec 3<index.lock; echo open; exec sleep 60"]);
        reader.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
        assert!(!is_owner_dead(&lock, &[&folder]), "somebody has it open");
        end(reader);
        let git = run("git", &["hash-object", "--stdin"]);
        assert!(!is_owner_dead(&lock, &[&folder]), "a git works there");
        assert!(is_owner_dead(&lock, &[Path::new("/elsewhere")]));
        end(git);
        assert!(is_owner_dead(&lock, &[&folder]));
    }
}
