//! The file in which a conversation is kept, as the CLI keeps it: one JSON object a line, only ever appended to.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tandem_actors::clock::{Clock as _, SystemClock};
use uuid::Uuid;

use super::options::Conversation;

/// An open conversation.
pub(super) struct Transcript {
    pub(super) session: Uuid,
    path: PathBuf,
    file: Option<File>,
    /// What was written and not mirrored yet.
    unmirrored: Vec<Value>,
    /// All texts of the user so far, oldest first.
    pub(super) texts: Vec<String>,
    /// The messages whose turns are completed.
    pub(super) completed: HashSet<Uuid>,
    /// What the conversation has cost so far.
    pub(super) cost_usd: f64,
}

/// Why a conversation cannot be opened, in the CLI's words.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotOpen {
    #[error("Error: Session ID {0} is already in use.")]
    Exists(Uuid),
    #[error("No conversation found with session ID: {0}")]
    Unknown(Uuid),
    #[error("Error: cannot read the transcript: {0}")]
    Io(#[from] io::Error),
}

impl Transcript {
    pub(super) fn open(conversation: Conversation) -> Result<Self, CannotOpen> {
        let projects = projects_folder();
        match conversation {
            Conversation::New(session) => {
                let own = projects.join(munged(&std::env::current_dir()?));
                let transcript = Self::empty(session, own.join(format!("{session}.jsonl")));
                if transcript.path.exists() {
                    return Err(CannotOpen::Exists(session));
                }
                Ok(transcript)
            }
            Conversation::Resume(session) => {
                let path = find(&projects, session).ok_or(CannotOpen::Unknown(session))?;
                let mut transcript = Self::empty(session, path);
                let text = String::from_utf8_lossy(&fs::read(&transcript.path)?).into_owned();
                transcript.remember(&text);
                Ok(transcript)
            }
        }
    }

    /// Another conversation beside this one.
    pub(super) fn next(&self) -> Self {
        let session = Uuid::new_v4();
        Self::empty(session, self.path.with_file_name(format!("{session}.jsonl")))
    }

    fn empty(session: Uuid, path: PathBuf) -> Self {
        Self {
            session,
            path,
            file: None,
            unmirrored: Vec::new(),
            texts: Vec::new(),
            completed: HashSet::new(),
            cost_usd: 0.0,
        }
    }

    /// Reads what was written; a half line at the end of a crashed run is passed over.
    fn remember(&mut self, text: &str) {
        let mut begun = Vec::new();
        for line in text.lines() {
            let Ok(entry) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            match entry["type"].as_str() {
                Some("user") => {
                    let content = &entry["message"]["content"];
                    if is_said_by_a_person(content) {
                        self.texts.push(plain_text(content));
                        begun.extend(uuid(&entry["uuid"]));
                    }
                }
                Some("last-prompt") => self.completed.extend(begun.drain(..)),
                Some("cost-state") => {
                    self.cost_usd = entry["totalCostUSD"].as_f64().unwrap_or(self.cost_usd);
                }
                _ => {}
            }
        }
    }

    /// Appends one entry; the file is made with the first.
    pub(super) fn append(&mut self, mut entry: Value) {
        entry["sessionId"] = json!(self.session);
        entry["timestamp"] = json!(SystemClock::new().now());
        if let Err(error) = self.write(&entry) {
            // The CLI goes on as well when its disk is full.
            eprintln!("cannot write the transcript: {error}");
        }
        self.unmirrored.push(entry);
    }

    fn write(&mut self, entry: &Value) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                if let Some(folder) = self.path.parent() {
                    fs::create_dir_all(folder)?;
                }
                none.insert(OpenOptions::new().create(true).append(true).open(&self.path)?)
            }
        };
        file.write_all(format!("{entry}\n").as_bytes())
    }

    /// The mirror's line of what was written since the last one; none when nothing was.
    pub(super) fn mirror(&mut self) -> Option<Value> {
        if self.unmirrored.is_empty() {
            return None;
        }
        let entries = std::mem::take(&mut self.unmirrored);
        Some(json!({"type": "transcript_mirror", "filePath": self.path, "entries": entries}))
    }
}

/// The text of a message: a string, or the text blocks of a list.
pub(super) fn plain_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The `uuid` of a message, if it is one.
pub(super) fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

fn is_said_by_a_person(content: &Value) -> bool {
    let is_outcome = |block: &Value| block["type"] == "tool_result";
    !content.as_array().is_some_and(|blocks| blocks.iter().any(is_outcome))
        && !plain_text(content).starts_with("[Request interrupted")
}

fn projects_folder() -> PathBuf {
    let config = match std::env::var_os("CLAUDE_CONFIG_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".claude"),
    };
    config.join("projects")
}

fn munged(folder: &Path) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() { letter } else { '-' }
    };
    folder.to_string_lossy().chars().map(plain).collect()
}

/// The CLI resumes a conversation of any folder.
fn find(projects: &Path, session: Uuid) -> Option<PathBuf> {
    let name = format!("{session}.jsonl");
    let mut folders = fs::read_dir(projects).ok()?.flatten();
    folders.find_map(|folder| {
        let path = folder.path().join(&name);
        path.is_file().then_some(path)
    })
}
