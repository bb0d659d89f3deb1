//! Two sets of changes of the same lines, put together; what touches is a person's to decide, as it is for git.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};

/// The merged text, and whether it has places with markers.
pub(super) struct Combined {
    pub(super) text: String,
    pub(super) is_clean: bool,
}

/// One version of the text, by its changes.
struct Side<'a> {
    lines: Vec<&'a str>,
    changes: Vec<Hunk>,
    /// The next change.
    at: usize,
    /// How far its lines are behind those of the base, up to the next change.
    shift: i64,
}

/// Merges texts in which every line ends with a newline.
pub(super) fn combine(base: &str, ours: &str, theirs: &str, marker: usize) -> Combined {
    let base_lines: Vec<&str> = base.split_inclusive('\n').collect();
    let (mut ours, mut theirs) = (Side::new(base, ours), Side::new(base, theirs));
    let mut combined = Combined { text: String::with_capacity(base.len()), is_clean: true };
    let mut done = 0;
    while let Some(place) = next_place(&ours, &theirs) {
        combined.push(&base_lines[done..place.start]);
        done = place.end;
        let (by_ours, by_theirs) = (ours.take(&place), theirs.take(&place));
        match (by_ours, by_theirs) {
            (Some(by_ours), Some(by_theirs)) if by_ours != by_theirs => {
                combined.mark(by_ours, &base_lines[place], by_theirs, marker);
            }
            (Some(lines), _) | (None, Some(lines)) => combined.push(lines),
            (None, None) => combined.push(&base_lines[place]),
        }
    }
    combined.push(&base_lines[done..]);
    combined
}

/// The lines of the base that the next changes are about: one change, or as many as touch each other.
fn next_place(ours: &Side<'_>, theirs: &Side<'_>) -> Option<Range<usize>> {
    let first = |side: &Side<'_>| side.changes.get(side.at).map(|change| lines_of(&change.before));
    let begin = match (first(ours), first(theirs)) {
        (Some(ours), Some(theirs)) => ours.start.min(theirs.start),
        (ours, theirs) => ours.or(theirs)?.start,
    };
    let mut place = begin..begin;
    let (mut by_ours, mut by_theirs) = (ours.at, theirs.at);
    loop {
        let before = (by_ours, by_theirs);
        by_ours = ours.reach(by_ours, &mut place);
        by_theirs = theirs.reach(by_theirs, &mut place);
        if (by_ours, by_theirs) == before {
            return Some(place);
        }
    }
}

impl<'a> Side<'a> {
    fn new(base: &str, text: &'a str) -> Self {
        let input = InternedInput::new(base, text);
        let mut diff = Diff::compute(Algorithm::Histogram, &input);
        // Where a change could as well stand some lines up or down, both sides choose the same place.
        diff.postprocess_lines(&input);
        let lines = text.split_inclusive('\n').collect();
        Self { lines, changes: diff.hunks().collect(), at: 0, shift: 0 }
    }

    /// Lets a place grow over the changes that touch it; returns the first one behind it.
    fn reach(&self, mut next: usize, place: &mut Range<usize>) -> usize {
        while let Some(change) = self.changes.get(next).map(|change| lines_of(&change.before)) {
            if change.start > place.end {
                break;
            }
            place.end = place.end.max(change.end);
            next += 1;
        }
        next
    }

    /// Its lines at a place; none where it has changed nothing there.
    fn take(&mut self, place: &Range<usize>) -> Option<&[&'a str]> {
        let begin = shifted(place.start, self.shift);
        let mut has_changed = false;
        while let Some(change) =
            self.changes.get(self.at).filter(|change| lines_of(&change.before).start <= place.end)
        {
            self.shift += i64::from(change.after.end) - i64::from(change.after.start);
            self.shift -= i64::from(change.before.end) - i64::from(change.before.start);
            self.at += 1;
            has_changed = true;
        }
        has_changed.then(|| &self.lines[begin..shifted(place.end, self.shift)])
    }
}

impl Combined {
    fn push(&mut self, lines: &[&str]) {
        self.text.extend(lines.iter().copied());
    }

    fn mark(&mut self, ours: &[&str], base: &[&str], theirs: &[&str], marker: usize) {
        self.is_clean = false;
        for (letter, name, lines) in [("<", " ours", ours), ("|", " original", base), ("=", "", theirs)] {
            self.text.extend([&*letter.repeat(marker), name, "\n"]);
            self.push(lines);
        }
        self.text.extend([&*">".repeat(marker), " theirs\n"]);
    }
}

fn lines_of(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

fn shifted(line: usize, shift: i64) -> usize {
    usize::try_from(i64::try_from(line).unwrap_or(i64::MAX).saturating_add(shift)).unwrap_or(0)
}
