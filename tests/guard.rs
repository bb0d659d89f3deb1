//! Conversations in one project that change the same files, with the whole server and both agents.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::agent::Kind;
use crate::support::device::TestDevice;
use crate::support::model::Model;
use crate::support::server::{Home, TestServer, eventually};

/// A server with one project, and a device that follows everything in it.
pub(crate) struct Workshop {
    pub(crate) kind: Kind,
    _model: Option<Model>,
    pub(crate) home: Home,
    pub(crate) server: TestServer,
    pub(crate) device: TestDevice,
}

impl Workshop {
    pub(crate) async fn open(kind: Kind) -> Self {
        let (model, home) = match kind {
            Kind::Simulator => (None, Home::new()),
            Kind::Claude => {
                let model = Model::start().await;
                let home = Home::with_claude(model.url());
                (Some(model), home)
            }
        };
        let server = home.serve().await;
        let device = server.device("phone").await;
        Self { kind, _model: model, home, server, device }
    }

    pub(crate) async fn conversation(&self, title: &str, permission_mode: Option<&str>) -> String {
        let body =
            json!({"projectPath": self.home.project(), "title": title, "permissionMode": permission_mode});
        let (_, created) = self.server.call("POST", "/api/sessions", body).await;
        let session = created["sessionId"].as_str().expect("a session").to_owned();
        self.device.subscribe(&session, 0).await;
        session
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.project().canonicalize().unwrap().join(name)
    }

    /// What has to be said so that the agent reads, edits or writes.
    pub(crate) fn says(&self, verb: &str, path: &Path, rest: &str) -> String {
        let slash = if self.kind == Kind::Simulator { "/" } else { "" };
        format!("{slash}{verb} {} {rest}", path.display()).trim_end().to_owned()
    }

    /// Begins a turn and returns its message.
    pub(crate) async fn begin(&self, session: &str, text: &str) -> Value {
        self.device.submit(session, text).await["messageId"].clone()
    }

    /// What a turn has come to.
    pub(crate) async fn outcome(&self, session: &str, message: &Value) -> String {
        let is_end = |event: &Value| event["kind"] == "turn_ended" && event["data"]["messageId"] == *message;
        let ended = self.device.event(session, "the end of the turn", is_end).await;
        ended["data"]["text"].as_str().unwrap_or_else(|| panic!("no answer: {ended}")).to_owned()
    }

    pub(crate) async fn turn(&self, session: &str, text: &str) -> String {
        let message = self.begin(session, text).await;
        self.outcome(session, &message).await
    }

    pub(crate) async fn allow(&self, session: &str, times: usize) {
        let asked = self.device.kind(session, "approval_requested", times).await;
        let request = &asked["data"]["requestId"];
        let allow =
            json!({"type": "approve", "sessionId": session, "requestId": request, "decision": "allow"});
        assert_eq!(self.device.ask(allow).await["type"], "ok");
    }
}

async fn the_second_one_waits_and_then_sees_what_the_first_has_done(kind: Kind) {
    let shop = Workshop::open(kind).await;
    let file = shop.file("shared.txt");
    std::fs::write(&file, "one").unwrap();
    let [first, second] = [shop.conversation("Login", None).await, shop.conversation("Logout", None).await];
    for session in [&first, &second] {
        assert_eq!(shop.turn(session, &shop.says("read", &file, "")).await.matches("one").count(), 1);
    }
    // The first one has the lock and waits for a person; both are told to edit the same word.
    let edits = shop.begin(&first, &shop.says("edit", &file, "one two")).await;
    shop.device.kind(&first, "approval_requested", 1).await;
    let also_edits = shop.begin(&second, &shop.says("edit", &file, "one three")).await;
    let is_call = |event: &Value| event.to_string().contains("new_string");
    shop.device.event(&second, "the second one's call", is_call).await;
    shop.allow(&first, 1).await;
    shop.outcome(&first, &edits).await;
    let told = shop.outcome(&second, &also_edits).await;
    assert!(told.contains("has changed shared.txt since you read it"), "{told}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
    // It reads what the first one has done, and goes on from there.
    assert!(shop.turn(&second, &shop.says("read", &file, "")).await.contains("two"));
    let goes_on = shop.begin(&second, &shop.says("edit", &file, "two three")).await;
    shop.allow(&second, 1).await;
    shop.outcome(&second, &goes_on).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "three");
    let asked = shop.device.events(&second).iter().filter(|e| e["kind"] == "approval_requested").count();
    assert_eq!(asked, 1, "nobody was asked about an edit that could not be made");
    shop.server.stop().await;
}

#[actix_rt::test]
async fn of_two_simulators_the_second_one_waits() {
    the_second_one_waits_and_then_sees_what_the_first_has_done(Kind::Simulator).await;
}

#[actix_rt::test]
async fn of_two_claudes_the_second_one_waits() {
    the_second_one_waits_and_then_sees_what_the_first_has_done(Kind::Claude).await;
}

async fn who_waits_in_vain_is_told_whom_for(kind: Kind) {
    let model = Model::start().await;
    let mut home = match kind {
        Kind::Simulator => Home::new(),
        Kind::Claude => Home::with_claude(model.url()),
    };
    home.set("LOCK_AGENT_WAIT", "1");
    let server = home.serve().await;
    let device = server.device("phone").await;
    let shop = Workshop { kind, _model: Some(model), home, server, device };
    let file = shop.file("new.txt");
    let [first, second] =
        [shop.conversation("Fix the login", None).await, shop.conversation("Other", None).await];
    shop.begin(&first, &shop.says("write", &file, "one")).await;
    shop.device.kind(&first, "approval_requested", 1).await;
    let told = shop.turn(&second, &shop.says("write", &file, "two")).await;
    for part in ["new.txt is locked by another conversation", "\"Fix the login\"", &first, "waited for 1 s"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!file.exists());
    shop.server.stop().await;
}

#[actix_rt::test]
async fn a_simulator_that_waits_in_vain_is_told_whom_for() {
    who_waits_in_vain_is_told_whom_for(Kind::Simulator).await;
}

#[actix_rt::test]
async fn a_claude_that_waits_in_vain_is_told_whom_for() {
    who_waits_in_vain_is_told_whom_for(Kind::Claude).await;
}

#[actix_rt::test]
async fn an_agent_that_is_killed_gives_its_lock_back() {
    let shop = Workshop::open(Kind::Simulator).await;
    let file = shop.file("new.txt");
    let [first, second] =
        [shop.conversation("a", None).await, shop.conversation("b", Some("acceptEdits")).await];
    shop.begin(&first, &shop.says("write", &file, "one")).await;
    shop.device.kind(&first, "approval_requested", 1).await;
    let writes = shop.begin(&second, &shop.says("write", &file, "two")).await;
    let is_call = |event: &Value| event.to_string().contains("tool_use");
    shop.device.event(&second, "the second one's call", is_call).await;
    let state = shop.server.get(&format!("/api/sessions/{first}")).await;
    let pid = state["agent"]["pid"].as_u64().expect("the agent runs");
    crate::support::signal("KILL", u32::try_from(pid).unwrap());
    assert!(shop.outcome(&second, &writes).await.contains("created"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
    shop.server.stop().await;
}

/// Each one writes the whole file with its own word added to what it has read, again and again.
#[actix_rt::test]
async fn whoever_writes_at_once_loses_nothing() {
    const ROUNDS: usize = 6;
    let shop = Workshop::open(Kind::Simulator).await;
    let file = shop.file("words.txt");
    std::fs::write(&file, "words").unwrap();
    let mut sessions = Vec::new();
    for name in ["a", "b", "c"] {
        sessions.push((name, shop.conversation(name, Some("acceptEdits")).await));
    }
    let write = async |name: &str, session: &str| {
        let mut denied = 0;
        for round in 0..ROUNDS {
            loop {
                let read = shop.turn(session, &shop.says("read", &file, "")).await;
                let words = read.strip_prefix("tool said: ").expect("it is read");
                let all = format!("{words},{name}{round}");
                let told = shop.turn(session, &shop.says("write", &file, &all)).await;
                if told.contains("created") {
                    break;
                }
                assert!(told.contains("has changed words.txt since you read it"), "{told}");
                denied += 1;
            }
        }
        denied
    };
    let [a, b, c] = [&sessions[0], &sessions[1], &sessions[2]].map(|(name, session)| write(name, session));
    let (a, b, c) = tokio::join!(a, b, c);
    assert!(a + b + c > 0, "they never met, so that nothing was tried");
    let written = std::fs::read_to_string(&file).unwrap();
    let mut words: Vec<&str> = written.split(',').skip(1).collect();
    words.sort_unstable();
    let mut wanted: Vec<String> =
        (0..ROUNDS).flat_map(|round| ["a", "b", "c"].map(|name| format!("{name}{round}"))).collect();
    wanted.sort_unstable();
    assert_eq!(words, wanted);
    eventually("whoever was refused has written it after all, so no conflict is left", async || {
        shop.server.get("/api/conflicts?status=open").await["conflicts"] == json!([])
    })
    .await;
    shop.server.stop().await;
}
