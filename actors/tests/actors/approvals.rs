//! Approvals: several at once, answered once, from any device.

use chrono::TimeDelta;
use tandem_actors::agent::{AgentInput, AgentOutput, Decision};
use tandem_actors::event::{Event, Outcome};
use tandem_actors::refusal::Code;
use tandem_actors::session::{Command, Policy, Status, Verdict};

use crate::support::{House, Played, approval};

async fn in_a_turn(house: &House) -> (tandem_actors::ids::SessionId, Played) {
    let session = house.session().await;
    house.submit(session, "phone", "do it").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    (session, agent)
}

fn deny(request: &str) -> Command {
    let verdict = Verdict::Deny { message: Some("no".to_owned()) };
    Command::Approve { request: request.parse().unwrap(), verdict }
}

fn allow(request: &str) -> Command {
    let verdict = Verdict::Allow { updated_input: None, for_session: false };
    Command::Approve { request: request.parse().unwrap(), verdict }
}

#[actix::test]
async fn several_approvals_wait_at_once_and_each_is_answered_once() {
    let house = House::open().await;
    let (session, mut agent) = in_a_turn(&house).await;
    for request in ["r1", "r2", "r3"] {
        agent.print(AgentOutput::Asks(approval(request, "Bash"))).await;
    }
    house.has_kind(session, "approval_requested", 3).await;
    assert_eq!(house.view(session).await.status, Status::WaitingForApproval);
    house.ask(session, "laptop", allow("r2")).await.unwrap();
    let AgentInput::Answer { request, decision: Decision::Allow { input, remember } } = agent.hears().await
    else {
        panic!("not an answer")
    };
    assert_eq!((request.as_str(), input.get(), remember.is_none()), ("r2", r#"{"command":"ls"}"#, true));
    let refusal = house.ask(session, "phone", allow("r2")).await.unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyResolved);
    assert_eq!(refusal.message, "The device laptop answered this before (allow).");
    let details = refusal.details.unwrap();
    assert_eq!((&details["decision"], &details["by"]["deviceId"]), (&"allow".into(), &"laptop".into()));
    let refusal = house.ask(session, "phone", allow("r9")).await.unwrap_err();
    assert_eq!(refusal.code, Code::ApprovalNotFound);
    assert_eq!(house.view(session).await.approvals.len(), 2);
    house.clock.advance(TimeDelta::seconds(7));
    house.ask(session, "laptop", allow("r1")).await.unwrap();
    let receipts = house.data_of(session, "approval_resolved").await;
    assert_eq!((&receipts[0]["waitedMs"], &receipts[1]["waitedMs"]), (&0.into(), &7000.into()));
    let resolved = &receipts[0];
    assert_eq!((&resolved["decision"], &resolved["by"]["deviceId"]), (&"allow".into(), &"laptop".into()));
    house.close().await;
}

#[actix::test]
async fn a_denial_always_says_something_to_the_model() {
    let house = House::open().await;
    let (session, mut agent) = in_a_turn(&house).await;
    agent.print(AgentOutput::Asks(approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    let deny = Command::Approve { request: "r1".parse().unwrap(), verdict: Verdict::Deny { message: None } };
    house.ask(session, "phone", deny).await.unwrap();
    let AgentInput::Answer { decision: Decision::Deny { message }, .. } = agent.hears().await else {
        panic!("not a denial")
    };
    assert!(!message.is_empty());
    house.close().await;
}

#[actix::test]
async fn for_this_session_hands_the_agents_own_suggestions_back() {
    let house = House::open().await;
    let (session, mut agent) = in_a_turn(&house).await;
    agent.print(AgentOutput::Asks(approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    let verdict = Verdict::Allow { updated_input: Some(crate::support::raw("{}")), for_session: true };
    let command = Command::Approve { request: "r1".parse().unwrap(), verdict };
    house.ask(session, "phone", command).await.unwrap();
    let AgentInput::Answer { decision: Decision::Allow { input, remember }, .. } = agent.hears().await else {
        panic!("not an answer")
    };
    assert_eq!((input.get(), remember.unwrap().get()), ("{}", r#"[{"type":"addRules"}]"#));
    house.close().await;
}

#[actix::test]
async fn what_the_agent_no_longer_asks_is_withdrawn() {
    let house = House::open().await;
    let (session, agent) = in_a_turn(&house).await;
    agent.print(AgentOutput::Asks(approval("r1", "Bash"))).await;
    agent.print(AgentOutput::Withdraws("r1".parse().unwrap())).await;
    house.has_kind(session, "approval_resolved", 1).await;
    assert_eq!(house.data_of(session, "approval_resolved").await[0]["decision"], "withdrawn");
    let refusal = house.ask(session, "phone", allow("r1")).await.unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyResolved);
    house.close().await;
}

#[actix::test]
async fn a_question_waits_for_ever_unless_the_policy_says_otherwise() {
    tokio::time::pause();
    let house = House::open().await;
    let (session, agent) = in_a_turn(&house).await;
    agent.print(AgentOutput::Asks(approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    house.pass(TimeDelta::hours(10)).await;
    assert_eq!(house.view(session).await.approvals.len(), 1);
    house.close().await;
}

#[actix::test]
async fn what_nobody_answers_in_time_is_denied() {
    tokio::time::pause();
    let house = House::open_under(Policy { deny_after: TimeDelta::minutes(5), ..Policy::default() }).await;
    let (session, mut agent) = in_a_turn(&house).await;
    agent.print(AgentOutput::Asks(approval("r1", "Bash"))).await;
    house.has_kind(session, "approval_requested", 1).await;
    house.pass(TimeDelta::minutes(2)).await;
    agent.print(AgentOutput::Asks(approval("r2", "Bash"))).await;
    house.has_kind(session, "approval_requested", 2).await;
    house.pass(TimeDelta::seconds(150)).await;
    assert_eq!(house.view(session).await.approvals.len(), 2, "not yet");
    house.pass(TimeDelta::minutes(1)).await;
    let waiting =
        house.view(session).await.approvals.iter().map(|one| one.request_id.to_string()).collect::<Vec<_>>();
    assert_eq!(waiting, ["r2"]);
    let receipt = house.data_of(session, "approval_resolved").await.remove(0);
    assert_eq!((&receipt["decision"], receipt.get("by")), (&"deny".into(), None));
    assert!(receipt["waitedMs"].as_u64().unwrap() >= 300_000, "{receipt}");
    let AgentInput::Answer { request, decision: Decision::Deny { message } } = agent.hears().await else {
        panic!("not a denial")
    };
    assert_eq!(request.as_str(), "r1");
    assert!(message.starts_with("Nobody answered within 5 minutes"), "{message}");
    house.close().await;
}

#[actix::test]
async fn ten_denials_in_one_turn_end_the_turn() {
    let house = House::open().await;
    let (session, mut agent) = in_a_turn(&house).await;
    for n in 1..=10 {
        agent.print(AgentOutput::Asks(approval(&format!("r{n}"), "Bash"))).await;
        house.has_kind(session, "approval_requested", n).await;
        house.ask(session, "phone", deny(&format!("r{n}"))).await.unwrap();
        assert!(matches!(agent.hears().await, AgentInput::Answer { .. }));
    }
    assert!(matches!(agent.hears().await, AgentInput::Interrupt));
    let message = house.view(session).await.turn.as_ref().unwrap().message_id;
    let mut interrupted = crate::support::result(message, "");
    interrupted.is_interrupted = true;
    agent.print(AgentOutput::Result(interrupted)).await;
    house
        .eventually(session, "interrupted with its reason", |events| {
            events.iter().any(|event| {
                matches!(event, Event::TurnEnded { outcome: Outcome::Interrupted, error: Some(error), by: Some(by), .. }
                    if error.starts_with("10 requests") && by.device_id.as_str() == "phone")
            })
        })
        .await;
    house.close().await;
}

#[actix::test]
async fn denials_of_an_earlier_turn_do_not_count() {
    let house = House::open().await;
    let (session, mut agent) = in_a_turn(&house).await;
    for n in 1..=18 {
        agent.print(AgentOutput::Asks(approval(&format!("r{n}"), "Bash"))).await;
        house.has_kind(session, "approval_requested", n).await;
        house.ask(session, "phone", deny(&format!("r{n}"))).await.unwrap();
        assert!(matches!(agent.hears().await, AgentInput::Answer { .. }));
        if n == 9 {
            let message = house.view(session).await.turn.as_ref().unwrap().message_id;
            agent.answers(message, "done").await;
            house.submit(session, "phone", "again").await;
            agent.takes_message().await;
            house.has_kind(session, "turn_started", 2).await;
        }
    }
    house.settle().await;
    assert!(agent.input.try_recv().is_err(), "nothing interrupts the turn");
    house.close().await;
}
