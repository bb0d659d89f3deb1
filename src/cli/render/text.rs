//! Text that may be shown on a terminal: nothing in it can move the cursor, and it is as long as it may be.

use serde_json::Value;

/// How much of something is shown where one line is enough.
const BRIEF_CHARS: usize = 160;

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a file, a pipe, and whoever does not want colours.
    Plain,
    /// For a terminal.
    Coloured,
}

impl Style {
    /// What is said beside the conversation.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Who speaks.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What went wrong.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// What waits for a person.
    #[must_use]
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// What the agent does.
    #[must_use]
    pub fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// Takes out what would steer the terminal: all control characters but newline and tab.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() || "\n\t".contains(*character)).collect()
}

/// One line, cut where it gets long.
#[must_use]
pub fn brief(text: &str) -> String {
    let line = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(BRIEF_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A tool call in one line: the one input that says most, or all of them.
#[must_use]
pub fn tool_line(name: &str, input: &Value) -> String {
    let telling = ["command", "file_path", "path", "pattern", "url", "query", "description", "prompt"];
    let found = telling.iter().find_map(|field| input[*field].as_str());
    let text = found.map_or_else(|| input.to_string(), str::to_owned);
    brief(&format!("{name} {text}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\r\x07\tc\n\u{9b}31m"), "a[2Jb\tc\n31m");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(brief("one\n  two"), "one two");
        let long = brief(&"ü".repeat(500));
        assert_eq!(long.chars().count(), BRIEF_CHARS + 1);
    }

    #[test]
    fn a_tool_call_shows_what_says_most() {
        assert_eq!(tool_line("Bash", &json!({"command": "ls -la", "description": "List"})), "Bash ls -la");
        assert_eq!(tool_line("Odd", &json!({"n": 1})), r#"Odd {"n":1}"#);
    }

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(Style::Plain.red("x"), "x");
        assert_eq!(Style::Coloured.red("x"), "\x1b[31mx\x1b[0m");
    }
}
