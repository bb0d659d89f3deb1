//! A link without a socket: frames are handed to it as text.

use serde_json::{Value, json};
use tandem_actors::content::Content;
use tandem_actors::event::SubmitMode;
use tandem_actors::ids::MessageId;
use tokio::sync::oneshot;

use super::*;

const SESSION: &str = "0197a2c4-0000-7000-8000-000000000001";
const MESSAGE: &str = "0197a2c4-0000-7000-8000-000000000002";

struct Situation {
    link: Link,
    now: Instant,
}

impl Situation {
    fn new() -> Self {
        Self { link: Link::new(Duration::from_secs(10)), now: Instant::now() }
    }

    /// A link that follows [`SESSION`] and holds events 1 and 2 of history `e`.
    fn at_two() -> Self {
        let mut situation = Self::new();
        let (reply, mut subscribed) = oneshot::channel();
        situation.link.follow(session(), StartFrom::Start, Some(reply), situation.now);
        assert_eq!(situation.written()[0]["after"], 0);
        situation.hears(&subscribed_answer("1", "e", 1, false));
        assert!(matches!(subscribed.try_recv(), Ok(Ok(Answer::Subscribed(_)))));
        for seq in [1, 2] {
            assert!(situation.hears(&event(seq)).is_some());
        }
        situation
    }

    fn submit(&mut self) -> oneshot::Receiver<Result<Answer, ClientError>> {
        let (reply, outcome) = oneshot::channel();
        let message = Request::Submit {
            session_id: session(),
            content: Content::text("hi").unwrap(),
            message_id: message(),
            mode: SubmitMode::Queue,
        };
        self.link.ask(message, Some(reply), self.now);
        outcome
    }

    fn written(&mut self) -> Vec<Value> {
        let due = self.link.take_due(self.now);
        due.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    fn hears(&mut self, frame: &Value) -> Option<Incoming> {
        self.link.heard(frame::decode(&frame.to_string()).unwrap(), self.now)
    }
}

fn session() -> SessionId {
    SESSION.parse().unwrap()
}

fn message() -> MessageId {
    MESSAGE.parse().unwrap()
}

fn event(seq: u64) -> Value {
    json!({"type": "event", "sessionId": SESSION, "seq": seq, "hash": format!("h{seq}"),
           "at": "2026-01-01T12:00:00.000Z", "kind": "session_closed", "data": {}})
}

fn subscribed_answer(reference: &str, epoch: &str, from: u64, is_reset: bool) -> Value {
    json!({"type": "subscribed", "sessionId": SESSION, "epoch": epoch, "head": 9, "from": from,
           "reset": is_reset, "state": {}, "ref": reference})
}

#[test]
fn duplicates_are_not_heard_twice() {
    let mut situation = Situation::at_two();
    assert!(situation.hears(&event(2)).is_none());
    assert!(situation.hears(&event(1)).is_none());
    assert!(matches!(situation.hears(&event(3)), Some(Incoming::Event(event)) if event.seq == 3));
}

#[test]
fn a_gap_is_closed_by_subscribing_again() {
    let mut situation = Situation::at_two();
    assert!(situation.hears(&event(5)).is_none());
    let again = situation.written().remove(0);
    assert_eq!((&again["after"], &again["epoch"], &again["hash"]), (&json!(2), &json!("e"), &json!("h2")));
    assert!(situation.hears(&event(6)).is_none(), "the old stream does not count");
    assert!(situation.written().is_empty(), "it is asked once");
    let resumed = situation.hears(&subscribed_answer("2", "e", 3, false));
    assert!(matches!(resumed, Some(Incoming::Resumed(_))));
    assert!(matches!(situation.hears(&event(3)), Some(Incoming::Event(_))));
}

#[test]
fn a_new_connection_resumes_and_repeats_what_is_not_accepted() {
    let mut situation = Situation::at_two();
    let mut outcome = situation.submit();
    assert_eq!(situation.written()[0]["messageId"], MESSAGE);
    situation.link.disconnected(situation.now);
    let again = situation.written();
    assert_eq!((&again[0]["type"], &again[0]["messageId"]), (&json!("submit"), &json!(MESSAGE)));
    assert_eq!((&again[1]["type"], &again[1]["after"]), (&json!("subscribe"), &json!(2)));
    situation
        .hears(&json!({"type": "accepted", "messageId": MESSAGE, "seq": 3, "duplicate": true, "ref": "2"}));
    assert!(matches!(outcome.try_recv(), Ok(Ok(Answer::Accepted(accepted))) if accepted.duplicate));
    situation.link.disconnected(situation.now);
    assert!(situation.written().iter().all(|frame| frame["type"] != "submit"));
}

#[test]
fn another_history_is_told() {
    let mut situation = Situation::at_two();
    situation.link.disconnected(situation.now);
    situation.written();
    let reset = situation.hears(&subscribed_answer("2", "other", 1, true));
    assert!(matches!(reset, Some(Incoming::Reset(_))));
    assert!(matches!(situation.hears(&event(1)), Some(Incoming::Event(_))));
}

#[test]
fn a_message_in_doubt_is_sent_again_and_a_refused_one_is_not() {
    let rejected = |effect: &str| {
        let error = json!({"code": "storage_unavailable", "message": "No.", "effect": effect, "retryAfterSeconds": 1});
        json!({"type": "rejected", "error": error, "ref": "1"})
    };
    let mut situation = Situation::new();
    let mut outcome = situation.submit();
    situation.written();
    situation.hears(&rejected("unknown"));
    assert!(situation.written().is_empty(), "not before its time");
    situation.now += Duration::from_secs(1);
    assert_eq!(situation.written()[0]["messageId"], MESSAGE);
    assert!(outcome.try_recv().is_err());
    situation.hears(&rejected("none"));
    assert!(matches!(outcome.try_recv(), Ok(Err(ClientError::Rejected(_)))));
    situation.now += Duration::from_secs(100);
    assert!(situation.written().is_empty());
}

#[test]
fn what_the_server_would_refuse_for_its_size_is_not_sent() {
    let mut situation = Situation::new();
    situation.link.connected(40);
    let mut outcome = situation.submit();
    assert!(situation.written().is_empty());
    assert!(matches!(outcome.try_recv(), Ok(Err(ClientError::TooLarge { max_bytes: 40, .. }))));
}

#[test]
fn a_session_that_cannot_be_followed_any_more_is_told() {
    let mut situation = Situation::at_two();
    situation.link.disconnected(situation.now);
    situation.written();
    let error = json!({"code": "session_not_found", "message": "No.", "effect": "none"});
    let ended = situation.hears(&json!({"type": "rejected", "error": error, "ref": "2"}));
    assert!(matches!(ended, Some(Incoming::Ended { .. })));
    situation.link.disconnected(situation.now);
    assert!(situation.written().is_empty());
}

#[test]
fn the_list_is_watched_again() {
    let mut situation = Situation::new();
    let (reply, mut list) = oneshot::channel();
    situation.link.ask(Request::Watch {}, Some(reply), situation.now);
    situation.written();
    situation.hears(&json!({"type": "session_list", "sessions": [], "ref": "1"}));
    assert!(matches!(list.try_recv(), Ok(Ok(Answer::SessionList(_)))));
    situation.link.disconnected(situation.now);
    assert_eq!(situation.written()[0]["type"], "watch");
    let again = situation.hears(&json!({"type": "session_list", "sessions": [], "ref": "2"}));
    assert!(matches!(again, Some(Incoming::SessionList(_))));
}

#[test]
fn a_patch_is_stamped_later_than_all_that_was_seen_and_sent_again_as_it_was() {
    let mut situation = Situation::at_two();
    let ahead = "9000000000000000000/9f";
    let data = json!({"patch": {"a": 1}, "at": ahead, "by": {}});
    let mut changed = event(3);
    changed["kind"] = json!("state_changed");
    changed["data"] = data;
    assert!(situation.hears(&changed).is_some());
    let (reply, mut outcome) = oneshot::channel();
    let patch = BTreeMap::from([("a".to_owned(), json!(2))]);
    situation.link.set_state(session(), patch, Some(reply), situation.now);
    let first = situation.written().remove(0);
    let at: Stamp = Stamp::parse(first["at"].as_str().unwrap()).unwrap();
    assert!(at > Stamp::parse(ahead).unwrap() && at.is_unique(), "{at}");
    situation.link.disconnected(situation.now);
    let again = situation.written().remove(0);
    assert_eq!(
        (&again["type"], &again["at"], &again["patch"]),
        (&json!("state"), &first["at"], &json!({"a": 2}))
    );
    situation.hears(&json!({"type": "ok", "seq": 4, "at": at, "ref": again["ref"]}));
    assert!(
        matches!(outcome.try_recv(), Ok(Ok(Answer::Ok(Done { seq: Some(4), at: Some(told), .. }))) if told == at)
    );
}

#[test]
fn the_state_at_the_beginning_is_seen_too() {
    let mut situation = Situation::at_two();
    let mut subscribed = subscribed_answer("1", "e", 3, false);
    subscribed["state"] = json!({"shared": {"a": {"value": 1, "at": "9000000000000000000/9f", "by": {}}}});
    situation.link.disconnected(situation.now);
    subscribed["ref"] = situation.written()[0]["ref"].clone();
    situation.hears(&subscribed);
    situation.link.set_state(session(), BTreeMap::new(), None, situation.now);
    let patch = situation.written().remove(0);
    assert!(patch["at"].as_str().unwrap() > "9000000000000000000", "{patch}");
}

#[test]
fn what_a_device_does_and_has_read_is_said_when_it_is_heard_and_after_a_reconnect() {
    let mut situation = Situation::at_two();
    situation.link.does(session(), Activity::Typing, None, Instant::now());
    situation.link.has_read(session(), 2);
    let typing = json!({"type": "activity", "sessionId": SESSION, "activity": "typing"});
    let ack = json!({"type": "ack", "sessionId": SESSION, "seq": 2});
    assert_eq!(situation.written(), [typing.clone(), ack.clone()]);
    situation.link.has_read(session(), 3);
    let soon = situation.now + Duration::from_millis(500);
    assert_eq!((situation.link.next_deadline(true), situation.link.next_deadline(false)), (Some(soon), None));
    situation.link.has_read(session(), 2);
    situation.link.disconnected(situation.now);
    situation.now += Duration::from_secs(1);
    let subscribe = situation.written().remove(0);
    assert_eq!(subscribe["type"], "subscribe");
    assert_eq!(situation.written(), Vec::<Value>::new());
    situation.hears(&subscribed_answer(subscribe["ref"].as_str().unwrap(), "e", 3, false));
    assert_eq!(situation.written(), [typing, ack]);
}
