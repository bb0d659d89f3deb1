//! Cuts a stream of bytes into lines, whatever the chunks are that it arrives in. No I/O.

/// Collects bytes until a newline and hands out whole lines.
///
/// Holds at most one unfinished line of at most its limit; of a longer one only the beginning is kept.
#[derive(Debug)]
pub struct LineSplitter {
    unfinished: Vec<u8>,
    max_line_bytes: usize,
    /// How much of the current line was dropped, beside what `unfinished` holds of it.
    dropped_bytes: usize,
}

/// How much is kept of the beginning of a line that is too long.
const KEPT_START_BYTES: usize = 800;

/// What the splitter found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A line without its newline; a carriage return before it is still there.
    Line(&'a [u8]),
    /// A line beyond the limit; the next line is taken again.
    TooLong {
        /// How it begins.
        start: &'a [u8],
        /// How long it was.
        bytes: usize,
    },
}

impl LineSplitter {
    /// Makes one that takes lines of at most `max_line_bytes`, without their newline.
    #[must_use]
    pub const fn new(max_line_bytes: usize) -> Self {
        Self { unfinished: Vec::new(), max_line_bytes, dropped_bytes: 0 }
    }

    /// Takes the next bytes and hands every line that they finish to `each`, in order.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(Piece<'_>)) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            if self.unfinished.is_empty() && self.dropped_bytes == 0 && line.len() <= self.max_line_bytes {
                each(Piece::Line(line));
            } else {
                self.keep(line);
                self.finish(&mut each);
            }
            rest = behind;
        }
        self.keep(rest);
    }

    /// Ends the stream: what is there without a newline is a line too.
    pub fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) {
        if self.dropped_bytes > 0 {
            each(Piece::TooLong {
                start: &self.unfinished,
                bytes: self.unfinished.len() + self.dropped_bytes,
            });
        } else if !self.unfinished.is_empty() {
            each(Piece::Line(&self.unfinished));
        }
        self.dropped_bytes = 0;
        self.unfinished.clear();
        // One huge line must not hold its memory for the rest of the stream.
        self.unfinished.shrink_to(64 * 1024);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.dropped_bytes > 0 {
            self.dropped_bytes += bytes.len();
        } else if self.unfinished.len() + bytes.len() <= self.max_line_bytes {
            self.unfinished.extend_from_slice(bytes);
        } else {
            let missing = KEPT_START_BYTES.saturating_sub(self.unfinished.len());
            let whole = self.unfinished.len() + bytes.len();
            self.unfinished.extend_from_slice(&bytes[..missing.min(bytes.len())]);
            self.unfinished.truncate(KEPT_START_BYTES.min(self.max_line_bytes));
            self.unfinished.shrink_to_fit();
            self.dropped_bytes = whole - self.unfinished.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]], limit: usize) -> Vec<(Vec<u8>, Option<usize>)> {
        let mut splitter = LineSplitter::new(limit);
        let mut found = Vec::new();
        let mut note = |piece: Piece<'_>| match piece {
            Piece::Line(line) => found.push((line.to_vec(), None)),
            Piece::TooLong { start, bytes } => found.push((start.to_vec(), Some(bytes))),
        };
        for chunk in chunks {
            splitter.push(chunk, &mut note);
        }
        splitter.finish(&mut note);
        found
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        assert_eq!(
            split(&[b"on", b"e\ntwo", b"\n", b"three"], 64),
            [(b"one".to_vec(), None), (b"two".to_vec(), None), (b"three".to_vec(), None)]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_reported_and_the_next_one_taken() {
        assert_eq!(
            split(&[b"123", b"456", b"789\nok\n1234\n12345\nend"], 4),
            [
                (b"1234".to_vec(), Some(9)),
                (b"ok".to_vec(), None),
                (b"1234".to_vec(), None),
                (b"1234".to_vec(), Some(5)),
                (b"end".to_vec(), None),
            ]
        );
    }

    #[test]
    fn a_too_long_line_does_not_stay_in_memory() {
        let mut splitter = LineSplitter::new(1024 * 1024);
        for _ in 0..64 {
            splitter.push(&[b'x'; 64 * 1024], |piece| panic!("{piece:?}"));
            assert!(splitter.unfinished.capacity() <= 2 * 1024 * 1024);
        }
        assert!(splitter.unfinished.capacity() < 64 * 1024);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300),
            cuts in prop::collection::vec(0usize..300, 0..8),
            limit in 1usize..40,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(without_empty(split(&chunks, limit)), without_empty(split(&[&bytes], limit)));
        }
    }

    fn without_empty(mut lines: Vec<(Vec<u8>, Option<usize>)>) -> Vec<(Vec<u8>, Option<usize>)> {
        lines.retain(|(line, _)| !line.is_empty());
        lines
    }
}
