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

/// The edit that makes one text of the other: the lines that differ, with as many around them as it takes to be there only
/// once. Their number is doubled until then: a text is searched some twenty times at most, however it repeats itself.
#[must_use]
pub fn edit_between(from: &str, to: &str) -> Edit {
    let (from, to) = (from.replace("\r\n", "\n"), to.replace("\r\n", "\n"));
    let (from_ends, to_ends) = (line_ends(&from), line_ends(&to));
    let (from_lines, to_lines) = (from_ends.len() - 1, to_ends.len() - 1);
    let from_line = |number: usize| &from[from_ends[number]..from_ends[number + 1]];
    let to_line = |number: usize| &to[to_ends[number]..to_ends[number + 1]];
    let shorter = from_lines.min(to_lines);
    let mut before = (0..shorter).take_while(|at| from_line(*at) == to_line(*at)).count();
    let is_same_after = |at: &usize| from_line(from_lines - 1 - at) == to_line(to_lines - 1 - at);
    let mut after = (0..shorter - before).take_while(is_same_after).count();
    let mut more = 1;
    loop {
        let old = &from[from_ends[before]..from_ends[from_lines - after]];
        if is_once(&from, old) || (before == 0 && after == 0) {
            let new = &to[to_ends[before]..to_ends[to_lines - after]];
            return Edit { old: old.to_owned(), new: new.to_owned(), is_for_all: false };
        }
        before = before.saturating_sub(more);
        after = after.saturating_sub(more);
        more *= 2;
    }
}

/// Where lines end; the first one begins at the end of none.
fn line_ends(text: &str) -> Vec<usize> {
    let mut ends = vec![0];
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        ends.push(end);
    }
    ends
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

    #[test]
    fn lines_that_repeat_themselves_take_no_longer() {
        let lines = "x\n".repeat(200_000);
        let begun = std::time::Instant::now();
        let edit = edit_between(&lines, &format!("{}y\n{}", &lines[..200_000], &lines[200_000..]));
        // Line by line it would be 100,000 searches of 400 kB: minutes.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
        assert_eq!(edit.new.len(), edit.old.len() + 2);
    }

    proptest! {
        #[test]
        fn the_edit_between_two_texts_leads_from_one_to_the_other(from in "[ab\n]{0,24}", to in "[ab\n]{0,24}") {
            let edit = edit_between(&from, &to);
            prop_assert_eq!(apply(&from, &[edit]), Some(to));
        }
    }
}
