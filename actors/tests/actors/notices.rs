//! Notices between devices: to those who are there at once, to one that is away when it is back.

use chrono::TimeDelta;
use tandem_actors::device::{MAX_UNWRITTEN_NOTICES, Reply, Wish};
use tandem_actors::ids::SessionId;
use tandem_actors::journal::{Journal as _, MemoryJournal};
use tandem_actors::notice::{Addressee, Delivery, Notify};
use tandem_actors::refusal::{Code, Refusal};
use tandem_actors::room::Ending;

use crate::devices::{Wireless, to};
use crate::support::House;

fn device(name: &str) -> Addressee {
    Addressee::Device(name.parse().unwrap())
}

fn saying(to: Addressee, text: &str) -> Notify {
    Notify::new(to, Vec::new(), text).unwrap()
}

async fn sends(from: &mut Wireless, notify: Notify) -> Result<(usize, usize), Refusal> {
    match from.wish(Wish::Notify(notify)).await {
        Reply::Notified(Delivery { delivered, waiting }) => Ok((delivered, waiting)),
        Reply::Rejected(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

/// Lets a device say hello and go.
async fn was_here(house: &House, name: &str) {
    Wireless::connect(house, name).ends(Ending::Clean);
    house.settle().await;
}

async fn waiting(house: &House) -> Vec<String> {
    house.journal.notices().await.unwrap().iter().map(|row| row.message.to_string()).collect()
}

#[actix::test]
async fn connected_devices_get_it_at_once_and_the_sender_does_not() {
    let house = House::open().await;
    let session = house.session().await;
    let [mut phone, mut laptop, mut tablet] =
        ["phone", "laptop", "tablet"].map(|name| Wireless::connect(&house, name));
    let mut phone_too = Wireless::connect(&house, "phone");
    laptop.subscribe(to(session)).await;
    phone.subscribe(to(session)).await;
    assert_eq!(sends(&mut phone, saying(Addressee::All, "all")).await, Ok((2, 0)));
    assert_eq!(sends(&mut phone, saying(Addressee::Session(session), "linked")).await, Ok((1, 0)));
    let owner = Addressee::User("owner".parse().unwrap());
    let but = Notify::new(owner, vec!["tablet".parse().unwrap()], "but the tablet").unwrap();
    assert_eq!(sends(&mut phone, but).await, Ok((1, 0)));
    assert_eq!(
        sends(&mut laptop, saying(device("phone"), "you")).await,
        Ok((1, 0)),
        "one device, two connections"
    );
    assert_eq!(laptop.notices(true), ["all", "linked", "but the tablet"]);
    assert_eq!(tablet.notices(true), ["all"]);
    assert_eq!(phone.notices(true), ["you"]);
    assert_eq!(phone_too.notices(true), ["you"]);
    house.settle().await;
    assert!(waiting(&house).await.is_empty(), "what has arrived is forgotten");
    assert_eq!(sends(&mut phone, saying(device("phone"), "me")).await, Ok((1, 0)), "who names itself");
    assert_eq!(phone.notices(true), ["me"]);
    assert_eq!(phone_too.notices(true), ["me"]);
    house.close().await;
}

#[actix::test]
async fn whom_nobody_knows_is_not_found() {
    let house = House::open().await;
    let mut phone = Wireless::connect(&house, "phone");
    for (to, code) in [
        (device("stranger"), Code::DeviceNotFound),
        (Addressee::Session(SessionId::random()), Code::SessionNotFound),
        (Addressee::User("nobody".parse().unwrap()), Code::BadRequest),
    ] {
        assert_eq!(sends(&mut phone, saying(to, "hi")).await.unwrap_err().code, code);
    }
    house.close().await;
}

#[actix::test]
async fn a_device_that_is_away_is_handed_them_in_order_when_it_says_hello_and_once() {
    let house = House::open().await;
    was_here(&house, "phone").await;
    let mut laptop = Wireless::connect(&house, "laptop");
    for text in ["one", "two", "three"] {
        assert_eq!(sends(&mut laptop, saying(device("phone"), text)).await, Ok((0, 1)));
    }
    assert_eq!(waiting(&house).await, ["one", "two", "three"]);
    let mut phone = Wireless::connect(&house, "phone");
    house.settle().await;
    assert_eq!(phone.notices(true), ["one", "two", "three"]);
    house.settle().await;
    assert!(waiting(&house).await.is_empty(), "what has arrived is forgotten");
    let mut again = Wireless::connect(&house, "phone");
    house.settle().await;
    assert!(again.notices(true).is_empty());
    house.close().await;
}

#[actix::test]
async fn a_connection_that_is_closing_keeps_no_notice_from_another() {
    for closing in 0..2 {
        let house = House::open().await;
        was_here(&house, "phone").await;
        let mut laptop = Wireless::connect(&house, "laptop");
        sends(&mut laptop, saying(device("phone"), "one")).await.unwrap();
        // Still there, but nothing goes into it any more.
        let mut phones = Vec::new();
        for number in 0..2 {
            let phone = Wireless::connect(&house, "phone");
            if number == closing {
                phone.outbox.close(Ending::Clean);
            }
            phones.push(phone);
        }
        house.settle().await;
        assert_eq!(phones[1 - closing].notices(true), ["one"]);
        house.settle().await;
        assert_eq!(sends(&mut laptop, saying(device("phone"), "two")).await, Ok((1, 0)));
        assert_eq!(phones[1 - closing].notices(true), ["two"]);
        house.close().await;
    }
}

#[actix::test]
async fn what_was_written_and_has_not_arrived_comes_again() {
    let house = House::open().await;
    was_here(&house, "phone").await;
    let mut laptop = Wireless::connect(&house, "laptop");
    sends(&mut laptop, saying(device("phone"), "one")).await.unwrap();
    let mut lost = Wireless::connect(&house, "phone");
    house.settle().await;
    assert_eq!(lost.notices(false), ["one"]);
    drop(lost);
    house.settle().await;
    assert_eq!(waiting(&house).await, ["one"]);
    let mut phone = Wireless::connect(&house, "phone");
    house.settle().await;
    assert_eq!(phone.notices(true), ["one"]);
    house.close().await;
}

#[actix::test]
async fn what_is_sent_into_a_dead_connection_comes_over_the_next_one_and_in_order() {
    let house = House::open().await;
    let mut dead = Wireless::connect(&house, "phone");
    let mut laptop = Wireless::connect(&house, "laptop");
    for text in ["one", "two"] {
        assert_eq!(sends(&mut laptop, saying(device("phone"), text)).await, Ok((1, 0)));
    }
    assert_eq!(dead.notices(false), ["one"], "nothing overtakes what has not arrived");
    assert_eq!(waiting(&house).await, ["one", "two"]);
    // Nobody has noticed the end of the other one yet.
    let mut phone = Wireless::connect(&house, "phone");
    house.settle().await;
    assert_eq!(phone.notices(true), ["one", "two"]);
    house.settle().await;
    assert!(waiting(&house).await.is_empty());
    drop(dead);
    house.settle().await;
    assert!(phone.notices(true).is_empty());
    house.close().await;
}

#[actix::test]
async fn waiting_notices_survive_a_restart() {
    let journal = MemoryJournal::new();
    let house = House::open_on(journal.clone()).await;
    was_here(&house, "phone").await;
    let mut laptop = Wireless::connect(&house, "laptop");
    sends(&mut laptop, saying(device("phone"), "one")).await.unwrap();
    drop(laptop);
    house.close().await;
    let house = House::open_on(journal).await;
    let mut laptop = Wireless::connect(&house, "laptop");
    sends(&mut laptop, saying(device("phone"), "two")).await.unwrap();
    let mut phone = Wireless::connect(&house, "phone");
    house.settle().await;
    assert_eq!(phone.notices(true), ["one", "two"]);
    house.close().await;
}

#[actix::test]
async fn a_hundred_wait_and_come_although_fewer_fit_into_an_outbox() {
    let house = House::open().await;
    was_here(&house, "phone").await;
    let mut laptop = Wireless::connect(&house, "laptop");
    for number in 0..=100 {
        sends(&mut laptop, saying(device("phone"), &number.to_string())).await.unwrap();
    }
    assert_eq!(waiting(&house).await.len(), 100, "the oldest went");
    let mut phone = Wireless::connect(&house, "phone");
    let mut texts = Vec::new();
    while texts.len() < 100 {
        house.settle().await;
        let more = phone.notices(true);
        assert!(
            (1..=MAX_UNWRITTEN_NOTICES).contains(&more.len()),
            "{} of a hundred, and then {more:?}",
            texts.len()
        );
        texts.extend(more);
    }
    let expected: Vec<String> = (1..=100).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    house.settle().await;
    assert!(waiting(&house).await.is_empty());
    house.close().await;
}

#[actix::test]
async fn a_device_that_does_not_read_counts_as_away() {
    let house = House::open().await;
    let phone = Wireless::connect(&house, "phone");
    let mut laptop = Wireless::connect(&house, "laptop");
    for _ in 0..MAX_UNWRITTEN_NOTICES {
        assert_eq!(sends(&mut laptop, saying(Addressee::All, "hey")).await, Ok((1, 0)));
    }
    assert_eq!(sends(&mut laptop, saying(Addressee::All, "hey")).await, Ok((0, 0)));
    assert_eq!(sends(&mut laptop, saying(device("phone"), "you")).await, Ok((0, 1)));
    assert_eq!(phone.outbox.len(), 0, "its requests are not held up");
    house.close().await;
}

#[actix::test]
async fn a_notice_that_cannot_be_written_is_refused_and_does_not_wait() {
    let house = House::open().await;
    was_here(&house, "phone").await;
    let mut laptop = Wireless::connect(&house, "laptop");
    house.journal.refuse_appends(Some("the disk is full"));
    let refusal = sends(&mut laptop, saying(device("phone"), "one")).await.unwrap_err();
    assert_eq!(refusal.code, Code::StorageUnavailable);
    house.journal.refuse_appends(None);
    sends(&mut laptop, saying(device("phone"), "two")).await.unwrap();
    let mut phone = Wireless::connect(&house, "phone");
    house.settle().await;
    assert_eq!(phone.notices(true), ["two"]);
    house.close().await;
}

#[actix::test]
async fn a_device_that_comes_back_while_a_notice_is_written_gets_it() {
    let house = House::open().await;
    was_here(&house, "phone").await;
    house.journal.hold_appends(true);
    let laptop = Wireless::connect(&house, "laptop");
    let asked = tandem_actors::device::Request {
        reference: None,
        wish: Wish::Notify(saying(device("phone"), "one")),
    };
    let answered = laptop.addr.send(asked);
    let mut phone = None;
    let come_back = async {
        house.settle().await;
        phone = Some(Wireless::connect(&house, "phone"));
        house.settle().await;
        house.journal.hold_appends(false);
    };
    let (answered, ()) = tokio::join!(answered, come_back);
    answered.unwrap();
    house.settle().await;
    assert_eq!(phone.unwrap().notices(true), ["one"]);
    house.close().await;
}

#[actix::test]
async fn after_a_week_nobody_is_handed_it() {
    let house = House::open().await;
    was_here(&house, "phone").await;
    let mut laptop = Wireless::connect(&house, "laptop");
    sends(&mut laptop, saying(device("phone"), "old")).await.unwrap();
    house.clock.advance(TimeDelta::days(8));
    let mut phone = Wireless::connect(&house, "phone");
    house.settle().await;
    assert!(phone.notices(true).is_empty());
    assert!(waiting(&house).await.is_empty());
    house.close().await;
}
