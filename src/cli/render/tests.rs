//! What a person sees of each event.

use serde_json::json;

use super::*;

fn shown(renderer: &mut Renderer, kind: &str, data: &Value) -> String {
    renderer.event(Timestamp::from_millis(1_790_000_000_007), kind, data)
}

fn plain() -> Renderer {
    let mut renderer = Renderer::new(Style::Plain);
    renderer.title(&json!({"devices": [{"deviceId": "phone-1", "deviceName": "Pixel"}]}));
    renderer
}

fn says(text: &str) -> Value {
    json!({"message": {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}})
}

#[test]
fn a_turn_reads_like_a_conversation() {
    let mut renderer = plain();
    let accepted = json!({"messageId": "m", "deviceId": "phone-1", "content": "list files"});
    let tool = json!({"message": {"type": "assistant", "message": {"content": [
        {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}]}}});
    let ended = json!({"messageId": "m", "outcome": "completed", "durationMs": 3210, "costUsd": 0.01});
    let page = [
        shown(&mut renderer, "message_accepted", &accepted),
        shown(&mut renderer, "turn_started", &json!({"messageId": "m"})),
        shown(&mut renderer, "agent_message", &tool),
        renderer.signal("delta", &json!({"index": 0, "offset": 0, "text": "Two "})),
        shown(&mut renderer, "agent_message", &says("Two files.")),
        shown(&mut renderer, "turn_ended", &ended),
    ]
    .concat();
    assert_eq!(page, "14:13:20 Pixel › list files\n⚒ Bash ls\nTwo files.\n· done in 3.2 s, $0.0100\n");
}

#[test]
fn an_event_in_the_middle_of_an_answer_gets_a_line_of_its_own() {
    let mut renderer = plain();
    renderer.signal("delta", &json!({"index": 0, "offset": 0, "text": "half"}));
    let joined = json!({"deviceId": "tab-2", "deviceName": "Firefox"});
    assert_eq!(shown(&mut renderer, "device_linked", &joined), "\n· Firefox joined\n");
    assert_eq!(shown(&mut renderer, "agent_message", &says("half done")), " done\n");
}

#[test]
fn an_approval_says_how_to_answer_it() {
    let asked = json!({"requestId": "q1", "tool": "Bash", "input": {"command": "rm -r x"}});
    let text = shown(&mut plain(), "approval_requested", &asked);
    assert_eq!(text, "? may it: Bash rm -r x\n· /approve or /deny REASON; of several, name q1\n");
    let answered = json!({"requestId": "q1", "decision": "allow", "by": {"deviceId": "phone-1"}});
    assert_eq!(shown(&mut plain(), "approval_resolved", &answered), "· allowed by Pixel\n");
}

#[test]
fn a_turn_that_did_not_work_says_why() {
    for (data, text) in [
        (json!({"outcome": "failed", "error": "rate\nlimit"}), "! failed: rate limit\n"),
        (
            json!({"outcome": "interrupted", "durationMs": 500, "by": {"deviceId": "phone-1"}}),
            "! interrupted by Pixel after 0.5 s\n",
        ),
        (json!({"outcome": "new_word"}), "! failed: no reason was given\n"),
    ] {
        assert_eq!(shown(&mut plain(), "turn_ended", &data), text);
    }
}

#[test]
fn what_others_send_cannot_steer_the_terminal() {
    let data = json!({"deviceId": "phone-1", "content": "\u{1b}]0;owned\u{7}hi"});
    assert_eq!(shown(&mut plain(), "message_accepted", &data), "14:13:20 Pixel › ]0;ownedhi\n");
    assert_eq!(shown(&mut plain(), "agent_message", &says("\u{1b}[2Jx")), "[2Jx\n");
}

#[test]
fn a_kind_that_is_not_known_is_named() {
    assert_eq!(shown(&mut plain(), "locks_released", &json!({})), "· locks released\n");
}

#[test]
fn who_comes_late_sees_the_answer_so_far() {
    let mut renderer = plain();
    assert_eq!(renderer.present(&json!({"turn": {"text": "so f"}})), "so f");
    assert_eq!(renderer.signal("delta", &json!({"index": 2, "offset": 4, "text": "ar"})), "ar");
    assert_eq!(shown(&mut renderer, "agent_message", &says("so far")), "\n");
}

#[test]
fn the_queue_shows_ids_to_cancel_by() {
    let state = json!({"queue": [{"messageId": "m-1", "deviceId": "phone-1", "content": "later"}]});
    assert_eq!(plain().queue(&state), "m-1  Pixel  later\n");
    assert_eq!(plain().queue(&json!({})), "· nothing waits\n");
}
