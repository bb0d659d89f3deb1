//! Where a device stands in one session's history, and which events it takes: those with seq last + 1. Pure.

use tandem_actors::ids::Seq;

/// From where to follow a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFrom {
    /// The first event.
    Start,
    /// So many of the newest events, then live; 0 is live only.
    Newest(u64),
    /// Behind the last event that is held from an earlier run.
    After {
        /// That event's seq; 0 for none.
        seq: Seq,
        /// The history that it belongs to.
        epoch: String,
        /// Its hash.
        hash: Option<String>,
    },
}

/// The fields of a `subscribe` frame that say where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) after: Option<Seq>,
    pub(super) epoch: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) tail: Option<u64>,
}

/// What to do with an event that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Apply,
    /// It was applied before, or belongs to a stream that has been replaced.
    Drop,
    /// Something before it is missing: subscribe again from the cursor.
    Resubscribe,
}

/// What the answer to a `subscribe` means for who follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// The first answer.
    First,
    /// The stream goes on behind the last applied event.
    Resumed,
    /// What was applied so far is of another history, or does not join on: it must be dropped.
    Reset,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cursor {
    start: StartFrom,
    held: Option<Held>,
    /// A `subscribe` has been asked for; events before its answer belong to the stream that it replaces.
    is_answer_awaited: bool,
}

#[derive(Debug)]
struct Held {
    epoch: String,
    last: Seq,
    hash: Option<String>,
}

impl Cursor {
    pub(super) const fn new(start: StartFrom) -> Self {
        Self { start, held: None, is_answer_awaited: true }
    }

    /// What to ask for now.
    pub(super) fn wanted(&self) -> Wanted {
        let nothing = Wanted { after: None, epoch: None, hash: None, tail: None };
        if let Some(held) = &self.held {
            let (epoch, hash) = (Some(held.epoch.clone()), held.hash.clone());
            return Wanted { after: Some(held.last), epoch, hash, ..nothing };
        }
        match self.start.clone() {
            StartFrom::Start => Wanted { after: Some(0), ..nothing },
            StartFrom::Newest(count) => Wanted { tail: Some(count), ..nothing },
            StartFrom::After { seq, epoch, hash } => {
                Wanted { after: Some(seq), epoch: Some(epoch), hash, ..nothing }
            }
        }
    }

    /// The stream is asked for again; what is still under way of the old one does not count.
    pub(super) fn asked_again(&mut self) {
        self.is_answer_awaited = true;
    }

    pub(super) const fn is_answer_awaited(&self) -> bool {
        self.is_answer_awaited
    }

    /// Takes in the answer to a `subscribe`.
    pub(super) fn subscribed(&mut self, epoch: &str, from: Seq, is_reset: bool) -> Begin {
        self.is_answer_awaited = false;
        let begin = match &self.held {
            None => Begin::First,
            Some(held) if is_reset || held.epoch != epoch || from > held.last + 1 => Begin::Reset,
            Some(_) => Begin::Resumed,
        };
        if begin != Begin::Resumed {
            self.held = Some(Held { epoch: epoch.to_owned(), last: from.saturating_sub(1), hash: None });
        }
        begin
    }

    /// Decides on an event, and steps forward when it is the next one.
    pub(super) fn event(&mut self, seq: Seq, hash: &str) -> Verdict {
        let Some(held) = self.held.as_mut().filter(|_| !self.is_answer_awaited) else {
            return Verdict::Drop;
        };
        if seq <= held.last {
            return Verdict::Drop;
        }
        if seq != held.last + 1 {
            return Verdict::Resubscribe;
        }
        held.last = seq;
        held.hash = Some(hash.to_owned());
        Verdict::Apply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cursor that has applied events 5 and 6 of history `e`.
    fn at_six() -> Cursor {
        let mut cursor = Cursor::new(StartFrom::Newest(2));
        assert_eq!(cursor.wanted().tail, Some(2));
        assert_eq!(cursor.subscribed("e", 5, false), Begin::First);
        assert_eq!(cursor.event(5, "h5"), Verdict::Apply);
        assert_eq!(cursor.event(6, "h6"), Verdict::Apply);
        cursor
    }

    #[test]
    fn only_the_next_event_is_applied() {
        let mut cursor = at_six();
        assert_eq!(cursor.event(6, "h6"), Verdict::Drop);
        assert_eq!(cursor.event(1, "h1"), Verdict::Drop);
        assert_eq!(cursor.event(8, "h8"), Verdict::Resubscribe);
        assert_eq!(cursor.event(7, "h7"), Verdict::Apply);
    }

    #[test]
    fn it_resumes_with_seq_epoch_and_hash() {
        let wanted = at_six().wanted();
        let all = Wanted { after: Some(6), epoch: Some("e".into()), hash: Some("h6".into()), tail: None };
        assert_eq!(wanted, all);
    }

    #[test]
    fn what_comes_before_the_answer_belongs_to_the_old_stream() {
        let mut cursor = at_six();
        cursor.asked_again();
        assert_eq!(cursor.event(7, "h7"), Verdict::Drop);
        assert_eq!(cursor.subscribed("e", 7, false), Begin::Resumed);
        assert_eq!(cursor.event(7, "h7"), Verdict::Apply);
    }

    #[test]
    fn another_history_starts_over() {
        for (epoch, from, is_reset) in [("e", 1, true), ("other", 7, false), ("e", 9, false)] {
            let mut cursor = at_six();
            assert_eq!(cursor.subscribed(epoch, from, is_reset), Begin::Reset, "{epoch} {from} {is_reset}");
            assert_eq!(cursor.event(from, "new"), Verdict::Apply);
            assert_eq!(cursor.wanted().epoch.as_deref(), Some(epoch));
        }
    }

    #[test]
    fn a_cursor_of_an_earlier_run_is_sent_as_it_is() {
        let start = StartFrom::After { seq: 4, epoch: "e".into(), hash: None };
        assert_eq!(Cursor::new(start).wanted().after, Some(4));
        assert_eq!(Cursor::new(StartFrom::Start).wanted().after, Some(0));
    }
}
