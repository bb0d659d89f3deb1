//! How far a turn has come, as its lines in the transcript show.

use std::collections::BTreeSet;

use super::End;
use super::entry::{Entry, Kind};
use crate::clock::Timestamp;
use crate::event::Outcome;

/// A turn, read line by line.
#[derive(Debug)]
pub(super) struct Progress {
    last: Kind,
    /// Tool calls whose outcome has not been seen.
    open_calls: BTreeSet<String>,
    /// The text of the latest answer, and that answer's name.
    text: String,
    answer: Option<String>,
    /// The agent has put its mark behind the last line.
    is_marked: bool,
    began_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

impl Progress {
    /// Begins with the message.
    pub(super) fn begin(prompt: &Entry<'_>) -> Self {
        Self {
            last: Kind::Prompt,
            open_calls: BTreeSet::new(),
            text: String::new(),
            answer: None,
            is_marked: false,
            began_at: prompt.at,
            last_at: None,
        }
    }

    /// Goes on by one line.
    pub(super) fn take_in(&mut self, entry: &Entry<'_>) {
        if entry.kind == Kind::LastPrompt {
            self.is_marked = true;
            return;
        }
        self.is_marked = false;
        self.last = entry.kind;
        self.last_at = entry.at.or(self.last_at);
        self.open_calls.extend(entry.calls.iter().cloned());
        for outcome in &entry.outcomes {
            self.open_calls.remove(outcome);
        }
        if matches!(entry.kind, Kind::Answer { .. } | Kind::Failure) {
            if entry.answer != self.answer {
                self.text.clear();
                self.answer.clone_from(&entry.answer);
            }
            self.text.push_str(&entry.text);
        }
    }

    /// How the turn has ended; `None`: it had not, or nobody can tell.
    pub(super) fn end(&self) -> Option<End> {
        // The blocks of an answer are lines of their own: one without text may be followed by one with it, unless the
        // agent has put its mark behind it. The mark alone says nothing: it is written at shutdown too.
        let has_answered = self.open_calls.is_empty() && (!self.text.is_empty() || self.is_marked);
        let outcome = match self.last {
            Kind::Answer { is_last: true } if has_answered => Outcome::Completed,
            Kind::Failure => Outcome::Failed,
            Kind::Interruption => Outcome::Interrupted,
            _ => return None,
        };
        let text = Some(self.text.clone()).filter(|_| outcome != Outcome::Interrupted);
        let duration_ms = self.began_at.zip(self.last_at).map(|(began, last)| last.millis_since(began));
        Some(End { outcome, text, duration_ms })
    }
}
