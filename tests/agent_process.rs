//! Agents as processes: what happens when they misbehave, flood, hang or die.

use std::time::Duration;

use tandem_actors::agent::{AgentInput, AgentOutput, ExitCause, OUTPUT_BATCHES, Stop};

use crate::support::agent::{Kind, Place, new_conversation};
use crate::support::{eventually, is_running, signal};

async fn place() -> Place {
    Place::new(Kind::Simulator).await
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_so() {
    let place = place().await.with(|config| config.program = "/nowhere/claude".into());
    let exit = place.launch(new_conversation().0, Vec::new()).exit().await;
    assert_eq!(exit.cause, ExitCause::NotFound);
    assert!(exit.last_words.contains("/nowhere/claude"), "{exit:?}");
}

#[tokio::test]
async fn a_folder_that_is_gone_is_not_taken_for_a_missing_program() {
    let place = place().await;
    std::fs::remove_dir(place.project()).expect("it is empty");
    let exit = place.launch(new_conversation().0, Vec::new()).exit().await;
    assert_eq!(exit.cause, ExitCause::NotStarted);
    assert!(exit.last_words.contains("project"), "{exit:?}");
}

#[tokio::test]
async fn a_program_that_complains_and_ends_is_quoted() {
    let place = place().await.with(|config| config.extra_args = vec!["--nonsense".into()]);
    let exit = place.launch(new_conversation().0, Vec::new()).exit().await;
    assert_eq!((exit.code, exit.cause), (Some(1), ExitCause::NotStarted));
    assert_eq!(exit.last_words, "error: unknown option '--nonsense'");
}

#[tokio::test]
async fn a_program_that_never_becomes_ready_is_ended() {
    let place = place().await.with(|config| {
        config.program = "sh".into();
        config.args_prefix = vec!["-c".into(), "echo starting; sleep 600".into()];
        config.ready_within = Duration::from_millis(200);
    });
    let exit = place.launch(new_conversation().0, Vec::new()).exit().await;
    assert_eq!(exit.cause, ExitCause::NotStarted);
    assert!(exit.last_words.starts_with("starting"), "{exit:?}");
    assert!(exit.last_words.contains("not ready within"), "{exit:?}");
}

#[tokio::test]
async fn a_crash_in_a_turn_tells_its_code_and_nothing_follows() {
    let mut agent = place().await.ready(new_conversation().0).await;
    agent.say("/crash 7").await;
    let exit = agent.exit().await;
    assert_eq!((exit.code, exit.cause), (Some(7), ExitCause::ByItself));
}

#[tokio::test]
async fn an_agent_that_hears_nothing_is_killed() {
    let place = place().await;
    let mut agent = place.ready(new_conversation().0).await;
    let id = agent.say("/hang hard").await;
    agent
        .until(|output| matches!(output, AgentOutput::Started(started) if started == id).then_some(()))
        .await;
    agent.tell(AgentInput::Interrupt).await;
    agent.stop(Stop::Finish { within: Duration::from_millis(100) }).await;
    let exit = agent.exit().await;
    assert_eq!(exit.cause, ExitCause::Asked);
    assert!(exit.signal == Some(9) || exit.code == Some(143), "{exit:?}");
}

#[tokio::test]
async fn lines_that_are_no_messages_are_told_and_the_turn_goes_on() {
    let mut agent = place().await.ready(new_conversation().0).await;
    assert_eq!(agent.ask("/garbage").await, "garbage");
    let mut garbage = Vec::new();
    let mut notes = Vec::new();
    for output in &agent.seen {
        match output {
            AgentOutput::Garbage { start, .. } => garbage.push(start.as_str()),
            AgentOutput::Message(line) if line.get().contains(r#""note""#) => notes.push(line.get()),
            _ => {}
        }
    }
    assert_eq!(garbage.len(), 5, "{garbage:?}");
    assert_eq!(
        notes,
        [r#"{"type":"note","text":"windows"}"#, "{\"type\":\"note\",\"text\":\"a\u{2028}b\",\"n\":1e999}"]
    );
    let exit = agent.finish().await;
    assert!(exit.last_words.contains("plain text, as a library prints it"));
}

#[tokio::test]
async fn a_huge_line_arrives_whole() {
    let mut agent = place().await.ready(new_conversation().0).await;
    assert_eq!(agent.ask("/huge 3000000").await.len(), 3_000_000);
}

#[tokio::test]
async fn a_line_beyond_the_limit_is_dropped_and_the_turn_goes_on() {
    let place = place().await.with(|config| config.max_line_bytes = 100_000);
    let mut agent = place.ready(new_conversation().0).await;
    agent.say("/huge 1000000").await;
    let bytes = agent
        .until(|output| match output {
            AgentOutput::Garbage { bytes, .. } => Some(bytes),
            _ => None,
        })
        .await;
    assert!(bytes > 1_000_000);
    assert_eq!(agent.ask("still there?").await, "echo: still there?");
}

#[tokio::test]
async fn a_flood_waits_in_the_pipe_until_the_session_reads_and_all_of_it_arrives() {
    let place = place().await;
    let mut agent = place.ready(new_conversation().0).await;
    agent.say("/burst 50000").await;
    let pid = agent.pid();
    // Two batches are at hand, one is in work, and the agent sleeps in its write.
    eventually("the agent waits", || agent.handle.output.len() == OUTPUT_BATCHES && is_writing(pid)).await;
    agent.result().await;
    let messages = agent.seen.iter().filter(|output| matches!(output, AgentOutput::Message(_)));
    assert_eq!(messages.count(), 50_000);
}

#[tokio::test]
async fn a_flood_that_nobody_reads_can_be_ended() {
    let place = place().await;
    let mut agent = place.ready(new_conversation().0).await;
    agent.say("/burst 10000000").await;
    let pid = agent.pid();
    eventually("the agent waits", || agent.handle.output.len() == OUTPUT_BATCHES && is_writing(pid)).await;
    agent.stop(Stop::Now).await;
    eventually("it is gone", || !is_running(pid)).await;
    assert_eq!(agent.exit().await.cause, ExitCause::Asked);
}

#[tokio::test]
async fn what_a_dead_agent_left_running_is_ended_before_the_exit_is_told() {
    let place = place().await.with(|config| {
        config.program = "sh".into();
        config.args_prefix = vec!["-c".into(), "setsid sleep 600 & echo $! > pid; exit 3".into()];
    });
    let mut agent = place.launch(new_conversation().0, Vec::new());
    assert_eq!(agent.exit().await.code, Some(3));
    let pid = std::fs::read_to_string(place.project().join("pid")).expect("it was written");
    assert!(!is_running(pid.trim().parse().expect("a number")));
}

#[tokio::test]
async fn somebody_else_who_holds_the_pipe_delays_the_exit_only_a_little() {
    let place = place().await.with(|config| {
        config.program = "sh".into();
        // Without its environment and its parent nothing leads to this one; before it has become `sleep`, both still do.
        let script = "(env -i setsid sleep 600 & echo $! > pid) ; \
                      until [ \"$(cat /proc/$(cat pid)/comm)\" = sleep ] ; do : ; done ; exit 3";
        config.args_prefix = vec!["-c".into(), script.into()];
    });
    let mut agent = place.launch(new_conversation().0, Vec::new());
    assert_eq!(agent.exit().await.code, Some(3));
    let pid = std::fs::read_to_string(place.project().join("pid")).expect("it was written");
    let pid = pid.trim().parse().expect("a number");
    assert!(is_running(pid), "the exit is told while the pipe is still held");
    signal("KILL", pid);
}

/// Plays both parts: started by the test runner it watches, started by itself it is the server that is killed.
#[tokio::test]
async fn an_agent_dies_with_its_server() {
    const FOLDER: &str = "TANDEM_TEST_SERVER_IN";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let place = place().await.with(|config| {
            config.program = "sh".into();
            config.args_prefix =
                vec!["-c".into(), "echo $$ > $OUT/new && mv $OUT/new $OUT/pid; exec sleep 600".into()];
            config.environment = config.environment.clone().with("OUT", folder);
        });
        let mut agent = place.launch(new_conversation().0, Vec::new());
        agent.next().await;
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = std::process::Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "agent_process::an_agent_dies_with_its_server"])
        .env(FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("this program can be run");
    let file = folder.path().join("pid");
    eventually("the agent runs", || file.exists()).await;
    let pid = std::fs::read_to_string(&file).expect("it was written");
    let pid = pid.trim().parse().expect("a number");
    assert!(is_running(pid));
    server.kill().expect("it runs");
    server.wait().expect("it is ours");
    eventually("the agent is gone", || !is_running(pid)).await;
}

/// Linux tells what a sleeping process sleeps in.
fn is_writing(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    tasks.into_iter().flatten().flatten().any(|task| {
        let call = std::fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        // 1 is `write` on x86-64, 64 on arm64; the first argument is the descriptor.
        call.starts_with("1 0x") || call.starts_with("64 0x")
    })
}
