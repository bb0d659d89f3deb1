//! Attachments: sessions and devices see references, and what nobody needs is forgotten.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tandem_actors::agent::AgentInput;
use tandem_actors::blobs::{BlobHash, Blobs as _, NewBlob};
use tandem_actors::content::Content;
use tandem_actors::ids::{MessageId, SessionId};
use tandem_actors::journal::{JournalError, MemoryJournal};
use tandem_actors::refusal::{Code, Effect};
use tandem_actors::session::{Answer, Command, Submit};

use crate::support::{House, accepted, by, card, says, start_of_time};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const PNG_BASE64: &str = "iVBORw0KGgoAAAANSUhEUg==";

fn picture() -> Content {
    let source = json!({"type": "base64", "media_type": "image/png", "data": PNG_BASE64});
    Content::from_value(json!([{"type": "image", "source": source}])).unwrap()
}

fn reference(data: &[u8]) -> Content {
    let source = json!({"type": "blob", "sha256": BlobHash::of(data)});
    Content::from_value(json!([{"type": "image", "source": source}])).unwrap()
}

fn expected() -> Value {
    let source =
        json!({"type": "blob", "media_type": "image/png", "sha256": BlobHash::of(PNG), "bytes": PNG.len()});
    json!([{"type": "image", "source": source}])
}

fn submit(content: Content) -> Command {
    Command::Submit(Submit { content, ..says("x") })
}

async fn sessions_of(house: &House, data: &[u8]) -> Option<Vec<SessionId>> {
    house.journal.find(BlobHash::of(data)).await.unwrap().map(|row| row.sessions)
}

#[actix::test]
async fn events_views_and_the_agents_channel_hold_references() {
    let house = House::open().await;
    let session = house.session().await;
    accepted(house.ask(session, "phone", submit(picture())).await);
    let mut agent = house.agents.ready().await;
    let AgentInput::Message { id, content } = agent.hears().await else { panic!("not a message") };
    assert_eq!(serde_json::to_value(content).unwrap(), expected());
    let (queued, _, _) = accepted(house.ask(session, "laptop", submit(picture())).await);
    assert_ne!(queued, id);
    let events = house.data_of(session, "message_accepted").await;
    assert!(events.iter().all(|event| event["content"] == expected()), "{events:?}");
    let view = house.view(session).await;
    assert_eq!(serde_json::to_value(&view.queue[0].content).unwrap(), expected());
    assert_eq!(sessions_of(&house, PNG).await, Some(vec![session]));
    house.close().await;
}

#[actix::test]
async fn the_same_picture_under_the_same_id_is_a_duplicate() {
    let house = House::open().await;
    let session = house.session().await;
    let id = MessageId::random();
    let with_id = |content| Command::Submit(Submit { content, message_id: Some(id), ..says("x") });
    let first = accepted(house.ask(session, "phone", with_id(picture())).await);
    let again = accepted(house.ask(session, "phone", with_id(picture())).await);
    assert_eq!((again.0, again.1, again.2), (id, first.1, true));
    let by_reference = accepted(house.ask(session, "phone", with_id(reference(PNG))).await);
    assert!(by_reference.2, "whether it comes as bytes or by reference makes no difference");
    let other =
        json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]);
    let other = house.ask(session, "phone", with_id(Content::from_value(other).unwrap())).await;
    assert_eq!(other.unwrap_err().code, Code::MessageIdReused);
    house.close().await;
}

#[actix::test]
async fn a_message_can_be_edited_to_have_a_picture_and_the_one_before_stays() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "first").await;
    let (message, _, _) = house.submit(session, "phone", "second").await;
    let edit = Command::Edit { message, content: picture() };
    assert!(matches!(house.ask(session, "phone", edit).await, Ok(Answer::Done)));
    assert_eq!(house.data_of(session, "message_edited").await[0]["content"], expected());
    let edit = Command::Edit { message, content: Content::text("words again").unwrap() };
    house.ask(session, "phone", edit).await.unwrap();
    assert_eq!(sessions_of(&house, PNG).await, Some(vec![session]));
    house.close().await;
}

#[actix::test]
async fn what_is_refused_reaches_no_session() {
    let house = House::open().await;
    let session = house.session().await;
    let html = json!({"type": "base64", "media_type": "image/png", "data": "PGh0bWw+"});
    let html = Content::from_value(json!([{"type": "image", "source": html}])).unwrap();
    let refusal = house.ask(session, "phone", submit(html)).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::BadRequest, Effect::None));
    house.journal.refuse_appends(Some("full"));
    let refusal = house.ask(session, "phone", submit(picture())).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::StorageUnavailable, Effect::None));
    house.journal.refuse_appends(None);
    let refusal = house.ask(SessionId::random(), "phone", submit(picture())).await.unwrap_err();
    assert_eq!(refusal.code, Code::SessionNotFound);
    assert_eq!(sessions_of(&house, PNG).await, None, "nothing is kept for a session that does not exist");
    assert_eq!(house.kinds(session), ["session_created"]);
    house.close().await;
}

#[actix::test]
async fn an_append_that_was_taken_back_claims_nothing_and_the_next_one_does() {
    let house = House::open().await;
    let session = house.session().await;
    house.journal.fail_next_append(JournalError::NotWritten { reason: "full".into() });
    let refusal = house.ask(session, "phone", submit(picture())).await.unwrap_err();
    assert_eq!(refusal.code, Code::StorageUnavailable);
    assert_eq!(sessions_of(&house, PNG).await, Some(Vec::new()));
    accepted(house.ask(session, "phone", submit(picture())).await);
    assert_eq!(sessions_of(&house, PNG).await, Some(vec![session]));
    house.close().await;
}

#[actix::test]
async fn only_devices_of_its_sessions_may_read_it_or_refer_to_it() {
    let house = House::open().await;
    let session = house.session().await;
    let hash = BlobHash::of(PNG);
    house.hub.upload(by("phone"), hash, PNG.into()).await.unwrap();
    let may_read = async |device: &str| house.hub.download(&by(device), hash).await.is_ok();
    assert!(may_read("phone").await && !may_read("laptop").await);
    assert_eq!(
        house.ask(session, "laptop", submit(reference(PNG))).await.unwrap_err().code,
        Code::BadRequest
    );
    house.ask(session, "laptop", Command::Link(card("laptop"))).await.unwrap();
    assert!(!may_read("laptop").await, "no message refers to it yet");
    accepted(house.ask(session, "phone", submit(reference(PNG))).await);
    assert!(may_read("laptop").await && !may_read("stranger").await);
    accepted(house.ask(session, "laptop", submit(reference(PNG))).await);
    house.ask(session, "laptop", Command::Unlink { device: "laptop".parse().unwrap() }).await.unwrap();
    assert!(!may_read("laptop").await);
    let refusal = house.hub.download(&by("stranger"), hash).await.unwrap_err();
    assert_eq!(refusal, house.hub.download(&by("stranger"), BlobHash::of(b"none")).await.unwrap_err());
    house.close().await;
}

#[actix::test]
async fn an_upload_must_be_what_its_name_says() {
    let house = House::open().await;
    let refusal = house.hub.upload(by("phone"), BlobHash::of(b"other"), PNG.into()).await.unwrap_err();
    assert_eq!(refusal.details.unwrap()["field"], "sha256");
    let archive = b"PK\x03\x04\0";
    let refusal = house.hub.upload(by("phone"), BlobHash::of(archive), archive[..].into()).await.unwrap_err();
    assert_eq!(refusal.code, Code::BadRequest);
    let large = vec![b'a'; (10 << 20) + 1];
    let refusal = house.hub.upload(by("phone"), BlobHash::of(&large), large.into()).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooLarge);
    house.close().await;
}

#[actix::test]
async fn what_no_message_refers_to_is_forgotten_after_a_day() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "first").await;
    let notes = b"notes";
    house.hub.upload(by("phone"), BlobHash::of(notes), notes[..].into()).await.unwrap();
    accepted(house.ask(session, "phone", submit(picture())).await);
    house.pass(TimeDelta::hours(23)).await;
    assert!(sessions_of(&house, notes).await.is_some());
    house.pass(TimeDelta::hours(3)).await;
    assert!(sessions_of(&house, notes).await.is_none());
    assert_eq!(sessions_of(&house, PNG).await, Some(vec![session]), "a message of the past refers to it");
    house.close().await;
}

#[actix::test]
async fn a_start_forgets_what_was_left_over() {
    let journal = MemoryJournal::new();
    let hours_ago = |hours: i64| start_of_time().plus(TimeDelta::hours(-hours));
    for (data, hours) in [(&b"old"[..], 25), (b"new", 23)] {
        let blob = NewBlob::of(data.into(), "phone".parse().unwrap(), hours_ago(hours)).unwrap();
        journal.keep(blob).await.unwrap();
    }
    let house = House::open_on(journal).await;
    house.settle().await;
    assert_eq!(sessions_of(&house, b"old").await, None);
    assert_eq!(sessions_of(&house, b"new").await, Some(Vec::new()));
    house.close().await;
}
