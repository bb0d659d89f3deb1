//! How a command is refused: a stable code, a sentence for a person, and what became of the command.

use serde::Serialize;
use serde_json::{Value, json};

use crate::content::BadContent;
use crate::journal::JournalError;

/// Why something was not done; the same over WebSocket and HTTP (docs/protocol.md, errors).
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Refusal {
    /// Stable; programs act on it.
    pub code: Code,
    /// A sentence for a person that says what to do. Holds no path outside the project, no token, no SQL.
    pub message: String,
    /// What became of the command.
    pub effect: Effect,
    /// When another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// More for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// The stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described in docs/protocol.md, errors")]
pub enum Code {
    BadRequest,
    Unauthorized,
    Forbidden,
    OriginNotAllowed,
    ProjectNotAllowed,
    SessionNotFound,
    MessageNotFound,
    ApprovalNotFound,
    DeviceNotFound,
    ProjectNotFound,
    LockNotFound,
    ConflictNotFound,
    NotFound,
    MessageIdReused,
    OutOfOrder,
    AlreadyResolved,
    NotQueued,
    SessionClosed,
    LockNotHeld,
    NotARepository,
    GitFailed,
    Conflict,
    LockDenied,
    TooLarge,
    QueueFull,
    LockQueueFull,
    TooManySessions,
    RateLimited,
    AgentFailed,
    StorageUnavailable,
    ShuttingDown,
}

/// What became of a refused command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing was done.
    None,
    /// It may have been done: send the same id again, which is safe.
    Unknown,
    /// It was done before.
    Done,
}

impl Refusal {
    /// Refuses with no effect.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), effect: Effect::None, retry_after_seconds: None, details: None }
    }

    /// A field is missing or wrong.
    #[must_use]
    pub fn bad_field(field: &str, message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message).with_details(json!({ "field": field }))
    }

    /// There is no such session.
    #[must_use]
    pub fn session_not_found() -> Self {
        Self::new(
            Code::SessionNotFound,
            "There is no session with this id. List the sessions to see which there are.",
        )
    }

    /// The server is on its way down.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::new(
            Code::ShuttingDown,
            "The server is stopping. Connect again in a moment; nothing was stored.",
        )
        .with_retry_after(2)
    }

    /// The session's actor went away before it answered; the command may be stored or not.
    #[must_use]
    pub fn session_restarted() -> Self {
        Self {
            effect: Effect::Unknown,
            ..Self::new(
                Code::StorageUnavailable,
                "The session was interrupted while it worked on this. Send the same again: with a messageId that is safe.",
            )
        }
        .with_retry_after(1)
    }

    /// The same, with more for programs.
    #[must_use]
    pub fn with_details(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The same, with a hint when to try again.
    #[must_use]
    pub fn with_retry_after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }
}

impl From<BadContent> for Refusal {
    fn from(bad: BadContent) -> Self {
        Self::bad_field("content", format!("The message cannot be sent: {bad}."))
    }
}

impl From<&JournalError> for Refusal {
    fn from(error: &JournalError) -> Self {
        match error {
            JournalError::NotWritten { .. } | JournalError::Unreadable { .. } => Self::new(
                Code::StorageUnavailable,
                "The server cannot write to its disk at the moment. Nothing was stored; try again.",
            )
            .with_retry_after(2),
            JournalError::Unknown { .. } | JournalError::Fenced { .. } => Self::session_restarted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_on_the_wire_has_code_message_and_effect() {
        let text = serde_json::to_value(Refusal::bad_field("content", "No.")).unwrap();
        assert_eq!(
            text,
            json!({"code": "bad_request", "message": "No.", "effect": "none", "details": {"field": "content"}})
        );
    }

    #[test]
    fn a_write_in_doubt_says_so() {
        let doubt = JournalError::Unknown { reason: "fsync".into() };
        assert_eq!(Refusal::from(&doubt).effect, Effect::Unknown);
        let none = JournalError::NotWritten { reason: "full".into() };
        assert_eq!(Refusal::from(&none).effect, Effect::None);
    }
}
