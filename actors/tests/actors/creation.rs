//! How sessions begin: once, however often they are asked for, and not at all while the system stops.

use tandem_actors::ids::MessageId;
use tandem_actors::refusal::Code;
use tandem_actors::registry::Create;

use crate::support::{House, by};

fn create(first_message: Option<MessageId>) -> Create {
    Create {
        by: by("desk"),
        project_path: "/tmp".into(),
        title: None,
        model: None,
        permission_mode: None,
        first_message,
    }
}

#[actix::test]
async fn one_message_begins_one_session_however_often_it_is_sent() {
    let house = House::open().await;
    let create = create(Some(MessageId::random()));
    let (one, other) = tokio::join!(house.hub.create(create.clone()), house.hub.create(create.clone()));
    let session = one.unwrap().session;
    assert_eq!(other.unwrap().session, session);
    let journal = house.journal.clone();
    house.close().await;

    let house = House::open_on(journal).await;
    assert_eq!(house.hub.create(create).await.unwrap().session, session, "also after a restart");
    assert_eq!(house.hub.board.all().0.len(), 1);
    assert_eq!(house.journal.records(session).len(), 1);
    house.close().await;
}

#[actix::test]
async fn all_who_wait_for_a_session_are_told_that_it_could_not_begin() {
    let house = House::open().await;
    house.journal.refuse_appends(Some("disk full"));
    let create = create(Some(MessageId::random()));
    let (one, other) = tokio::join!(house.hub.create(create.clone()), house.hub.create(create.clone()));
    for refusal in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(refusal.code, Code::StorageUnavailable);
    }
    house.journal.refuse_appends(None);
    let handle = house.hub.create(create).await.unwrap();
    house.submit(handle.session, "phone", "go").await;
    house.close().await;
}

#[actix::test]
async fn a_session_that_was_asked_for_before_the_stop_does_not_begin_after_it() {
    let house = House::open().await;
    let asked = house.hub.registry.send(create(None));
    house.close().await;
    assert_eq!(asked.await.unwrap().unwrap_err().code, Code::ShuttingDown);
}
