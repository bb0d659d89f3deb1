//! The events of one append, encoded once, and handed out whole or in parts without being copied.

use bytes::Bytes;
use tokio::time::Instant;

use crate::ids::Seq;

/// A chunk larger than this is handed out in parts, so that no connection buffers more at a time.
pub(super) const MAX_REACH_BYTES: usize = 64 * 1024;

/// The events of one append, encoded one behind the other.
pub(super) struct Chunk {
    pub(super) first: Seq,
    /// Where each frame ends in `bytes`.
    pub(super) ends: Vec<usize>,
    pub(super) bytes: Bytes,
    /// When they became visible.
    pub(super) appended: Instant,
}

impl Chunk {
    /// Its last event.
    pub(super) fn last(&self) -> Seq {
        self.first + self.ends.len() as Seq - 1
    }

    /// The frames from `from` on, up to `until` or about [`MAX_REACH_BYTES`], at least one; and the last event in them.
    pub(super) fn part_from(&self, from: Seq, until: Seq) -> (Bytes, Seq) {
        let skipped = usize::try_from(from - self.first).unwrap_or(usize::MAX).min(self.ends.len() - 1);
        let start = if skipped == 0 { 0 } else { self.ends[skipped - 1] };
        let wanted = usize::try_from(until.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let last_wanted = wanted.clamp(skipped, self.ends.len() - 1);
        let fitting = self.ends[skipped..=last_wanted].partition_point(|end| end - start <= MAX_REACH_BYTES);
        let last = skipped + fitting.max(1) - 1;
        (self.bytes.slice(start..self.ends[last]), self.first + last as Seq)
    }
}
