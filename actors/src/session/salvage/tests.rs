use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::content::Content;
use crate::event::{Record, StopReason, SubmitMode};
use crate::ids::{SessionId, Term, UserId};
use crate::session::ledger::Ledger;
use crate::session::react::recover;

const MESSAGE: &str = "20d9b362-862d-4ca7-8c12-6591e6ccc507";
const SESSION: &str = "d516bdd5-ff38-458d-acb9-68b909bffa64";

fn message() -> MessageId {
    MESSAGE.parse().unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

/// A session as it is folded when it is loaded.
struct Folded {
    state: State,
    ledger: Ledger,
    witness: Witness,
    events: Vec<Event>,
    kept: Vec<TranscriptLine>,
}

impl Folded {
    fn of(events: &[Event]) -> Self {
        let session: SessionId = SESSION.parse().unwrap();
        let (state, ledger) = (State::empty(session), Ledger::default());
        let mut folded =
            Self { state, ledger, witness: Witness::default(), events: Vec::new(), kept: Vec::new() };
        folded.add(events);
        folded
    }

    fn add(&mut self, events: &[Event]) {
        for event in events {
            let record = Record::new((self.state.head, self.state.hash), Term(1), at(), event).unwrap();
            self.state.apply(&mut self.ledger, &record, event);
            self.witness.see(event);
            self.events.push(event.clone());
        }
    }

    fn salvage(&self, written: &[TranscriptLine]) -> Salvage {
        let (witness, kept) = (self.witness.clone(), self.kept.clone());
        salvage(&self.state, &Remains { witness, kept, written: written.to_vec() }, at())
    }

    /// Everything that loading a session does; returns how many events it added.
    fn recover(&mut self, written: &[TranscriptLine]) -> usize {
        let before = self.events.len();
        let Salvage { events, transcript } = self.salvage(written);
        self.add(&events);
        self.kept.extend(transcript);
        let lost = recover(&self.state, at());
        self.add(&lost);
        self.events.len() - before
    }

    fn of_kind(&self, kind: &str) -> Vec<Value> {
        let all = self.events.iter().map(|event| serde_json::to_value(event).unwrap());
        all.filter(|event| event["kind"] == kind).map(|event| event["data"].clone()).collect()
    }

    fn uuids(&self) -> Vec<String> {
        let lines = self.of_kind("agent_message");
        lines.iter().map(|data| data["message"]["uuid"].as_str().unwrap().to_owned()).collect()
    }
}

fn accepted() -> Vec<Event> {
    vec![
        Event::SessionCreated {
            project_path: "/tmp/exp/project".into(),
            title: None,
            model: None,
            permission_mode: None,
            forked_from: None,
        },
        Event::MessageAccepted {
            message_id: message(),
            device_id: "phone".parse().unwrap(),
            user_id: UserId::owner(),
            content: Content::text("hello").unwrap(),
            mode: SubmitMode::Queue,
            device_seq: None,
        },
        Event::AgentStarted { resumed: false, version: None },
    ]
}

fn dispatched() -> Vec<Event> {
    let mut events = accepted();
    events.push(Event::TurnDispatched { message_id: message(), turn: 1, attempt: 1, made_up: None });
    events
}

fn started() -> Vec<Event> {
    let mut events = dispatched();
    events.push(Event::TurnStarted { message_id: message(), turn: 1 });
    events
}

fn printed(line: &str) -> Event {
    Event::AgentMessage { message: Arc::from(RawValue::from_string(line.to_owned()).unwrap()) }
}

fn written(lines: &[&str]) -> Vec<TranscriptLine> {
    lines.iter().map(|line| TranscriptLine { file: "/h/x.jsonl".into(), line: (*line).into() }).collect()
}

// Lines of the CLI 2.1.328, shortened where nothing depends on it.
const ENQUEUED: &str = r#"{"type":"queue-operation","operation":"enqueue","timestamp":"2026-11-20T09:10:22.775Z","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64","content":"hello"}"#;
const PROMPT: &str = r#"{"parentUuid":null,"isSidechain":false,"promptId":"40bf1b1a-ae5d-4c00-b880-0cc3dc6f9594","type":"user","message":{"role":"user","content":"hello"},"uuid":"20d9b362-862d-4ca7-8c12-6591e6ccc507","timestamp":"2026-11-20T09:10:22.804Z","permissionMode":"default","promptSource":"sdk","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64","version":"2.1.328"}"#;
const ATTACHMENT: &str = r#"{"parentUuid":"20d9b362-862d-4ca7-8c12-6591e6ccc507","isSidechain":false,"attachment":{"type":"date","date":"2026-11-20"},"type":"attachment","uuid":"8acbf130-0611-4d51-846f-1a0d55d458d7","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
const CALLING: &str = r#"{"parentUuid":"20d9b362-862d-4ca7-8c12-6591e6ccc507","isSidechain":false,"message":{"content":[{"text":"calling","type":"text"}],"id":"msg_f0","model":"claude-opus-5-5","role":"assistant","stop_reason":"tool_use","stop_sequence":null,"type":"message","usage":{"input_tokens":10}},"apiBlockIndex":0,"type":"assistant","uuid":"6d49d92b-5906-4a6c-b327-86b1394f2146","timestamp":"2026-11-20T09:10:22.900Z","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
const CALL: &str = r#"{"parentUuid":"6d49d92b-5906-4a6c-b327-86b1394f2146","isSidechain":false,"message":{"content":[{"id":"toolu_4b","input":{"command":"echo hi"},"name":"Bash","type":"tool_use"}],"id":"msg_f0","model":"claude-opus-5-5","role":"assistant","stop_reason":"tool_use","type":"message"},"type":"assistant","uuid":"bc89b6b2-cf76-480c-b150-81bd98dc080c","timestamp":"2026-11-20T09:10:22.901Z","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
const OUTCOME: &str = r#"{"parentUuid":"bc89b6b2-cf76-480c-b150-81bd98dc080c","isSidechain":false,"type":"user","message":{"role":"user","content":[{"tool_use_id":"toolu_4b","type":"tool_result","content":"hi","is_error":false}]},"uuid":"e1f3400a-4dad-4be5-8d13-8706db28fd3d","timestamp":"2026-11-20T09:10:23.001Z","toolUseResult":{"stdout":"hi","stderr":""},"sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
const ANSWER: &str = r#"{"parentUuid":"e1f3400a-4dad-4be5-8d13-8706db28fd3d","isSidechain":false,"message":{"content":[{"text":"tool said: hi","type":"text"}],"id":"msg_07","model":"claude-opus-5-5","role":"assistant","stop_reason":"end_turn","type":"message"},"type":"assistant","uuid":"4a3a0f4e-116a-4f17-ae91-0dc60cabb472","timestamp":"2026-11-20T09:10:23.104Z","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
const MARK: &str = r#"{"type":"last-prompt","lastPrompt":"hello","leafUuid":"4a3a0f4e-116a-4f17-ae91-0dc60cabb472","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
const LATCH: &str = r#"{"type":"atis-latch","atis":"","sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;

const WHOLE: [&str; 9] = [ENQUEUED, PROMPT, ATTACHMENT, CALLING, CALL, OUTCOME, ANSWER, LATCH, MARK];
const PRINTED: [&str; 4] = [CALLING, CALL, OUTCOME, ANSWER];

fn only(events: &[Event], written: &[TranscriptLine]) -> Value {
    let mut folded = Folded::of(events);
    folded.recover(written);
    folded.of_kind("turn_ended").first().cloned().unwrap_or(Value::Null)
}

#[test]
fn an_answer_that_was_never_heard_is_brought_in_as_the_agent_prints_it() {
    let mut folded = Folded::of(&dispatched());
    folded.recover(&written(&WHOLE));
    assert_eq!(folded.of_kind("turn_started").len(), 1);
    let lines = folded.of_kind("agent_message");
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[2]["message"],
        json!({
            "type": "user", "parent_tool_use_id": null, "session_id": SESSION, "recovered": true,
            "message": {"role": "user", "content": [
                {"tool_use_id": "toolu_4b", "type": "tool_result", "content": "hi", "is_error": false}
            ]},
            "uuid": "e1f3400a-4dad-4be5-8d13-8706db28fd3d", "timestamp": "2026-11-20T09:10:23.001Z",
            "tool_use_result": {"stdout": "hi", "stderr": ""},
        })
    );
    assert_eq!(
        folded.of_kind("turn_ended"),
        [json!({
            "messageId": MESSAGE, "turn": 1, "outcome": "completed", "text": "tool said: hi", "durationMs": 300,
        })]
    );
    assert_eq!(folded.of_kind("agent_stopped").len(), 1);
}

#[test]
fn numbers_are_brought_in_to_the_letter() {
    let call = CALL.replace("echo hi\"", "echo hi\",\"n\":1e999");
    let salvage = Folded::of(&started()).salvage(&written(&[PROMPT, &call]));
    let Event::AgentMessage { message } = &salvage.events[0] else { panic!("{:?}", salvage.events) };
    assert!(message.get().contains(r#""n":1e999"#), "{message}");
}

#[test]
fn what_was_heard_is_not_brought_in_again() {
    let mut events = started();
    events.extend([CALLING, CALL].map(printed));
    let mut folded = Folded::of(&events);
    folded.recover(&written(&WHOLE));
    let uuids = folded.uuids();
    assert_eq!(uuids.len(), 4);
    assert_eq!(uuids.iter().collect::<HashSet<_>>().len(), 4);
    assert_eq!(folded.of_kind("turn_started").len(), 1);
}

#[test]
fn a_message_that_never_arrived_stays_dispatched() {
    let mut folded = Folded::of(&dispatched());
    folded.recover(&written(&[ENQUEUED]));
    assert!(folded.state.turn.as_ref().is_some_and(|turn| turn.started_at.is_none()));
    assert!(folded.of_kind("turn_ended").is_empty());
}

#[test]
fn a_message_that_arrived_and_was_not_answered_is_lost_and_not_run_again() {
    let ended = only(&dispatched(), &written(&WHOLE[..3]));
    assert_eq!(ended["outcome"], "lost");
}

#[test]
fn a_turn_in_the_middle_of_a_tool_is_lost_with_what_was_said_so_far() {
    for length in 4..=6 {
        let mut folded = Folded::of(&started());
        folded.recover(&written(&WHOLE[..length]));
        assert_eq!(folded.uuids().len(), length - 3);
        assert_eq!(folded.of_kind("turn_ended")[0]["outcome"], "lost", "{length} lines");
    }
}

#[test]
fn the_mark_alone_ends_no_turn() {
    assert_eq!(only(&started(), &written(&[PROMPT, MARK]))["outcome"], "lost");
    assert_eq!(only(&started(), &written(&[PROMPT, CALLING, CALL, MARK]))["outcome"], "lost");
}

#[test]
fn an_answer_without_a_text_counts_only_with_the_mark_behind_it() {
    let thinking = ANSWER.replace(r#"{"text":"tool said: hi","type":"text"}"#, r#"{"type":"thinking"}"#);
    assert_eq!(only(&started(), &written(&[PROMPT, &thinking]))["outcome"], "lost");
    let ended = only(&started(), &written(&[PROMPT, &thinking, MARK]));
    assert_eq!((&ended["outcome"], &ended["text"]), (&json!("completed"), &json!("")));
}

#[test]
fn an_error_of_the_model_is_a_failed_turn() {
    let error = r#"{"isSidechain":false,"type":"assistant","uuid":"fa49d908-4ce2-43b7-b1ef-69718b48d960","message":{"id":"e","model":"<synthetic>","role":"assistant","stop_reason":"stop_sequence","content":[{"type":"text","text":"API Error: 400"}]},"isApiErrorMessage":true,"sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
    let ended = only(&started(), &written(&[PROMPT, error]));
    assert_eq!((&ended["outcome"], &ended["error"]), (&json!("failed"), &json!("API Error: 400")));
}

#[test]
fn an_interrupted_turn_is_told_as_such() {
    let notice = r#"{"isSidechain":false,"type":"user","uuid":"fa49d908-4ce2-43b7-b1ef-69718b48d961","message":{"role":"user","content":[{"type":"text","text":"[Request interrupted by user]"}]},"sessionId":"d516bdd5-ff38-458d-acb9-68b909bffa64"}"#;
    let ended = only(&started(), &written(&[PROMPT, notice, MARK]));
    assert_eq!((&ended["outcome"], &ended["text"]), (&json!("interrupted"), &Value::Null));
}

#[test]
fn helpers_asides_and_nonsense_are_passed_over() {
    let helper = ANSWER.replace(r#""isSidechain":false"#, r#""isSidechain":true"#);
    let synthetic = ANSWER.replace("claude-opus-5-5", "<synthetic>");
    let lines =
        [PROMPT, &helper, "no json", "[1]", r#"{"type":7}"#, r#"{"type":"summary"}"#, ANSWER, &synthetic];
    let salvage = Folded::of(&started()).salvage(&written(&lines));
    let kinds: Vec<_> = salvage.events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert_eq!(salvage.transcript.len(), 7, "what is no JSON is no line of a transcript");
}

#[test]
fn a_turn_that_the_agent_began_by_itself_does_not_change_the_end_of_the_one_before() {
    let own = PROMPT
        .replace(MESSAGE, "8acbf130-0611-4d51-846f-1a0d55d458d8")
        .replace("hello", "<task-notification>");
    let later = CALLING.replace("6d49d92b", "7d49d92b");
    let mut folded = Folded::of(&started());
    folded.recover(&written(&[PROMPT, ANSWER, MARK, &own, &later]));
    assert_eq!(folded.of_kind("turn_ended")[0]["text"], "tool said: hi");
    assert_eq!(folded.uuids().len(), 2);
    assert_eq!(folded.recover(&written(&[PROMPT, ANSWER, MARK, &own, &later])), 0);
}

#[test]
fn lines_of_the_transcript_are_kept_once_even_where_some_are_equal() {
    let mut folded = Folded::of(&started());
    folded.kept = written(&[ENQUEUED, PROMPT, LATCH]);
    let salvage = folded.salvage(&written(&[ENQUEUED, PROMPT, LATCH, ANSWER, LATCH, MARK]));
    assert_eq!(salvage.transcript, written(&[ANSWER, LATCH, MARK]));
}

#[test]
fn a_session_without_a_turn_has_nothing_to_be_missed() {
    let folded = Folded::of(&accepted());
    assert!(folded.salvage(&written(&WHOLE)).events.is_empty());
}

#[test]
fn a_completed_message_that_is_known_already_ends_with_its_answer() {
    let folded = Folded::of(&dispatched());
    let events = salvage_known(&folded.state, message(), &written(&WHOLE), at());
    assert_eq!(events.len(), 6);
    assert!(salvage_known(&folded.state, message(), &written(&WHOLE[..5]), at()).is_empty());
}

/// The events of the scripted turn as they are journalled when nothing goes wrong.
fn undisturbed() -> Vec<Event> {
    let mut events = started();
    events.extend(PRINTED.map(printed));
    events.push(Event::TurnEnded {
        message_id: message(),
        turn: 1,
        outcome: Outcome::Completed,
        text: Some("tool said: hi".into()),
        error: None,
        duration_ms: 300,
        usage: None,
        cost_usd: None,
        by: None,
    });
    events.push(Event::AgentStopped { reason: StopReason::Crashed, exit_code: None, detail: None });
    events
}

#[test]
fn however_much_was_journalled_a_whole_transcript_makes_the_conversation_whole() {
    let all = undisturbed();
    let whole = Folded::of(&all);
    for cut in dispatched().len()..=all.len() {
        for kept in 0..=WHOLE.len() {
            let mut folded = Folded::of(&all[..cut]);
            folded.kept = written(&WHOLE[..kept]);
            if cut < all.len() {
                folded.recover(&written(&WHOLE));
                assert_eq!(folded.kept, written(&WHOLE), "cut {cut}, {kept} lines kept");
            }
            assert_eq!(folded.uuids(), whole.uuids(), "cut {cut}, {kept} lines kept");
            for kind in ["turn_started", "turn_ended"] {
                assert_eq!(folded.of_kind(kind), whole.of_kind(kind), "cut {cut}, {kept} lines kept");
            }
        }
    }
}

proptest! {
    /// Whatever was journalled and written, and however often recovery is itself interrupted and done again.
    #[test]
    fn recovery_adds_each_thing_once_and_the_second_time_nothing(
        cut in 4_usize..11, lines in 0_usize..=9, torn in 0_usize..12, again in 1_usize..4,
    ) {
        let all = undisturbed();
        let before = &all[..cut.min(all.len())];
        let mut folded = Folded::of(before);
        let written = written(&WHOLE[..lines]);
        // A crash in the middle of recovery: nothing of it was appended, or all of it.
        if torn % 2 == 0 {
            let _ = folded.salvage(&written);
        }
        let was_at_rest = folded.state.turn.is_none() && !folded.state.has_agent;
        if !was_at_rest {
            folded.recover(&written);
        }
        for _ in 0..again {
            prop_assert_eq!(folded.recover(&written), 0);
        }
        let uuids = folded.uuids();
        prop_assert_eq!(uuids.iter().collect::<HashSet<_>>().len(), uuids.len());
        let whole = Folded::of(&all).uuids();
        prop_assert_eq!(&uuids[..], &whole[..uuids.len()]);
        prop_assert!(folded.of_kind("turn_started").len() <= 1);
        let ends = folded.of_kind("turn_ended");
        prop_assert!(ends.len() <= 1);
        let has_arrived = cut > 4 || lines > 1;
        prop_assert_eq!(ends.len() == 1, has_arrived);
        if lines >= 7 {
            prop_assert_eq!(&ends[0]["outcome"], "completed");
        }
    }
}
