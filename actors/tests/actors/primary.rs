//! Which device leads: it is advisory, and follows the people.

use chrono::TimeDelta;
use tandem_actors::ids::{ConnectionId, SessionId};
use tandem_actors::refusal::Code;
use tandem_actors::room::{Ending, Parting, Stay};
use tandem_actors::session::{Command, View};
use tokio::time::Instant;

use crate::support::{House, card};

/// A device that is there.
struct There {
    stay: Stay,
    parting: Parting,
}

impl There {
    async fn come(house: &House, session: SessionId, device: &str) -> Self {
        let handle = house.hub.find(session).await.unwrap();
        let (connection, parting) = (ConnectionId::random(), Parting::default());
        let stay = handle.room.enter(connection, &card(device), parting.clone());
        house.ask(session, device, Command::Attach { connection, device: card(device) }).await.unwrap();
        Self { stay, parting }
    }

    fn leave(self) {
        self.stay.leave();
    }

    fn lose(self) {
        self.parting.note(Ending::Lost { since: Instant::now() });
    }
}

fn leads(view: &View) -> Option<&str> {
    view.primary_device_id.as_ref().map(tandem_actors::ids::DeviceId::as_str)
}

async fn who_leads(house: &House, session: SessionId) -> Option<String> {
    house.settle().await;
    leads(&*house.view(session).await).map(str::to_owned)
}

/// Laptop and phone are there, the laptop leads.
async fn at_the_desk(house: &House) -> (SessionId, There, There) {
    let session = house.session().await;
    let laptop = There::come(house, session, "laptop").await;
    let phone = There::come(house, session, "phone").await;
    assert_eq!(who_leads(house, session).await.as_deref(), Some("laptop"));
    (session, laptop, phone)
}

#[actix::test]
async fn when_the_leading_device_goes_another_takes_over() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, _phone) = at_the_desk(&house).await;
    laptop.leave();
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"));
    let changes = house.data_of(session, "primary_changed").await;
    let reasons: Vec<_> = changes.iter().map(|change| change["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["first", "offline"]);
    house.close().await;
}

#[actix::test]
async fn of_several_the_one_that_was_active_last_takes_over() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, _phone) = at_the_desk(&house).await;
    let _tablet = There::come(&house, session, "tablet").await;
    house.pass(TimeDelta::seconds(1)).await;
    let room = house.hub.find(session).await.unwrap().room;
    room.touch(&"phone".parse().unwrap());
    laptop.leave();
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"));
    house.close().await;
}

#[actix::test]
async fn a_lost_connection_costs_the_lead_only_after_the_grace() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, _phone) = at_the_desk(&house).await;
    laptop.lose();
    house.pass(TimeDelta::seconds(14)).await;
    let laptop = There::come(&house, session, "laptop").await;
    house.pass(TimeDelta::seconds(20)).await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("laptop"));
    laptop.lose();
    house.pass(TimeDelta::seconds(14)).await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("laptop"));
    house.pass(TimeDelta::seconds(2)).await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"));
    house.close().await;
}

#[actix::test]
async fn after_a_restart_the_leading_device_has_time_to_come_back() {
    tokio::time::pause();
    for comes_back in [true, false] {
        let house = House::open().await;
        let (session, laptop, phone) = at_the_desk(&house).await;
        let journal = house.journal.clone();
        house.close().await;
        drop((laptop, phone));
        let house = House::open_on(journal).await;
        let _phone = There::come(&house, session, "phone").await;
        house.pass(TimeDelta::seconds(10)).await;
        assert_eq!(who_leads(&house, session).await.as_deref(), Some("laptop"));
        let _laptop = if comes_back { Some(There::come(&house, session, "laptop").await) } else { None };
        house.pass(TimeDelta::seconds(6)).await;
        let expected = if comes_back { "laptop" } else { "phone" };
        assert_eq!(who_leads(&house, session).await.as_deref(), Some(expected));
        house.close().await;
    }
}

#[actix::test]
async fn nobody_takes_over_where_nobody_is_until_somebody_comes() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, phone) = at_the_desk(&house).await;
    phone.leave();
    laptop.leave();
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("laptop"));
    house.pass(TimeDelta::minutes(1)).await;
    let _phone = There::come(&house, session, "phone").await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"));
    house.pass(TimeDelta::minutes(1)).await;
    let _tablet = There::come(&house, session, "tablet").await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"), "it was there a moment ago");
    house.close().await;
}

#[actix::test]
async fn a_device_that_is_new_may_take_over_too() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, phone) = at_the_desk(&house).await;
    phone.leave();
    laptop.leave();
    house.pass(TimeDelta::minutes(1)).await;
    let _tablet = There::come(&house, session, "tablet").await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("tablet"));
    house.close().await;
}

#[actix::test]
async fn a_device_that_was_handed_the_lead_has_ten_minutes_to_come() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, phone) = at_the_desk(&house).await;
    phone.leave();
    let handoff = Command::Handoff { to: "phone".parse().unwrap() };
    house.ask(session, "laptop", handoff.clone()).await.unwrap();
    house.pass(TimeDelta::minutes(9)).await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"));
    house.pass(TimeDelta::seconds(90)).await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("laptop"), "it did not come");
    house.ask(session, "laptop", handoff).await.unwrap();
    let phone = There::come(&house, session, "phone").await;
    house.pass(TimeDelta::minutes(20)).await;
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"), "it came");
    house.ask(session, "phone", Command::Handoff { to: "laptop".parse().unwrap() }).await.unwrap();
    house.ask(session, "laptop", Command::Handoff { to: "phone".parse().unwrap() }).await.unwrap();
    house.pass(TimeDelta::minutes(1)).await;
    phone.leave();
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("laptop"), "it was there, and has gone");
    let phone = There::come(&house, session, "phone").await;
    let refusal = house.ask(session, "phone", Command::Handoff { to: "stranger".parse().unwrap() }).await;
    assert_eq!(refusal.unwrap_err().code, Code::DeviceNotFound);
    drop((laptop, phone));
    house.close().await;
}

#[actix::test]
async fn an_unlinked_device_gives_the_lead_to_one_that_is_there() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, laptop, _phone) = at_the_desk(&house).await;
    laptop.leave();
    let laptop = There::come(&house, session, "laptop").await;
    house.ask(session, "phone", Command::Handoff { to: "laptop".parse().unwrap() }).await.unwrap();
    laptop.leave();
    house.ask(session, "phone", Command::Unlink { device: "laptop".parse().unwrap() }).await.unwrap();
    assert_eq!(who_leads(&house, session).await.as_deref(), Some("phone"));
    house.close().await;
}
