//! What happens when the journal does not do what it is asked.

use tandem_actors::agent::AgentOutput;
use tandem_actors::journal::JournalError;
use tandem_actors::refusal::{Code, Effect};
use tandem_actors::session::{Command, Submit};

use crate::support::{House, accepted, raw, says};

#[actix::test]
async fn when_nothing_was_written_nothing_has_happened() {
    let house = House::open().await;
    let session = house.session().await;
    let known = house.submit(session, "phone", "before").await;
    house.journal.refuse_appends(Some("disk full"));
    let refusal = house.ask(session, "phone", Command::Submit(says("lost"))).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::StorageUnavailable, Effect::None));
    let view = house.view(session).await;
    assert_eq!((view.head, view.messages), (2, 1), "reads go on, and show only what is on disk");
    assert_eq!(house.submit(session, "phone", "before").await, (known.0, known.1, true));
    house.journal.refuse_appends(None);
    assert_eq!(house.submit(session, "phone", "after").await.1, 3, "no number was used up");
    house.close().await;
}

#[actix::test]
async fn what_the_agent_says_while_the_disk_is_full_is_kept_until_it_is_not() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "go").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.journal.refuse_appends(Some("disk full"));
    agent.print(AgentOutput::Message(raw(r#"{"type":"assistant","n":1}"#))).await;
    agent.print(AgentOutput::Message(raw(r#"{"type":"assistant","n":2}"#))).await;
    house.ask(session, "phone", Command::Submit(says("x"))).await.unwrap_err();
    house.journal.refuse_appends(None);
    agent.answers(message, "done").await;
    house.has_kind(session, "turn_ended", 1).await;
    let lines = house.data_of(session, "agent_message").await;
    let numbers: Vec<_> = lines.iter().filter_map(|data| data["message"]["n"].as_u64()).collect();
    assert_eq!(numbers, [1, 2]);
    house.close().await;
}

#[actix::test]
async fn a_write_in_doubt_is_answered_as_unknown_and_sending_it_again_is_safe() {
    let house = House::open().await;
    let session = house.session().await;
    let submit =
        Command::Submit(Submit { message_id: Some(tandem_actors::ids::MessageId::random()), ..says("go") });
    house.journal.fail_next_append(JournalError::Unknown { reason: "fsync".into() });
    let refusal = house.ask(session, "phone", submit.clone()).await.unwrap_err();
    assert_eq!(refusal.effect, Effect::Unknown);
    let (_, seq, duplicate) = accepted(house.ask(session, "phone", submit).await);
    assert_eq!((seq, duplicate), (2, true), "it had been stored after all");
    house.close().await;
}

#[actix::test]
async fn an_owner_that_was_replaced_writes_nothing_more() {
    use tandem_actors::journal::Journal as _;
    let house = House::open().await;
    let session = house.session().await;
    house.journal.claim(session).await.unwrap();
    let refusal = house.ask(session, "phone", Command::Submit(says("zombie"))).await.unwrap_err();
    assert_eq!(refusal.effect, Effect::Unknown);
    assert_eq!(house.kinds(session), ["session_created"]);
    assert_eq!(
        house.submit(session, "phone", "rightful").await.1,
        2,
        "the next owner is built from the journal"
    );
    house.close().await;
}

#[actix::test]
async fn a_session_that_cannot_be_created_is_not_listed() {
    let house = House::open().await;
    house.journal.refuse_appends(Some("disk full"));
    let create = tandem_actors::registry::Create {
        by: crate::support::by("desk"),
        project_path: "/tmp".into(),
        title: None,
        model: None,
        permission_mode: None,
        first_message: None,
    };
    let refusal = house.hub.create(create).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::StorageUnavailable, Effect::None));
    assert!(house.hub.board.all().0.is_empty());
    house.close().await;
}

#[actix::test]
async fn an_orderly_stop_ends_although_the_disk_takes_nothing() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "go").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.journal.refuse_appends(Some("disk full"));
    agent.print(AgentOutput::Message(raw(r#"{"type":"assistant","n":1}"#))).await;
    house.close().await;
}
