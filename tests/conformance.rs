//! What Tandem relies on in an agent, tried on the simulator and on the real CLI alike.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tandem_actors::agent::{AgentInput, AgentOutput, Decision, ExitCause, HookAnswer, Moment, Stop};
use tandem_actors::ids::MessageId;

use crate::support::agent::{Agent, Kind, Place, new_conversation};
use crate::support::{eventually, is_running, signal};

/// Runs each of the following functions as a test of both agents.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod simulator {
            $(#[tokio::test] async fn $name() { super::$name(super::Place::new(super::Kind::Simulator).await).await; })*
        }
        mod claude {
            $(#[tokio::test] async fn $name() { super::$name(super::Place::new(super::Kind::Claude).await).await; })*
        }
    };
}

on_both! {
    a_turn_starts_grows_and_ends_in_order,
    a_conversation_goes_on_in_the_next_process,
    a_used_session_id_is_refused,
    a_session_id_without_a_message_is_not_used,
    an_unknown_conversation_cannot_be_resumed,
    a_transcript_that_is_put_back_continues_in_an_empty_home,
    an_allowed_tool_runs,
    a_denied_tool_does_not_run,
    several_questions_are_open_at_once,
    an_interrupt_ends_a_slow_turn,
    a_known_message_is_not_run_again,
    a_known_message_is_not_run_again_by_the_next_process,
    closing_the_input_finishes_the_turn,
    sigterm_ends_it_with_143,
    an_order_to_end_now_ends_it_and_its_tools,
    dropping_the_handle_ends_it_and_its_tools,
    messages_that_wait_are_merged_into_one_turn,
    edits_need_no_leave_after_the_permission_mode_was_set,
    the_mirror_tells_what_the_file_holds,
    the_cost_goes_on_counting_in_the_next_process,
    clear_goes_on_under_another_id,
    a_line_that_is_no_json_ends_it,
    a_request_that_it_does_not_know_is_refused,
    a_tool_waits_for_its_hook_and_tells_when_it_is_done,
    a_hook_denies_a_tool_and_the_model_is_told_why,
    a_hook_changes_what_a_tool_is_called_with_and_leave_is_asked_for_that,
    reads_edits_and_commands_have_hooks,
    an_interrupt_takes_a_hook_back,
    a_file_is_written_whole_or_not_at_all,
}

async fn a_turn_starts_grows_and_ends_in_order(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    let id = agent.say("hello").await;
    let result = agent.result().await;
    let mut order = Vec::new();
    let mut grown = String::new();
    for output in &agent.seen {
        match output {
            AgentOutput::Ready { version, .. } => {
                assert!(version.is_some());
                order.push("ready");
            }
            AgentOutput::Started(started) => {
                assert_eq!(*started, id);
                order.push("started");
            }
            AgentOutput::Init(init) => {
                assert!(init.conversation.is_some() && init.version.is_some());
                order.push("init");
            }
            AgentOutput::Delta { text, .. } => {
                grown.push_str(text);
                order.push("delta");
            }
            AgentOutput::Message(line) if line.get().contains(r#""type":"assistant""#) => {
                order.push("answer");
            }
            AgentOutput::Result(_) => order.push("result"),
            AgentOutput::Message(_) | AgentOutput::Transcript(_) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(order, ["ready", "started", "init", "delta", "answer", "result"]);
    assert_eq!(grown, "echo: hello");
    assert_eq!(result.text.as_deref(), Some("echo: hello"));
    assert_eq!(result.answers, [id.uuid()]);
    assert!(!result.is_error && !result.is_interrupted && result.usage.is_some());
    assert!(result.total_cost_usd.is_some_and(|cost| cost > 0.0));
    assert_eq!(agent.finish().await.code, Some(0));
}

async fn a_conversation_goes_on_in_the_next_process(place: Place) {
    let (new, resume) = new_conversation();
    let mut first = place.ready(new).await;
    first.ask("one").await;
    first.ask("two").await;
    let exit = first.finish().await;
    assert_eq!((exit.code, exit.cause), (Some(0), ExitCause::Asked));
    let mut second = place.ready(resume).await;
    assert_eq!(second.ask(place.recall()).await, "you said: one; two");
}

async fn a_used_session_id_is_refused(place: Place) {
    let (new, _) = new_conversation();
    let mut first = place.ready(new).await;
    first.ask("one").await;
    first.finish().await;
    let mut second = place.launch(new, Vec::new());
    let exit = second.exit().await;
    assert_eq!((exit.code, exit.cause), (Some(1), ExitCause::ConversationExists), "{exit:?}");
    assert_eq!(second.seen.len(), 1, "nothing but the exit: {:?}", second.seen);
}

async fn a_session_id_without_a_message_is_not_used(place: Place) {
    let (new, resume) = new_conversation();
    place.ready(new).await.finish().await;
    let resumed = place.launch(resume, Vec::new()).exit().await;
    assert_eq!(resumed.cause, ExitCause::NoConversation);
    assert_eq!(place.ready(new).await.ask("hi").await, "echo: hi");
}

async fn an_unknown_conversation_cannot_be_resumed(place: Place) {
    let (_, resume) = new_conversation();
    let mut agent = place.launch(resume, Vec::new());
    let exit = agent.exit().await;
    assert_eq!((exit.code, exit.cause), (Some(1), ExitCause::NoConversation), "{exit:?}");
    assert_eq!(agent.seen.len(), 1, "nothing but the exit: {:?}", agent.seen);
}

async fn a_transcript_that_is_put_back_continues_in_an_empty_home(place: Place) {
    let (new, resume) = new_conversation();
    let mut first = place.ready(new).await;
    first.ask("remember me").await;
    first.finish().await;
    let transcript = first.transcript();
    std::fs::remove_dir_all(place.home().join(".claude")).expect("the agent has written to its home");
    let mut second = place.launch(resume, transcript);
    second.is_ready().await;
    assert_eq!(second.ask(place.recall()).await, "you said: remember me");
}

async fn an_allowed_tool_runs(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.say(&place.bash("echo done > out.txt && cat out.txt")).await;
    let approval = agent.asks().await;
    assert_eq!(approval.tool, "Bash");
    assert!(approval.input.get().contains("out.txt") && approval.suggestions.is_some());
    assert!(!place.project().join("out.txt").exists());
    agent.allow(&approval).await;
    assert_eq!(agent.result().await.text.as_deref(), Some("tool said: done"));
    let written = std::fs::read_to_string(place.project().join("out.txt"));
    assert_eq!(written.expect("the command has run"), "done\n");
}

async fn a_denied_tool_does_not_run(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.say(&place.bash("touch out.txt")).await;
    let approval = agent.asks().await;
    let message = "not today".to_owned();
    agent.answer(&approval, Decision::Deny { message }).await;
    let result = agent.result().await;
    assert_eq!(result.text.as_deref(), Some("tool said: not today"));
    assert!(!result.is_error && !place.project().join("out.txt").exists());
}

async fn several_questions_are_open_at_once(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.say(place.three_questions()).await;
    let questions = [agent.asks().await, agent.asks().await, agent.asks().await];
    for question in questions.iter().rev() {
        agent.allow(question).await;
    }
    assert!(!agent.result().await.is_error);
}

async fn an_interrupt_ends_a_slow_turn(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    let id = agent.say(&place.slow(2000, 20)).await;
    agent.until(|output| matches!(output, AgentOutput::Delta { .. }).then_some(())).await;
    agent.tell(AgentInput::Interrupt).await;
    let result = agent.result().await;
    assert!(result.is_interrupted, "{result:?}");
    assert_eq!(result.answers, [id.uuid()]);
    assert_eq!(agent.ask("still there?").await, "echo: still there?");
}

async fn a_known_message_is_not_run_again(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    let id = agent.say("once").await;
    agent.result().await;
    agent.say_as(id, "once").await;
    let known = agent
        .until(|output| match output {
            AgentOutput::AlreadyKnown(known) => Some(known),
            AgentOutput::Started(_) | AgentOutput::Result(_) => panic!("it runs again"),
            _ => None,
        })
        .await;
    assert_eq!(known, id);
    assert_eq!(agent.ask(place.recall()).await, "you said: once");
    let asked = place.model.prompts().iter().filter(|text| *text == "once").count();
    assert!(asked <= 1, "the model was asked {asked} times");
}

async fn a_known_message_is_not_run_again_by_the_next_process(place: Place) {
    let (new, resume) = new_conversation();
    let mut first = place.ready(new).await;
    let id = first.say("once").await;
    first.result().await;
    first.finish().await;
    let mut second = place.ready(resume).await;
    second.say_as(id, "once").await;
    second
        .until(|output| match output {
            AgentOutput::AlreadyKnown(known) => Some(known),
            AgentOutput::Started(_) | AgentOutput::Result(_) => panic!("it runs again"),
            _ => None,
        })
        .await;
    assert_eq!(second.ask(place.recall()).await, "you said: once");
}

async fn closing_the_input_finishes_the_turn(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    let id = agent.say(&place.slow(10, 20)).await;
    let exit = agent.finish().await;
    assert_eq!((exit.code, exit.cause), (Some(0), ExitCause::Asked), "{exit:?}");
    let answered = agent.seen.iter().any(|output| {
        matches!(output, AgentOutput::Result(result) if result.answers == [id.uuid()] && !result.is_error)
    });
    assert!(answered, "{:?}", agent.seen);
}

async fn sigterm_ends_it_with_143(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.say(&place.slow(2000, 20)).await;
    agent.until(|output| matches!(output, AgentOutput::Delta { .. }).then_some(())).await;
    signal("TERM", agent.pid());
    let exit = agent.exit().await;
    assert_eq!((exit.code, exit.cause), (Some(143), ExitCause::ByItself), "{exit:?}");
}

async fn an_order_to_end_now_ends_it_and_its_tools(place: Place) {
    let (agent, tool) = running_tool(&place).await;
    let mut agent = agent;
    agent.stop(Stop::Now).await;
    assert_eq!(agent.exit().await.cause, ExitCause::Asked);
    assert!(!is_running(tool), "the tool lives on");
}

async fn dropping_the_handle_ends_it_and_its_tools(place: Place) {
    let (agent, tool) = running_tool(&place).await;
    let pid = agent.pid();
    drop(agent);
    for process in [pid, tool] {
        eventually("the process is gone", || !is_running(process)).await;
    }
}

/// An agent that runs a long command, and the command's process.
async fn running_tool(place: &Place) -> (Agent, u32) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.say(&place.bash("echo $$ > pid.new && mv pid.new pid && sleep 600")).await;
    let approval = agent.asks().await;
    agent.allow(&approval).await;
    let file = place.project().join("pid");
    eventually("the command runs", || file.exists()).await;
    let pid = std::fs::read_to_string(file).expect("the command has told its number");
    (agent, pid.trim().parse().expect("a number"))
}

async fn messages_that_wait_are_merged_into_one_turn(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.say(&place.slow(10, 30)).await;
    agent.until(|output| matches!(output, AgentOutput::Delta { .. }).then_some(())).await;
    let ids = [agent.say("a").await, agent.say("b").await];
    agent.result().await;
    let merged = agent.result().await;
    assert_eq!(merged.text.as_deref(), Some("echo: a\nb"));
    assert_eq!(merged.answers, ids.map(MessageId::uuid));
}

async fn edits_need_no_leave_after_the_permission_mode_was_set(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    let file = place.project().join("free.txt");
    let verb = if place.kind == Kind::Simulator { "/write" } else { "write" };
    agent.tell(AgentInput::SetPermissionMode("acceptEdits".to_owned())).await;
    agent.ask(&format!("{verb} {} text", file.display())).await;
    assert!(!agent.seen.iter().any(|output| matches!(output, AgentOutput::Asks(_))));
    assert_eq!(std::fs::read_to_string(file).expect("it is written"), "text");
}

async fn the_mirror_tells_what_the_file_holds(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.ask("one").await;
    agent.ask("two").await;
    agent.finish().await;
    let lines = agent.transcript();
    let mirrored: Vec<&str> = lines.iter().map(|line| &*line.line).collect();
    let file = std::fs::read_to_string(&*lines[0].file).expect("the mirror names the file");
    // What the CLI notes of its own requests stays in the file; a conversation goes on without it.
    let kept: Vec<&str> = file.lines().filter(|line| !line.contains(r#""type":"api-request"#)).collect();
    assert_eq!(mirrored, kept);
    assert!(lines[0].file.contains("/.claude/projects/"));
}

async fn the_cost_goes_on_counting_in_the_next_process(place: Place) {
    let (new, resume) = new_conversation();
    let mut first = place.ready(new).await;
    first.say("one").await;
    let before = first.result().await.total_cost_usd;
    first.finish().await;
    let mut second = place.ready(resume).await;
    second.say("two").await;
    let after = second.result().await.total_cost_usd;
    assert!(before > Some(0.0) && after > before, "{before:?}, {after:?}");
}

async fn clear_goes_on_under_another_id(place: Place) {
    let (new, _) = new_conversation();
    let mut agent = place.ready(new).await;
    agent.ask("one").await;
    let id = agent.say("/clear").await;
    assert_eq!(agent.result().await.answers, [id.uuid()]);
    agent.ask("two").await;
    let mut conversations = Vec::new();
    for output in &agent.seen {
        if let AgentOutput::Init(init) = output {
            conversations.push(init.conversation);
        }
    }
    assert_ne!(conversations.first(), conversations.last(), "{conversations:?}");
    let files: std::collections::BTreeSet<_> = agent.transcript().into_iter().map(|line| line.file).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

/// The end of a background command begins a turn that nobody asked for; it must not be taken for anybody's.
#[tokio::test]
async fn a_turn_that_claude_begins_by_itself_names_no_message() {
    let place = Place::new(Kind::Claude).await;
    let mut agent = place.ready(new_conversation().0).await;
    // A command that only waits needs nobody's leave.
    let id = agent.say("background sleep 1").await;
    assert_eq!(agent.result().await.answers, [id.uuid()]);
    let own = agent.result().await;
    assert!(own.answers.is_empty(), "{own:?}");
    assert_eq!(own.text.as_deref(), Some("noted"));
}

async fn a_line_that_is_no_json_ends_it(place: Place) {
    let mut raw = place.raw();
    raw.write("no json\n").await;
    let (code, errors) = raw.end().await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("Error parsing streaming input line"), "{errors}");
}

async fn a_request_that_it_does_not_know_is_refused(place: Place) {
    let mut raw = place.raw();
    let request =
        json!({"type": "control_request", "request_id": "r1", "request": {"subtype": "make_coffee"}});
    raw.write(&format!("{request}\n")).await;
    let answer = raw.line().await;
    assert_eq!(answer["type"], "control_response");
    assert_eq!(answer["response"]["error"], "Unsupported control request subtype: make_coffee");
    assert_eq!(answer["response"]["request_id"], "r1");
}

/// An agent whose hooks the test answers, and which may write without leave.
async fn guarded(place: &Place) -> Agent {
    let mut agent = place.ready(new_conversation().0).await;
    agent.is_guarded = true;
    agent.tell(AgentInput::SetPermissionMode("acceptEdits".to_owned())).await;
    agent
}

async fn a_tool_waits_for_its_hook_and_tells_when_it_is_done(place: Place) {
    let mut agent = guarded(&place).await;
    let file = place.project().join("a.txt");
    agent.say(&place.write(&file, "text")).await;
    let before = agent.hooks().await;
    assert_eq!((before.moment, before.tool.as_str()), (Moment::Before, "Write"));
    let input: Value = serde_json::from_str(before.input.get()).expect("an object");
    assert_eq!((&input["file_path"], &input["content"]), (&json!(file), &json!("text")));
    assert_eq!(before.cwd, Some(place.project()));
    assert!(!file.exists());
    agent.hook_answer(&before, HookAnswer::Pass).await;
    let after = agent.hooks().await;
    assert_eq!((after.moment, &after.tool_use_id), (Moment::After, &before.tool_use_id));
    assert_eq!(std::fs::read_to_string(&file).expect("it is written"), "text");
    agent.hook_answer(&after, HookAnswer::Pass).await;
    assert!(!agent.result().await.is_error);
}

async fn a_hook_denies_a_tool_and_the_model_is_told_why(place: Place) {
    let mut agent = guarded(&place).await;
    let file = place.project().join("a.txt");
    agent.say(&place.write(&file, "text")).await;
    let hook = agent.hooks().await;
    agent.hook_answer(&hook, HookAnswer::Deny { reason: "somebody has it".to_owned() }).await;
    let told = agent.result().await.text.unwrap_or_default();
    assert_eq!(told, "tool said: PreToolUse:Write hook error: somebody has it");
    assert!(!file.exists());
    let hooks = agent.seen.iter().filter(|output| matches!(output, AgentOutput::Hook(_))).count();
    assert_eq!(hooks, 1, "what was not done has no end");
}

async fn a_hook_changes_what_a_tool_is_called_with_and_leave_is_asked_for_that(place: Place) {
    let mut agent = place.ready(new_conversation().0).await;
    agent.is_guarded = true;
    let file = place.project().join("a.txt");
    agent.say(&place.write(&file, "mine")).await;
    let hook = agent.hooks().await;
    let merged = json!({"file_path": file, "content": "merged\n"}).to_string();
    let input = RawValue::from_string(merged).expect("it is JSON").into();
    agent.hook_answer(&hook, HookAnswer::Instead { input }).await;
    let approval = agent.asks().await;
    assert!(approval.input.get().contains("merged"), "{}", approval.input);
    agent.allow(&approval).await;
    let after = agent.hooks().await;
    assert!(after.input.get().contains("merged"), "{}", after.input);
    agent.hook_answer(&after, HookAnswer::Pass).await;
    agent.result().await;
    assert_eq!(std::fs::read_to_string(&file).expect("it is written"), "merged\n");
}

async fn reads_edits_and_commands_have_hooks(place: Place) {
    let mut agent = guarded(&place).await;
    let file = place.project().join("a.txt");
    std::fs::write(&file, "one").expect("it can be written");
    let mut seen = Vec::new();
    for (what, hooks) in
        [(place.read(&file), 2), (place.edit(&file, "one", "two"), 2), (place.bash("true"), 1)]
    {
        agent.say(&what).await;
        for _ in 0..hooks {
            let hook = agent.hooks().await;
            seen.push((hook.moment, hook.tool.clone()));
            agent.hook_answer(&hook, HookAnswer::Pass).await;
            if hook.tool == "Bash" && place.kind == Kind::Simulator {
                let approval = agent.asks().await;
                agent.allow(&approval).await;
            }
        }
        assert!(!agent.result().await.is_error);
    }
    let wanted = [
        (Moment::Before, "Read"),
        (Moment::After, "Read"),
        (Moment::Before, "Edit"),
        (Moment::After, "Edit"),
        (Moment::Before, "Bash"),
    ];
    assert_eq!(seen, wanted.map(|(moment, tool)| (moment, tool.to_owned())));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "two");
}

async fn an_interrupt_takes_a_hook_back(place: Place) {
    let mut agent = guarded(&place).await;
    let file = place.project().join("a.txt");
    agent.say(&place.write(&file, "text")).await;
    let hook = agent.hooks().await;
    agent.tell(AgentInput::Interrupt).await;
    let withdrawn = agent
        .until(|output| match output {
            AgentOutput::Withdraws(request) => Some(request),
            _ => None,
        })
        .await;
    assert_eq!(withdrawn, hook.request);
    assert!(agent.result().await.is_interrupted);
    // An answer that comes too late is nobody's.
    agent.hook_answer(&hook, HookAnswer::Pass).await;
    agent.say("still there?").await;
    assert!(!agent.result().await.is_error);
    assert!(!file.exists());
}

async fn a_file_is_written_whole_or_not_at_all(place: Place) {
    let mut agent = place.ready(new_conversation().0).await;
    agent.tell(AgentInput::SetPermissionMode("acceptEdits".to_owned())).await;
    let file = place.project().join("a.txt");
    let inode = || std::fs::metadata(&file).expect("it is there").ino();
    std::fs::write(&file, "one").expect("it can be written");
    for what in [place.edit(&file, "one", "two"), place.write(&file, "three")] {
        agent.ask(&place.read(&file)).await;
        let before = inode();
        assert!(agent.ask(&what).await.contains("success"));
        assert_ne!(inode(), before, "it was put in the place of the old one: {what}");
    }
}

/// A file that another changes after the real CLI has read it.
const READ: &str = "1 one\n2 two\n3 three\n4 four\n5 five\n6 six\n";
const CHANGED: &str = "1 one\n2 two\n3 three\n4 four\n5 five\n6 SIX\n";
const BOTH: &str = "1 one\n2 TWO\n3 three\n4 four\n5 five\n6 SIX\n";

/// When the file is changed, seen from a call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    BeforeTheCall,
    WhileItsHookIsAsked,
    /// And its time is set back.
    UnderAnOldTime,
}

/// What came of a call of a tool that a hook gave this instead.
struct Met {
    hooks: usize,
    told: String,
    text: String,
}

/// Has the real CLI read a file, changes it, and has it called with a tool.
async fn meet(change: Change, tool: &str, input: Value, instead: Value) -> Met {
    let place = Place::new(Kind::Claude).await;
    let mut agent = guarded(&place).await;
    let file = place.project().join("a.txt");
    let set_modified = |at| std::fs::File::open(&file).unwrap().set_modified(at).unwrap();
    std::fs::write(&file, READ).unwrap();
    // The CLI reads times to the millisecond.
    set_modified(std::time::SystemTime::now() - Duration::from_secs(10));
    agent.say(&place.read(&file)).await;
    for _ in 0..2 {
        let hook = agent.hooks().await;
        agent.hook_answer(&hook, HookAnswer::Pass).await;
    }
    agent.result().await;
    if change == Change::BeforeTheCall {
        std::fs::write(&file, CHANGED).unwrap();
    }
    let with_path = |mut input: Value| {
        input["file_path"] = json!(file);
        input
    };
    agent.say(&format!("call {tool} {}", with_path(input))).await;
    let mut hooks = 0;
    let told = loop {
        match agent.next().await.expect("it goes on") {
            AgentOutput::Hook(hook) if hook.moment == Moment::Before => {
                hooks += 1;
                if change != Change::BeforeTheCall {
                    std::fs::write(&file, CHANGED).unwrap();
                }
                if change == Change::UnderAnOldTime {
                    set_modified(std::time::UNIX_EPOCH + Duration::from_secs(315_532_800));
                }
                let input = RawValue::from_string(with_path(instead.clone()).to_string()).unwrap().into();
                agent.hook_answer(&hook, HookAnswer::Instead { input }).await;
            }
            AgentOutput::Hook(hook) => agent.hook_answer(&hook, HookAnswer::Pass).await,
            AgentOutput::Result(result) => break result.text.unwrap_or_default(),
            _ => {}
        }
    };
    Met { hooks, told, text: std::fs::read_to_string(&file).unwrap() }
}

#[tokio::test]
async fn claude_edits_what_has_changed_as_its_hook_says() {
    let input = json!({"old_string": "2 two", "new_string": "2 TWO"});
    let from = CHANGED.lines().skip(1).collect::<Vec<_>>().join("\n");
    let instead =
        json!({"old_string": from, "new_string": from.replace("2 two", "2 TWO"), "replace_all": false});
    for change in [Change::BeforeTheCall, Change::WhileItsHookIsAsked] {
        let met = meet(change, "Edit", input.clone(), instead.clone()).await;
        assert_eq!((met.hooks, &*met.text), (1, BOTH), "{change:?}: {}", met.told);
    }
}

#[tokio::test]
async fn claude_writes_over_what_has_changed_only_where_its_time_is_old() {
    let (input, instead) = (json!({"content": READ.replace("2 two", "2 TWO")}), json!({"content": BOTH}));
    let met = meet(Change::BeforeTheCall, "Write", input.clone(), instead.clone()).await;
    assert_eq!((met.hooks, &*met.text), (0, CHANGED), "it refuses by itself, before hooks: {}", met.told);
    let met = meet(Change::WhileItsHookIsAsked, "Write", input.clone(), instead.clone()).await;
    assert_eq!((met.hooks, &*met.text), (1, CHANGED), "{}", met.told);
    assert!(met.told.contains("returned updatedInput that the tool refused"), "{}", met.told);
    let met = meet(Change::UnderAnOldTime, "Write", input, instead).await;
    assert_eq!((met.hooks, &*met.text), (1, BOTH), "{}", met.told);
}
