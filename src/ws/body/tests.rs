use std::task::Waker;

use futures_util::StreamExt as _;
use serde_json::Value;
use tandem_actors::clock::{SystemClock, Timestamp};
use tandem_actors::device::{MAX_UNWRITTEN_NOTICES, Reply};
use tandem_actors::event::{By, ChainHash, Event, Record};
use tandem_actors::ids::{Seq, Term, UserId};
use tandem_actors::journal::{Append, Journal, MemoryJournal};
use tandem_actors::notice::{Addressee, MAX_NOTICE_BYTES, Notice, Notify};
use tandem_actors::registry::Board;
use tandem_actors::room::{Room, Signal};
use tandem_actors::session::{Status, Summary};
use tokio::sync::oneshot;

use super::*;
use crate::ws::frame;

/// A room with its journal, and what the session would do.
struct Session {
    room: Arc<Room>,
    journal: Arc<MemoryJournal>,
    last: (Seq, ChainHash),
}

impl Session {
    fn new() -> Self {
        let session = SessionId::random();
        Self {
            room: Arc::new(Room::new(session, frame::encode)),
            journal: Arc::new(MemoryJournal::new()),
            last: (0, ChainHash::start(session)),
        }
    }

    fn record(&mut self) -> Record {
        let event = Event::DeviceUnlinked { device_id: "phone".parse().unwrap(), reason: "left".into() };
        let record = Record::new(self.last, Term(1), Timestamp::from_millis(0), &event).unwrap();
        self.last = (record.seq, record.hash);
        record
    }

    fn append(&mut self, count: usize) {
        let records: Vec<_> = (0..count).map(|_| self.record()).collect();
        self.room.tail().append(&records);
    }

    fn follow(&self, after: Seq) -> Outgoing {
        Outgoing::Follow(Follow::new(self.room.clone(), self.journal.clone(), after))
    }
}

fn body(line: &Rc<Line>) -> Body<()> {
    Body::new(line.clone(), Arc::new(SystemClock::new()), ())
}

fn answer(reference: &str) -> Outgoing {
    Outgoing::Reply { reference: Some(reference.into()), reply: Reply::Ok }
}

/// What one frame is, in a word: the number of an event, the kind of a signal, the type and mark of an answer.
fn word(payload: &[u8]) -> String {
    let Ok(frame) = serde_json::from_slice::<Value>(payload) else {
        return format!("close {}", u16::from_be_bytes([payload[0], payload[1]]));
    };
    match frame["type"].as_str() {
        Some("event") => frame["seq"].to_string(),
        Some("signal") => frame["kind"].as_str().unwrap().to_owned(),
        kind => format!("{} {}", kind.unwrap(), frame["ref"].as_str().unwrap_or_default()),
    }
}

/// Everything that can be written at once, and `end` when that was all for ever.
fn written(body: &mut Body<()>) -> Vec<String> {
    let mut words = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match body.poll_next_unpin(&mut context) {
            Poll::Ready(Some(Ok(frames))) => {
                words.extend(frame::payloads(&frames).map(|payload| word(&payload)));
            }
            Poll::Ready(None) => {
                words.push("end".into());
                return words;
            }
            Poll::Pending => return words,
        }
    }
}

#[test]
fn an_answer_precedes_the_events_that_it_starts() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut session = Session::new();
    session.append(3);
    line.outbox.push(answer("subscribe"));
    line.outbox.push(session.follow(1));
    line.outbox.push(answer("later"));
    assert_eq!(written(&mut body), ["ok subscribe", "ok later", "2", "3"]);
    session.append(1);
    session.room.tail().signal(&Signal::presence(&[]));
    assert_eq!(written(&mut body), ["4", "presence"]);
}

#[test]
fn a_newer_subscription_of_a_session_replaces_the_older_one() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut session = Session::new();
    line.outbox.push(session.follow(0));
    assert!(written(&mut body).is_empty());
    session.append(2);
    line.outbox.push(session.follow(1));
    assert_eq!(written(&mut body), ["2"]);
    line.outbox.push(Outgoing::Unfollow(session.room.session()));
    session.append(1);
    assert!(written(&mut body).is_empty());
}

#[test]
fn sessions_take_turns() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut busy = Session::new();
    let mut quiet = Session::new();
    busy.append(1000);
    quiet.append(1);
    line.outbox.push(busy.follow(0));
    line.outbox.push(quiet.follow(0));
    let words = written(&mut body);
    assert_eq!(words.len(), 1001);
    let quiet_at = words.iter().rposition(|word| word == "1").unwrap();
    assert!(quiet_at < 600, "the quiet session waited behind {quiet_at} events of the busy one");
}

#[test]
fn a_watcher_sees_each_change_of_the_list() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let now = Timestamp::from_millis(0);
    let summary = Summary {
        session_id: SessionId::random(),
        project_path: "/p".into(),
        title: None,
        status: Status::Idle,
        head: 1,
        created_at: now,
        last_activity_at: now,
        expires_at: now,
        turns: 0,
        messages: 0,
        queued: 0,
        approvals: 0,
        notable: 0,
        cost_usd: 0.0,
        devices: Vec::new(),
        online: Vec::new(),
        pid: None,
        is_warned: false,
    };
    let board = Arc::new(Board::default());
    board.post(summary.clone());
    let (watcher, _) = Watcher::start(board.clone(), Arc::default(), "phone".parse().unwrap());
    line.outbox.push(Outgoing::Watch(watcher));
    assert!(written(&mut body).is_empty());
    board.post(summary);
    assert_eq!(written(&mut body), ["session_summary "]);
}

fn notice(text: &str) -> Arc<Notice> {
    let from = By { device_id: "laptop".parse().unwrap(), user_id: UserId::owner() };
    let notify = Notify::new(Addressee::All, Vec::new(), text).unwrap();
    Arc::new(notify.notice(from, Timestamp::from_millis(0)))
}

/// The payloads of what is written next.
fn next_write(body: &mut Body<()>) -> Vec<Bytes> {
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frames))) = body.poll_next_unpin(&mut context) else { panic!("nothing") };
    frame::payloads(&frames).collect()
}

#[test]
fn notices_that_waited_are_asked_for_and_hold_up_nobody() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let (receipt, mut arrived) = oneshot::channel();
    assert!(line.outbox.offer(notice("dinner"), None));
    assert!(line.outbox.offer(notice("dinner"), Some(receipt)));
    assert!(line.outbox.is_empty(), "they are no answers that wait");
    let payloads = next_write(&mut body);
    assert_eq!(payloads.len(), 3);
    for pong in [&b""[..], b"notices", b"notices x", b"\xff"] {
        line.answered_ping(pong);
        assert!(arrived.try_recv().is_err(), "written is not arrived");
    }
    line.answered_ping(&payloads[2]);
    assert!(arrived.try_recv().is_ok());
}

#[test]
fn a_pong_confirms_no_notice_that_was_written_behind_its_ping() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    // So large that they take several writes.
    let mut arrivals: Vec<_> = (0..MAX_UNWRITTEN_NOTICES)
        .map(|_| {
            let (receipt, arrived) = oneshot::channel();
            assert!(line.outbox.offer(notice(&"x".repeat(MAX_NOTICE_BYTES)), Some(receipt)));
            arrived
        })
        .collect();
    let (first, second) = (next_write(&mut body), next_write(&mut body));
    line.answered_ping(first.last().unwrap());
    let mut newly_arrived = || arrivals.extract_if(.., |arrived| arrived.try_recv().is_ok()).count();
    assert_eq!(newly_arrived(), first.len() - 1);
    line.answered_ping(second.last().unwrap());
    assert_eq!(newly_arrived(), second.len() - 1);
}

#[test]
fn nothing_comes_behind_the_last() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut session = Session::new();
    line.outbox.push(session.follow(0));
    session.append(2);
    line.outbox.push(answer("one"));
    line.outbox.push(Outgoing::Last(Farewell::GoingAway.frames().into()));
    line.outbox.push(answer("too late"));
    assert_eq!(written(&mut body), ["ok one", "goodbye ", "close 1001", "end"]);
}

#[test]
fn an_outbox_that_is_closed_ends_the_body_when_it_is_empty() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    line.outbox.push(answer("one"));
    line.outbox.close(line.lost());
    assert_eq!(written(&mut body), ["ok one", "end"]);
}

#[actix::test]
async fn events_that_cannot_be_read_end_the_connection_and_say_resume() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut session = Session::new();
    session.record();
    // The tail begins at 2, and the journal knows nothing of 1.
    session.append(1);
    line.outbox.push(session.follow(0));
    assert_eq!(written(&mut body), ["goodbye ", "close 4011", "end"]);
}

#[actix::test]
async fn what_the_tail_no_longer_has_comes_from_the_journal() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut session = Session::new();
    let first = session.record();
    let claim = session.journal.claim(session.room.session()).await.unwrap();
    let append = Append {
        session: session.room.session(),
        term: claim.term,
        records: vec![first],
        transcript: Vec::new(),
        blobs: Vec::new(),
        summary: "{}".into(),
    };
    session.journal.append(append).await.unwrap();
    session.append(1);
    line.outbox.push(session.follow(0));
    assert_eq!(written(&mut body), ["1", "2"]);
}

#[test]
fn a_connection_that_does_not_come_back_for_more_is_stalled() {
    let line = Rc::new(Line::for_tests());
    let mut body = body(&line);
    let mut context = Context::from_waker(Waker::noop());
    line.outbox.push(answer("one"));
    assert!(body.poll_next_unpin(&mut context).is_ready());
    std::iter::repeat_with(|| line.stalled_for()).find(|stalled| !stalled.is_zero()).unwrap();
    assert!(body.poll_next_unpin(&mut context).is_pending());
    assert!(line.stalled_for().is_zero(), "it came back");
}
