//! A short word from one device to others, beside all conversations.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::event::By;
use crate::ids::{DeviceId, NoticeId, SessionId, UserId};
use crate::refusal::Refusal;

/// A notice is what fits on a lock screen, with room for a link and data of a client's own.
pub const MAX_NOTICE_BYTES: usize = 4 * 1024;

/// What a device is handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The same when it is handed over twice.
    pub notice_id: NoticeId,
    /// Who sent it.
    pub from: By,
    /// What it says.
    pub message: Arc<str>,
    /// When it was sent.
    pub at: Timestamp,
}

/// Somebody wants others to know something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Who is to know it.
    pub to: Addressee,
    /// Who of them is not.
    pub exclude: Vec<DeviceId>,
    message: Arc<str>,
}

/// Whom a notice is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// One device, connected or not.
    Device(DeviceId),
    /// All connected devices of a person.
    User(UserId),
    /// All connected devices that are linked to a session.
    Session(SessionId),
    /// Every connected device.
    All,
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Delivery {
    /// To how many devices it goes over an open connection.
    pub delivered: usize,
    /// How many devices it waits for.
    pub waiting: usize,
}

impl Notify {
    /// Takes a notice as somebody wrote it.
    ///
    /// # Errors
    /// `bad_request` that names the field `message`, when it says nothing or too much.
    pub fn new(to: Addressee, exclude: Vec<DeviceId>, message: &str) -> Result<Self, Refusal> {
        if message.trim().is_empty() {
            return Err(Refusal::bad_field("message", "A notice says something."));
        }
        if message.len() > MAX_NOTICE_BYTES {
            let sentence = format!("A notice has at most {MAX_NOTICE_BYTES} bytes.");
            return Err(Refusal::bad_field("message", sentence));
        }
        Ok(Self { to, exclude, message: message.into() })
    }

    /// What the others are handed.
    #[must_use]
    pub fn notice(&self, from: By, at: Timestamp) -> Notice {
        Notice { notice_id: NoticeId::random(), from, message: self.message.clone(), at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_something_and_not_too_much() {
        let says = |message: &str| Notify::new(Addressee::All, Vec::new(), message);
        assert!(says("dinner").is_ok());
        assert!(says(&"x".repeat(MAX_NOTICE_BYTES)).is_ok());
        for bad in ["", " \n", &"x".repeat(MAX_NOTICE_BYTES + 1)] {
            assert_eq!(says(bad).unwrap_err().details.unwrap()["field"], "message");
        }
    }
}
