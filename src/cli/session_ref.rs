//! A conversation as a person names it: by its id, or by the beginning of its id.

use std::fmt;
use std::str::FromStr;

use tandem_actors::ids::SessionId;
use tandem_actors::session::Summary;

use super::connection::explain;
use crate::client::Client;

/// Shorter beginnings are slips of the finger.
const MIN_PREFIX_CHARS: usize = 4;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionRef {
    /// The whole id.
    Id(SessionId),
    /// How it begins, in lower case.
    Prefix(String),
}

/// What cannot name a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a conversation is named by its id, or by the first {MIN_PREFIX_CHARS} or more characters of it; `tandem sessions` lists them"
)]
pub struct BadSessionRef;

impl FromStr for SessionRef {
    type Err = BadSessionRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let is_part_of_id = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if text.len() < MIN_PREFIX_CHARS || !is_part_of_id {
            return Err(BadSessionRef);
        }
        Ok(Self::Prefix(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for SessionRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(out),
            Self::Prefix(prefix) => out.write_str(prefix),
        }
    }
}

impl SessionRef {
    /// Finds the conversation; the server is asked only when it is not named in full.
    ///
    /// # Errors
    /// When none begins so, or more than one.
    pub async fn resolve(&self, client: &Client) -> anyhow::Result<SessionId> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Prefix(prefix) => the_one(prefix, &client.watch().await.map_err(explain)?),
        }
    }
}

fn the_one(prefix: &str, sessions: &[Summary]) -> anyhow::Result<SessionId> {
    let ids = sessions.iter().map(|summary| summary.session_id);
    let found: Vec<SessionId> = ids.filter(|id| id.to_string().starts_with(prefix)).collect();
    match found[..] {
        [one] => Ok(one),
        [] => anyhow::bail!("No conversation begins with {prefix}. `tandem sessions` lists those there are."),
        _ => anyhow::bail!("{} conversations begin with {prefix}; write more of the id.", found.len()),
    }
}

#[cfg(test)]
mod tests {
    use tandem_actors::clock::Timestamp;
    use tandem_actors::session::Status;

    use super::*;

    fn session(id: &str) -> Summary {
        let noon = Timestamp::from_millis(0);
        Summary {
            session_id: id.parse().unwrap(),
            project_path: "/p".into(),
            title: None,
            status: Status::Idle,
            head: 1,
            created_at: noon,
            last_activity_at: noon,
            expires_at: noon,
            turns: 0,
            messages: 0,
            queued: 0,
            approvals: 0,
            notable: 0,
            cost_usd: 0.0,
            devices: Vec::new(),
            online: Vec::new(),
            pid: None,
            is_warned: false,
        }
    }

    #[test]
    fn a_beginning_must_be_long_enough_and_hexadecimal() {
        assert_eq!("0197A".parse(), Ok(SessionRef::Prefix("0197a".into())));
        assert!(matches!("0197a2c4-0000-7000-8000-000000000001".parse(), Ok(SessionRef::Id(_))));
        for bad in ["", "019", "hello", "0197 a"] {
            assert_eq!(bad.parse::<SessionRef>(), Err(BadSessionRef), "{bad:?}");
        }
    }

    #[test]
    fn only_one_conversation_may_begin_so() {
        let sessions = [
            session("0197a2c4-0000-7000-8000-000000000001"),
            session("0197a2c4-1000-7000-8000-000000000002"),
        ];
        assert_eq!(the_one("0197a2c4-1", &sessions).unwrap(), sessions[1].session_id);
        assert!(the_one("0197a2c4", &sessions).unwrap_err().to_string().contains("2 conversations"));
        assert!(the_one("ffff", &sessions).unwrap_err().to_string().contains("tandem sessions"));
    }
}
