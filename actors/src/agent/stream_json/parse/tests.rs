use proptest::prelude::*;
use serde_json::json;

use super::*;

fn output(line: &str) -> AgentOutput {
    match parse(line.as_bytes()) {
        Line::Output(output) => output,
        other => panic!("{other:?}"),
    }
}

fn is_nothing(line: &str) -> bool {
    matches!(parse(line.as_bytes()), Line::Nothing)
}

#[test]
fn the_agents_own_acknowledgement_starts_a_turn() {
    let line = |state: &str| {
        format!(
            r#"{{"type":"command_lifecycle","command_uuid":"8cd00027-b6cf-4316-b1ef-57f7aecb7bff","state":"{state}","uuid":"502c8bc5-2c6d-4874-9c4d-f0215c3ac4ff"}}"#
        )
    };
    let AgentOutput::Started(id) = output(&line("started")) else {
        panic!("not started");
    };
    assert_eq!(id.to_string(), "8cd00027-b6cf-4316-b1ef-57f7aecb7bff");
    for other in ["queued", "completed", "cancelled"] {
        assert!(is_nothing(&line(other)), "{other}");
    }
}

#[test]
fn an_echo_of_a_message_is_not_for_everyone_and_a_tools_outcome_is() {
    let Line::Replayed(id) = parse(
        br#"{"type":"user","message":{"role":"user","content":"hello"},"uuid":"8cd00027-b6cf-4316-b1ef-57f7aecb7bff","isReplay":true}"#,
    ) else {
        panic!("not a replay");
    };
    assert_eq!(id.to_string(), "8cd00027-b6cf-4316-b1ef-57f7aecb7bff");
    assert!(is_nothing(r#"{"type":"user","isReplay":true}"#));
    let outcome =
        r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":"no way"}]}}"#;
    let AgentOutput::Message(line) = output(outcome) else {
        panic!("not a message");
    };
    assert_eq!(line.get(), outcome);
}

#[test]
fn text_grows_by_deltas_and_other_stream_events_are_nothing() {
    let AgentOutput::Delta { block, text } = output(
        r#"{"type":"stream_event","event":{"delta":{"text":"echo","type":"text_delta"},"index":2,"type":"content_block_delta"},"parent_tool_use_id":null}"#,
    ) else {
        panic!("not a delta");
    };
    assert_eq!((block, text.as_str()), (2, "echo"));
    for other in [
        r#"{"type":"stream_event","event":{"type":"message_stop"}}"#,
        r#"{"type":"stream_event","event":{"delta":{"type":"input_json_delta","partial_json":"text_delta"},"index":1}}"#,
        r#"{"type":"stream_event","event":{"delta":{"text":"x","type":"text_delta"},"index":0},"parent_tool_use_id":"toolu_1"}"#,
        r#"{"type":"stream_event"}"#,
    ] {
        assert!(is_nothing(other), "{other}");
    }
}

#[test]
fn two_turns_of_one_process_describe_it_alike() {
    let init = |turn: &str| {
        let line = format!(
            r#"{{"type":"system","subtype":"init","cwd":"/p","session_id":"200d293b-83d3-4b8e-b11a-beb274846761","claude_code_version":"2.1.328","uuid":"{turn}","user_message_uuids":["{turn}"]}}"#
        );
        match output(&line) {
            AgentOutput::Init(init) => init,
            other => panic!("{other:?}"),
        }
    };
    let (one, two) = (init("a"), init("b"));
    assert_ne!(one.line.get(), two.line.get());
    assert_eq!(one.comparable, two.comparable);
    assert_eq!(one.version.as_deref(), Some("2.1.328"));
    assert_eq!(one.conversation, Some("200d293b-83d3-4b8e-b11a-beb274846761".parse().unwrap()));
}

#[test]
fn a_result_names_its_messages_and_costs() {
    let AgentOutput::Result(result) = output(
        r#"{"duration_api_ms":19,"total_cost_usd":0.00014,"usage":{"input_tokens":10},"terminal_reason":"completed","is_error":false,"subtype":"success","result":"echo: hi","type":"result","user_message_uuids":["b8abd09e-db36-426c-968c-a2c10d143efb"]}"#,
    ) else {
        panic!("not a result");
    };
    assert_eq!(result.answers, [Uuid::parse_str("b8abd09e-db36-426c-968c-a2c10d143efb").unwrap()]);
    assert_eq!(result.text.as_deref(), Some("echo: hi"));
    assert_eq!(result.usage, Some(json!({"input_tokens": 10})));
    assert_eq!(result.total_cost_usd, Some(0.00014));
    assert!(!result.is_error && !result.is_interrupted);
}

#[test]
fn an_interrupted_turn_says_so() {
    let AgentOutput::Result(result) = output(
        r#"{"type":"result","subtype":"error_during_execution","is_error":true,"terminal_reason":"aborted_streaming","errors":["one","two"]}"#,
    ) else {
        panic!("not a result");
    };
    assert!(result.is_interrupted && result.is_error);
    assert_eq!(result.text.as_deref(), Some("one\ntwo"));
}

#[test]
fn a_result_with_odd_fields_still_ends_the_turn() {
    let AgentOutput::Result(result) = output(
        r#"{"type":"result","is_error":"yes","total_cost_usd":1e999,"result":{"a":1},"user_message_uuids":[7,"x"]}"#,
    ) else {
        panic!("not a result");
    };
    assert!(result.answers.is_empty() && !result.is_error && result.text.is_none());
    assert_eq!(result.total_cost_usd, None);
}

#[test]
fn mirrored_lines_are_kept_as_they_are() {
    let AgentOutput::Transcript(lines) = output(
        r#"{"type":"transcript_mirror","filePath":"/h/.claude/projects/-p/x.jsonl","entries":[{"type":"mode","n":1e400},{"b":"\u2028","a":[]}]}"#,
    ) else {
        panic!("not a transcript");
    };
    let texts: Vec<&str> = lines.iter().map(|line| &*line.line).collect();
    assert_eq!(texts, [r#"{"type":"mode","n":1e400}"#, r#"{"b":"\u2028","a":[]}"#]);
    assert_eq!(&*lines[1].file, "/h/.claude/projects/-p/x.jsonl");
}

#[test]
fn a_tool_asks_and_withdraws() {
    let AgentOutput::Asks(approval) = output(
        r#"{"type":"control_request","request_id":"d3299e5f","request":{"subtype":"can_use_tool","tool_name":"Bash","input":{"command":"echo hi","n":1.0},"description":"Runs","permission_suggestions":[{"type":"addRules"}],"tool_use_id":"toolu_1"}}"#,
    ) else {
        panic!("not asked");
    };
    assert_eq!(approval.request_id.as_str(), "d3299e5f");
    assert_eq!(approval.tool, "Bash");
    assert_eq!(approval.input.get(), r#"{"command":"echo hi","n":1.0}"#);
    assert_eq!(approval.description.as_deref(), Some("Runs"));
    assert_eq!(
        approval.suggestions.map(|rules| rules.get().to_owned()),
        Some(r#"[{"type":"addRules"}]"#.to_owned())
    );
    assert_eq!(approval.tool_use_id.as_deref(), Some("toolu_1"));

    let AgentOutput::Withdraws(id) = output(r#"{"type":"control_cancel_request","request_id":"d3299e5f"}"#)
    else {
        panic!("not withdrawn");
    };
    assert_eq!(id.as_str(), "d3299e5f");
}

#[test]
fn a_hook_tells_what_the_tool_is_called_with() {
    let AgentOutput::Hook(hook) = output(
        r#"{"type":"control_request","request_id":"h1","request":{"subtype":"hook_callback","callback_id":"tandem-before",
            "input":{"hook_event_name":"PreToolUse","tool_name":"Edit","tool_input":{"file_path":"/a","n":1.0},
            "tool_use_id":"toolu_1","cwd":"/srv","session_id":"s","permission_mode":"default"},"tool_use_id":"toolu_1"}}"#,
    ) else {
        panic!("no hook");
    };
    assert_eq!((hook.request.as_str(), hook.moment, hook.tool.as_str()), ("h1", Moment::Before, "Edit"));
    assert_eq!(hook.input.get(), r#"{"file_path":"/a","n":1.0}"#);
    assert_eq!((hook.tool_use_id.as_deref(), hook.helper), (Some("toolu_1"), None));
    assert_eq!(hook.cwd.as_deref(), Some(std::path::Path::new("/srv")));

    let AgentOutput::Hook(hook) = output(
        r#"{"type":"control_request","request_id":"h2","request":{"subtype":"hook_callback","callback_id":"tandem-after",
            "input":{"hook_event_name":"PostToolUse","tool_name":"Write","tool_input":{},"tool_response":{"x":1},
            "agent_id":"a7"}}}"#,
    ) else {
        panic!("no hook");
    };
    assert_eq!((hook.moment, hook.helper.as_deref(), hook.tool_use_id), (Moment::After, Some("a7"), None));
}

#[test]
fn no_request_of_the_agent_is_left_without_an_answer() {
    for (request, wanted) in [
        (r#"{"subtype":"elicitation"}"#, r#""error":"unsupported control request: elicitation""#),
        (r#"{"subtype":"hook_callback","callback_id":"c"}"#, r#""response":{}"#),
        (r#"{"subtype":"hook_callback","callback_id":"tandem-after","input":7}"#, r#""response":{}"#),
        (r#"{"subtype":"hook_callback","callback_id":"tandem-before","input":{}}"#, r#""subtype":"error""#),
        (r#"{"subtype":"hook_callback"}"#, r#""response":{}"#),
        (r#"{"subtype":"can_use_tool"}"#, r#""subtype":"error""#),
        ("{}", r#""subtype":"error""#),
        ("7", r#""subtype":"error""#),
    ] {
        let line = format!(r#"{{"type":"control_request","request_id":"r1","request":{request}}}"#);
        let Line::Reply(reply) = parse(line.as_bytes()) else {
            panic!("no reply to {request}");
        };
        assert!(reply.contains(wanted) && reply.contains(r#""r1""#), "{reply}");
        assert!(reply.ends_with('\n') && reply.matches('\n').count() == 1);
    }
}

#[test]
fn only_the_answer_to_initialize_makes_it_ready() {
    let answer = |id: &str| {
        format!(
            r#"{{"type":"control_response","response":{{"subtype":"success","request_id":"{id}","response":{{"claude_code_version":"2.1.328","commands":[]}}}}}}"#
        )
    };
    let Line::Initialized { version } = parse(answer("tandem-initialize").as_bytes()) else {
        panic!("not ready");
    };
    assert_eq!(version.as_deref(), Some("2.1.328"));
    assert!(is_nothing(&answer("tandem-interrupt-1")));
    assert!(is_nothing(&answer("an echo of our answer to the agent")));
    let Line::Refused { request_id, error } = parse(
        br#"{"type":"control_response","response":{"subtype":"error","request_id":"tandem-model-3","error":"no such model"}}"#,
    ) else {
        panic!("not refused");
    };
    assert_eq!((request_id.as_str(), error.as_str()), ("tandem-model-3", "no such model"));
}

#[test]
fn what_is_not_known_passes_through_untouched() {
    for line in [
        r#"{"type":"hologram","n":123456789012345678901234567890,"f":1e999,"s":"\ud800","l":" "}"#,
        r#"{"no":"type"}"#,
        r#"{"type":7}"#,
        r#"{"type":"a","type":"b"}"#,
        r#"{ "type" : "system" , "subtype" : "status" }"#,
        "{}",
    ] {
        for ending in ["", "\r", " \r"] {
            let AgentOutput::Message(kept) = output(&format!("{line}{ending}")) else {
                panic!("{line} is lost");
            };
            assert_eq!(kept.get(), line);
        }
    }
    let deep = format!(r#"{{"type":"deep","a":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert!(matches!(output(&deep), AgentOutput::Message(_)));
}

#[test]
fn what_is_no_json_object_is_garbage() {
    for line in [&b"Error: no"[..], b"{", b"[1]", b"\"x\"", b"null", b"{\"a\":1} {}", b"{\"a\":\"\xc3\"}"] {
        let Line::Output(AgentOutput::Garbage { start, bytes }) = parse(line) else {
            panic!("{line:?}");
        };
        assert_eq!(bytes, line.len());
        assert!(!start.is_empty());
    }
    for blank in ["", " ", "\r", "\t"] {
        assert!(is_nothing(blank));
    }
    let AgentOutput::Garbage { start, .. } = garbage(&[b'\x1b'; 5000], 9000) else {
        panic!("not garbage");
    };
    assert_eq!(start, " ".repeat(GARBAGE_CHARS));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_fields_make_it_panic(
        kind in prop::sample::select(vec!["user", "result", "system", "stream_event", "command_lifecycle",
            "transcript_mirror", "control_request", "control_response", "control_cancel_request", "x"]),
        field in prop::sample::select(vec!["subtype", "isReplay", "event", "state", "request", "request_id",
            "response", "entries", "usage", "errors"]),
        value in prop::sample::select(vec!["null", "1e999", "\"\\ud800\"", "{}", "[]", "[{}]", "{\"subtype\":\"init\"}"]),
    ) {
        let _ = parse(format!(r#"{{"type":"{kind}","{field}":{value}}}"#).as_bytes());
    }
}
