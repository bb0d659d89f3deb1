//! Reads the file in which the CLI keeps a conversation.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::journal::TranscriptLine;

/// How the lines begin in which the CLI notes its own requests. They are most of a file, no conversation needs them, and
/// the mirror leaves them out too (measured on 2.1.328).
const OWN_REQUESTS: &[u8] = br#"{"type":"api-request"#;

/// Reads the whole lines of a conversation's file below `folder`; empty when there is none.
///
/// A line that a crash has left without its end is left out, and so is one that is longer than `max_line_bytes`.
pub(super) fn read(
    folder: &Path,
    project_path: &Path,
    conversation: Uuid,
    max_line_bytes: usize,
) -> io::Result<Vec<TranscriptLine>> {
    let Some(path) = find(folder, project_path, conversation) else {
        return Ok(Vec::new());
    };
    let file: Arc<str> = path.to_string_lossy().into();
    let mut reader = BufReader::new(File::open(&path)?);
    let mut lines = Vec::new();
    while let Some(line) = next_line(&mut reader, max_line_bytes)? {
        if line.starts_with(OWN_REQUESTS) || line.trim_ascii().is_empty() {
            continue;
        }
        if let Ok(line) = String::from_utf8(line) {
            lines.push(TranscriptLine { file: file.clone(), line: line.into() });
        }
    }
    Ok(lines)
}

/// The CLI resumes a conversation of any folder: its own is looked at first, then the others.
fn find(folder: &Path, project_path: &Path, conversation: Uuid) -> Option<PathBuf> {
    let name = format!("{conversation}.jsonl");
    let own = folder.join(folder_of(project_path)).join(&name);
    if own.is_file() {
        return Some(own);
    }
    let others = fs::read_dir(folder).ok()?.flatten().map(|other| other.path().join(&name));
    others.into_iter().find(|path| path.is_file())
}

/// The name that the CLI gives to the folder of a project.
fn folder_of(project_path: &Path) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    project_path.to_string_lossy().chars().map(plain).collect()
}

/// The next line that has its end, without it; an empty one in place of a line that is too long. `None`: no more.
fn next_line(reader: &mut impl BufRead, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(line));
    }
    if line.len() <= max_bytes {
        return Ok(None);
    }
    line.clear();
    let skipped = reader.skip_until(b'\n')?;
    Ok((skipped > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, project: &str, conversation: Uuid, text: &[u8]) {
        let folder = folder.join(project);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{conversation}.jsonl")), text).unwrap();
    }

    fn read_from(folder: &Path, conversation: Uuid) -> Vec<String> {
        let lines = read(folder, Path::new("/work/a.b"), conversation, 40).unwrap();
        lines.iter().map(|line| line.line.to_string()).collect()
    }

    #[test]
    fn whole_lines_are_read_and_half_huge_and_foreign_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        let huge = "x".repeat(50);
        let text = format!(
            "{{\"n\":1}}\n{huge}\n{{\"type\":\"api-request-blob\"}}\n\n\u{fc}\n{{\"n\":2}}\n{{\"half"
        );
        let mut text = text.into_bytes();
        text.splice(0..0, *b"\xff\n");
        written(folder.path(), "-work-a-b", id, &text);
        assert_eq!(read_from(folder.path(), id), ["{\"n\":1}", "\u{fc}", "{\"n\":2}"]);
    }

    #[test]
    fn a_conversation_of_another_folder_is_found_and_a_missing_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        written(folder.path(), "-elsewhere", id, b"{}\n");
        assert_eq!(read_from(folder.path(), id), ["{}"]);
        assert!(read_from(folder.path(), Uuid::now_v7()).is_empty());
        assert!(read_from(&folder.path().join("none"), id).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_at_the_end_is_the_end() {
        let mut reader = BufReader::new(&b"12345"[..]);
        assert_eq!(next_line(&mut reader, 4).unwrap(), None);
        let mut reader = BufReader::new(&b"12345678\nab\n"[..]);
        assert_eq!(next_line(&mut reader, 4).unwrap(), Some(Vec::new()));
        assert_eq!(next_line(&mut reader, 4).unwrap(), Some(b"ab".to_vec()));
    }
}
