//! The answer to one message, picked out of everything that happens in its conversation. Pure.

use serde_json::Value;
use tandem_actors::ids::{MessageId, SessionId};

use crate::cli::answer::Answer;
use crate::cli::render::{Block, blocks, brief, tool_line};

/// Follows one message to the end of its turn.
#[derive(Debug)]
pub(super) struct Reply {
    session: SessionId,
    message: String,
    is_running: bool,
    has_answered: bool,
    answer: Answer,
}

/// What is to be shown of one event, and whether it was the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// For standard output.
    pub(super) answer: String,
    /// For standard error; without a newline.
    pub(super) note: String,
    pub(super) end: Option<End>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Failed,
}

impl Step {
    pub(super) fn note(note: String) -> Self {
        Self { note, ..Self::default() }
    }

    fn failed(answer: &str, note: String) -> Self {
        Self { answer: answer.to_owned(), note, end: Some(End::Failed) }
    }
}

impl Reply {
    pub(super) fn new(session: SessionId, message: MessageId) -> Self {
        let message = message.to_string();
        Self { session, message, is_running: false, has_answered: false, answer: Answer::default() }
    }

    /// Says what a message that is sent now has in front of it; nothing when it runs at once.
    pub(super) fn waits_behind(&self, state: &Value) -> String {
        let queued = state["queue"].as_array().map_or(0, Vec::len);
        let in_front = queued + usize::from(state["turn"].is_object());
        if in_front == 0 { String::new() } else { format!("[waits behind {in_front} other messages]") }
    }

    pub(super) fn delta(&mut self, data: &Value) -> Step {
        if data["messageId"] != self.message.as_str() {
            return Step::default();
        }
        Step { answer: self.answer.delta(data), ..Step::default() }
    }

    pub(super) fn event(&mut self, kind: &str, data: &Value) -> Step {
        let is_ours = data["messageId"] == self.message.as_str();
        match kind {
            "turn_dispatched" | "turn_started" => self.is_running |= is_ours,
            "agent_message" if self.is_running => return self.agent_message(&data["message"]),
            "approval_requested" if self.is_running => return Step::note(self.how_to_approve(data)),
            "approval_resolved" if self.is_running => {
                let decision = data["decision"].as_str().unwrap_or_default();
                return Step::note(format!("[approval: {decision}]"));
            }
            "turn_ended" if is_ours => return self.turn_ended(data),
            "message_cancelled" if is_ours => {
                return Step::failed("", "[the message was taken back]".to_owned());
            }
            "session_closed" => return Step::failed("", "[the conversation was closed]".to_owned()),
            _ => {}
        }
        Step::default()
    }

    fn agent_message(&mut self, line: &Value) -> Step {
        let (mut answer, mut notes) = (String::new(), Vec::new());
        for block in blocks(line) {
            match block {
                Block::Text(text) => {
                    answer.push_str(&self.answer.complete(text));
                    self.has_answered = true;
                }
                Block::Tool { name, input } => notes.push(format!("[{}]", tool_line(name, input))),
                Block::ToolFailed(text) => notes.push(format!("[failed: {}]", brief(&text))),
            }
        }
        Step { answer, note: notes.join("\n"), end: None }
    }

    fn how_to_approve(&self, data: &Value) -> String {
        let tool = tool_line(data["tool"].as_str().unwrap_or("a tool"), &data["input"]);
        let (session, request) = (self.session, data["requestId"].as_str().unwrap_or_default());
        format!("[an approval waits: {tool}]\n[answer it: tandem attach {session}, then /approve {request}]")
    }

    fn turn_ended(&mut self, data: &Value) -> Step {
        let line_end = self.answer.end();
        if data["outcome"] == "completed" {
            let text = data["text"].as_str().filter(|text| !self.has_answered && !text.is_empty());
            let answer = text.map_or_else(|| line_end.to_owned(), |text| format!("{line_end}{text}\n"));
            return Step { answer, note: String::new(), end: Some(End::Completed) };
        }
        let outcome = data["outcome"].as_str().unwrap_or("failed");
        let why = data["error"].as_str().map_or_else(String::new, |why| format!(": {}", brief(why)));
        Step::failed(line_end, format!("[{outcome}{why}]"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "0197a2c4-0000-7000-8000-000000000002";
    const OTHER: &str = "0197a2c4-0000-7000-8000-000000000003";

    fn started() -> Reply {
        let mut reply = Reply::new(SessionId::random(), OURS.parse().unwrap());
        reply.event("turn_started", &json!({"messageId": OURS}));
        reply
    }

    fn says(text: &str) -> Value {
        json!({"message": {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}})
    }

    fn ends(outcome: &str) -> Value {
        json!({"messageId": OURS, "outcome": outcome, "text": "hello", "error": "why"})
    }

    #[test]
    fn the_answer_is_printed_once() {
        let mut reply = started();
        let delta = json!({"messageId": OURS, "index": 0, "offset": 0, "text": "hel"});
        assert_eq!(reply.delta(&delta).answer, "hel");
        assert_eq!(reply.event("agent_message", &says("hello")).answer, "lo\n");
        let end = reply.event("turn_ended", &ends("completed"));
        assert_eq!(end, Step { end: Some(End::Completed), ..Step::default() });
    }

    #[test]
    fn what_belongs_to_other_messages_is_not_shown() {
        let mut reply = Reply::new(SessionId::random(), OURS.parse().unwrap());
        assert_eq!(reply.event("turn_started", &json!({"messageId": OTHER})), Step::default());
        assert_eq!(reply.event("agent_message", &says("not for you")), Step::default());
        assert_eq!(reply.delta(&json!({"messageId": OTHER, "text": "x"})), Step::default());
        let end = json!({"messageId": OTHER, "outcome": "failed"});
        assert_eq!(reply.event("turn_ended", &end), Step::default());
    }

    #[test]
    fn an_answer_that_is_only_in_the_result_is_printed() {
        assert_eq!(started().event("turn_ended", &ends("completed")).answer, "hello\n");
    }

    #[test]
    fn every_other_end_is_a_failure_that_says_why() {
        for outcome in ["failed", "interrupted", "lost", "new_word"] {
            let step = started().event("turn_ended", &ends(outcome));
            assert_eq!((step.end, step.note), (Some(End::Failed), format!("[{outcome}: why]")));
        }
        assert_eq!(started().event("session_closed", &json!({})).end, Some(End::Failed));
    }

    #[test]
    fn a_waiting_approval_says_how_to_answer() {
        let data = json!({"requestId": "q1", "tool": "Bash", "input": {"command": "ls"}});
        let note = started().event("approval_requested", &data).note;
        assert!(
            note.contains("Bash ls") && note.contains("tandem attach") && note.contains("/approve q1"),
            "{note}"
        );
    }

    #[test]
    fn who_has_to_wait_is_told() {
        let reply = started();
        assert_eq!(reply.waits_behind(&json!({"queue": [], "turn": null})), "");
        assert!(reply.waits_behind(&json!({"queue": [1], "turn": {}})).contains("behind 2"));
    }
}
