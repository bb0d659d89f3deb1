//! What can go wrong between a client and its server.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// The server's own refusal (docs/protocol.md, errors). Codes stay text: a newer server may have more of them.
#[derive(Debug, Clone, PartialEq, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Rejection {
    /// Stable; programs act on it.
    pub code: String,
    /// A sentence for a person.
    pub message: String,
    /// What became of the command.
    #[serde(default)]
    pub effect: RejectedEffect,
    /// When another try makes sense.
    #[serde(default)]
    pub retry_after_seconds: Option<u32>,
    /// More for programs.
    #[serde(default)]
    pub details: Option<Value>,
}

/// What became of a rejected command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectedEffect {
    /// Nothing was done.
    None,
    /// It was done before.
    Done,
    /// It may have been done; also what a word means that this client does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Why a call of the client did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The address is none that this client can use.
    #[error("{url} is no address of a server: {reason}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody listens, or it is no Tandem server.
    #[error("no server answers at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// As the system or the handshake says it.
        reason: String,
    },
    /// The token is missing or wrong; trying again gives the same answer.
    #[error("the server at {url} does not take this token")]
    Unauthorized {
        /// Where.
        url: String,
    },
    /// The upgrade was refused otherwise.
    #[error("the server at {url} refused the connection with status {status}: {message}")]
    Refused {
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The server's sentence, or nothing.
        message: String,
    },
    /// The command was refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// No answer came in time; the command may have been done.
    #[error("the server did not answer within {within:?}; the command may have been done")]
    NoAnswer {
        /// How long was waited.
        within: Duration,
    },
    /// The connection ended before the answer; the command may have been done.
    #[error("the connection was lost before the answer came; the command may have been done")]
    Lost,
    /// The message is larger than the server takes; it was not sent.
    #[error("the message has {bytes} bytes, and the server takes {max_bytes}")]
    TooLarge {
        /// Its size as a frame.
        bytes: usize,
        /// The server's limit.
        max_bytes: usize,
    },
    /// The connection is over for good: the server said so, or the client was closed.
    #[error("the connection is closed: {reason}")]
    Closed {
        /// The server's words, or ours.
        reason: String,
    },
    /// The server answered with something that the protocol does not know.
    #[error("the server's answer cannot be understood: {reason}")]
    Protocol {
        /// What came instead.
        reason: String,
    },
}

impl ClientError {
    /// Whether trying to connect again is of no use until a person acts.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        match self {
            Self::BadUrl { .. } | Self::Unauthorized { .. } | Self::Closed { .. } => true,
            Self::Refused { status, .. } => matches!(status, 400..=428),
            Self::Unreachable { .. }
            | Self::Rejected(_)
            | Self::NoAnswer { .. }
            | Self::Lost
            | Self::TooLarge { .. }
            | Self::Protocol { .. } => false,
        }
    }
}
