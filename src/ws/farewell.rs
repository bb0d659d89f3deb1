//! Why a connection ends, and how that is said: a `goodbye` frame and a close frame.

use super::frame;
use super::protocol::{Goodbye, ServerFrame, VERSION};

/// The ends of a connection that the server brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The peer has closed, with this code.
    Echo(u16),
    /// The server stops.
    GoingAway,
    /// What came is not WebSocket.
    Malformed,
    /// A binary message.
    NotText,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A message that is too large.
    TooBig,
    /// The part that answers is gone; a mistake of ours.
    Internal,
    /// Nobody said hello.
    NoHello,
    /// No sign of life for three heartbeats.
    Silent,
    /// The peer does not read.
    TooSlow,
    /// The journal could not be read.
    StorageUnavailable,
    /// Whether the last writes are on the disk is unknown; the server ends.
    StorageInDoubt,
    /// A protocol that this server does not speak.
    WrongVersion,
}

impl Farewell {
    /// The last bytes of the connection.
    pub(super) fn frames(self) -> Vec<u8> {
        let mut frames = Vec::new();
        if let Self::Echo(code) = self {
            return frame::close(code, "");
        }
        let (close_code, code, reason, resume) = self.words();
        ServerFrame::Goodbye(Goodbye { code, reason, resume }).write(None, &mut frames);
        frames.extend_from_slice(&frame::close(close_code, code));
        frames
    }

    /// Whether the person has left the client, or closed it (RFC 6455 §7.4.1: 1000 and 1001).
    pub(super) fn is_by_wish_of_peer(self) -> bool {
        matches!(self, Self::Echo(1000 | 1001))
    }

    /// Close code, code, reason, and whether to connect again and resume (docs/protocol.md, close codes).
    fn words(self) -> (u16, &'static str, &'static str, bool) {
        const { assert!(VERSION == 1, "the sentence below names the version") };
        match self {
            Self::Echo(code) => (code, "closed", "You closed the connection.", false),
            Self::GoingAway => {
                (1001, "going_away", "The server is stopping. Connect again in a moment.", true)
            }
            Self::Malformed => (1002, "protocol_error", "What came is not WebSocket.", false),
            Self::NotText => (1003, "not_text", "This server takes text messages, not binary ones.", false),
            Self::NotUtf8 => (1007, "not_utf8", "The text is not UTF-8.", false),
            Self::TooBig => (1009, "too_large", "The message is larger than is allowed.", false),
            Self::Internal => {
                (1011, "internal", "The server made a mistake. Connect again and resume.", true)
            }
            Self::NoHello => {
                (4004, "no_hello", "No hello came. It must be the first frame of a connection.", true)
            }
            Self::Silent => (4004, "silent", "Nothing came from this device for three heartbeats.", true),
            Self::TooSlow => (
                4008,
                "too_slow",
                "This device did not read what it was sent. Connect again and resume.",
                true,
            ),
            Self::StorageUnavailable => (
                4011,
                "storage_unavailable",
                "The events cannot be read at the moment. Connect again and resume.",
                true,
            ),
            Self::StorageInDoubt => (
                4011,
                "storage_unavailable",
                "The server's disk failed, and it starts again to see what was written. Connect again and resume.",
                true,
            ),
            Self::WrongVersion => (
                4503,
                "protocol_version",
                "This server speaks protocol 1. Update the client, or the server.",
                false,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_stands_before_the_close() {
        let frames = Farewell::StorageUnavailable.frames();
        let mut payloads = frame::payloads(&frames.into());
        let goodbye: serde_json::Value = serde_json::from_slice(&payloads.next().unwrap()).unwrap();
        assert_eq!(goodbye["type"], "goodbye");
        assert_eq!(goodbye["resume"], true);
        assert_eq!(payloads.next().unwrap()[..2], 4011_u16.to_be_bytes());
        assert!(payloads.next().is_none());
    }
}
