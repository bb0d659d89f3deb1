//! What the agent asks people, with the real CLI and its own questions.

use serde_json::{Value, json};

use crate::support::device::TestDevice;
use crate::support::model::Model;
use crate::support::server::{Home, TestServer};

/// A conversation with the real CLI, followed by three devices.
struct Conversation {
    _model: Model,
    home: Home,
    server: TestServer,
    session: String,
    devices: [TestDevice; 3],
}

impl Conversation {
    async fn begin(settings: &[(&str, &str)], permission_mode: Option<&str>) -> Self {
        let model = Model::start().await;
        let mut home = Home::with_claude(model.url());
        for (name, value) in settings {
            home.set(name, value);
        }
        for number in 1..=5 {
            let outside = home.path().join("outside");
            std::fs::create_dir_all(&outside).unwrap();
            std::fs::write(outside.join(format!("{number}.txt")), format!("content {number}")).unwrap();
        }
        let server = home.serve().await;
        let body = json!({ "projectPath": home.project(), "permissionMode": permission_mode });
        let (_, created) = server.call("POST", "/api/sessions", body).await;
        let session = created["sessionId"].as_str().expect("a session").to_owned();
        let devices =
            [server.device("phone").await, server.device("laptop").await, server.device("tablet").await];
        for device in &devices {
            device.subscribe(&session, 0).await;
        }
        Self { _model: model, home, server, session, devices }
    }

    fn outside(&self, number: usize) -> String {
        self.home.path().join(format!("outside/{number}.txt")).display().to_string()
    }

    /// The `times`th question of the agent.
    async fn question(&self, times: usize) -> Value {
        self.devices[0].kind(&self.session, "approval_requested", times).await["data"].clone()
    }

    fn verdict(&self, question: &Value, more: Value) -> Value {
        let mut frame =
            json!({"type": "approve", "sessionId": self.session, "requestId": question["requestId"]});
        let (Value::Object(frame_fields), Value::Object(more)) = (&mut frame, more) else { unreachable!() };
        frame_fields.extend(more);
        frame
    }

    async fn ended(&self, times: usize) -> Value {
        self.devices[1].kind(&self.session, "turn_ended", times).await["data"].clone()
    }
}

#[actix_rt::test]
async fn five_questions_at_once_are_each_answered_by_whoever_is_first() {
    let talk = Conversation::begin(&[], None).await;
    let paths: Vec<String> = (1..=5).map(|number| talk.outside(number)).collect();
    talk.devices[0].submit(&talk.session, &format!("read {}", paths.join(" "))).await;
    talk.question(5).await;
    let state = talk.server.get(&format!("/api/sessions/{}", talk.session)).await;
    let open = state["approvals"].as_array().unwrap().clone();
    assert_eq!((open.len(), &state["status"]), (5, &json!("waiting_for_approval")));
    // All three answer all five at the same moment; one of each three is first.
    let mut asked = Vec::new();
    for question in &open {
        for device in &talk.devices {
            asked.push((
                question,
                device,
                device.begin(talk.verdict(question, json!({"decision": "allow"}))),
            ));
        }
    }
    let mut winners = Vec::new();
    for (question, device, mark) in asked {
        let answer = device.answer(&mark).await;
        match answer["type"].as_str() {
            Some("ok") => winners.push((question["requestId"].clone(), device.name.clone())),
            _ => assert_eq!(answer["error"]["code"], "already_resolved", "{answer}"),
        }
    }
    assert_eq!(winners.len(), 5, "{winners:?}");
    assert_eq!(talk.ended(1).await["outcome"], "completed");
    for device in &talk.devices {
        device.kind(&talk.session, "turn_ended", 1).await;
        let events = device.events(&talk.session);
        let receipts: Vec<&Value> = events
            .iter()
            .filter(|event| event["kind"] == "approval_resolved")
            .map(|event| &event["data"])
            .collect();
        assert_eq!(receipts.len(), 5);
        for (request, winner) in &winners {
            let receipt = receipts.iter().find(|receipt| receipt["requestId"] == *request).unwrap();
            assert_eq!((&receipt["by"]["deviceId"], &receipt["decision"]), (&json!(winner), &json!("allow")));
            assert!(receipt["waitedMs"].as_u64().is_some(), "{receipt}");
        }
    }
    // Whoever comes too late is told who was there before.
    let (request, winner) = &winners[0];
    let late =
        json!({"type": "approve", "sessionId": talk.session, "requestId": request, "decision": "deny"});
    let late = talk.devices[2].ask(late).await;
    assert_eq!(late["error"]["details"]["by"]["deviceId"], json!(winner), "{late}");
    talk.server.stop().await;
}

#[actix_rt::test]
async fn an_answer_for_the_session_is_remembered_by_the_cli() {
    let talk = Conversation::begin(&[], None).await;
    talk.devices[0].submit(&talk.session, &format!("read {}", talk.outside(1))).await;
    let question = talk.question(1).await;
    assert!(question["suggestions"].is_array(), "{question}");
    let answer =
        talk.devices[1].ask(talk.verdict(&question, json!({"decision": "allow", "scope": "session"}))).await;
    assert_eq!(answer["type"], "ok", "{answer}");
    assert_eq!(talk.ended(1).await["outcome"], "completed");
    talk.devices[0].submit(&talk.session, &format!("read {}", talk.outside(2))).await;
    let ended = talk.ended(2).await;
    assert!(ended["text"].as_str().unwrap().contains("content 2"), "{ended}");
    let asked = talk.devices[0].events(&talk.session);
    assert_eq!(asked.iter().filter(|event| event["kind"] == "approval_requested").count(), 1);
    talk.server.stop().await;
}

#[actix_rt::test]
async fn once_means_once() {
    let talk = Conversation::begin(&[], None).await;
    for turn in 1..=2 {
        talk.devices[0].submit(&talk.session, &format!("read {}", talk.outside(turn))).await;
        let question = talk.question(turn).await;
        let answer =
            talk.devices[1].ask(talk.verdict(&question, json!({"decision": "allow", "scope": "once"}))).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        assert_eq!(talk.ended(turn).await["outcome"], "completed");
    }
    talk.server.stop().await;
}

#[actix_rt::test]
async fn a_question_to_the_person_is_answered_through_the_input() {
    let talk = Conversation::begin(&[], None).await;
    let questions = json!([{
        "question": "Which colour?", "header": "Colour", "multiSelect": false,
        "options": [{"label": "Red", "description": "as a rose"}, {"label": "Blue", "description": "as the sea"}],
    }]);
    let call = format!("call AskUserQuestion {}", json!({ "questions": questions }));
    talk.devices[0].submit(&talk.session, &call).await;
    let question = talk.question(1).await;
    assert_eq!((&question["tool"], &question["input"]["questions"]), (&json!("AskUserQuestion"), &questions));
    let input = json!({"questions": questions, "answers": {"Which colour?": "Blue"}});
    let answer = talk.devices[2]
        .ask(talk.verdict(&question, json!({"decision": "allow", "updatedInput": input})))
        .await;
    assert_eq!(answer["type"], "ok", "{answer}");
    let ended = talk.ended(1).await;
    assert!(ended["text"].as_str().unwrap().contains("Blue"), "{ended}");
    talk.server.stop().await;
}

#[actix_rt::test]
async fn a_plan_is_approved_and_carried_out() {
    let talk = Conversation::begin(&[], Some("plan")).await;
    let call = format!("call ExitPlanMode {}", json!({"plan": "1. Paint it blue."}));
    talk.devices[0].submit(&talk.session, &call).await;
    let question = talk.question(1).await;
    assert_eq!(question["tool"], "ExitPlanMode", "{question}");
    let input = question["input"].clone();
    let answer = talk.devices[1]
        .ask(talk.verdict(&question, json!({"decision": "allow", "updatedInput": input})))
        .await;
    assert_eq!(answer["type"], "ok", "{answer}");
    let ended = talk.ended(1).await;
    assert_eq!(ended["outcome"], "completed", "{ended}");
    assert!(ended["text"].as_str().unwrap().contains("approved"), "{ended}");
    talk.server.stop().await;
}

#[actix_rt::test]
async fn ten_denials_end_the_turn_of_an_agent_that_insists() {
    let talk = Conversation::begin(&[], None).await;
    talk.devices[0].submit(&talk.session, "insist touch proof").await;
    for number in 1..=10 {
        let question = talk.question(number).await;
        let verdict = talk.verdict(&question, json!({"decision": "deny", "message": "not that"}));
        assert_eq!(talk.devices[1].ask(verdict).await["type"], "ok");
    }
    let ended = talk.ended(1).await;
    assert_eq!(ended["outcome"], "interrupted", "{ended}");
    assert!(ended["error"].as_str().unwrap().starts_with("10 requests"), "{ended}");
    let asked = talk.devices[0].events(&talk.session);
    assert!(asked.iter().filter(|event| event["kind"] == "approval_requested").count() <= 11);
    // The conversation goes on.
    talk.devices[0].submit(&talk.session, "hello again").await;
    assert_eq!(talk.ended(2).await["outcome"], "completed");
    talk.server.stop().await;
}
