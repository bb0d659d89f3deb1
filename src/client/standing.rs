//! What a device says of itself, which nobody answers: what it does, and how far it has read. The latest counts; it is said
//! again on every connection, since the server forgets it with the connection, or may never have heard it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::room::Activity;
use tokio::time::Instant;

use super::frame::Remark;

/// Long enough that a burst of events costs one ack, short enough that others see who has read what.
const ACK_PAUSE: Duration = Duration::from_millis(500);

/// For how long somebody types who has said so (docs/protocol.md, signals).
const TYPING_HOLDS: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Standing {
    sessions: BTreeMap<SessionId, Said>,
}

#[derive(Debug, Default)]
struct Said {
    /// Whether what is said is heard: the session is followed on this connection.
    is_heard: bool,
    activity: Option<(Activity, Instant)>,
    is_activity_due: bool,
    /// Where the person is in the session; said once.
    cursor: Option<Value>,
    read: Option<Seq>,
    acked: Option<Seq>,
    ack_not_before: Option<Instant>,
}

impl Standing {
    pub(super) fn does(
        &mut self,
        session: SessionId,
        activity: Activity,
        cursor: Option<Value>,
        now: Instant,
    ) {
        let said = self.sessions.entry(session).or_default();
        said.activity = Some((activity, now));
        said.is_activity_due = true;
        said.cursor = cursor;
    }

    pub(super) fn has_read(&mut self, session: SessionId, seq: Seq) {
        self.sessions.entry(session).or_default().read = Some(seq);
    }

    /// The session's stream has begun on this connection. The server takes whoever comes for viewing: only what is true
    /// still and says something else is said again, so that nobody seems to be at it who only came back.
    pub(super) fn began(&mut self, session: SessionId, now: Instant) {
        let said = self.sessions.entry(session).or_default();
        said.is_heard = true;
        said.is_activity_due = said.activity.is_some_and(|(activity, at)| match activity {
            Activity::Viewing => false,
            Activity::Typing => now < at + TYPING_HOLDS,
            Activity::Idle | Activity::Away => true,
        });
        said.acked = None;
    }

    pub(super) fn disconnected(&mut self) {
        for said in self.sessions.values_mut() {
            said.is_heard = false;
            said.cursor = None;
        }
    }

    pub(super) fn forget(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// What is to be said now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Remark> {
        let mut due = Vec::new();
        for (session, said) in self.sessions.iter_mut().filter(|(_, said)| said.is_heard) {
            let session_id = *session;
            if let Some((activity, _)) = said.activity.filter(|_| std::mem::take(&mut said.is_activity_due)) {
                due.push(Remark::Activity { session_id, activity, cursor: said.cursor.take() });
            }
            if let Some(seq) = said.unacked().filter(|_| said.ack_not_before.is_none_or(|at| at <= now)) {
                said.acked = Some(seq);
                said.ack_not_before = Some(now + ACK_PAUSE);
                due.push(Remark::Ack { session_id, seq });
            }
        }
        due
    }

    /// When something is to be said next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let waits = |said: &&Said| said.is_heard && said.unacked().is_some();
        self.sessions.values().filter(waits).filter_map(|said| said.ack_not_before).min()
    }
}

impl Said {
    fn unacked(&self) -> Option<Seq> {
        self.read.filter(|read| Some(*read) != self.acked)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard() -> (Standing, SessionId, Instant) {
        let (mut standing, session) = (Standing::default(), SessionId::random());
        standing.began(session, Instant::now());
        (standing, session, Instant::now())
    }

    fn ack(session_id: SessionId, seq: Seq) -> Vec<Remark> {
        vec![Remark::Ack { session_id, seq }]
    }

    #[test]
    fn acks_are_cumulative_and_come_at_most_every_half_second() {
        let (mut standing, session, start) = heard();
        standing.has_read(session, 1);
        assert_eq!(standing.take_due(start), ack(session, 1));
        standing.has_read(session, 2);
        standing.has_read(session, 3);
        assert_eq!(standing.next_deadline(), Some(start + ACK_PAUSE));
        assert_eq!(standing.take_due(start), []);
        assert_eq!(standing.take_due(start + ACK_PAUSE), ack(session, 3));
        assert_eq!((standing.take_due(start + ACK_PAUSE * 9), standing.next_deadline()), (vec![], None));
    }

    #[test]
    fn what_a_device_does_is_said_at_once_and_its_cursor_only_then() {
        let (mut standing, session_id, start) = heard();
        let activity = Activity::Typing;
        standing.does(session_id, activity, Some(json!(3)), start);
        assert_eq!(
            standing.take_due(start),
            [Remark::Activity { session_id, activity, cursor: Some(json!(3)) }]
        );
        assert_eq!(standing.take_due(start), []);
        standing.disconnected();
        standing.began(session_id, start);
        assert_eq!(standing.take_due(start), [Remark::Activity { session_id, activity, cursor: None }]);
    }

    #[test]
    fn nothing_is_said_before_the_session_is_followed_and_all_of_it_then() {
        let (mut standing, session, start) = heard();
        standing.has_read(session, 4);
        standing.take_due(start);
        standing.disconnected();
        standing.has_read(session, 5);
        let later = start + ACK_PAUSE;
        assert_eq!((standing.take_due(later), standing.next_deadline()), (vec![], None));
        standing.began(session, Instant::now());
        assert_eq!(standing.take_due(later), ack(session, 5));
        standing.began(session, Instant::now());
        assert_eq!(standing.take_due(later + ACK_PAUSE), ack(session, 5), "it may have been lost");
    }

    #[test]
    fn what_is_not_true_any_more_is_not_said_again() {
        let (mut standing, session_id, start) = heard();
        for (activity, after, is_said) in [
            (Activity::Typing, TYPING_HOLDS / 2, true),
            (Activity::Typing, TYPING_HOLDS, false),
            (Activity::Viewing, Duration::ZERO, false),
            (Activity::Away, TYPING_HOLDS * 100, true),
        ] {
            standing.does(session_id, activity, None, start);
            standing.take_due(start);
            standing.disconnected();
            standing.began(session_id, start + after);
            assert_eq!(!standing.take_due(start + after).is_empty(), is_said, "{activity:?} after {after:?}");
        }
    }
}
