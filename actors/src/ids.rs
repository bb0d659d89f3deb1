//! Names of things, as newtypes: a session cannot be mistaken for a message, nor a device for a user.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A position in one session's journal: 1, 2, 3, … without a gap; 0 stands for "before the first".
///
/// An alias and not a newtype, because positions are counted with.
pub type Seq = u64;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new one, in the order of time (UUID v7).
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::now_v7())
            }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

uuid_id! {
    /// One conversation. Also the `--session-id` of its first agent process.
    SessionId
}

impl SessionId {
    /// The session that a message begins in a project: the same for the same two, for ever (UUID v5).
    ///
    /// A hash, so that nobody can name a message by which the id of another session comes out.
    #[must_use]
    pub fn begun_by(project_path: &str, message: MessageId) -> Self {
        const NAMESPACE: Uuid = uuid::uuid!("6b1f0c52-7a0e-4d7c-9a5e-2f1c8b7d4e90");
        // The id has a fixed length, so that no two pairs are the same bytes.
        let name = [&message.uuid().into_bytes(), project_path.as_bytes()].concat();
        Self(Uuid::new_v5(&NAMESPACE, &name))
    }

    /// Under which the channel of a project is journalled: the same for the same canonical path, for ever (UUID v5).
    #[must_use]
    pub fn of_channel(project_path: &str) -> Self {
        const NAMESPACE: Uuid = uuid::uuid!("0d7c3f1e-94a2-4a8b-8c7e-5be3a1f60d27");
        Self(Uuid::new_v5(&NAMESPACE, project_path.as_bytes()))
    }
}

uuid_id! {
    /// One message of a person; also the `uuid` under which the agent is given it.
    MessageId
}
uuid_id! {
    /// One connection of a device; made by the server, gone with the connection.
    ConnectionId
}

uuid_id! {
    /// One notice of a device to others; a device that is handed it twice knows it by this.
    NoticeId
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:?}", &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

text_id! {
    /// Something a person holds or runs, named by itself and kept: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    DeviceId
}
text_id! {
    /// A person. Until there are accounts, everybody who has the token is `owner`.
    UserId
}
text_id! {
    /// The agent's own name for something that it asks.
    RequestId
}

/// A device id that is empty, too long, or holds a character that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device id has 1 to 64 characters of A-Z a-z 0-9 . _ : -")]
pub struct BadDeviceId;

impl FromStr for DeviceId {
    type Err = BadDeviceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(is_allowed) {
            return Err(BadDeviceId);
        }
        Ok(Self(text.into()))
    }
}

impl DeviceId {
    /// What stands where the server itself did something.
    #[must_use]
    pub fn server() -> Self {
        Self("tandem".into())
    }
}

impl FromStr for UserId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

impl UserId {
    /// The one person of a server without accounts.
    #[must_use]
    pub fn owner() -> Self {
        Self("owner".into())
    }
}

impl FromStr for RequestId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

/// Ownership of a session: a number that only rises, checked by the journal at every append.
///
/// Inside the server only. Never the same thing as an [`Epoch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

/// The identity of a history, on the wire; it changes only when history was replaced (a restore).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// Makes a new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string().into())
    }

    /// Takes one that was stored before.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_are_short_and_plain() {
        assert!("phone-1".parse::<DeviceId>().is_ok());
        assert!("a.b_c:D-9".parse::<DeviceId>().is_ok());
        for bad in ["", "with space", "ümlaut", "slash/", &"x".repeat(65)] {
            assert_eq!(bad.parse::<DeviceId>(), Err(BadDeviceId), "{bad:?}");
        }
    }

    #[test]
    fn a_bad_device_id_does_not_deserialize() {
        assert!(serde_json::from_str::<DeviceId>("\"ok\"").is_ok());
        assert!(serde_json::from_str::<DeviceId>("\"not ok\"").is_err());
    }
}
