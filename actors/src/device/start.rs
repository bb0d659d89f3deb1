//! Where a device's stream starts: from its cursor, from the newest events, or all over again. Pure.

use super::Subscribe;
use crate::ids::{Epoch, Seq};

/// How many of the newest events a device gets that does not say where it stands.
pub const DEFAULT_TAIL: Seq = 100;

/// The start of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// The event before the first that is sent.
    pub(super) after: Seq,
    /// Whether the device holds another history and must drop it.
    pub(super) reset: bool,
}

impl Start {
    /// The same where events before `first` are not kept: who has not seen all of those begins again at the first.
    pub(super) fn not_before(self, first: Seq) -> Self {
        if self.after + 1 >= first {
            return self;
        }
        Self { after: first - 1, reset: true }
    }
}

/// Decides where to start, given the current history and the hash that it has at the device's cursor.
///
/// `hash_at_cursor` is needed only if the device sent a hash; `None` then means that there is no such event.
pub(super) fn start(wanted: &Subscribe, epoch: &Epoch, head: Seq, hash_at_cursor: Option<&str>) -> Start {
    let newest = |count: Seq| head.saturating_sub(count);
    let Some(after) = wanted.after else {
        return Start { after: newest(wanted.tail.unwrap_or(DEFAULT_TAIL)), reset: false };
    };
    let is_other_history = wanted.epoch.as_ref().is_some_and(|held| held != epoch);
    let is_ahead = after > head;
    let is_other_hash = after > 0 && wanted.hash.as_deref().is_some_and(|held| hash_at_cursor != Some(held));
    if is_other_history || is_ahead || is_other_hash {
        return Start { after: wanted.tail.map_or(0, newest), reset: true };
    }
    Start { after, reset: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;

    fn at(after: Option<Seq>) -> Subscribe {
        Subscribe { session: SessionId::random(), after, epoch: None, hash: None, tail: None }
    }

    fn start_of(wanted: &Subscribe) -> Start {
        start(wanted, &Epoch::stored("now"), 250, Some("abcd"))
    }

    #[test]
    fn a_cursor_is_continued() {
        assert_eq!(start_of(&at(Some(41))), Start { after: 41, reset: false });
        assert_eq!(start_of(&at(Some(0))), Start { after: 0, reset: false });
        assert_eq!(start_of(&at(Some(250))), Start { after: 250, reset: false });
        let known =
            Subscribe { epoch: Some(Epoch::stored("now")), hash: Some("abcd".into()), ..at(Some(41)) };
        assert_eq!(start_of(&known), Start { after: 41, reset: false });
    }

    #[test]
    fn without_a_cursor_the_newest_events_come() {
        assert_eq!(start_of(&at(None)), Start { after: 150, reset: false });
        assert_eq!(start_of(&Subscribe { tail: Some(7), ..at(None) }), Start { after: 243, reset: false });
        assert_eq!(start_of(&Subscribe { tail: Some(1_000), ..at(None) }), Start { after: 0, reset: false });
    }

    #[test]
    fn what_is_not_kept_any_more_starts_over_at_what_is() {
        let over = Start { after: 99, reset: true };
        assert_eq!(start_of(&at(Some(41))).not_before(100), over);
        assert_eq!(start_of(&at(Some(0))).not_before(100), over);
        for (wanted, after) in [(at(Some(99)), 99), (at(Some(250)), 250), (at(None), 150)] {
            assert_eq!(start_of(&wanted).not_before(100), Start { after, reset: false });
        }
        assert_eq!(start_of(&at(Some(0))).not_before(1), Start { after: 0, reset: false });
    }

    #[test]
    fn another_history_starts_over() {
        let over = Start { after: 0, reset: true };
        assert_eq!(start_of(&Subscribe { epoch: Some(Epoch::stored("then")), ..at(Some(41)) }), over);
        assert_eq!(start_of(&at(Some(251))), over);
        assert_eq!(start_of(&Subscribe { hash: Some("ffff".into()), ..at(Some(41)) }), over);
    }
}
