//! What a tool call touches, read from what the tool is called with. Pure.
//!
//! | tool | touches |
//! |---|---|
//! | Edit, MultiEdit, Write, NotebookEdit | the file, which is locked |
//! | Read | the file, of which it is noted what was in it |
//! | Bash | the branches of repositories that a git command in it changes |

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::git::{GitUse, git_uses};
use crate::blobs::BlobHash;

/// What one call touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    /// Nothing that is guarded.
    Nothing,
    /// It reads a file.
    Read(PathBuf),
    /// It replaces the whole of a file.
    Write {
        /// Which; absolute, links not resolved.
        path: PathBuf,
        /// The hash of what is written.
        content: BlobHash,
    },
    /// It changes places in a file, which must be as the agent knows them.
    Edit(PathBuf),
    /// It changes repositories.
    Git(Vec<GitUse>),
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    file_path: Option<&'a RawValue>,
    #[serde(borrow)]
    notebook_path: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    command: Option<&'a RawValue>,
}

/// Reads a call. One that lacks what the tool needs touches nothing, because the tool refuses it.
#[must_use]
pub fn touch(tool: &str, input: &RawValue, cwd: &Path) -> Touch {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(input.get()) else { return Touch::Nothing };
    let path = |raw: Option<&RawValue>| text(raw).map(|path| absolute(&path, cwd));
    let touched = match tool {
        "Read" => path(fields.file_path).map(Touch::Read),
        "Edit" | "MultiEdit" => path(fields.file_path).map(Touch::Edit),
        "NotebookEdit" => path(fields.notebook_path).map(Touch::Edit),
        "Write" => path(fields.file_path)
            .zip(text(fields.content))
            .map(|(path, content)| Touch::Write { path, content: BlobHash::of(content.as_bytes()) }),
        "Bash" => text(fields.command)
            .map(|line| git_uses(&line, cwd))
            .filter(|uses| !uses.is_empty())
            .map(Touch::Git),
        _ => None,
    };
    touched.unwrap_or(Touch::Nothing)
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?.get();
    // Half of a surrogate pair is no text here, and is to the agent, which writes U+FFFD for it.
    serde_json::from_str(raw).ok().or_else(|| serde_json::from_str(raw).ok().map(|Torn(text)| text))
}

/// Text that may hold halves of surrogate pairs.
struct Torn(String);

impl<'de> Deserialize<'de> for Torn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TornVisitor)
    }
}

struct TornVisitor;

impl Visitor<'_> for TornVisitor {
    type Value = Torn;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Torn, E> {
        let mut whole = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            // How serde_json hands over half a pair: as three bytes that UTF-8 does not have (WTF-8).
            if *first == 0xED && behind.len() >= 2 && behind[0] >= 0xA0 {
                whole.extend_from_slice("\u{FFFD}".as_bytes());
                rest = &behind[2..];
            } else {
                whole.push(*first);
                rest = behind;
            }
        }
        String::from_utf8(whole).map(Torn).map_err(E::custom)
    }
}

/// As the agent understands it: `.` and `..` are taken away before links are looked at, `~` is the home folder.
fn absolute(path: &str, cwd: &Path) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let path = match path.strip_prefix("~/").and_then(|rest| Some(home()?.join(rest))) {
        Some(at_home) => at_home,
        None => cwd.join(path),
    };
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn of(tool: &str, input: &Value) -> Touch {
        let input = RawValue::from_string(input.to_string()).unwrap();
        touch(tool, &input, Path::new("/p"))
    }

    #[test]
    fn tools_that_write_name_their_file() {
        assert_eq!(of("Edit", &json!({"file_path": "/p/a", "old_string": "x"})), Touch::Edit("/p/a".into()));
        assert_eq!(of("MultiEdit", &json!({"file_path": "b/./c/../a"})), Touch::Edit("/p/b/a".into()));
        assert_eq!(
            of("NotebookEdit", &json!({"notebook_path": "n.ipynb"})),
            Touch::Edit("/p/n.ipynb".into())
        );
        assert_eq!(of("Read", &json!({"file_path": "/etc/../x", "limit": 3})), Touch::Read("/x".into()));
        assert_eq!(
            of("Write", &json!({"file_path": "/p/a", "content": "hello"})),
            Touch::Write { path: "/p/a".into(), content: BlobHash::of(b"hello") }
        );
    }

    #[test]
    fn half_a_letter_hides_nothing() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let written = touch("Write", &raw(r#"{"file_path": "a", "content": "x\ud83dy"}"#), Path::new("/p"));
        let content = BlobHash::of("x\u{FFFD}y".as_bytes());
        assert_eq!(written, Touch::Write { path: "/p/a".into(), content });
        let run = touch("Bash", &raw(r#"{"command": "git commit -m '\udc00\ud83d'"}"#), Path::new("/p"));
        assert!(matches!(run, Touch::Git(_)), "{run:?}");
        let whole = touch("Write", &raw(r#"{"file_path": "a", "content": "\ud83d\ude00"}"#), Path::new("/p"));
        let content = BlobHash::of("😀".as_bytes());
        assert_eq!(whole, Touch::Write { path: "/p/a".into(), content });
    }

    #[test]
    fn commands_name_repositories_and_other_tools_nothing() {
        let Touch::Git(uses) = of("Bash", &json!({"command": "cd x && git commit"})) else { panic!("none") };
        assert_eq!(uses[0].folder, Path::new("/p/x"));
        for (tool, input) in [
            ("Bash", json!({"command": "git status"})),
            ("Glob", json!({"file_path": "/a"})),
            ("Write", json!({"file_path": "/a"})),
            ("Write", json!({"file_path": 7, "content": "x"})),
            ("Edit", json!({})),
            ("Edit", json!([])),
            ("Bash", json!({"command": null})),
        ] {
            assert_eq!(of(tool, &input), Touch::Nothing, "{tool} {input}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(tool in "Edit|Write|Bash|Read|NotebookEdit|x", path in any::<String>()) {
            let _ = of(&tool, &json!({"file_path": path, "content": path, "command": path, "notebook_path": path}));
        }
    }
}
