//! Puts a transcript back where the CLI looks for it, when it is no longer there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use uuid::Uuid;

use crate::journal::TranscriptLine;

/// Why a transcript could not be put back. Nothing that existed was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotRestore {
    /// A file that is named like no transcript.
    #[error("the transcript {file} does not lie below a folder of transcripts")]
    Elsewhere { file: String },
    /// The disk or its rights.
    #[error("could not write the transcript {}", file.display())]
    Io {
        file: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Writes the files of a transcript below `folder`, each only if it does not exist.
///
/// Returns how many were written; 0 when the conversation's own file is there already. *Crash:* a file is there
/// whole or not at all.
pub(super) fn restore(
    folder: &Path,
    conversation: Uuid,
    lines: &[TranscriptLine],
) -> Result<usize, CannotRestore> {
    let own_name = format!("{conversation}.jsonl");
    // One file may have been told under several names: below a home that was moved, or through a link.
    let mut files: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
    for line in lines {
        let relative = below_projects(&line.file)
            .ok_or_else(|| CannotRestore::Elsewhere { file: line.file.to_string() })?;
        files.entry(relative).or_default().push(&line.line);
    }
    let mut wanted = Vec::new();
    for (relative, lines) in files {
        let target = folder.join(&relative);
        if relative.ends_with(&own_name) && target.exists() {
            return Ok(0);
        }
        wanted.push((target, lines));
    }
    let mut written = 0;
    for (target, lines) in wanted {
        let is_new =
            write_new(folder, &target, &lines).map_err(|cause| CannotRestore::Io { file: target, cause })?;
        written += usize::from(is_new);
    }
    Ok(written)
}

/// The path of a transcript relative to the folder that holds all of them, made of plain names only.
fn below_projects(file: &str) -> Option<PathBuf> {
    let (_, relative) = file.rsplit_once("/.claude/projects/").or_else(|| file.split_once("/projects/"))?;
    let path = PathBuf::from(relative);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_transcript = path.extension().is_some_and(|extension| extension == "jsonl");
    (is_plain && is_transcript).then_some(path)
}

/// `false`: the file existed.
fn write_new(folder: &Path, target: &Path, lines: &[&str]) -> io::Result<bool> {
    let parent = target.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    // A link that leads out of the folder is not followed.
    if !parent.canonicalize()?.starts_with(folder.canonicalize()?) {
        return Err(io::Error::other("a link leads out of the folder of transcripts"));
    }
    let draft = parent.join(format!(".{}.tandem", Uuid::new_v4()));
    let done = write_draft(&draft, lines).and_then(|()| fs::hard_link(&draft, target));
    let _ = fs::remove_file(&draft);
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_draft(draft: &Path, lines: &[&str]) -> io::Result<()> {
    let mut file = io::BufWriter::new(File::create_new(draft)?);
    for line in lines {
        file.write_all(line.as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(file: &str, line: &str) -> TranscriptLine {
        TranscriptLine { file: file.into(), line: line.into() }
    }

    #[test]
    fn files_come_back_in_order_and_never_over_one_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        let main = format!("/old/home/.claude/projects/-work-projects-p/{id}.jsonl");
        let helper = format!("/old/home/.claude/projects/-work-projects-p/{id}/subagents/a.jsonl");
        let lines = [line(&main, "1"), line(&helper, "x"), line(&main, "2")];
        assert_eq!(restore(folder.path(), id, &lines).unwrap(), 2);
        let path = folder.path().join(format!("-work-projects-p/{id}.jsonl"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
        fs::write(&path, "kept").unwrap();
        assert_eq!(restore(folder.path(), id, &lines).unwrap(), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2, "no drafts");
    }

    #[test]
    fn a_conversation_that_has_moved_between_homes_comes_back_as_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        let file = |home: &str| format!("{home}/.claude/projects/-p/{id}.jsonl");
        let lines = [line(&file("/old"), "1"), line(&file("/new"), "2")];
        assert_eq!(restore(folder.path(), id, &lines).unwrap(), 1);
        let written = fs::read_to_string(folder.path().join(format!("-p/{id}.jsonl"))).unwrap();
        assert_eq!(written, "1\n2\n");
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        for file in [
            "/h/.claude/projects/../../x.jsonl",
            "/h/.claude/projects//etc/x.jsonl",
            "/etc/passwd",
            "/h/.claude/projects/-p/x.sh",
        ] {
            let refused = restore(folder.path(), id, &[line(file, "1")]);
            assert!(matches!(refused, Err(CannotRestore::Elsewhere { .. })), "{file}: {refused:?}");
        }
        std::os::unix::fs::symlink(outside.path(), folder.path().join("-link")).unwrap();
        let linked = restore(folder.path(), id, &[line("/h/.claude/projects/-link/x.jsonl", "1")]);
        assert!(matches!(linked, Err(CannotRestore::Io { .. })), "{linked:?}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
