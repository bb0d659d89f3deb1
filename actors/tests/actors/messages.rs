//! Messages: accepted once, kept in order, one turn each.

use chrono::TimeDelta;
use tandem_actors::agent::{AgentInput, AgentOutput};
use tandem_actors::event::{Event, Outcome, SubmitMode};
use tandem_actors::ids::MessageId;
use tandem_actors::refusal::Code;
use tandem_actors::session::{Command, MAX_QUEUED, Status, Submit};

use crate::support::{House, accepted, by, raw, result, says};

#[actix::test]
async fn a_message_runs_through_its_turn() {
    let house = House::open().await;
    let session = house.session().await;
    let (message, seq, duplicate) = house.submit(session, "phone", "hello").await;
    assert_eq!((seq, duplicate), (2, false));
    let mut agent = house.agents.ready().await;
    let (id, text) = agent.takes_message().await;
    assert_eq!((id, text.as_str()), (message, "hello"));
    agent.print(AgentOutput::Message(raw(r#"{"type":"assistant","odd":1.00}"#))).await;
    agent.answers(id, "hi").await;
    house.has_kind(session, "turn_ended", 1).await;
    assert_eq!(
        house.kinds(session),
        [
            "session_created",
            "message_accepted",
            "agent_started",
            "turn_dispatched",
            "turn_started",
            "agent_message",
            "agent_message",
            "turn_ended"
        ]
    );
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert_eq!(ended["outcome"], "completed");
    assert_eq!(ended["text"], "hi");
    let view = house.view(session).await;
    assert_eq!((view.status, view.turns, view.usage["input_tokens"]), (Status::Idle, 1, 3));
    house.close().await;
}

#[actix::test]
async fn messages_run_one_at_a_time_in_the_order_of_the_queue() {
    let house = House::open().await;
    let session = house.session().await;
    for text in ["one", "two", "three"] {
        house.submit(session, "phone", text).await;
    }
    let mut agent = house.agents.ready().await;
    for expected in ["one", "two", "three"] {
        let (message, text) = agent.takes_message().await;
        assert_eq!(text, expected);
        assert!(agent.input.try_recv().is_err(), "the next message waits for the end of this turn");
        agent.answers(message, "ok").await;
    }
    house.has_kind(session, "turn_ended", 3).await;
    house.close().await;
}

#[actix::test]
async fn an_id_makes_a_message_repeatable_for_ever() {
    let house = House::open().await;
    let session = house.session().await;
    let id = MessageId::random();
    let submit = Command::Submit(Submit { message_id: Some(id), ..says("once") });
    let first = accepted(house.ask(session, "phone", submit.clone()).await);
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    house.clock.advance(TimeDelta::days(400));
    let again = accepted(house.ask(session, "phone", submit).await);
    assert_eq!(again, (first.0, first.1, true));
    let other = Command::Submit(Submit { message_id: Some(id), ..says("something else") });
    let refusal = house.ask(session, "phone", other).await.unwrap_err();
    assert_eq!(refusal.code, Code::MessageIdReused);
    house.close().await;
}

#[actix::test]
async fn the_same_words_without_an_id_count_once_while_they_wait() {
    let house = House::open().await;
    let session = house.session().await;
    let first = house.submit(session, "phone", "go").await;
    assert_eq!(house.submit(session, "phone", "go").await, (first.0, first.1, true));
    let (other_device, _, duplicate) = house.submit(session, "laptop", "go").await;
    assert!(!duplicate && other_device != first.0, "another device means it");
    house.clock.advance(TimeDelta::seconds(11));
    assert!(!house.submit(session, "phone", "go").await.2, "after the window it is meant again");
    house.close().await;
}

#[actix::test]
async fn the_same_words_after_the_answer_are_a_new_message() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "go on").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    assert!(!house.submit(session, "phone", "go on").await.2);
    house.close().await;
}

fn numbered(number: u64, text: &str) -> Command {
    Command::Submit(Submit { device_seq: Some(number), ..says(text) })
}

#[actix::test]
async fn messages_of_one_device_are_accepted_in_the_order_of_their_numbers() {
    let house = House::open().await;
    let session = house.session().await;
    let third = house.hub.begin(session, by("phone"), numbered(3, "three")).await.unwrap();
    let second = house.hub.begin(session, by("phone"), numbered(2, "two")).await.unwrap();
    accepted(house.ask(session, "phone", numbered(1, "one")).await);
    accepted(second.await.unwrap());
    accepted(third.await.unwrap());
    let texts: Vec<_> = house.data_of(session, "message_accepted").await;
    let texts: Vec<_> = texts.iter().map(|data| data["content"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    let again = accepted(house.ask(session, "phone", numbered(2, "two")).await);
    assert!(again.2, "a number that was used is the same message again");
    let refusal = house.ask(session, "phone", numbered(2, "not two")).await.unwrap_err();
    assert_eq!(refusal.code, Code::OutOfOrder);
    assert_eq!(refusal.details.unwrap()["expected"], 4);
    house.close().await;
}

#[actix::test]
async fn an_early_message_is_given_up_after_two_seconds() {
    let house = House::open().await;
    let session = house.session().await;
    tokio::time::pause();
    let refusal = house.ask(session, "phone", numbered(5, "early")).await.unwrap_err();
    assert_eq!(refusal.code, Code::OutOfOrder);
    assert_eq!(refusal.details.unwrap()["expected"], 1);
    house.close().await;
}

#[actix::test]
async fn the_queue_can_be_cancelled_edited_and_moved() {
    let house = House::open().await;
    let session = house.session().await;
    let running = house.submit(session, "phone", "running").await.0;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    let a = house.submit(session, "phone", "a").await.0;
    let b = house.submit(session, "laptop", "b").await.0;
    let c = house.submit(session, "phone", "c").await.0;
    house.ask(session, "laptop", Command::Cancel { message: a }).await.unwrap();
    let edit = Command::Edit { message: b, content: says("B").content };
    house.ask(session, "phone", edit.clone()).await.unwrap();
    house.ask(session, "phone", Command::Move { message: c, before: Some(b) }).await.unwrap();
    for (command, code) in [
        (Command::Cancel { message: running }, Code::NotQueued),
        (Command::Cancel { message: a }, Code::NotQueued),
        (Command::Edit { message: running, content: says("no").content }, Code::NotQueued),
        (Command::Cancel { message: MessageId::random() }, Code::MessageNotFound),
        (Command::Move { message: b, before: Some(running) }, Code::NotQueued),
    ] {
        assert_eq!(house.ask(session, "phone", command).await.unwrap_err().code, code);
    }
    agent.answers(running, "done").await;
    let (id, text) = agent.takes_message().await;
    assert_eq!(text, "c");
    agent.answers(id, "").await;
    assert_eq!(agent.takes_message().await.1, "B");
    house.close().await;
}

#[actix::test]
async fn now_goes_first_and_ends_the_running_turn() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "long").await;
    let mut agent = house.agents.ready().await;
    let (running, _) = agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.submit(session, "phone", "later").await;
    let now = Submit { mode: SubmitMode::Now, ..says("now") };
    accepted(house.ask(session, "laptop", Command::Submit(now)).await);
    assert!(matches!(agent.hears().await, AgentInput::Interrupt));
    let mut interrupted = result(running, "");
    interrupted.is_interrupted = true;
    agent.print(AgentOutput::Result(interrupted)).await;
    assert_eq!(agent.takes_message().await.1, "now");
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert_eq!(ended["outcome"], "interrupted");
    assert_eq!(ended["by"]["deviceId"], "laptop");
    house.close().await;
}

#[actix::test]
async fn an_interrupt_that_comes_too_early_is_sent_when_the_turn_has_begun() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "go").await;
    let mut agent = house.agents.ready().await;
    let AgentInput::Message { id, .. } = agent.hears().await else { panic!("no message") };
    house.ask(session, "phone", Command::Interrupt { cancel_queued: false }).await.unwrap();
    assert!(agent.input.try_recv().is_err(), "the agent would acknowledge it and do nothing");
    agent.print(AgentOutput::Started(id)).await;
    assert!(matches!(agent.hears().await, AgentInput::Interrupt));
    house.close().await;
}

#[actix::test]
async fn an_interrupt_can_take_the_queue_with_it() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.submit(session, "phone", "two").await;
    house.submit(session, "phone", "three").await;
    house.ask(session, "phone", Command::Interrupt { cancel_queued: true }).await.unwrap();
    assert_eq!(house.view(session).await.queue.len(), 0);
    assert_eq!(house.data_of(session, "message_cancelled").await.len(), 2);
    house.close().await;
}

#[actix::test]
async fn a_queue_has_an_end() {
    let house = House::open().await;
    let session = house.session().await;
    for number in 0..MAX_QUEUED {
        house.submit(session, "phone", &format!("message {number}")).await;
    }
    let refusal = house.ask(session, "phone", Command::Submit(says("one too many"))).await.unwrap_err();
    assert_eq!(refusal.code, Code::QueueFull);
    assert!(refusal.retry_after_seconds.is_some());
    house.close().await;
}

#[actix::test]
async fn a_closed_session_takes_nothing_and_still_tells_its_history() {
    let house = House::open().await;
    let session = house.session().await;
    let id = MessageId::random();
    let known = Command::Submit(Submit { message_id: Some(id), ..says("known") });
    accepted(house.ask(session, "phone", known.clone()).await);
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.ask(session, "phone", Command::Close).await.unwrap();
    assert!(agent.stop.recv().await.is_some());
    house
        .eventually(session, "the turn ends as interrupted", |events| {
            events.iter().any(|event| matches!(event, Event::TurnEnded { outcome: Outcome::Interrupted, .. }))
        })
        .await;
    let refusal = house.ask(session, "phone", Command::Submit(says("more"))).await.unwrap_err();
    assert_eq!(refusal.code, Code::SessionClosed);
    assert!(accepted(house.ask(session, "phone", known).await).2, "what was accepted stays accepted");
    assert_eq!(house.view(session).await.status, Status::Closed);
    assert!(house.agents.none_was_launched());
    house.close().await;
}
