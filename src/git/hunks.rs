//! The places of a file that do not merge, as git marks them, with a little of what is around them. Pure.

use super::status::Clash;

/// Lines shown before and behind a place.
const AROUND: usize = 3;

/// What is shown of all files together; a person looks at the rest in the repository.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// Says that there is more.
const CUT: &str = "…\n";

/// Puts places together until there is enough.
#[derive(Debug, Default)]
pub(super) struct Hunks {
    text: String,
    is_full: bool,
}

impl Hunks {
    /// Adds one file; `content` is what lies in the tree, None for what is no text or is not there.
    pub(super) fn add(&mut self, path: &str, clash: Clash, content: Option<&str>) {
        self.push(&format!("=== {path}: {}\n", clash.in_words()));
        let Some(content) = content else { return };
        let lines: Vec<&str> = content.split_inclusive('\n').collect();
        let mut shown_up_to = 0;
        for (begin, end) in places(&lines) {
            let first = begin.saturating_sub(AROUND).max(shown_up_to);
            let behind = (end + AROUND).min(lines.len());
            if first > shown_up_to || shown_up_to == 0 {
                self.push(&format!("@@ line {}\n", first + 1));
            }
            for line in &lines[first..behind] {
                self.push(line);
                if !line.ends_with('\n') {
                    self.push("\n");
                }
            }
            shown_up_to = behind;
        }
    }

    /// All of it, at most [`MAX_BYTES`].
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn push(&mut self, more: &str) {
        if self.is_full {
            return;
        }
        if self.text.len() + more.len() > MAX_BYTES - CUT.len() {
            self.is_full = true;
            self.text.push_str(CUT);
            return;
        }
        self.text.push_str(more);
    }
}

/// First line and the one behind the last of each marked place.
fn places(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    let mut begin = None;
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with("<<<<<<< ") {
            begin = Some(number);
        } else if line.starts_with(">>>>>>> ") {
            places.extend(begin.take().map(|begin| (begin, number + 1)));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_with_what_is_around_it_and_nothing_else() {
        let head: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        let content = format!("{head}<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> topic\nafter\nlast");
        let mut hunks = Hunks::default();
        hunks.add("a b.txt", Clash::BothChanged, Some(&content));
        hunks.add("gone", Clash::DeletedByThem, None);
        assert_eq!(
            hunks.into_text(),
            "=== a b.txt: changed on both sides\n@@ line 18\nline 18\nline 19\nline 20\n\
             <<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> topic\nafter\nlast\n\
             === gone: changed on our side, deleted on theirs\n"
        );
    }

    #[test]
    fn places_close_to_each_other_are_shown_once() {
        let place = "<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n";
        let mut hunks = Hunks::default();
        hunks.add("f", Clash::BothAdded, Some(&format!("{place}between\n{place}")));
        assert_eq!(hunks.into_text().matches("between").count(), 1);
    }

    #[test]
    fn much_is_cut() {
        let mut hunks = Hunks::default();
        let long = format!("<<<<<<< a\n{}=======\n>>>>>>> b\n", "0123456789\n".repeat(10_000));
        hunks.add("f", Clash::BothChanged, Some(&long));
        let text = hunks.into_text();
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 64 && text.ends_with(CUT));
    }
}
