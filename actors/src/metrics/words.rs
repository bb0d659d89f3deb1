//! Counts by one of a few words, which are those of the wire.

use std::marker::PhantomData;

use super::Counter;
use crate::event::{Outcome, Resolution, StopReason};
use crate::locks::Reason;
use crate::project::{ConflictKind, Resolution as Settled};
use crate::refusal::Code;

/// A closed set of words. The number of each is its place in the list, so that counting looks nothing up.
pub trait Worded: Copy + 'static {
    /// All of them, as on the wire.
    const WORDS: &'static [&'static str];

    /// The place of this one.
    fn place(self) -> usize;

    /// This one, as on the wire.
    fn word(self) -> &'static str {
        Self::WORDS[self.place()]
    }
}

/// One counter for each word.
#[derive(Debug)]
pub struct ByWord<W> {
    counts: Box<[Counter]>,
    words: PhantomData<fn(W)>,
}

impl<W: Worded> ByWord<W> {
    /// Counts one.
    pub fn add(&self, word: W) {
        self.counts[word.place()].add(1);
    }

    /// How many of one.
    #[must_use]
    pub fn get(&self, word: W) -> u64 {
        self.counts[word.place()].get()
    }

    /// All of them with their words.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        W::WORDS.iter().copied().zip(self.counts.iter().map(Counter::get))
    }
}

impl<W: Worded> Default for ByWord<W> {
    fn default() -> Self {
        Self { counts: W::WORDS.iter().map(|_| Counter::default()).collect(), words: PhantomData }
    }
}

impl Worded for Outcome {
    const WORDS: &'static [&'static str] = &["completed", "failed", "interrupted", "lost"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Worded for Resolution {
    const WORDS: &'static [&'static str] = &["allow", "deny", "withdrawn", "lost"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Worded for StopReason {
    const WORDS: &'static [&'static str] =
        &["idle", "evicted", "expired", "closed", "crashed", "hung", "memory", "shutdown"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Worded for Reason {
    const WORDS: &'static [&'static str] =
        &["busy", "timed_out", "deadlock", "queue_full", "withdrawn", "storage"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Worded for ConflictKind {
    const WORDS: &'static [&'static str] =
        &["file_edit", "git_merge", "context_switch", "resource_lock", "state_divergence"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Worded for Settled {
    const WORDS: &'static [&'static str] = &["ours", "theirs", "merged", "waited"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Worded for Code {
    const WORDS: &'static [&'static str] = &[
        "bad_request",
        "unauthorized",
        "forbidden",
        "origin_not_allowed",
        "project_not_allowed",
        "session_not_found",
        "message_not_found",
        "approval_not_found",
        "device_not_found",
        "project_not_found",
        "lock_not_found",
        "conflict_not_found",
        "not_found",
        "message_id_reused",
        "out_of_order",
        "already_resolved",
        "not_queued",
        "session_closed",
        "conflict",
        "lock_denied",
        "lock_not_held",
        "not_a_repository",
        "git_failed",
        "too_large",
        "queue_full",
        "lock_queue_full",
        "too_many_sessions",
        "rate_limited",
        "agent_failed",
        "storage_unavailable",
        "shutting_down",
    ];

    fn place(self) -> usize {
        self as usize
    }
}

/// Each code has its word: counting one that has none would end whoever counts.
const _: () = assert!(Code::ShuttingDown as usize + 1 == Code::WORDS.len());

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;

    fn agrees<W: Worded + Serialize + DeserializeOwned>() {
        for (place, word) in W::WORDS.iter().enumerate() {
            let parsed: W = serde_json::from_str(&format!("\"{word}\"")).unwrap();
            assert_eq!(parsed.place(), place, "{word}");
        }
        let last = serde_json::to_string(&W::WORDS.last()).unwrap();
        assert!(serde_json::from_str::<W>(&last).is_ok());
    }

    #[test]
    fn words_are_those_of_the_wire() {
        agrees::<Outcome>();
        agrees::<Resolution>();
        agrees::<StopReason>();
        agrees::<Reason>();
        agrees::<ConflictKind>();
        agrees::<Settled>();
        for code in [Code::BadRequest, Code::NotFound, Code::GitFailed, Code::TooLarge, Code::ShuttingDown] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        }
    }

    #[test]
    fn each_word_has_its_count() {
        let turns = ByWord::<Outcome>::default();
        turns.add(Outcome::Failed);
        assert_eq!(turns.all().collect::<Vec<_>>()[1], ("failed", 1));
        assert_eq!(turns.get(Outcome::Completed), 0);
    }
}
