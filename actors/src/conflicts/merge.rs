//! Three-way merge of text, by lines. What each side has changed is found by the library `imara-diff`, which is made never
//! to take long; `diffy`, which merges as well, compares texts that have nothing in common for minutes.
//!
//! ```text
//! base ──┬── ours    what is there now          ┐
//!        └── theirs  what somebody wants there  ┴── one text with both changes, or the places that do not fit
//! ```

mod combine;

use super::hunks;

/// What is larger is not merged: nobody reads its hunks, and a file of that size was made by a program.
pub const MAX_MERGED_BYTES: usize = 4 << 20;

/// More lines than any source has that people write; to compare so many takes a part of a second (see the tests).
const MAX_MERGED_LINES: usize = 100_000;

/// What becomes of two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// One that has the changes of both.
    Clean(String),
    /// The places where both have changed the same, as people know them from git; at most some KiB.
    Hunks(String),
}

/// Why versions are not merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmergeable {
    /// Not UTF-8, or with a NUL.
    #[error("it is no text")]
    Binary,
    /// More than [`MAX_MERGED_BYTES`], or more lines than anybody reads.
    #[error("it is too large to be merged")]
    TooLarge,
}

/// Merges what two have made of the same text.
///
/// Line endings and a missing newline at the end are changes of their own: whoever changes them alone is in nobody's way.
///
/// # Errors
/// [`Unmergeable`]: another try ends the same.
pub fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Merge, Unmergeable> {
    let (base, ours, theirs) = (text(base)?, text(ours)?, text(theirs)?);
    if ours == theirs || theirs == base {
        return Ok(Merge::Clean(ours.to_owned()));
    }
    if ours == base {
        return Ok(Merge::Clean(theirs.to_owned()));
    }
    let form = Form::decide(Form::of(base), Form::of(ours), Form::of(theirs));
    let plain = |text: &str| form.plain(text);
    let (base, ours, theirs) = (plain(base), plain(ours), plain(theirs));
    let marker = marker_length([&base, &ours, &theirs]);
    let combined = combine::combine(&base, &ours, &theirs, marker);
    Ok(match combined.is_clean {
        true => Merge::Clean(form.restore(combined.text)),
        false => Merge::Hunks(hunks::cut(&combined.text, marker)),
    })
}

/// How a text ends its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Lf,
    CrLf,
    /// Some so, some so: then carriage returns count as part of their lines.
    Mixed,
}

/// What of a text is not in its lines; none where it has too few of them to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    ending: Option<Ending>,
    is_ended: Option<bool>,
}

impl Form {
    fn of(text: &str) -> Self {
        let lines = text.matches('\n').count();
        let ending = match text.matches("\r\n").count() {
            _ if lines == 0 => None,
            0 => Some(Ending::Lf),
            crlf if crlf == lines => Some(Ending::CrLf),
            _ => Some(Ending::Mixed),
        };
        Self { ending, is_ended: (!text.is_empty()).then(|| text.ends_with('\n')) }
    }

    /// The form of the merged text: a three-way merge as well. If anything is mixed, all lines stay as they are.
    fn decide(base: Self, ours: Self, theirs: Self) -> Self {
        let endings = [base.ending, ours.ending, theirs.ending];
        let ending = if endings.contains(&Some(Ending::Mixed)) {
            Some(Ending::Mixed)
        } else {
            changed(base.ending, ours.ending, theirs.ending)
        };
        Self { ending, is_ended: changed(base.is_ended, ours.is_ended, theirs.is_ended) }
    }

    /// The text with each line ended by a newline, also the last one.
    fn plain(self, text: &str) -> String {
        let mut plain = match self.ending {
            Some(Ending::Mixed) => text.to_owned(),
            _ => text.replace("\r\n", "\n"),
        };
        if !plain.is_empty() && !plain.ends_with('\n') {
            plain.push('\n');
        }
        plain
    }

    fn restore(self, mut plain: String) -> String {
        if self.is_ended == Some(false) && plain.ends_with('\n') {
            plain.pop();
        }
        match self.ending {
            Some(Ending::CrLf) => plain.replace('\n', "\r\n"),
            _ => plain,
        }
    }
}

/// What one of two has changed; ours when both have.
fn changed<T: PartialEq>(base: Option<T>, ours: Option<T>, theirs: Option<T>) -> Option<T> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if base.as_ref() == Some(&ours) => Some(theirs),
        (ours, theirs) => ours.or(theirs).or(base),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Unmergeable> {
    if bytes.len() > MAX_MERGED_BYTES {
        return Err(Unmergeable::TooLarge);
    }
    if bytes.contains(&0) {
        return Err(Unmergeable::Binary);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unmergeable::Binary)?;
    if text.lines().nth(MAX_MERGED_LINES).is_some() {
        return Err(Unmergeable::TooLarge);
    }
    Ok(text)
}

/// Longer than whatever looks like a marker in the texts themselves.
fn marker_length(texts: [&str; 3]) -> usize {
    /// What git takes.
    const USUAL: usize = 7;
    let run = |line: &str| {
        let first = line.chars().next().filter(|first| "<|=>".contains(*first));
        first.map_or(0, |first| line.chars().take_while(|letter| *letter == first).count())
    };
    let longest = texts.iter().flat_map(|text| text.lines()).map(run).max().unwrap_or(0);
    if longest < USUAL { USUAL } else { longest + 1 }
}

#[cfg(test)]
mod tests;
