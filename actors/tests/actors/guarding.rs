//! Agents that are held to the locks: waiting, denial, and that nothing stays locked.

use std::path::Path;
use std::process::Command as Program;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tandem_actors::agent::{AgentInput, AgentOutput, ExitCause, Hook, HookAnswer, Moment};
use tandem_actors::blobs::BlobHash;
use tandem_actors::guard::Ruling;
use tandem_actors::ids::{MessageId, SessionId};
use tandem_actors::locks::{self, Answer, Holder, Request, Resource};
use tandem_actors::project::Enforcement;
use tandem_actors::session::{Command, Policy};

use crate::support::{House, Played, by, raw};

/// A session in the middle of a turn.
struct Worker {
    session: SessionId,
    agent: Played,
    message: MessageId,
    calls: u32,
}

impl Worker {
    async fn in_a_turn(house: &House) -> Self {
        let session = house.session().await;
        house.submit(session, "phone", "work").await;
        let mut agent = house.agents.ready().await;
        let (message, _) = agent.takes_message().await;
        house.has_kind(session, "turn_started", 1).await;
        Self { session, agent, message, calls: 0 }
    }

    async fn hook(&mut self, moment: Moment, tool: &str, input: &Value) {
        if moment == Moment::Before {
            self.calls += 1;
        }
        let name = format!("{}-{}", if moment == Moment::Before { "b" } else { "a" }, self.calls);
        let hook = Hook {
            request: name.parse().unwrap(),
            moment,
            tool: tool.to_owned(),
            input: raw(&input.to_string()),
            tool_use_id: Some(format!("call-{}", self.calls)),
            helper: None,
            cwd: None,
        };
        self.agent.print(AgentOutput::Hook(hook)).await;
    }

    async fn answer(&mut self) -> HookAnswer {
        self.answer_within(10).await
    }

    async fn answer_within(&mut self, seconds: u64) -> HookAnswer {
        match self.agent.hears_within(seconds).await {
            AgentInput::HookAnswer { request, answer } => {
                assert!(request.as_str().ends_with(&format!("-{}", self.calls)), "{request}");
                answer
            }
            other => panic!("no answer to a hook: {other:?}"),
        }
    }

    /// Asks before a tool, and is answered.
    async fn before(&mut self, tool: &str, input: &Value) -> HookAnswer {
        self.hook(Moment::Before, tool, input).await;
        self.answer().await
    }

    async fn passes(&mut self, tool: &str, input: &Value) {
        let answer = self.before(tool, input).await;
        assert!(matches!(answer, HookAnswer::Pass), "{answer:?}");
    }

    async fn is_denied(&mut self, tool: &str, input: &Value) -> String {
        reason(self.before(tool, input).await)
    }

    async fn after(&mut self, tool: &str, input: &Value) {
        self.hook(Moment::After, tool, input).await;
        assert!(matches!(self.answer().await, HookAnswer::Pass));
    }

    async fn reads(&mut self, path: &Path) {
        self.passes("Read", &json!({"file_path": path})).await;
        self.after("Read", &json!({"file_path": path})).await;
    }

    /// Writes as the tool does, if it may.
    async fn writes(&mut self, path: &Path, text: &str) -> HookAnswer {
        let input = write(path, text);
        let answer = self.before("Write", &input).await;
        if matches!(answer, HookAnswer::Pass) {
            std::fs::write(path, text).unwrap();
            self.after("Write", &input).await;
        }
        answer
    }

    async fn ends_turn(&self) {
        self.agent.answers(self.message, "done").await;
    }

    /// Waits for an answer that must not come yet.
    async fn waits(&mut self, house: &House) {
        is_waiting(house).await;
        assert!(self.agent.input.try_recv().is_err(), "it is answered");
    }
}

fn reason(answer: HookAnswer) -> String {
    match answer {
        HookAnswer::Deny { reason } => reason,
        other => panic!("not denied: {other:?}"),
    }
}

fn edit(path: &Path) -> Value {
    json!({"file_path": path, "old_string": "a", "new_string": "b"})
}

fn write(path: &Path, text: &str) -> Value {
    json!({"file_path": path, "content": text})
}

async fn enforce(house: &House, enforcement: Enforcement) {
    let project = house.project().to_string_lossy().into();
    house.hub.projects.enforce(&project, enforcement, by("phone")).await.unwrap();
}

async fn is_waiting(house: &House) {
    counts(house, |(_, waiting)| waiting > 0).await;
}

async fn counts(house: &House, are_right: impl Fn((usize, usize)) -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !are_right(house.hub.locks.keeper().counts()) {
        assert!(std::time::Instant::now() < deadline, "{:?}", house.hub.locks.keeper());
        tokio::task::yield_now().await;
    }
}

/// Two sessions; the first one has a file.
async fn one_has_it(house: &House) -> (Worker, Worker, Value) {
    let file = edit(&house.project().join("a.txt"));
    let mut first = Worker::in_a_turn(house).await;
    let second = Worker::in_a_turn(house).await;
    first.passes("Edit", &file).await;
    (first, second, file)
}

#[actix::test]
async fn the_second_waits_until_the_turn_of_the_first_is_over() {
    let house = House::open().await;
    let (first, mut second, file) = one_has_it(&house).await;
    second.hook(Moment::Before, "Edit", &file).await;
    second.waits(&house).await;
    first.ends_turn().await;
    assert!(matches!(second.answer().await, HookAnswer::Pass));
    second.ends_turn().await;
    counts(&house, |counts| counts == (0, 0)).await;
    house.close().await;
}

#[actix::test]
async fn another_file_is_free_and_ones_own_as_well() {
    let house = House::open().await;
    let (mut first, mut second, file) = one_has_it(&house).await;
    first.passes("Edit", &file).await;
    second.passes("Edit", &edit(&house.project().join("b.txt"))).await;
    house.close().await;
}

#[actix::test]
async fn a_link_is_the_file_that_it_leads_to() {
    let house = House::open().await;
    let (_first, mut second, _) = one_has_it(&house).await;
    std::os::unix::fs::symlink("a.txt", house.project().join("link")).unwrap();
    second.hook(Moment::Before, "Edit", &json!({"file_path": "./x/../link"})).await;
    second.waits(&house).await;
    house.close().await;
}

#[actix::test]
async fn who_waited_in_vain_is_told_who_has_it() {
    tokio::time::pause();
    let house = House::open().await;
    let (first, mut second, file) = one_has_it(&house).await;
    let title = Command::Change { title: Some("Fix the login".into()), model: None, permission_mode: None };
    house.ask(first.session, "phone", title).await.unwrap();
    let asked = tokio::time::Instant::now();
    second.hook(Moment::Before, "Edit", &file).await;
    let reason = reason(second.answer_within(60).await);
    assert_eq!(asked.elapsed().as_secs(), 20);
    let told = house.watchman.told("conflict_detected");
    assert_eq!(told[0]["conflictType"], "resource_lock", "{told:?}");
    for part in ["a.txt is locked by", "\"Fix the login\"", &first.session.to_string(), "waited for 20 s"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(house.hub.locks.keeper().counts(), (1, 0));
    house.close().await;
}

/// A person has the whole project.
async fn a_person_has_it(house: &House) {
    // The first fencing numbers are reserved behind the start.
    house.settle().await;
    let answer = house.hub.locks.keeper().acquire(Request {
        holder: Holder::DeviceId("phone".parse().unwrap()),
        project: Arc::from(house.project().to_str().unwrap()),
        wants: vec![(Resource::project(&house.project()), locks::Mode::Exclusive)],
        ttl: Duration::from_secs(600),
        wait: Duration::ZERO,
        is_kept: false,
    });
    assert!(matches!(answer, Answer::Now(Ok(_))), "{answer:?}");
}

#[actix::test]
async fn waiting_for_a_lock_is_no_hang() {
    tokio::time::pause();
    let house = House::open_under(Policy { hang_after: Duration::from_secs(5), ..Policy::default() }).await;
    a_person_has_it(&house).await;
    let mut worker = Worker::in_a_turn(&house).await;
    worker.hook(Moment::Before, "Edit", &edit(&house.project().join("a.txt"))).await;
    reason(worker.answer_within(60).await);
    house.close().await;
}

#[actix::test]
async fn what_a_person_has_is_named_as_theirs() {
    tokio::time::pause();
    let house = House::open().await;
    a_person_has_it(&house).await;
    let mut worker = Worker::in_a_turn(&house).await;
    worker.hook(Moment::Before, "Edit", &edit(&house.project().join("a.txt"))).await;
    let reason = reason(worker.answer_within(60).await);
    assert!(reason.contains("a person at the device phone"), "{reason}");
    house.close().await;
}

#[actix::test]
async fn the_death_of_an_agent_gives_everything_back() {
    let house = House::open().await;
    let (first, mut second, file) = one_has_it(&house).await;
    second.hook(Moment::Before, "Edit", &file).await;
    second.waits(&house).await;
    first.agent.exits(ExitCause::ByItself, 1, "").await;
    assert!(matches!(second.answer().await, HookAnswer::Pass));
    house.close().await;
}

#[actix::test]
async fn the_end_of_a_session_gives_everything_back() {
    let house = House::open().await;
    let (first, mut second, file) = one_has_it(&house).await;
    second.hook(Moment::Before, "Edit", &file).await;
    second.waits(&house).await;
    house.ask(first.session, "phone", Command::Close).await.unwrap();
    assert!(matches!(second.answer().await, HookAnswer::Pass));
    house.close().await;
}

#[actix::test]
async fn who_closes_a_ring_is_told_so_at_once() {
    let house = House::open().await;
    let (mut first, mut second, file) = one_has_it(&house).await;
    let other = edit(&house.project().join("b.txt"));
    second.passes("Edit", &other).await;
    first.hook(Moment::Before, "Edit", &other).await;
    first.waits(&house).await;
    let reason = second.is_denied("Edit", &file).await;
    assert!(reason.contains("waits for what you have locked"), "{reason}");
    second.ends_turn().await;
    assert!(matches!(first.answer().await, HookAnswer::Pass));
    house.close().await;
}

#[actix::test]
async fn a_hook_whose_turn_ends_is_denied_and_waits_no_more() {
    let house = House::open().await;
    let (first, mut second, file) = one_has_it(&house).await;
    second.hook(Moment::Before, "Edit", &file).await;
    second.waits(&house).await;
    second.ends_turn().await;
    assert_eq!(reason(second.answer().await), "The turn has ended.");
    assert_eq!(house.hub.locks.keeper().counts(), (1, 0));
    first.ends_turn().await;
    counts(&house, |counts| counts == (0, 0)).await;
    house.close().await;
}

#[actix::test]
async fn a_hook_that_the_agent_takes_back_waits_no_more() {
    let house = House::open().await;
    let (_first, mut second, file) = one_has_it(&house).await;
    second.hook(Moment::Before, "Edit", &file).await;
    second.waits(&house).await;
    second.agent.print(AgentOutput::Withdraws("b-1".parse().unwrap())).await;
    counts(&house, |counts| counts == (1, 0)).await;
    house.settle().await;
    assert!(second.agent.input.try_recv().is_err(), "nobody asks any more");
    house.close().await;
}

#[actix::test]
async fn what_was_not_read_is_not_written_over() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    let mut first = Worker::in_a_turn(&house).await;
    assert!(matches!(first.writes(&path, "one").await, HookAnswer::Pass), "a new file");
    assert!(matches!(first.writes(&path, "two").await, HookAnswer::Pass), "its own content");
    first.ends_turn().await;
    let mut second = Worker::in_a_turn(&house).await;
    assert!(reason(second.writes(&path, "three").await).contains("a.txt exists, and you have not read it"));
    second.reads(&path).await;
    std::fs::write(&path, "by a program").unwrap();
    let denied = reason(second.writes(&path, "three").await);
    assert!(denied.contains("a.txt was changed by somebody else since you read it"), "{denied}");
    assert!(second.is_denied("Edit", &edit(&path)).await.contains("Read it again"));
    second.reads(&path).await;
    assert!(matches!(second.writes(&path, "three").await, HookAnswer::Pass));
    std::fs::remove_file(&path).unwrap();
    assert!(reason(second.writes(&path, "four").await).contains("was deleted"));
    assert!(matches!(second.writes(&path, "four").await, HookAnswer::Pass), "it knows now");
    house.close().await;
}

#[actix::test]
async fn a_read_that_failed_has_seen_nothing() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    std::fs::write(&path, "one").unwrap();
    let mut worker = Worker::in_a_turn(&house).await;
    worker.passes("Read", &json!({"file_path": path})).await;
    assert!(reason(worker.writes(&path, "two").await).contains("you have not read it"));
    house.close().await;
}

#[actix::test]
async fn what_changes_while_it_is_read_was_not_seen() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    std::fs::write(&path, "one").unwrap();
    let mut worker = Worker::in_a_turn(&house).await;
    worker.passes("Read", &json!({"file_path": path})).await;
    std::fs::write(&path, "two").unwrap();
    worker.after("Read", &json!({"file_path": path})).await;
    assert!(reason(worker.writes(&path, "three").await).contains("changed by somebody else"));
    house.close().await;
}

#[actix::test]
async fn a_merged_write_goes_on_from_what_the_model_knows() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    std::fs::write(&path, "one").unwrap();
    let mut worker = Worker::in_a_turn(&house).await;
    worker.reads(&path).await;
    std::fs::write(&path, "by a program").unwrap();
    let merged = write(&path, "merged");
    *house.watchman.ruling.lock().unwrap() =
        Some(Ruling::Instead { input: raw(&merged.to_string()), until_done: None });
    let HookAnswer::Instead { input } = worker.before("Write", &write(&path, "mine")).await else {
        panic!("not merged")
    };
    assert_eq!(serde_json::from_str::<Value>(input.get()).unwrap(), merged);
    std::fs::write(&path, "merged").unwrap();
    worker.after("Write", &merged).await;
    worker.before("Write", &write(&path, "mine again")).await;
    let attempts = house.watchman.attempts.lock().unwrap().clone();
    let hash = |text: &str| Some(tandem_actors::blobs::BlobHash::of(text.as_bytes()));
    assert_eq!((attempts[0].seen, attempts[0].there), (hash("one"), hash("by a program")));
    assert_eq!((attempts[1].seen, attempts[1].there), (hash("mine"), hash("merged")));
    house.close().await;
}

#[actix::test]
async fn people_are_told_what_was_written() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    let mut worker = Worker::in_a_turn(&house).await;
    worker.writes(&path, "hello").await;
    worker.writes(&path, "world").await;
    let told = house.watchman.told("file_changed");
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let holder = json!({"sessionId": worker.session});
    assert_eq!(
        told[0],
        json!({"filePath": "a.txt", "changeType": "created", "hash": hash, "holder": holder})
    );
    assert_eq!(told[1]["changeType"], "modified");
    assert_eq!(house.watchman.told("lock_acquired").len(), 1, "renewing is nothing new");
    house.close().await;
}

#[actix::test]
async fn a_lock_that_was_taken_away_during_a_write_is_a_conflict() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    let mut worker = Worker::in_a_turn(&house).await;
    worker.passes("Write", &write(&path, "x")).await;
    let person = Holder::DeviceId("phone".parse().unwrap());
    house.hub.locks.keeper().force(&Resource::file(&path), &person).unwrap();
    std::fs::write(&path, "x").unwrap();
    worker.after("Write", &write(&path, "x")).await;
    let told = house.watchman.told("conflict_detected");
    assert_eq!((&told[0]["conflictType"], &told[0]["subject"]), (&"resource_lock".into(), &"a.txt".into()));
    house.close().await;
}

#[actix::test]
async fn what_was_denied_is_on_record_once() {
    let house = House::open().await;
    let (first, mut second, file) = one_has_it(&house).await;
    enforce(&house, Enforcement::Warn).await;
    for _ in 0..3 {
        second.passes("Edit", &file).await;
    }
    let told = house.watchman.told("conflict_detected");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["conflictType"], &told[0]["subject"]), (&"resource_lock".into(), &"a.txt".into()));
    assert_eq!(told[0]["ours"]["holder"], json!({"sessionId": first.session}));
    assert_eq!(told[0]["theirs"]["holder"], json!({"sessionId": second.session}));
    assert_eq!(told[0]["resolution"], "ours", "nothing is left to decide");
    house.close().await;
}

#[actix::test]
async fn a_write_that_is_not_there_is_a_divergence() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    std::fs::write(&path, "a one\n").unwrap();
    let mut worker = Worker::in_a_turn(&house).await;
    worker.reads(&path).await;
    worker.passes("Edit", &edit(&path)).await;
    // Somebody writes between the tool and its word.
    std::fs::write(&path, "by a program\n").unwrap();
    worker.after("Edit", &edit(&path)).await;
    let diverged = house.watchman.diverged.lock().unwrap().clone();
    assert_eq!(diverged.len(), 1);
    assert_eq!(diverged[0].meant, "b one\n");
    // It goes on from its own, so the next one is an attempt.
    worker.before("Write", &write(&path, "next\n")).await;
    let attempts = house.watchman.attempts.lock().unwrap().clone();
    assert_eq!(attempts[0].seen, Some(BlobHash::of(b"b one\n")));
    house.close().await;
}

#[actix::test]
async fn a_call_is_open_until_its_end_is_told_or_its_turn_is_over() {
    let house = House::open().await;
    let path = house.project().join("a.txt");
    let mut worker = Worker::in_a_turn(&house).await;
    let is_open = || house.watchman.writing.lock().unwrap().last().unwrap().is_open();
    worker.passes("Write", &write(&path, "one\n")).await;
    assert!(is_open());
    assert_eq!(house.watchman.writing.lock().unwrap()[0].meant.as_deref(), Some("one\n"));
    std::fs::write(&path, "one\n").unwrap();
    worker.after("Write", &write(&path, "one\n")).await;
    assert!(!is_open());
    assert!(house.watchman.diverged.lock().unwrap().is_empty());
    worker.passes("Write", &write(&path, "two\n")).await;
    assert!(is_open());
    worker.ends_turn().await;
    counts(&house, |counts| counts == (0, 0)).await;
    assert!(!is_open());
    house.close().await;
}

#[actix::test]
async fn where_locks_only_warn_it_goes_on_and_people_are_told() {
    let house = House::open().await;
    let (_first, mut second, file) = one_has_it(&house).await;
    enforce(&house, Enforcement::Warn).await;
    second.passes("Edit", &file).await;
    assert_eq!(house.watchman.told("lock_denied").len(), 1);
    let path = house.project().join("b.txt");
    std::fs::write(&path, "one").unwrap();
    assert!(matches!(second.writes(&path, "two").await, HookAnswer::Pass));
    assert_eq!(house.watchman.attempts.lock().unwrap()[0].shown, "b.txt");
    house.close().await;
}

#[actix::test]
async fn where_nobody_looks_nothing_is_locked() {
    let house = House::open().await;
    enforce(&house, Enforcement::Off).await;
    let (_first, mut second, file) = one_has_it(&house).await;
    second.passes("Edit", &file).await;
    assert_eq!(house.hub.locks.keeper().counts(), (0, 0));
    house.close().await;
}

#[actix::test]
async fn git_in_a_command_takes_the_branch() {
    let house = House::open().await;
    let made = Program::new("git").args(["init", "-q", "-b", "main"]).current_dir(house.project()).status();
    assert!(made.unwrap().success());
    let (mut first, mut second, _) = one_has_it(&house).await;
    let command = |line: &str| json!({"command": line});
    first.passes("Bash", &command("git status && git log")).await;
    first.passes("Bash", &command("git add -A && git commit -m x")).await;
    second.passes("Bash", &command("git diff")).await;
    second.hook(Moment::Before, "Bash", &command("mkdir -p x; cd x && git stash")).await;
    second.waits(&house).await;
    first.ends_turn().await;
    assert!(matches!(second.answer().await, HookAnswer::Pass));
    let holder = Holder::SessionId(second.session);
    let held = house.hub.locks.keeper().list().into_iter().find(|held| held.holder == holder).unwrap();
    assert_eq!(held.wants[0].0, Resource::branch(&house.project(), "main"));
    house.close().await;
}

#[actix::test]
async fn another_conversation_of_the_session_has_read_nothing() {
    use tandem_actors::agent::Init;
    let house = House::open().await;
    let path = house.project().join("a.txt");
    std::fs::write(&path, "one").unwrap();
    let mut worker = Worker::in_a_turn(&house).await;
    let init = |id: &str| {
        let line = json!({"type": "system", "subtype": "init", "session_id": id});
        AgentOutput::Init(Init::of(raw(&line.to_string())))
    };
    worker.agent.print(init("0198f9a2-1111-7000-8000-000000000001")).await;
    worker.reads(&path).await;
    worker.agent.print(init("0198f9a2-1111-7000-8000-000000000002")).await;
    assert!(reason(worker.writes(&path, "two").await).contains("you have not read it"));
    house.close().await;
}
