//! What was asked and has no answer yet: what to write, what to write again, and when to give up. Pure.
//!
//! ```text
//! asked ──▶ waits ──due──▶ written ──answer──▶ gone
//!             ▲               │ connection lost, or "effect unknown"
//!             └──repeatable───┤
//!                             └──not repeatable──▶ failed: it may have been done
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::ClientError;
use super::frame::{Answer, Request};

/// Where the outcome of a request goes; nobody waits for those that the client makes by itself.
pub(super) type Reply = Option<oneshot::Sender<Result<Answer, ClientError>>>;

/// See the module. Requests keep the order in which they were asked, also when they are written again.
#[derive(Debug)]
pub(super) struct Outbox {
    answer_within: Duration,
    next_number: u64,
    entries: BTreeMap<u64, Entry>,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) request: Request,
    pub(super) reply: Reply,
    place: Place,
    /// When to give up; none for what is repeated until it is answered.
    give_up_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting { not_before: Instant },
    Written { answer_by: Instant },
}

impl Request {
    /// Whether doing it twice is the same as doing it once, so that it may be written again.
    ///
    /// A message is, because it has an id of its own, and a patch, because of its stamp.
    pub(super) const fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Self::Submit { .. }
                | Self::State { .. }
                | Self::Subscribe { .. }
                | Self::Unsubscribe { .. }
                | Self::Watch {}
        )
    }
}

impl Outbox {
    pub(super) const fn new(answer_within: Duration) -> Self {
        Self { answer_within, next_number: 1, entries: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, request: Request, reply: Reply, now: Instant) {
        let give_up_at = (!request.is_repeatable()).then(|| now + self.answer_within);
        let entry = Entry { request, reply, place: Place::Waiting { not_before: now }, give_up_at };
        self.entries.insert(self.next_number, entry);
        self.next_number += 1;
    }

    /// What is to be written now, with its numbers; it counts as written from here on.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(u64, Request)> {
        let answer_by = now + self.answer_within;
        let mut due = Vec::new();
        for (number, entry) in &mut self.entries {
            if matches!(entry.place, Place::Waiting { not_before } if not_before <= now) {
                entry.place = Place::Written { answer_by };
                due.push((*number, entry.request.clone()));
            }
        }
        due
    }

    /// Takes out a request because it has been answered, or never will be.
    pub(super) fn take(&mut self, number: u64) -> Option<Entry> {
        self.entries.remove(&number)
    }

    /// Puts a request back that is to be written again.
    pub(super) fn put_back(&mut self, number: u64, entry: Entry, not_before: Instant) {
        self.entries.insert(number, Entry { place: Place::Waiting { not_before }, ..entry });
    }

    /// The connection is gone: what can be repeated waits for the next one, the rest has failed.
    pub(super) fn disconnected(&mut self, now: Instant) {
        let written = |_: &u64, entry: &mut Entry| matches!(entry.place, Place::Written { .. });
        let lost: Vec<(u64, Entry)> = self.entries.extract_if(.., written).collect();
        for (number, entry) in lost {
            if entry.request.is_repeatable() {
                self.put_back(number, entry, now);
            } else {
                entry.answer(Err(ClientError::Lost));
            }
        }
    }

    /// Gives up what has waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_late = |_: &u64, entry: &mut Entry| entry.give_up_at.is_some_and(|at| at <= now);
        let late: Vec<(u64, Entry)> = self.entries.extract_if(.., is_late).collect();
        for (_, entry) in late {
            entry.answer(Err(ClientError::NoAnswer { within: self.answer_within }));
        }
    }

    /// Whether something that is repeated was written and not answered in time: the connection is of no use.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.entries.values().any(|entry| {
            entry.give_up_at.is_none()
                && matches!(entry.place, Place::Written { answer_by } if answer_by <= now)
        })
    }

    /// When something is to be done next without anybody asking. Without a connection nothing can be written.
    pub(super) fn next_deadline(&self, is_connected: bool) -> Option<Instant> {
        let deadline = |entry: &Entry| match entry.place {
            _ if entry.give_up_at.is_some() => entry.give_up_at,
            Place::Waiting { not_before: at } | Place::Written { answer_by: at } => {
                is_connected.then_some(at)
            }
        };
        self.entries.values().filter_map(deadline).min()
    }

    /// Whether somebody waits for an answer that is under way.
    pub(super) fn is_anything_written(&self) -> bool {
        self.entries.values().any(|entry| matches!(entry.place, Place::Written { .. }))
    }

    /// Whether a request of this sort has no answer yet.
    pub(super) fn has(&self, is_sort: impl Fn(&Request) -> bool) -> bool {
        self.entries.values().any(|entry| is_sort(&entry.request))
    }

    /// Drops what nobody asked for.
    pub(super) fn forget(&mut self, is_sort: impl Fn(&Request) -> bool) {
        self.entries.retain(|_, entry| entry.reply.is_some() || !is_sort(&entry.request));
    }

    /// Nothing will be answered any more.
    pub(super) fn close(&mut self, error: &ClientError) {
        for (_, entry) in std::mem::take(&mut self.entries) {
            entry.answer(Err(error.clone()));
        }
    }
}

impl Entry {
    /// Tells who asked. One who no longer waits has lost interest, which is no error.
    pub(super) fn answer(self, outcome: Result<Answer, ClientError>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use tandem_actors::content::Content;
    use tandem_actors::event::SubmitMode;
    use tandem_actors::ids::{MessageId, SessionId};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    type Outcome = oneshot::Receiver<Result<Answer, ClientError>>;

    struct Situation {
        outbox: Outbox,
        start: Instant,
        submit: Outcome,
        ping: Outcome,
    }

    /// A message and a ping, both written.
    fn written() -> Situation {
        let start = Instant::now();
        let mut outbox = Outbox::new(PATIENCE);
        let (submit_reply, submit) = oneshot::channel();
        let (ping_reply, ping) = oneshot::channel();
        let message = Request::Submit {
            session_id: SessionId::random(),
            content: Content::text("hi").unwrap(),
            message_id: MessageId::random(),
            mode: SubmitMode::Queue,
        };
        outbox.add(message, Some(submit_reply), start);
        outbox.add(Request::Ping {}, Some(ping_reply), start);
        assert_eq!(numbers(&outbox.take_due(start)), [1, 2]);
        Situation { outbox, start, submit, ping }
    }

    fn numbers(due: &[(u64, Request)]) -> Vec<u64> {
        due.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn a_lost_connection_repeats_messages_and_fails_the_rest() {
        let Situation { mut outbox, start, mut submit, mut ping } = written();
        outbox.disconnected(start);
        assert!(matches!(ping.try_recv(), Ok(Err(ClientError::Lost))));
        assert!(submit.try_recv().is_err());
        let again = outbox.take_due(start);
        assert!(matches!(again[..], [(1, Request::Submit { .. })]));
        assert!(outbox.take_due(start).is_empty(), "it is written once a connection");
    }

    #[test]
    fn a_message_is_never_given_up_but_its_connection_is() {
        let Situation { mut outbox, start, mut submit, mut ping } = written();
        assert_eq!(outbox.next_deadline(true), Some(start + PATIENCE));
        assert!(!outbox.is_stuck(start));
        outbox.expire(start + PATIENCE);
        assert!(matches!(ping.try_recv(), Ok(Err(ClientError::NoAnswer { .. }))));
        assert!(submit.try_recv().is_err());
        assert!(outbox.is_stuck(start + PATIENCE));
    }

    #[test]
    fn what_was_put_back_waits_for_its_time() {
        let Situation { mut outbox, start, .. } = written();
        let entry = outbox.take(1).unwrap();
        let later = start + Duration::from_secs(2);
        outbox.put_back(1, entry, later);
        assert!(outbox.take_due(start).is_empty());
        assert_eq!(numbers(&outbox.take_due(later)), [1]);
    }

    #[test]
    fn the_end_tells_everybody_who_waits() {
        let Situation { mut outbox, mut submit, mut ping, .. } = written();
        outbox.close(&ClientError::Closed { reason: "over".into() });
        for outcome in [submit.try_recv(), ping.try_recv()] {
            assert!(matches!(outcome, Ok(Err(ClientError::Closed { .. }))));
        }
    }
}
