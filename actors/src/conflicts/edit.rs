//! Edits as an agent's tool makes them: one text in a file becomes another.

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is there; once, unless all of them are meant.
    pub old: String,
    /// What is to be there.
    pub new: String,
    /// Whether every place is meant.
    pub is_for_all: bool,
}

/// The text after all edits, one after the other; none when one of them does not fit, as the tool itself would say.
///
/// The tool reads and writes line endings as newlines, so the edits are tried so as well; the text keeps its own.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> Option<String> {
    let has_crlf = text.contains("\r\n");
    let mut edited = text.replace("\r\n", "\n");
    for edit in edits {
        let count = if edit.old.is_empty() { 0 } else { edited.matches(&edit.old).count() };
        edited = match count {
            // An empty file is begun by an edit of nothing.
            0 if edit.old.is_empty() && edited.is_empty() => edit.new.clone(),
            1 => edited.replacen(&edit.old, &edit.new, 1),
            count if count > 1 && edit.is_for_all => edited.replace(&edit.old, &edit.new),
            _ => return None,
        };
    }
    Some(if has_crlf { edited.replace('\n', "\r\n") } else { edited })
}

/// The edit that makes one text of the other: as short as it can be while what it replaces is there only once.
#[must_use]
pub fn edit_between(from: &str, to: &str) -> Edit {
    let (from, to) = (from.replace("\r\n", "\n"), to.replace("\r\n", "\n"));
    let from_lines: Vec<&str> = from.split_inclusive('\n').collect();
    let to_lines: Vec<&str> = to.split_inclusive('\n').collect();
    let shorter = from_lines.len().min(to_lines.len());
    let mut before = from_lines.iter().zip(&to_lines).take_while(|(one, other)| one == other).count();
    let after = from_lines.iter().rev().zip(to_lines.iter().rev());
    let mut after = after.take_while(|(one, other)| one == other).count().min(shorter - before);
    loop {
        let old = from_lines[before..from_lines.len() - after].concat();
        if is_once(&from, &old) || (before == 0 && after == 0) {
            let new = to_lines[before..to_lines.len() - after].concat();
            return Edit { old, new, is_for_all: false };
        }
        before = before.saturating_sub(1);
        after = after.saturating_sub(1);
    }
}

/// Overlapping places count too: only one that is alone is surely the one that is meant.
fn is_once(text: &str, part: &str) -> bool {
    !part.is_empty() && text.find(part) == text.rfind(part) && text.contains(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit(old: &str, new: &str, is_for_all: bool) -> Edit {
        Edit { old: old.into(), new: new.into(), is_for_all }
    }

    #[test]
    fn edits_fit_as_the_tool_makes_them() {
        let applied = |text: &str, edits: &[Edit]| apply(text, edits);
        assert_eq!(applied("a b a", &[edit("b", "c", false)]).as_deref(), Some("a c a"));
        assert_eq!(applied("a b a", &[edit("a", "c", false)]), None, "twice");
        assert_eq!(applied("a b a", &[edit("a", "c", true)]).as_deref(), Some("c b c"));
        assert_eq!(applied("a", &[edit("x", "y", false)]), None);
        assert_eq!(applied("a", &[edit("a", "b", false), edit("b", "c", false)]).as_deref(), Some("c"));
        assert_eq!(applied("", &[edit("", "new", false)]).as_deref(), Some("new"));
        assert_eq!(applied("a", &[edit("", "new", false)]), None);
        assert_eq!(applied("a\r\nb\r\n", &[edit("a\nb", "c", false)]).as_deref(), Some("c\r\n"));
    }

    proptest! {
        #[test]
        fn the_edit_between_two_texts_leads_from_one_to_the_other(from in "[ab\n]{0,24}", to in "[ab\n]{0,24}") {
            let edit = edit_between(&from, &to);
            prop_assert_eq!(apply(&from, &[edit]), Some(to));
        }
    }
}
