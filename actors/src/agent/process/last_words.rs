//! The last that was heard of a process, to be quoted when it is gone, and what can be told from it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::ExitCause;

/// How much is kept: a screen of text. The end is what tells.
const MAX_BYTES: usize = 4 * 1024;

/// Shared by those who listen to one process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<u8>>>);

impl LastWords {
    /// Adds what was heard.
    pub(super) fn hear(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = &bytes[bytes.len().saturating_sub(MAX_BYTES)..];
        let too_many = (kept.len() + end.len()).saturating_sub(MAX_BYTES);
        kept.drain(..too_many);
        kept.extend(end);
    }

    /// All that is kept as printable text of at most 4 KiB.
    pub(super) fn text(&self) -> String {
        let kept: Vec<u8> = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().copied().collect()
        };
        let mut text: String = String::from_utf8_lossy(&kept)
            .chars()
            .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
            .collect();
        // A stand-in for a broken character is longer than what it stands for.
        while text.len() > MAX_BYTES {
            text.remove(0);
        }
        text.trim().to_owned()
    }
}

/// What a start-up failure was, by the CLI's own words; none when they say nothing that is known.
pub(super) fn cause(last_words: &str) -> Option<ExitCause> {
    let says = |words: &str| last_words.contains(words);
    if says("Session ID") && says("is already in use") {
        Some(ExitCause::ConversationExists)
    } else if says("No conversation found with session ID") {
        Some(ExitCause::NoConversation)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_made_printable() {
        let words = LastWords::default();
        words.hear(&vec![b'a'; 10_000]);
        words.hear("\x1b[31mred\u{7} \u{fc}\n".as_bytes());
        let text = words.text();
        assert!(text.ends_with("[31mred ü"), "{text}");
        assert!(text.len() <= MAX_BYTES);
        words.hear(&vec![0xff; 10_000]);
        assert!(words.text().len() <= MAX_BYTES);
    }

    #[test]
    fn the_clis_own_words_tell_what_went_wrong() {
        let in_use = "Error: Session ID 834c990a-5046-44a2-a6ae-c92241a4eda6 is already in use.";
        let unknown = "No conversation found with session ID: 6f96d711-03f0-43c2-afde-69007e46e08c";
        assert_eq!(cause(in_use), Some(ExitCause::ConversationExists));
        assert_eq!(cause(unknown), Some(ExitCause::NoConversation));
        assert_eq!(cause("error: unknown option '--nonsense'"), None);
    }
}
