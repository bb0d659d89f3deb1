//! The agent's answer as it is typed out: deltas as they come, and what they left out when a block is complete. Pure.

use serde_json::Value;

/// What has been shown of the block that is being written.
///
/// Deltas are hints: some may be missing, or all. A complete block always comes as an `agent_message`, so in the end
/// everything has been shown.
#[derive(Debug, Default)]
pub struct Answer {
    shown: String,
    index: Option<u64>,
    /// A piece is missing: nothing more of this block is shown until it is complete.
    is_torn: bool,
}

impl Answer {
    /// Goes on behind the text that a session's state has of the running answer.
    #[must_use]
    pub fn continuing(text: &str) -> Self {
        Self { shown: text.to_owned(), ..Self::default() }
    }

    /// Whether a block has been begun and is not complete.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Takes the data of a `delta` and returns what is new in it.
    pub fn delta(&mut self, data: &Value) -> String {
        let text = data["text"].as_str().unwrap_or_default();
        let index = data["index"].as_u64().unwrap_or_default();
        if self.index.is_some_and(|current| current != index) {
            *self = Self::default();
        }
        self.index = Some(index);
        let shown_chars = self.shown.chars().count();
        let offset = data["offset"].as_u64().and_then(|offset| usize::try_from(offset).ok());
        let offset = offset.unwrap_or(shown_chars);
        self.is_torn |= offset > shown_chars;
        if self.is_torn {
            return String::new();
        }
        let new: String = text.chars().skip(shown_chars - offset).collect();
        self.shown.push_str(&new);
        new
    }

    /// A block of text is complete: returns what was not shown of it, and ends the line.
    pub fn complete(&mut self, text: &str) -> String {
        let shown = std::mem::take(self).shown;
        match text.strip_prefix(&shown) {
            Some(rest) => format!("{rest}\n"),
            // What was shown is not how it begins; better twice than wrong.
            None => format!("\n{text}\n"),
        }
    }

    /// The turn is over; what is open will not be completed. Ends the line if there is one.
    pub fn end(&mut self) -> &'static str {
        let was_open = self.is_open();
        *self = Self::default();
        if was_open { "\n" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delta(index: u64, offset: u64, text: &str) -> Value {
        json!({"messageId": "m", "index": index, "offset": offset, "text": text})
    }

    #[test]
    fn deltas_are_shown_as_they_come_and_not_again() {
        let mut answer = Answer::default();
        assert_eq!(answer.delta(&delta(0, 0, "Hé")), "Hé");
        assert_eq!(answer.delta(&delta(0, 2, "llo")), "llo");
        assert_eq!(answer.complete("Héllo"), "\n");
        assert_eq!(answer.delta(&delta(1, 0, "next")), "next");
    }

    #[test]
    fn without_deltas_the_whole_block_is_shown() {
        assert_eq!(Answer::default().complete("all of it"), "all of it\n");
    }

    #[test]
    fn what_a_missing_delta_leaves_out_comes_with_the_whole() {
        let mut answer = Answer::default();
        answer.delta(&delta(0, 0, "one "));
        assert_eq!(answer.delta(&delta(0, 8, "three")), "");
        assert_eq!(answer.delta(&delta(0, 13, "!")), "");
        assert_eq!(answer.complete("one two three!"), "two three!\n");
    }

    #[test]
    fn a_delta_that_is_known_in_part_adds_the_rest() {
        let mut answer = Answer::continuing("abc");
        assert_eq!(answer.delta(&delta(4, 1, "bcde")), "de");
    }

    #[test]
    fn deltas_without_an_offset_are_checked_at_the_end() {
        let mut answer = Answer::default();
        answer.delta(&json!({"index": 0, "text": "one "}));
        answer.delta(&json!({"index": 0, "text": "three"}));
        assert_eq!(answer.complete("one two three"), "\none two three\n");
    }

    #[test]
    fn an_answer_that_is_cut_off_ends_its_line() {
        let mut answer = Answer::default();
        assert_eq!(answer.end(), "");
        answer.delta(&delta(0, 0, "half"));
        assert_eq!(answer.end(), "\n");
    }
}
