//! From a text with markers to the marked places alone, with a few lines around them.

/// Lines around a place, as `diff -u` shows them.
const AROUND: usize = 3;

/// A model reads it within a tool's answer, and a phone shows it: more is looked at in the file itself.
const MAX_HUNK_BYTES: usize = 16 << 10;

/// The marked places; what is left out is an ellipsis on a line of its own.
pub(super) fn cut(marked: &str, marker: usize) -> String {
    let lines: Vec<&str> = marked.split_inclusive('\n').collect();
    let keeps = keeps(&lines, marker);
    let mut hunks = String::new();
    let mut was_left_out = false;
    for (line, is_kept) in lines.iter().zip(keeps) {
        if !is_kept {
            was_left_out = true;
            continue;
        }
        if std::mem::take(&mut was_left_out) {
            hunks.push_str("…\n");
        }
        if hunks.len() + line.len() > MAX_HUNK_BYTES {
            let room = MAX_HUNK_BYTES.saturating_sub(hunks.len());
            hunks.push_str(&line[..line.floor_char_boundary(room)]);
            hunks.push_str("\n… (the rest is left out)\n");
            return hunks;
        }
        hunks.push_str(line);
    }
    if was_left_out {
        hunks.push_str("…\n");
    }
    hunks
}

fn keeps(lines: &[&str], marker: usize) -> Vec<bool> {
    let mut keeps = vec![false; lines.len()];
    let mut begun = None;
    for (at, line) in lines.iter().enumerate() {
        if is_marker(line, '<', marker) {
            begun = Some(at);
        } else if is_marker(line, '>', marker)
            && let Some(begin) = begun.take()
        {
            let end = (at + AROUND + 1).min(lines.len());
            keeps[begin.saturating_sub(AROUND)..end].fill(true);
        }
    }
    keeps
}

fn is_marker(line: &str, letter: char, marker: usize) -> bool {
    let rest = line.trim_start_matches(letter);
    line.len() - rest.len() == marker && rest.starts_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marked_places_are_kept_with_some_lines_around() {
        let before: String = (1..=9).map(|line| format!("{line}\n")).collect();
        let place = "<<<<<<< ours\na\n||||||| original\nb\n=======\nc\n>>>>>>> theirs\n";
        let hunks = cut(&format!("{before}{place}{before}"), 7);
        assert_eq!(hunks, format!("…\n7\n8\n9\n{place}1\n2\n3\n…\n"));
    }

    #[test]
    fn what_nobody_reads_is_left_out() {
        let long = "ü".repeat(MAX_HUNK_BYTES);
        let hunks = cut(&format!("<<<<<<< ours\n{long}\n=======\nc\n>>>>>>> theirs\n"), 7);
        assert!(hunks.len() < MAX_HUNK_BYTES + 100 && hunks.ends_with("(the rest is left out)\n"));
    }
}
