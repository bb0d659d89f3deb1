//! Devices: what one sees, all see, in the same order, from any point on.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use actix::prelude::*;
use futures_util::Stream;
use serde_json::Value;
use tandem_actors::agent::AgentOutput;
use tandem_actors::device::{Device, Outbox, Outgoing, Receipt, Reply, Request, Subscribe, Wish};
use tandem_actors::ids::{ConnectionId, Epoch, Seq, SessionId};
use tandem_actors::refusal::Code;
use tandem_actors::registry::{Listed, Watcher};
use tandem_actors::room::{Ending, Follow};
use tandem_actors::session::{Command, DeviceCard, View};

use crate::support::{House, says};

/// A device without a wire: its outbox is read by the test.
pub(crate) struct Wireless {
    pub(crate) addr: Addr<Device>,
    pub(crate) outbox: Outbox,
    follow: Option<Follow>,
    watcher: Option<Watcher>,
    notices: Vec<(String, Option<Receipt>)>,
    /// For notices of which it has not said that they arrived.
    owed: Vec<Receipt>,
}

impl Wireless {
    pub(crate) fn connect(house: &House, device: &str) -> Self {
        let card =
            DeviceCard { device_id: device.parse().unwrap(), device_name: None, kind: Some("test".into()) };
        let outbox = Outbox::default();
        let addr = Device::new(house.hub.clone(), card, ConnectionId::random(), outbox.clone()).start();
        Self { addr, outbox, follow: None, watcher: None, notices: Vec::new(), owed: Vec::new() }
    }

    /// Sends a wish and returns its direct answer.
    pub(crate) async fn wish(&mut self, wish: Wish) -> Reply {
        self.addr.send(Request { reference: Some("r".into()), wish }).await.unwrap();
        self.take_up().expect("every request has its answer")
    }

    /// The same, for a wish that has no answer.
    pub(crate) async fn tell(&mut self, wish: Wish) {
        self.addr.send(Request { reference: None, wish }).await.unwrap();
        assert!(self.take_up().is_none());
    }

    /// Empties the outbox; returns the answer that was in it.
    fn take_up(&mut self) -> Option<Reply> {
        let mut answer = None;
        while let Poll::Ready(Some(outgoing)) = self.outbox.poll_next(Waker::noop()) {
            match outgoing {
                Outgoing::Reply { reference, reply } => {
                    assert_eq!(reference.as_deref(), Some("r"));
                    answer = Some(reply);
                }
                Outgoing::Follow(follow) => self.follow = Some(follow),
                Outgoing::Unfollow(_) => self.follow = None,
                Outgoing::Watch(watcher) => self.watcher = Some(watcher),
                Outgoing::Notice(notice, receipt) => {
                    self.notices.push((notice.message.to_string(), receipt));
                }
                Outgoing::Ready(_) | Outgoing::Last(_) => {}
            }
        }
        answer
    }

    /// The notices that have come since the last time; `has_them` says whether it tells that they arrived.
    pub(crate) fn notices(&mut self, has_them: bool) -> Vec<String> {
        assert!(self.take_up().is_none(), "an answer came that was not waited for");
        let mut texts = Vec::new();
        for (text, receipt) in std::mem::take(&mut self.notices) {
            texts.push(text);
            match receipt {
                Some(receipt) if has_them => receipt.send(()).unwrap(),
                receipt => self.owed.extend(receipt),
            }
        }
        texts
    }

    /// What of the list has changed since the last time.
    pub(crate) fn changed(&mut self) -> Vec<Listed> {
        match self.watcher.as_mut().expect("it watches").poll_changes(Waker::noop()) {
            Poll::Ready(changed) => changed,
            Poll::Pending => Vec::new(),
        }
    }

    /// The connection ends like this.
    pub(crate) fn ends(self, ending: Ending) {
        self.outbox.close(ending);
    }

    pub(crate) async fn subscribe(&mut self, wanted: Subscribe) -> (Seq, bool, std::sync::Arc<View>) {
        match self.wish(Wish::Subscribe(wanted)).await {
            Reply::Subscribed { from, reset, state, .. } => (from, reset, state),
            other => panic!("not subscribed: {other:?}"),
        }
    }

    /// All frames that are there now: events by number, signals by kind.
    pub(crate) fn frames(&mut self) -> Vec<Value> {
        let mut context = Context::from_waker(Waker::noop());
        let mut frames = Vec::new();
        let Some(follow) = &mut self.follow else {
            return frames;
        };
        while let Poll::Ready(Some(Ok(bytes))) = Pin::new(&mut *follow).poll_next(&mut context) {
            let texts = bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty());
            frames.extend(texts.map(|text| serde_json::from_slice::<Value>(text).unwrap()));
        }
        frames
    }

    fn events(&mut self) -> Vec<Value> {
        self.frames().into_iter().filter(|frame| frame["type"] == "event").collect()
    }
}

pub(crate) fn to(session: SessionId) -> Subscribe {
    Subscribe { session, after: None, epoch: None, hash: None, tail: None }
}

fn behind(session: SessionId, after: Seq) -> Subscribe {
    Subscribe { after: Some(after), ..to(session) }
}

#[actix::test]
async fn every_device_sees_the_same_events_in_the_same_order() {
    let house = House::open().await;
    let session = house.session().await;
    let mut devices: Vec<_> = ["a", "b", "c"].map(|device| Wireless::connect(&house, device)).into();
    for device in &mut devices {
        device.subscribe(behind(session, 0)).await;
    }
    for (number, device) in devices.iter_mut().enumerate() {
        let command = Command::Submit(says(&format!("from {number}")));
        assert!(matches!(device.wish(Wish::Command(session, command)).await, Reply::Answer(_)));
    }
    let mut agent = house.agents.ready().await;
    for _ in 0..3 {
        agent.serves().await;
    }
    house.has_kind(session, "turn_ended", 3).await;
    let first = devices[0].events();
    let seqs: Vec<_> = first.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=first.len() as u64).collect::<Vec<_>>());
    for device in &mut devices[1..] {
        assert_eq!(device.events(), first);
    }
    house.close().await;
}

#[actix::test]
async fn a_device_that_was_away_resumes_without_a_gap() {
    let house = House::open().await;
    let session = house.session().await;
    let mut phone = Wireless::connect(&house, "phone");
    phone.subscribe(behind(session, 0)).await;
    let seen = phone.events();
    drop(phone);
    for number in 0..5 {
        house.submit(session, "laptop", &format!("message {number}")).await;
    }
    let mut phone = Wireless::connect(&house, "phone");
    let last = seen.last().unwrap();
    let wanted = Subscribe {
        hash: Some(last["hash"].as_str().unwrap().to_owned()),
        epoch: Some(tandem_actors::journal::Journal::epoch(&house.journal)),
        ..behind(session, last["seq"].as_u64().unwrap())
    };
    let (from, reset, state) = phone.subscribe(wanted).await;
    assert_eq!((from, reset), (seen.len() as u64 + 1, false));
    assert_eq!(phone.events().last().unwrap()["seq"], state.head);
    house.close().await;
}

#[actix::test]
async fn a_device_of_another_history_starts_over() {
    let house = House::open().await;
    let session = house.session().await;
    for wanted in [
        Subscribe { epoch: Some(Epoch::stored("another")), ..behind(session, 1) },
        Subscribe { hash: Some("0000000000000000".into()), ..behind(session, 1) },
        behind(session, 1_000),
    ] {
        let mut phone = Wireless::connect(&house, "phone");
        let (from, reset, _) = phone.subscribe(wanted).await;
        assert_eq!((from, reset), (1, true));
        assert_eq!(phone.events()[0]["seq"], 1);
    }
    house.close().await;
}

#[actix::test]
async fn subscribing_links_a_device_once_and_shows_it_online() {
    let house = House::open().await;
    let session = house.session().await;
    let mut phone = Wireless::connect(&house, "phone");
    let (_, _, state) = phone.subscribe(to(session)).await;
    assert!(state.devices[0].online);
    phone.subscribe(to(session)).await;
    assert_eq!(house.data_of(session, "device_linked").await.len(), 1);
    phone.wish(Wish::Unsubscribe(session)).await;
    let view = house.view(session).await;
    assert_eq!((view.devices.len(), view.devices[0].online), (1, false), "the link stays");
    let unlink = Command::Unlink { device: "phone".parse().unwrap() };
    phone.wish(Wish::Command(session, unlink)).await;
    assert!(house.view(session).await.devices.is_empty());
    house.close().await;
}

#[actix::test]
async fn an_unknown_session_is_refused_and_nothing_else_is_touched() {
    let house = House::open().await;
    let mut phone = Wireless::connect(&house, "phone");
    let Reply::Rejected(refusal) = phone.wish(Wish::Subscribe(to(SessionId::random()))).await else {
        panic!("not refused")
    };
    assert_eq!(refusal.code, Code::SessionNotFound);
    assert!(matches!(phone.wish(Wish::Ping).await, Reply::Pong));
    house.close().await;
}

#[actix::test]
async fn the_growing_answer_reaches_devices_as_deltas_and_late_ones_in_the_state() {
    let house = House::open().await;
    let session = house.session().await;
    let mut early = Wireless::connect(&house, "early");
    early.subscribe(to(session)).await;
    house.submit(session, "early", "tell").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    early.frames();
    agent.print(AgentOutput::Delta { block: 0, text: "Once".into() }).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let mut told = String::new();
    while told != "Once" {
        let deltas = early.frames().into_iter().filter(|frame| frame["kind"] == "delta");
        told.extend(deltas.map(|frame| frame["data"]["text"].as_str().unwrap().to_owned()));
        assert!(std::time::Instant::now() < deadline, "told only {told:?}");
        tokio::task::yield_now().await;
    }
    let mut late = Wireless::connect(&house, "late");
    let (_, _, state) = late.subscribe(to(session)).await;
    assert_eq!(state.turn.as_ref().unwrap().text, "Once");
    house.close().await;
}

#[actix::test]
async fn a_session_that_panics_is_built_anew_and_devices_keep_their_place() {
    let house = House::open().await;
    let session = house.session().await;
    let mut phone = Wireless::connect(&house, "phone");
    phone.subscribe(behind(session, 0)).await;
    house.agents.panic_next(2);
    house.submit(session, "phone", "survive").await;
    assert_eq!(house.agents.ready().await.serves().await, "survive");
    house.has_kind(session, "turn_ended", 1).await;
    let seqs: Vec<_> = phone.events().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=house.kinds(session).len() as u64).collect::<Vec<_>>());
    assert!(house.view(session).await.devices[0].online, "who is there is not forgotten");
    house.close().await;
}

#[actix::test]
async fn a_session_that_panics_every_time_is_left_alone_and_says_so() {
    let house = House::open().await;
    let session = house.session().await;
    house.agents.panic_next(usize::MAX);
    house.submit(session, "phone", "hopeless").await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match house.hub.look(session, crate::support::by("phone")).await {
            Err(refusal) if refusal.code == Code::AgentFailed => break,
            _ => assert!(std::time::Instant::now() < deadline, "it is never left alone"),
        }
        tokio::task::yield_now().await;
    }
    house.agents.panic_next(0);
    house.close().await;
}
