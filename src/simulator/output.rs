//! The simulator's stdout: whole lines, buffered, written out when the simulator waits.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd as _;

use serde_json::{Value, json};
use uuid::Uuid;

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 256 * 1024;

/// Where the lines go.
pub(super) struct Output(BufWriter<File>);

impl Output {
    /// Takes a descriptor of its own, because the standard library's stdout is written out at every line.
    pub(super) fn stdout() -> io::Result<Self> {
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self(BufWriter::with_capacity(BUFFER_BYTES, stdout)))
    }

    /// Prints one message. When nobody reads any more there is nothing left to do, so the process ends.
    pub(super) fn line(&mut self, message: &Value) {
        let written = serde_json::to_writer(&mut self.0, message)
            .map_err(io::Error::from)
            .and_then(|()| self.0.write_all(b"\n"));
        end_if_unread(&written);
    }

    /// Prints bytes as they are; they need not be a message.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        end_if_unread(&self.0.write_all(bytes));
    }

    /// Writes out what was gathered.
    pub(super) fn flush(&mut self) {
        end_if_unread(&self.0.flush());
    }

    /// Prints `count` messages of about `bytes` of text each, as fast as possible.
    ///
    /// The line is formatted once; only its number (in the text and in the `uuid`) is written anew.
    pub(super) fn burst(&mut self, session: Uuid, model: &str, count: u64, bytes: usize) {
        const NUMBER: &str = "000000000000";
        let text = format!("{NUMBER} {}", "x".repeat(bytes.saturating_sub(NUMBER.len() + 1)));
        let uuid = format!("00000000-0000-4000-8000-{NUMBER}");
        let mut line = assistant(session, model, &uuid, &json!([{"type": "text", "text": text}])).to_string();
        line.push('\n');
        let places: Vec<usize> = line.match_indices(NUMBER).map(|(place, _)| place).collect();
        let mut line = line.into_bytes();
        for number in 0..count {
            let digits = format!("{number:012}");
            for place in &places {
                line[*place..*place + NUMBER.len()].copy_from_slice(digits.as_bytes());
            }
            self.raw(&line);
        }
    }
}

/// One message of the model.
pub(super) fn assistant(session: Uuid, model: &str, uuid: &str, content: &Value) -> Value {
    json!({
        "type": "assistant",
        "message": {
            "id": format!("msg_{uuid}"), "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 5},
        },
        "parent_tool_use_id": null, "session_id": session, "uuid": uuid,
    })
}

fn end_if_unread(written: &io::Result<()>) {
    if written.is_err() {
        std::process::exit(1);
    }
}
