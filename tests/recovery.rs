//! Nothing that happens to the server or to an agent loses or doubles a message, or leaves a process behind.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tandem::history::End;

use crate::support::chance::Chance;
use crate::support::faults::{Person, marked, rounds, zombies_of};
use crate::support::figures::figure;
use crate::support::model::Model;
use crate::support::recorded::{have_no_faults, recorder};
use crate::support::server::{Home, PATIENCE, TestServer, eventually, eventually_within};
use crate::support::{is_running, signal, try_signal};

/// Which agent a run is played with, and how it can be asked what it has seen.
enum Agent {
    Simulator,
    Claude(Model),
}

impl Agent {
    async fn claude() -> Self {
        Self::Claude(Model::start().await)
    }

    fn home(&self) -> Home {
        match self {
            Self::Simulator => Home::new(),
            Self::Claude(model) => Home::with_claude(model.url()),
        }
    }

    /// A text that asks for a quick answer, a slow one, or a tool, and that no other text is equal to.
    fn text(&self, chance: &mut Chance, tag: &str) -> String {
        let slash = if matches!(self, Self::Simulator) { "/" } else { "" };
        let tool = if matches!(self, Self::Simulator) { "/tool" } else { "bash" };
        match chance.below(4) {
            0 => format!("{slash}slow 10 20 {tag}"),
            1 => format!("{tool} touch {tag}"),
            _ => format!("hello {tag}"),
        }
    }

    /// How often a message was really begun: by the model's own count, and by the agent's own file.
    fn runs(&self, home: &Home, id: &str, text: &str) -> usize {
        let begun = match self {
            // A turn that was cut off stands before the next text in the same request; the last line is what is new.
            Self::Claude(model) => {
                model.turns().iter().filter(|turn| turn.lines().last() == Some(text)).count()
            }
            Self::Simulator => 0,
        };
        begun.max(transcript_lines(home, |entry| entry["type"] == "user" && entry["uuid"] == id))
    }
}

/// All lines that agents of a home have written down, file by file.
fn transcript(home: &Home) -> Vec<Value> {
    let folders = std::fs::read_dir(home.path().join(".claude/projects")).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let parsed = |text: String| -> Vec<Value> {
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    texts.flat_map(parsed).collect()
}

fn transcript_lines(home: &Home, is_it: impl Fn(&Value) -> bool) -> usize {
    transcript(home).iter().filter(|entry| is_it(entry)).count()
}

/// How often a message was answered to the end: its own line, and a last answer before the next message's.
fn answers_to(transcript: &[Value], id: &str) -> usize {
    let mut current = None;
    let mut answers = 0;
    for entry in transcript {
        let is_outcome = entry["message"]["content"][0]["type"] == "tool_result";
        if entry["type"] == "user" && !is_outcome {
            current = entry["uuid"].as_str();
        } else if entry["message"]["stop_reason"] == "end_turn" && current == Some(id) {
            answers += 1;
            current = None;
        }
    }
    answers
}

async fn is_at_rest(server: &TestServer, session: &str) {
    // Agents that were killed in a row are started again after pauses that grow, and a busy machine starts them slowly.
    let state = format!("/api/sessions/{session}");
    eventually_within(PATIENCE * 4, "the session is at rest", async || {
        server.get(&state).await["status"] == "idle"
    })
    .await;
}

/// A process that has just ended is a zombie for the moment until it is collected; none may stay one.
async fn no_zombies(server: &TestServer) {
    eventually("no zombie is left", async || zombies_of(server.pid()) == 0).await;
}

/// Three people with their devices, whose server is killed again and again while they talk.
async fn server_killed_at_random_instants(agent: Agent, name: &str, within_ms: u64) {
    let rounds = rounds();
    let mut chance = Chance::told(name);
    let home = agent.home();
    let server = home.serve().await;
    let session = server.session(&home).await;
    server.stop().await;
    let recorder = recorder(&session);
    let mut people = ["phone", "laptop", "terminal"].map(|name| Person::new(name, &recorder));
    let mut kills_at_start = 0;
    for round in 0..rounds {
        // Half of the times the server is killed while it starts, too: a crash during recovery.
        if chance.below(2) == 0 {
            kills_at_start += 1;
            let mut starting = home.command(&["serve", "--port", "0"]);
            let starting = starting.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            let mut starting = starting.spawn().expect("the program starts");
            chance.instant(400).await;
            starting.kill().await.expect("the server can be killed");
        }
        let server = home.serve().await;
        for (number, person) in people.iter_mut().enumerate() {
            for nth in 0..=chance.below(2) {
                let text = agent.text(&mut chance, &format!("m{round}-{number}-{nth}"));
                person.compose(text);
            }
        }
        let [phone, laptop, terminal] = &mut people;
        let devices = [
            phone.connect(&server, &session).await,
            laptop.connect(&server, &session).await,
            terminal.connect(&server, &session).await,
        ];
        let fault = async {
            chance.instant(within_ms).await;
            // Half of the times the agent goes on for a while without anybody who listens.
            if chance.below(2) == 0 {
                signal("STOP", server.pid());
                chance.instant(within_ms).await;
            }
            server.kill().await;
        };
        tokio::join!(
            fault,
            phone.act(&devices[0], &session),
            laptop.act(&devices[1], &session),
            terminal.act(&devices[2], &session),
        );
        for (person, device) in people.iter_mut().zip(&devices) {
            device.closed().await;
            person.keep(device, &session);
        }
    }

    let server = home.serve().await;
    let devices = [
        people[0].connect(&server, &session).await,
        people[1].connect(&server, &session).await,
        people[2].connect(&server, &session).await,
    ];
    let quiet = async {
        for (person, device) in people.iter_mut().zip(&devices) {
            assert!(person.send(0, device, &session).await, "the server lives");
        }
        is_at_rest(&server, &session).await;
    };
    let approver = crate::support::faults::approve(&devices[0], &session);
    tokio::select! {
        () = quiet => {}
        () = approver => panic!("the server has gone"),
    }
    let events = server.events(&session).await;
    let head = events.len() as u64;
    for (person, device) in people.iter_mut().zip(&devices) {
        device.event(&session, "the head", |event| event["seq"] == head).await;
        person.keep(device, &session);
    }
    no_zombies(&server).await;
    server.stop().await;

    let figures = Figures::of(&agent, &home, &events, &people);
    let tapes = people.into_iter().map(|person| person.tape).collect();
    have_no_faults(&recorder, tapes, &events, End::AtRest);
    let left = marked(&session);
    let left_over = left.len();
    figure(
        name,
        &format!("{rounds} kills, {kills_at_start} more during start; {figures}; {left_over} processes left"),
    );
    assert_eq!((figures.lost, figures.doubled), (0, 0));
    assert!(left.is_empty(), "{left:?}");
}

/// What a run has come to.
#[derive(Default)]
struct Figures {
    messages: usize,
    seen: usize,
    lost: usize,
    doubled: usize,
    again: usize,
    recovered: usize,
    outcomes: BTreeMap<String, usize>,
}

impl Figures {
    fn of(agent: &Agent, home: &Home, events: &[Value], people: &[Person]) -> Self {
        let mut figures = Self::default();
        let transcript = transcript(home);
        let of_kind = |kind: &'static str, id: &str| -> Vec<&Value> {
            let id = json!(id);
            events.iter().filter(|event| event["kind"] == kind && event["data"]["messageId"] == id).collect()
        };
        for person in people {
            figures.seen += person.tape.events();
            for sent in &person.sent {
                figures.messages += 1;
                let accepted = of_kind("message_accepted", &sent.id);
                let ended = of_kind("turn_ended", &sent.id);
                let is_there = accepted.len() == 1 && accepted[0]["seq"].as_u64() == sent.accepted_at;
                if !is_there || ended.len() != 1 {
                    println!("lost: {} {accepted:?} {ended:?}", sent.text);
                    figures.lost += 1;
                    continue;
                }
                let outcome = ended[0]["data"]["outcome"].as_str().expect("an outcome");
                *figures.outcomes.entry(outcome.to_owned()).or_default() += 1;
                let attempts = of_kind("turn_dispatched", &sent.id).len();
                let runs = agent.runs(home, &sent.id, &sent.text);
                figures.again += usize::from(attempts > 1);
                // What never arrived is sent again; what had arrived must not be, least of all when it was answered.
                let answers = answers_to(&transcript, &sent.id);
                if runs > attempts || answers > 1 {
                    println!("doubled: {} {runs} runs, {attempts} attempts, {answers} answers", sent.text);
                    figures.doubled += 1;
                }
                if outcome == "completed" && runs == 0 {
                    println!("never run: {}", sent.text);
                    figures.lost += 1;
                }
            }
        }
        figures.recovered =
            events.iter().filter(|event| event["data"]["message"]["recovered"] == true).count();
        figures
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { messages, seen, lost, doubled, again, recovered, outcomes } = self;
        write!(
            out,
            "{messages} messages {outcomes:?}, {lost} lost, {doubled} run twice, {again} dispatched again; \
             {seen} events seen by devices, 0 changed or lost; {recovered} lines recovered from transcripts"
        )
    }
}

#[tokio::test]
async fn a_server_killed_at_random_instants_loses_and_doubles_nothing() {
    server_killed_at_random_instants(Agent::Simulator, "kill -9 of the server (simulator)", 700).await;
}

#[actix_rt::test]
async fn a_server_of_the_real_cli_killed_at_random_instants_loses_and_doubles_nothing() {
    let agent = Agent::claude().await;
    server_killed_at_random_instants(agent, "kill -9 of the server (real CLI)", 2_000).await;
}

/// An agent that goes on to the end of its answer while its server stands still and is then killed.
async fn answer_that_nobody_heard(agent: Agent) {
    let home = agent.home();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    let (slow, recall) = match agent {
        Agent::Simulator => ("/slow 10 20 heron", "/recall"),
        Agent::Claude(_) => ("slow 10 20 heron", "recall"),
    };
    let id = phone.submit(&session, slow).await["messageId"].as_str().expect("an id").to_owned();
    phone.kind(&session, "turn_started", 1).await;
    signal("STOP", server.pid());
    let is_answer =
        |entry: &Value| entry["type"] == "assistant" && entry["message"]["stop_reason"] == "end_turn";
    eventually("the answer is written down", async || transcript_lines(&home, is_answer) == 1).await;
    server.kill().await;

    let server = home.serve().await;
    is_at_rest(&server, &session).await;
    let events = server.events(&session).await;
    let ended: Vec<&Value> = events.iter().filter(|event| event["kind"] == "turn_ended").collect();
    assert_eq!((ended.len(), &ended[0]["data"]["outcome"]), (1, &json!("completed")), "{ended:?}");
    assert!(ended[0]["data"]["text"].as_str().expect("an answer").contains("piece 9"), "{ended:?}");
    let recovered = events.iter().filter(|event| event["data"]["message"]["recovered"] == true).count();
    assert_eq!(recovered, 1, "{events:?}");
    assert_eq!(agent.runs(&home, &id, slow), 1);
    let phone = server.device("phone").await;
    phone.subscribe(&session, events.len() as u64).await;
    phone.submit(&session, recall).await;
    let ended = phone.kind(&session, "turn_ended", 1).await;
    assert!(ended["data"]["text"].as_str().expect("an answer").contains("heron"), "{ended}");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_heard_is_there_after_a_restart() {
    answer_that_nobody_heard(Agent::Simulator).await;
}

#[actix_rt::test]
async fn an_answer_of_the_real_cli_that_nobody_heard_is_there_after_a_restart() {
    answer_that_nobody_heard(Agent::claude().await).await;
}

/// An agent that is killed again and again under a server that lives.
async fn agent_killed_at_random_instants(agent: Agent, name: &str, within_ms: u64) {
    let rounds = rounds();
    let mut chance = Chance::told(name);
    let home = agent.home();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    let mut kills = 0;
    for round in 0..rounds {
        let slow = if matches!(agent, Agent::Simulator) { "/slow" } else { "slow" };
        phone.submit(&session, &format!("{slow} 10 20 m{round}-0")).await;
        phone.submit(&session, &format!("hello m{round}-1")).await;
        chance.instant(within_ms).await;
        let look = server.get(&format!("/api/sessions/{session}")).await;
        if let Some(pid) = look["agent"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()) {
            // It may be the one that was killed before, when the server has not noticed yet.
            kills += usize::from(try_signal("KILL", pid));
            eventually("the agent is collected", async || !is_running(pid)).await;
        }
        phone.kind(&session, "turn_ended", 2 * (round + 1)).await;
        is_at_rest(&server, &session).await;
        no_zombies(&server).await;
    }
    phone.submit(&session, "and now").await;
    let last = phone.kind(&session, "turn_ended", 2 * rounds + 1).await;
    assert_eq!(last["data"]["outcome"], "completed", "the queue goes on: {last}");
    let events = server.events(&session).await;
    let ids_of = |kind: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["kind"] == kind).map(|event| &event["data"]["messageId"]).collect()
    };
    let (accepted, ended) = (ids_of("message_accepted"), ids_of("turn_ended"));
    let completed = events.iter().filter(|event| event["data"]["outcome"] == "completed").count();
    server.stop().await;
    let left = marked(&session);
    let (messages, turns, left_over) = (accepted.len(), ended.len(), left.len());
    figure(
        name,
        &format!(
            "{kills} kills in {rounds} rounds; {messages} messages accepted, {turns} turns ended, {completed} of them \
             completed; {left_over} processes left"
        ),
    );
    assert_eq!(ended, accepted, "each message has one end, in order");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_agent_killed_at_random_instants_loses_no_message() {
    agent_killed_at_random_instants(Agent::Simulator, "kill -9 of the agent (simulator)", 350).await;
}

#[actix_rt::test]
async fn the_real_cli_killed_at_random_instants_loses_no_message() {
    let agent = Agent::claude().await;
    agent_killed_at_random_instants(agent, "kill -9 of the agent (real CLI)", 1_200).await;
}

/// Starts a tool that leaves the session and the process group of its agent. Returns the agent's process and the tool's.
async fn tool_in_its_own_session(
    agent: &Agent,
    home: &Home,
    server: &TestServer,
    session: &str,
) -> (u32, u32) {
    let phone = server.device("phone").await;
    phone.subscribe(session, 0).await;
    let verb = if matches!(agent, Agent::Simulator) { "/tool" } else { "bash" };
    let script = "echo $$ > pid.new; mv pid.new pid; exec sleep 600";
    phone.submit(session, &format!("{verb} setsid sh -c '{script}' > /dev/null 2>&1 < /dev/null")).await;
    let file = home.project().join("pid");
    let running = async {
        eventually("the tool runs", async || file.exists()).await;
    };
    tokio::select! {
        () = running => {}
        () = crate::support::faults::approve(&phone, session) => panic!("the server has gone"),
    }
    let tool = std::fs::read_to_string(&file).expect("the tool has told its number");
    std::fs::remove_file(&file).expect("it was just read");
    let look = server.get(&format!("/api/sessions/{session}")).await;
    let pid = look["agent"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    (pid.expect("the agent runs"), tool.trim().parse().expect("a number"))
}

/// A tool in a session of its own ends with its agent, and with the server at the latest when the next one starts.
async fn tools_in_their_own_session_end(agent: Agent) {
    let home = agent.home();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let (pid, tool) = tool_in_its_own_session(&agent, &home, &server, &session).await;
    signal("KILL", pid);
    eventually("the tool of a killed agent is ended", async || !is_running(tool)).await;
    is_at_rest(&server, &session).await;
    no_zombies(&server).await;

    let (pid, tool) = tool_in_its_own_session(&agent, &home, &server, &session).await;
    let other = tokio::process::Command::new("sleep")
        .arg("600")
        .env("TANDEM_SESSION", format!("{}:1", uuid::Uuid::now_v7()))
        .kill_on_drop(true)
        .spawn()
        .expect("sleep can be run");
    server.kill().await;
    eventually("the agent dies with its server", async || !is_running(pid)).await;
    assert!(is_running(tool), "this is what the next start is for");
    let started = std::time::Instant::now();
    let server = home.serve().await;
    assert!(!is_running(tool), "it has ended before the server answers");
    assert!(is_running(other.id().expect("it runs")), "what belongs to another server is spared");
    println!("a tool left behind was ended and the server answered after {:?}", started.elapsed());
    is_at_rest(&server, &session).await;
    let ended = server.events(&session).await.into_iter().rfind(|event| event["kind"] == "turn_ended");
    assert_eq!(ended.expect("the turn has an end")["data"]["outcome"], "lost");
    server.stop().await;
    assert!(marked(&session).is_empty());
}

#[tokio::test]
async fn a_tool_in_a_session_of_its_own_is_not_left_behind() {
    tools_in_their_own_session_end(Agent::Simulator).await;
}

#[actix_rt::test]
async fn a_tool_of_the_real_cli_in_a_session_of_its_own_is_not_left_behind() {
    tools_in_their_own_session_end(Agent::claude().await).await;
}

#[tokio::test]
async fn an_agent_that_ignores_sigterm_is_ended_all_the_same() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/hang hard").await;
    phone.kind(&session, "turn_started", 1).await;
    let started = std::time::Instant::now();
    let (status, answer) = server.call("DELETE", &format!("/api/sessions/{session}"), Value::Null).await;
    assert!((200..300).contains(&status), "{answer}");
    phone.kind(&session, "agent_stopped", 1).await;
    assert!(marked(&session).is_empty());
    no_zombies(&server).await;
    println!("an agent that ignores SIGTERM was ended after {:?}", started.elapsed());
    server.stop().await;
}
