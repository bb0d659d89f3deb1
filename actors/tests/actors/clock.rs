//! The wall clock is set, forth and back by hours: what happens keeps its order, and nothing is lost by it.
//!
//! A running server's clock does not jump ([`SystemClock`](tandem_actors::clock::SystemClock)); between two runs it may.

use chrono::TimeDelta;
use tandem_actors::agent::AgentOutput;
use tandem_actors::session::{Answer, Command, Status, Submit, Verdict};

use crate::support::{House, accepted, approval, by, says};

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

fn numbered(number: u64, text: &str) -> Command {
    Command::Submit(Submit { device_seq: Some(number), ..says(text) })
}

#[actix::test]
async fn messages_keep_their_order_whatever_the_clock_says() {
    let house = House::open().await;
    let session = house.session().await;
    for (text, jump) in [("one", 5), ("two", -10), ("three", 7), ("four", -1)] {
        house.submit(session, "phone", text).await;
        house.clock.advance(hours(jump));
    }
    let mut agent = house.agents.ready().await;
    for (expected, jump) in [("one", -3), ("two", 9), ("three", -20), ("four", 1)] {
        let (message, text) = agent.takes_message().await;
        assert_eq!(text, expected);
        house.clock.advance(hours(jump));
        agent.answers(message, &text).await;
    }
    house.has_kind(session, "turn_ended", 4).await;
    let texts = house.data_of(session, "turn_ended").await;
    let texts: Vec<_> = texts.iter().map(|ended| ended["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    let seqs: Vec<u64> = house.journal.records(session).iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    house.close().await;
}

#[actix::test]
async fn a_message_that_is_sent_twice_counts_once_also_when_the_clock_was_set_back() {
    let house = House::open().await;
    let session = house.session().await;
    let first = house.submit(session, "phone", "go").await;
    house.clock.advance(hours(-3));
    assert_eq!(house.submit(session, "phone", "go").await, (first.0, first.1, true));
    house.clock.advance(hours(8));
    assert!(!house.submit(session, "phone", "go").await.2, "hours later it is meant again");
    house.close().await;
}

#[actix::test]
async fn an_early_message_waits_two_seconds_of_real_time() {
    let house = House::open().await;
    let session = house.session().await;
    tokio::time::pause();
    for (first, jump) in [(1, 5), (3, -5)] {
        let early = house.hub.begin(session, by("phone"), numbered(first + 1, "early")).await.unwrap();
        house.clock.advance(hours(jump));
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        accepted(house.ask(session, "phone", numbered(first, "late")).await);
        accepted(early.await.unwrap());
    }
    house.close().await;
}

#[actix::test]
async fn nobody_has_waited_for_a_negative_time() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "do it").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    for (request, jump, waited) in [("r1", -3, 0), ("r2", 2, 7_200_000)] {
        agent.print(AgentOutput::Asks(approval(request, "Bash"))).await;
        house.eventually(session, request, |events| format!("{events:?}").contains(request)).await;
        house.clock.advance(hours(jump));
        let verdict = Verdict::Allow { updated_input: None, for_session: false };
        house
            .ask(session, "phone", Command::Approve { request: request.parse().unwrap(), verdict })
            .await
            .unwrap();
        let resolved = house.data_of(session, "approval_resolved").await.pop().unwrap();
        assert_eq!(resolved["waitedMs"], waited, "{resolved}");
    }
    agent.answers(message, "done").await;
    house.has_kind(session, "turn_ended", 1).await;
    // Three hours back and two forth since the turn began.
    assert_eq!(house.data_of(session, "turn_ended").await[0]["durationMs"], 0);
    house.close().await;
}

#[actix::test]
async fn a_clock_that_is_set_back_ends_no_session_and_shortens_no_life() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    let before = house.view(session).await.expires_at;
    house.clock.advance(hours(-30));
    house.pass(TimeDelta::minutes(10)).await;
    assert_eq!(house.view(session).await.expires_at, before);
    let Ok(Answer::Extended { expires_at }) = house.ask(session, "phone", Command::KeepAlive).await else {
        panic!("not extended")
    };
    assert!(expires_at >= before, "what was promised is kept");
    assert!(house.data_of(session, "session_warned").await.is_empty());
    house.close().await;
}

#[actix::test]
async fn a_session_that_expired_by_a_wrong_clock_is_revived_by_a_message() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.clock.advance(hours(1_000));
    house.pass(TimeDelta::minutes(10)).await;
    assert_eq!(house.view(session).await.status, Status::Expired);
    house.clock.advance(hours(-1_000));
    house.submit(session, "phone", "still here").await;
    assert_eq!(house.agents.ready().await.serves().await, "still here");
    house.has_kind(session, "turn_ended", 1).await;
    house.pass(TimeDelta::minutes(10)).await;
    assert_eq!(house.view(session).await.status, Status::Idle);
    house.close().await;
}

#[actix::test]
async fn a_server_that_starts_hours_before_its_last_event_goes_on_with_everything() {
    let house = House::open().await;
    house.clock.advance(hours(9));
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    house.agents.ready().await.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    let (journal, events) = (house.journal.clone(), house.kinds(session).len());
    house.close().await;
    // The new house's clock starts where the first one's did, nine hours earlier.
    let house = House::open_on(journal).await;
    let (_, seq, is_duplicate) = house.submit(session, "phone", "two").await;
    assert!(seq > events as u64 && !is_duplicate);
    assert_eq!(house.agents.ready().await.serves().await, "two");
    house.has_kind(session, "turn_ended", 2).await;
    house.close().await;
}
