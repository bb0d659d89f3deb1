//! An agent comes, fails, goes and comes back, and the conversation goes on.

use tandem_actors::agent::{AgentInput, AgentOutput, Conversation, ExitCause, Stop};
use tandem_actors::journal::TranscriptLine;
use tandem_actors::session::Command;

use crate::support::{House, result};

#[actix::test]
async fn a_conversation_is_begun_once_and_resumed_after_a_crash() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    assert_eq!(agent.launch.conversation, Conversation::New(session.uuid()));
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.submit(session, "phone", "two").await;
    agent.exits(ExitCause::ByItself, 3, "it broke").await;
    let mut second = house.agents.ready().await;
    assert_eq!(second.launch.conversation, Conversation::Resume(session.uuid()));
    assert_eq!(second.takes_message().await.1, "two", "the turn that crashed is not run again");
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert_eq!(ended["outcome"], "failed");
    assert!(ended["error"].as_str().unwrap().contains("it broke"));
    let stopped = house.data_of(session, "agent_stopped").await.remove(0);
    assert_eq!((&stopped["reason"], &stopped["exitCode"]), (&"crashed".into(), &3.into()));
    house.close().await;
}

#[actix::test]
async fn a_message_that_a_dying_agent_never_took_up_is_given_to_the_next() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.hears().await;
    agent.exits(ExitCause::ByItself, 3, "").await;
    let mut second = house.agents.ready().await;
    assert_eq!(second.serves().await, "one");
    house.has_kind(session, "turn_ended", 1).await;
    assert_eq!(house.data_of(session, "turn_ended").await[0]["outcome"], "completed");
    let attempts = house.data_of(session, "turn_dispatched").await;
    assert_eq!((attempts.len(), &attempts[1]["attempt"]), (2, &2.into()));
    house.close().await;
}

#[actix::test]
async fn a_conversation_that_exists_already_is_resumed_and_nobody_notices() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let agent = house.agents.next().await;
    agent.exits(ExitCause::ConversationExists, 1, "already in use").await;
    let mut second = house.agents.ready().await;
    assert_eq!(second.launch.conversation, Conversation::Resume(session.uuid()));
    assert_eq!(second.serves().await, "one");
    house.has_kind(session, "turn_ended", 1).await;
    assert_eq!(house.data_of(session, "turn_ended").await[0]["outcome"], "completed");
    house.close().await;
}

#[actix::test]
async fn a_conversation_that_the_agent_forgot_is_given_back_to_it() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    let line = TranscriptLine { file: "/h/.claude/projects/p/x.jsonl".into(), line: "{}".into() };
    agent.print(AgentOutput::Transcript(vec![line.clone()])).await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    agent.exits(ExitCause::ByItself, 0, "").await;
    house.submit(session, "phone", "two").await;
    let forgetful = house.agents.next().await;
    assert!(forgetful.launch.transcript.is_empty());
    forgetful.exits(ExitCause::NoConversation, 1, "No conversation found").await;
    let mut reminded = house.agents.ready().await;
    assert_eq!(reminded.launch.conversation, Conversation::Resume(session.uuid()));
    assert_eq!(reminded.launch.transcript, [line]);
    assert_eq!(reminded.serves().await, "two");
    house.close().await;
}

#[actix::test]
async fn an_agent_that_cannot_be_had_fails_the_message_and_says_what_to_do() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    house.submit(session, "phone", "two").await;
    house.agents.next().await.exits(ExitCause::NotFound, 1, "").await;
    house.has_kind(session, "turn_ended", 1).await;
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert_eq!(ended["outcome"], "failed");
    assert!(ended["error"].as_str().unwrap().contains("Install Claude Code"));
    let view = house.view(session).await;
    assert_eq!(view.queue.len(), 1, "what else waits is not burnt");
    assert!(view.agent.problem.is_some());
    assert!(house.agents.none_was_launched());
    house.submit(session, "phone", "three").await;
    let mut agent = house.agents.ready().await;
    assert_eq!((agent.serves().await, agent.serves().await), ("two".into(), "three".into()));
    house.close().await;
}

#[actix::test]
async fn an_agent_that_keeps_failing_is_started_less_and_less_often_and_then_left_alone() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut waits = Vec::new();
    for _ in 0..9 {
        let before = tokio::time::Instant::now();
        house.agents.next_within(100).await.exits(ExitCause::NotStarted, 1, "bad flag").await;
        waits.push(before.elapsed().as_secs());
    }
    assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60]);
    house.has_kind(session, "turn_ended", 1).await;
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert!(ended["error"].as_str().unwrap().contains("bad flag"), "{ended}");
    assert_eq!(house.data_of(session, "agent_stopped").await.len(), 9);
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    assert!(house.agents.none_was_launched());
    house.submit(session, "phone", "two").await;
    assert_eq!(house.agents.ready().await.serves().await, "two");
    house.close().await;
}

#[actix::test]
async fn a_healthy_turn_makes_up_for_earlier_failures() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    for round in 0..12 {
        house.submit(session, "phone", &format!("message {round}")).await;
        let mut agent = house.agents.ready().await;
        agent.serves().await;
        house.has_kind(session, "turn_ended", round + 1).await;
        agent.exits(ExitCause::ByItself, 1, "").await;
        house.has_kind(session, "agent_stopped", round + 1).await;
    }
    assert!(house.view(session).await.agent.problem.is_none());
    house.close().await;
}

#[actix::test]
async fn a_login_that_is_missing_stops_the_queue_at_once() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    let mut refused = result(message, "Invalid API key · Please run /login");
    refused.is_error = true;
    agent.print(AgentOutput::Result(refused)).await;
    assert!(agent.stop.recv().await.is_some(), "a process that cannot work is not kept");
    let view = house.view(session).await;
    assert_eq!(view.queue.len(), 1);
    assert!(view.agent.problem.as_ref().unwrap().contains("log in"));
    house.close().await;
}

#[actix::test]
async fn a_silent_agent_is_asked_then_signalled_then_ended() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    let start = tokio::time::Instant::now();
    assert!(matches!(agent.hears_within(700).await, AgentInput::Interrupt));
    assert!((595..=605).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(agent.stop.recv().await, Some(Stop::Nudge));
    assert_eq!(agent.stop.recv().await, Some(Stop::Now));
    house.has_kind(session, "agent_stopped", 1).await;
    assert_eq!(house.data_of(session, "agent_stopped").await[0]["reason"], "hung");
    assert_eq!(house.data_of(session, "turn_ended").await[0]["outcome"], "failed");
    house.close().await;
}

#[actix::test]
async fn a_tool_that_runs_long_and_a_person_who_thinks_long_are_no_hang() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    agent.print(AgentOutput::Asks(crate::support::approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(86_400)).await;
    agent.print(AgentOutput::Withdraws("r1".parse().unwrap())).await;
    let call = r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t1","name":"Bash"}]}}"#;
    agent.print(AgentOutput::Message(crate::support::raw(call))).await;
    tokio::time::sleep(std::time::Duration::from_secs(86_400)).await;
    assert!(agent.input.try_recv().is_err());
    agent.answers(message, "done").await;
    house.has_kind(session, "turn_ended", 1).await;
    house.close().await;
}

#[actix::test]
async fn an_interrupt_that_is_only_acknowledged_is_followed_by_signals() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.ask(session, "laptop", Command::Interrupt { cancel_queued: false }).await.unwrap();
    assert!(matches!(agent.hears().await, AgentInput::Interrupt));
    assert_eq!(agent.stop.recv().await, Some(Stop::Nudge));
    assert_eq!(agent.stop.recv().await, Some(Stop::Now));
    house.has_kind(session, "turn_ended", 1).await;
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert_eq!((&ended["outcome"], &ended["by"]["deviceId"]), (&"interrupted".into(), &"laptop".into()));
    house.submit(session, "phone", "two").await;
    assert_eq!(house.agents.ready().await.serves().await, "two");
    house.close().await;
}

#[actix::test]
async fn each_turn_costs_what_it_added() {
    let house = House::open().await;
    let session = house.session().await;
    let mut agent = None;
    for (text, total) in [("one", 0.25), ("two", 0.75)] {
        house.submit(session, "phone", text).await;
        if agent.is_none() {
            agent = Some(house.agents.ready().await);
        }
        let agent = agent.as_mut().unwrap();
        let (message, _) = agent.takes_message().await;
        let mut result = result(message, "ok");
        result.total_cost_usd = Some(total);
        agent.print(AgentOutput::Result(result)).await;
    }
    house.has_kind(session, "turn_ended", 2).await;
    let costs: Vec<_> = house.data_of(session, "turn_ended").await;
    let costs: Vec<_> = costs.iter().map(|data| data["costUsd"].as_f64().unwrap()).collect();
    assert_eq!(costs, [0.25, 0.5]);
    house.close().await;
}

#[actix::test]
async fn a_result_of_another_message_ends_no_turn() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    let (message, _) = agent.takes_message().await;
    agent.answers(tandem_actors::ids::MessageId::random(), "not mine").await;
    agent.answers(message, "mine").await;
    house.has_kind(session, "turn_ended", 1).await;
    assert_eq!(house.data_of(session, "turn_ended").await[0]["text"], "mine");
    house.close().await;
}

#[actix::test]
async fn after_a_restart_every_conversation_goes_on() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    let journal = house.journal.clone();
    let stopping = tokio::task::spawn_local(house.close());
    assert!(agent.stop.recv().await.is_some(), "an agent is asked to finish");
    stopping.await.unwrap();
    assert_eq!(
        journal.records(session).last().unwrap().data.as_ref(),
        r#"{"reason":"shutdown","exitCode":0}"#
    );

    let house = House::open_on(journal).await;
    assert_eq!(house.view(session).await.turns, 1);
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    assert_eq!(agent.launch.conversation, Conversation::Resume(session.uuid()));
    assert_eq!(agent.serves().await, "two");
    house.close().await;
}

#[actix::test]
async fn a_journal_cut_anywhere_is_recovered_and_the_queue_runs_on() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    agent.print(AgentOutput::Asks(crate::support::approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    let journal = house.journal.clone();
    let head = journal.records(session).last().unwrap().seq;
    for cut in 1..=head {
        let before = journal.cut_after(session, cut).records(session);
        let house = House::open_on(journal.cut_after(session, cut)).await;
        let accepted = before.iter().filter(|record| &*record.kind == "message_accepted").count();
        let started = before.iter().filter(|record| &*record.kind == "turn_started").count();
        let view = house.view(session).await;
        assert!(view.approvals.is_empty(), "cut {cut}: nobody can answer an agent that is gone");
        if accepted > started {
            let mut agent = house.agents.ready().await;
            for _ in started..accepted {
                agent.serves().await;
            }
            house.has_kind(session, "turn_ended", accepted).await;
        }
        let records = house.journal.records(session);
        assert_eq!(records[..before.len()], before, "cut {cut}: history is never changed");
        house.close().await;
    }
    drop(house);
}

/// What comes in while an append is under way, all of it handled in the next batch.
#[actix::test]
async fn an_interrupt_that_meets_the_end_of_its_turn_does_not_hit_the_next_one() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    let (first, _) = agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    house.journal.hold_appends(true);
    let held = house.hub.begin(session, crate::support::by("desk"), Command::KeepAlive).await.unwrap();
    let interrupt = Command::Interrupt { cancel_queued: false };
    let interrupted = house.hub.begin(session, crate::support::by("laptop"), interrupt).await.unwrap();
    agent.answers(first, "done before the interrupt").await;
    house.settle().await;
    house.journal.hold_appends(false);
    held.await.unwrap().unwrap();
    interrupted.await.unwrap().unwrap();
    let (second, text) = agent.takes_message().await;
    assert_eq!(text, "two");
    house.settle().await;
    assert!(agent.input.try_recv().is_err(), "nobody interrupted the second turn");
    agent.answers(second, "done").await;
    house.has_kind(session, "turn_ended", 2).await;
    let outcomes: Vec<_> = house.data_of(session, "turn_ended").await;
    assert!(outcomes.iter().all(|ended| ended["outcome"] == "completed"), "{outcomes:?}");
    house.close().await;
}

#[actix::test]
async fn a_turn_that_no_agent_has_ends_when_it_is_interrupted_or_its_session_closed() {
    for command in [Command::Interrupt { cancel_queued: false }, Command::Close] {
        let house = House::open().await;
        let session = house.session().await;
        house.submit(session, "phone", "one").await;
        let agent = house.agents.ready().await;
        house.has_kind(session, "turn_dispatched", 1).await;
        agent.exits(ExitCause::ByItself, 1, "").await;
        let _never_ready = house.agents.next().await;
        house.ask(session, "laptop", command).await.unwrap();
        let ended = house.data_of(session, "turn_ended").await.remove(0);
        assert_eq!((&ended["outcome"], &ended["by"]["deviceId"]), (&"interrupted".into(), &"laptop".into()));
        assert!(house.view(session).await.turn.is_none());
        house.close().await;
    }
}

#[actix::test]
async fn an_agent_that_leaves_while_a_message_comes_is_not_taken_for_crashed() {
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    house.journal.hold_appends(true);
    agent.exits(ExitCause::ByItself, 0, "").await;
    let accepted = house
        .hub
        .begin(session, crate::support::by("phone"), Command::Submit(crate::support::says("two")))
        .await
        .unwrap();
    drop(agent);
    house.settle().await;
    house.journal.hold_appends(false);
    accepted.await.unwrap().unwrap();
    assert_eq!(house.agents.ready().await.serves().await, "two");
    house.has_kind(session, "turn_ended", 2).await;
    assert_eq!(house.data_of(session, "agent_stopped").await.len(), 1);
    house.close().await;
}

#[actix::test]
async fn a_transcript_that_cannot_be_read_is_no_reason_to_begin_anew() {
    tokio::time::pause();
    let house = House::open().await;
    let session = house.session().await;
    house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    let line = TranscriptLine { file: "/h/.claude/projects/p/x.jsonl".into(), line: "{}".into() };
    agent.print(AgentOutput::Transcript(vec![line])).await;
    agent.serves().await;
    house.has_kind(session, "turn_ended", 1).await;
    agent.exits(ExitCause::ByItself, 0, "").await;
    house.submit(session, "phone", "two").await;
    let forgetful = house.agents.next().await;
    house.journal.fail_next_transcript();
    forgetful.exits(ExitCause::NoConversation, 1, "").await;
    let mut reminded = house.agents.ready().await;
    assert_eq!(reminded.launch.conversation, Conversation::Resume(session.uuid()));
    assert_eq!(reminded.launch.transcript.len(), 1);
    assert_eq!(reminded.serves().await, "two");
    house.close().await;
}
