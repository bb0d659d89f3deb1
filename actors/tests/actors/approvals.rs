//! Approvals: several at once, answered once, from any device.

use tandem_actors::agent::{AgentInput, AgentOutput, Decision};
use tandem_actors::refusal::Code;
use tandem_actors::session::{Command, Status, Verdict};

use crate::support::{House, Played, approval};

async fn in_a_turn(house: &House) -> (tandem_actors::ids::SessionId, Played) {
    let session = house.session().await;
    house.submit(session, "phone", "do it").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    house.has_kind(session, "turn_started", 1).await;
    (session, agent)
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
    let refusal = house.ask(session, "phone", allow("r9")).await.unwrap_err();
    assert_eq!(refusal.code, Code::ApprovalNotFound);
    assert_eq!(house.view(session).await.approvals.len(), 2);
    let resolved = house.data_of(session, "approval_resolved").await.remove(0);
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
