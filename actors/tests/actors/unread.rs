//! How far each device has read, and what is unread for it.

use tandem_actors::agent::AgentOutput;
use tandem_actors::device::{Reply, Wish};
use tandem_actors::ids::SessionId;
use tandem_actors::journal::{Journal as _, MemoryJournal};
use tandem_actors::registry::Listed;

use crate::devices::{Wireless, to};
use crate::support::{House, approval};

async fn watched(device: &mut Wireless) -> Vec<Listed> {
    match device.wish(Wish::Watch).await {
        Reply::SessionList(list) => list,
        other => panic!("no list: {other:?}"),
    }
}

/// A session with a phone in it, and two turns of which the second asked something.
async fn busy(house: &House, phone: &mut Wireless) -> SessionId {
    let session = house.session().await;
    phone.subscribe(to(session)).await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.submit(session, "phone", "two").await;
    let (message, _) = agent.takes_message().await;
    agent.print(AgentOutput::Asks(approval("q", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    agent.answers(message, "done").await;
    house.has_kind(session, "turn_ended", 2).await;
    house.settle().await;
    session
}

/// The seq of the nth event of a kind.
fn seq_of(house: &House, session: SessionId, kind: &str, nth: usize) -> u64 {
    let records = house.journal.records(session);
    records.iter().filter(|record| &*record.kind == kind).nth(nth).unwrap().seq
}

#[actix::test]
async fn ended_turns_and_questions_behind_the_cursor_are_unread() {
    let house = House::open().await;
    let mut phone = Wireless::connect(&house, "phone");
    let session = busy(&house, &mut phone).await;
    let list = watched(&mut phone).await;
    assert_eq!((list[0].summary.notable, list[0].unread), (3, Some(3)), "it never acknowledged");
    let stranger = watched(&mut Wireless::connect(&house, "stranger")).await;
    assert_eq!(stranger[0].unread, None, "it is not linked");
    for (seq, unread) in [
        (seq_of(&house, session, "turn_ended", 0), 2),
        (seq_of(&house, session, "approval_requested", 0), 1),
        (u64::MAX, 0),
    ] {
        phone.tell(Wish::Ack(session, seq)).await;
        assert_eq!(watched(&mut phone).await[0].unread, Some(unread), "at {seq}");
    }
    let head = house.kinds(session).len() as u64;
    let view = house.view(session).await;
    assert_eq!(view.devices[0].acked_seq, head, "nobody has more than there is");
    house.close().await;
}

#[actix::test]
async fn what_one_connection_has_read_shows_on_the_devices_others() {
    let house = House::open().await;
    let mut reading = Wireless::connect(&house, "phone");
    let session = busy(&house, &mut reading).await;
    let mut watching = Wireless::connect(&house, "phone");
    watched(&mut watching).await;
    let mut laptop = Wireless::connect(&house, "laptop");
    watched(&mut laptop).await;
    laptop.changed();
    watching.changed();
    reading.tell(Wish::Ack(session, u64::MAX)).await;
    let changed = watching.changed();
    assert_eq!((changed.len(), changed[0].unread), (1, Some(0)));
    assert!(laptop.changed().is_empty(), "nothing that concerns another device");
    house.close().await;
}

#[actix::test]
async fn a_cursor_is_kept_while_the_device_is_away_and_over_a_restart() {
    let journal = MemoryJournal::new();
    let house = House::open_on(journal.clone()).await;
    let mut phone = Wireless::connect(&house, "phone");
    let session = busy(&house, &mut phone).await;
    let read = seq_of(&house, session, "turn_ended", 0);
    phone.tell(Wish::Ack(session, read)).await;
    drop(phone);
    house.settle().await;
    assert_eq!(house.view(session).await.devices[0].acked_seq, read);
    house.close().await;
    let house = House::open_on(journal).await;
    assert_eq!(house.view(session).await.devices[0].acked_seq, read);
    let list = watched(&mut Wireless::connect(&house, "phone")).await;
    assert_eq!(list[0].unread, Some(list[0].summary.notable - 1));
    assert!(list[0].summary.online.is_empty(), "who was online before a restart is not");
    house.close().await;
}

#[actix::test]
async fn acknowledgements_are_written_down_every_few_seconds() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let mut phone = Wireless::connect(&house, "phone");
    phone.subscribe(to(session)).await;
    phone.tell(Wish::Ack(session, 1)).await;
    assert!(house.journal.cursors().await.unwrap().is_empty());
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let rows = house.journal.cursors().await.unwrap();
    assert_eq!((rows.len(), rows[0].seq, rows[0].notable), (1, 1, 0));
    house.close().await;
}
