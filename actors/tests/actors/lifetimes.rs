//! Sessions live, are warned, expire and come back; agents rest and give their places up.

use chrono::TimeDelta;
use tandem_actors::agent::{AgentOutput, Conversation, Stop};
use tandem_actors::journal::MemoryJournal;
use tandem_actors::session::{Answer, Command, Status};

use crate::support::{Desk, House, result};

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

#[actix::test]
async fn a_session_is_warned_then_expires_and_a_message_revives_it() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    house.agents.ready().await.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    house.pass(hours(19)).await;
    assert!(house.data_of(session, "session_warned").await.is_empty());
    house.pass(TimeDelta::minutes(62)).await;
    assert_eq!(house.data_of(session, "session_warned").await.len(), 1);
    house.pass(hours(3)).await;
    assert_eq!(house.data_of(session, "session_warned").await.len(), 1, "once is enough");
    house.pass(hours(1)).await;
    assert_eq!(house.data_of(session, "session_expired").await.len(), 1);
    assert_eq!(house.view(session).await.status, Status::Expired);
    house.pass(hours(24 * 30)).await;
    assert_eq!(house.data_of(session, "session_expired").await.len(), 1);
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    assert_eq!(agent.launch.conversation, Conversation::Resume(session.uuid()));
    assert_eq!(agent.serves().await, "two");
    let kinds = house.kinds(session);
    let revived = kinds.iter().position(|kind| kind == "session_revived").unwrap();
    assert_eq!(kinds[revived + 1], "message_accepted");
    house.close().await;
}

#[actix::test]
async fn activity_and_keep_alive_extend_a_life() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.pass(hours(21)).await;
    assert_eq!(house.data_of(session, "session_warned").await.len(), 1);
    let Ok(Answer::Extended { expires_at }) = house.ask(session, "phone", Command::KeepAlive).await else {
        panic!("not extended")
    };
    assert_eq!(house.view(session).await.expires_at, expires_at);
    house.pass(hours(19)).await;
    house.submit(session, "phone", "one").await;
    house.agents.ready().await.serves().await;
    house.pass(hours(19)).await;
    assert_eq!(house.data_of(session, "session_warned").await.len(), 1, "warned only before the keep-alive");
    assert!(house.data_of(session, "session_expired").await.is_empty());
    house.close().await;
}

#[actix::test]
async fn an_agent_that_works_or_rests_is_stopped_when_its_session_expires() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    agent.print(AgentOutput::Asks(crate::support::approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    house.pass(hours(25)).await;
    assert_eq!(agent.stop.recv().await, Some(Stop::Now));
    house.has_kind(session, "agent_stopped", 1).await;
    assert_eq!(house.data_of(session, "agent_stopped").await[0]["reason"], "expired");
    assert_eq!(house.data_of(session, "approval_resolved").await[0]["decision"], "lost");
    assert_eq!(house.data_of(session, "turn_ended").await[0]["outcome"], "interrupted");
    house.close().await;
}

#[actix::test]
async fn a_recap_runs_behind_the_messages_of_people_and_is_no_activity() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    assert!(house.ask(session, "phone", Command::Recap).await.is_err(), "there is nothing to recap");
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    let (first, _) = agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.ask(session, "phone", Command::Recap).await.unwrap();
    house.submit(session, "phone", "two").await;
    agent.answers(first, "ok").await;
    assert_eq!(agent.serves().await, "two");
    house.has_kind(session, "turn_ended", 2).await;
    let before = house.view(session).await.last_activity_at;
    house.pass(hours(1)).await;
    let (recap, text) = match agent.hears().await {
        tandem_actors::agent::AgentInput::Message { id, content } => (id, content.plain_text()),
        other => panic!("not a recap: {other:?}"),
    };
    assert_eq!(text, "/recap");
    agent.print(AgentOutput::Started(recap)).await;
    agent.print(AgentOutput::Result(result(recap, "we did this"))).await;
    house.has_kind(session, "turn_ended", 3).await;
    let dispatched = house.data_of(session, "turn_dispatched").await.remove(2);
    assert_eq!(dispatched["madeUp"], "recap");
    assert_eq!(house.view(session).await.last_activity_at, before);
    assert_eq!(house.data_of(session, "message_accepted").await.len(), 2);
    house.close().await;
}

#[actix::test]
async fn an_agent_without_work_is_stopped_after_a_while_and_comes_back_with_the_next_message() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    house.pass(TimeDelta::minutes(31)).await;
    assert!(matches!(agent.stop.recv().await, Some(Stop::Finish { .. })));
    house.has_kind(session, "agent_stopped", 1).await;
    assert_eq!(house.data_of(session, "agent_stopped").await[0]["reason"], "idle");
    house.submit(session, "phone", "two").await;
    assert_eq!(house.agents.ready().await.serves().await, "two");
    house.close().await;
}

#[actix::test]
async fn more_sessions_than_places_are_all_answered_in_order_and_none_is_forgotten() {
    let house = House::open_with(MemoryJournal::new(), Desk::default(), 2).await;
    let mut sessions = Vec::new();
    for number in 0..20 {
        let session = house.session().await;
        house.submit(session, "phone", &format!("message {number}")).await;
        sessions.push(session);
    }
    assert_eq!(house.view(sessions[19]).await.status, Status::WaitingForSlot);
    let mut agents = Vec::new();
    for (number, session) in sessions.iter().enumerate() {
        let mut agent = house.agents.ready().await;
        assert_eq!(agent.launch.session, *session, "places are given in the order of asking");
        assert_eq!(agent.serves().await, format!("message {number}"));
        agents.push(agent);
        assert!(house.hub.slots.usage().taken <= 2);
    }
    for session in &sessions {
        house.has_kind(*session, "turn_ended", 1).await;
    }
    let evicted = house.data_of(sessions[0], "agent_stopped").await;
    assert_eq!(evicted[0]["reason"], "evicted");
    house.submit(sessions[0], "phone", "again").await;
    assert_eq!(house.agents.ready().await.serves().await, "again");
    house.close().await;
}

#[actix::test]
async fn an_agent_that_gave_up_its_place_is_not_mourned_twice_while_its_session_waits() {
    let house = House::open_with(MemoryJournal::new(), Desk::default(), 1).await;
    let (one, two) = (house.session().await, house.session().await);
    house.submit(one, "phone", "one").await;
    let mut first = house.agents.ready().await;
    first.serves().await;
    house.submit(two, "phone", "two").await;
    let mut second = house.agents.ready().await;
    let (message, _) = second.takes_message().await;
    house.has_kind(two, "turn_started", 1).await;
    house.submit(one, "phone", "again").await;
    assert_eq!(house.view(one).await.status, Status::WaitingForSlot);
    // Only now the last that was held of it is gone.
    drop(first);
    second.answers(message, "done").await;
    assert_eq!(house.agents.ready().await.serves().await, "again");
    house.has_kind(one, "turn_ended", 2).await;
    let stopped = house.data_of(one, "agent_stopped").await;
    assert_eq!((stopped.len(), &stopped[0]["reason"]), (1, &"evicted".into()), "{stopped:?}");
    house.close().await;
}

#[actix::test]
async fn too_much_memory_ends_an_agent_after_its_turn_and_far_too_much_at_once() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.loads.0.lock().unwrap().memory.insert(session, 600 << 20);
    house.pass(TimeDelta::seconds(60)).await;
    assert!(agent.stop.try_recv().is_err(), "the turn may end");
    assert_eq!(house.view(session).await.agent.memory_bytes, Some(600 << 20));
    agent.answers(message, "done").await;
    assert_eq!(agent.stop.recv().await, Some(Stop::Now));
    house.has_kind(session, "agent_stopped", 1).await;
    assert_eq!(house.data_of(session, "agent_stopped").await[0]["reason"], "memory");

    house.loads.0.lock().unwrap().memory.insert(session, 1_200 << 20);
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.pass(TimeDelta::seconds(60)).await;
    assert_eq!(agent.stop.recv().await, Some(Stop::Now));
    house.has_kind(session, "turn_ended", 2).await;
    assert_eq!(house.data_of(session, "turn_ended").await[1]["outcome"], "failed");
    house.close().await;
}

#[actix::test]
async fn a_busy_machine_delays_a_start_and_does_not_prevent_it() {
    tokio::time::pause();
    let house = House::open().await;
    let one = house.session().await;
    house.submit(one, "phone", "one").await;
    let _first = house.agents.ready().await;
    house.loads.0.lock().unwrap().cpu_percent = Some(95.0);
    house.pass(TimeDelta::seconds(31)).await;
    let two = house.session().await;
    house.submit(two, "phone", "two").await;
    house.pass(TimeDelta::seconds(10)).await;
    assert!(house.agents.none_was_launched());
    assert_eq!(house.view(two).await.status, Status::WaitingForSlot);
    house.pass(TimeDelta::seconds(60)).await;
    assert_eq!(house.agents.ready().await.launch.session, two);
    house.close().await;
}

#[actix::test]
async fn a_session_that_nobody_needs_leaves_the_memory_and_is_there_when_it_is_asked_for() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.pass(TimeDelta::minutes(12)).await;
    let loaded = house.hub.registry.send(tandem_actors::registry::Loaded).await.unwrap();
    assert!(loaded.is_empty());
    assert_eq!(house.view(session).await.head, 1);
    house.close().await;
}

#[actix::test]
async fn a_place_that_is_wanted_during_an_append_is_given_up_after_it() {
    let house = House::open_with(MemoryJournal::new(), Desk::default(), 1).await;
    let one = house.session().await;
    let two = house.session().await;
    house.submit(one, "phone", "first").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    house.has_kind(one, "turn_started", 1).await;
    house.submit(two, "phone", "waits").await;
    house.journal.hold_appends(true);
    agent.answers(message, "done").await;
    house.settle().await;
    // The next append begins in the moment in which the turn's end lands and the place is asked for.
    let link = Command::Link(crate::support::card("tablet"));
    let linked = house.hub.begin(one, crate::support::by("desk"), link).await.unwrap();
    house.journal.hold_appends(false);
    linked.await.unwrap().unwrap();
    let mut other = house.agents.ready().await;
    assert_eq!(other.launch.session, two);
    assert_eq!(other.serves().await, "waits");
    house.close().await;
}

#[actix::test]
async fn an_evicted_agent_gives_its_place_even_if_a_message_comes_meanwhile() {
    let house = House::open_with(MemoryJournal::new(), Desk::default(), 1).await;
    let one = house.session().await;
    let two = house.session().await;
    house.submit(one, "phone", "first").await;
    let mut first = house.agents.ready().await;
    first.serves().await;
    house.has_kind(one, "turn_ended", 1).await;
    house.agents.dawdle(true);
    house.submit(two, "phone", "second").await;
    assert!(matches!(first.stop.recv().await, Some(Stop::Finish { .. })));
    house.submit(one, "phone", "third").await;
    house.agents.dawdle(false);
    first.exits(tandem_actors::agent::ExitCause::Asked, 0, "").await;
    let mut agent = house.agents.ready().await;
    assert_eq!(agent.launch.session, two, "who asked first is served first");
    agent.serves().await;
    let mut agent = house.agents.ready().await;
    assert_eq!((agent.launch.session, agent.serves().await), (one, "third".to_owned()));
    house.close().await;
}

#[actix::test]
async fn a_recap_that_no_agent_can_tell_fails_and_says_why() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    agent.exits(tandem_actors::agent::ExitCause::ByItself, 0, "").await;
    house.has_kind(session, "agent_stopped", 1).await;
    house.ask(session, "phone", Command::Recap).await.unwrap();
    house.agents.next().await.exits(tandem_actors::agent::ExitCause::NotFound, 1, "").await;
    house.has_kind(session, "turn_ended", 2).await;
    let ended = house.data_of(session, "turn_ended").await.remove(1);
    assert_eq!(ended["outcome"], "failed");
    assert_eq!(house.data_of(session, "turn_dispatched").await[1]["madeUp"], "recap");
    house.close().await;
}

#[actix::test]
async fn a_message_that_meets_the_expiry_of_its_session_is_answered() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    house.clock.advance(hours(25));
    house.journal.hold_appends(true);
    let desk = crate::support::by("desk");
    let held =
        house.hub.begin(session, desk.clone(), Command::Link(crate::support::card("tablet"))).await.unwrap();
    let tended = house.hub.begin(session, desk, Command::Tend).await.unwrap();
    let two = Command::Submit(crate::support::says("two"));
    let accepted = house.hub.begin(session, crate::support::by("phone"), two).await.unwrap();
    house.settle().await;
    house.journal.hold_appends(false);
    for outcome in [held, tended, accepted] {
        outcome.await.unwrap().unwrap();
    }
    assert_eq!(agent.serves().await, "two", "it was revived in the same moment");
    house.close().await;
}
