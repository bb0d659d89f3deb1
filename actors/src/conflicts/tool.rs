//! What a tool of an agent makes of a file, read from what the tool is called with. Pure.

use serde_json::{Map, Value};

use super::{Edit, apply};

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// This.
    Text(String),
    /// The tool will say itself that this does not work.
    Misfit,
    /// Nobody can say.
    Unknown,
}

/// The file after the tool has been used, had it this content before.
#[must_use]
pub fn made(tool: &str, input: &Map<String, Value>, before: &str) -> Made {
    if tool == "Write" {
        let content = input.get("content").and_then(Value::as_str);
        return content.map_or(Made::Misfit, |content| Made::Text(content.to_owned()));
    }
    match edits(tool, input) {
        Some(edits) => apply(before, &edits).map_or(Made::Misfit, Made::Text),
        None => Made::Unknown,
    }
}

/// The replacements that a tool makes; none where it does not say them.
fn edits(tool: &str, input: &Map<String, Value>) -> Option<Vec<Edit>> {
    let edit = |fields: &Map<String, Value>| {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_for_all = fields.get("replace_all").and_then(Value::as_bool).unwrap_or(false);
        Some(Edit { old: text("old_string")?, new: text("new_string")?, is_for_all })
    };
    match tool {
        "Edit" => edit(input).map(|edit| vec![edit]),
        "MultiEdit" => {
            input.get("edits")?.as_array()?.iter().map(|fields| edit(fields.as_object()?)).collect()
        }
        _ => None,
    }
}

/// Whether this is what a tool made that was to make `meant`. The CLI's own tidying counts as meant: line ends, blanks at
/// the end of a line or of the file, and straight quotes for curly ones.
#[must_use]
pub fn is_as_meant(meant: &str, there: &[u8]) -> bool {
    let Ok(there) = std::str::from_utf8(there) else { return false };
    meant == there || tidy(meant).eq(tidy(there))
}

fn tidy(text: &str) -> impl Iterator<Item = char> + '_ {
    let lines = text.trim_end().lines();
    lines.flat_map(|line| line.trim_end().chars().map(straight).chain(std::iter::once('\n')))
}

const fn straight(letter: char) -> char {
    match letter {
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(tool: &str, input: &Value, before: &str) -> Made {
        made(tool, input.as_object().unwrap(), before)
    }

    #[test]
    fn what_a_tool_makes_is_told_from_its_input() {
        let text = |text: &str| Made::Text(text.to_owned());
        assert_eq!(of("Write", &json!({"content": "x"}), "old"), text("x"));
        assert_eq!(of("Edit", &json!({"old_string": "a", "new_string": "b"}), "a."), text("b."));
        assert_eq!(of("Edit", &json!({"old_string": "c", "new_string": "b"}), "a."), Made::Misfit);
        let edits = json!({"edits": [{"old_string": "a", "new_string": "b", "replace_all": true}]});
        assert_eq!(of("MultiEdit", &edits, "a a"), text("b b"));
        assert_eq!(of("NotebookEdit", &json!({"new_source": "x"}), "{}"), Made::Unknown);
        assert_eq!(of("Write", &json!({}), ""), Made::Misfit);
    }

    #[test]
    fn tidying_is_no_difference_and_words_are() {
        assert!(is_as_meant("a \r\nb\u{2019}s\n\n", b"a\nb's"));
        assert!(!is_as_meant("a\nb\n", b"a\nc\n"));
        assert!(!is_as_meant("a\nb\n", b"a b\n"));
        assert!(!is_as_meant("a\n\nb\n", b"a\nb\n"));
        assert!(!is_as_meant("a", b"\xff"));
    }
}
