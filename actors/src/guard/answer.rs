//! What the model is told when it may not do something: who is in the way, and what it can do instead. Pure.
//!
//! Of another conversation it learns the title and the name, and nothing that was said in it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::locks::{Denied, Holder, Why};

/// How much of a title is told.
const TITLE_CHARS: usize = 80;

/// Somebody who is in the way.
#[derive(Debug, Clone)]
pub(super) struct InTheWay {
    pub(super) holder: Holder,
    /// What their conversation is called.
    pub(super) title: Option<String>,
}

/// Why a tool may not be used: `what` is taken, and was waited for.
pub(super) fn taken(
    what: &str,
    denied: &Denied,
    who: Option<&InTheWay>,
    waited: Duration,
    now: Timestamp,
) -> String {
    let who = who.map_or_else(|| "somebody else".to_owned(), name);
    let mut text = match &denied.why {
        Why::Busy | Why::TimedOut | Why::Gone => format!("{what} is locked by {who}"),
        Why::Deadlock(_) => format!("{what} is locked by {who}, who in turn waits for what you have locked"),
        Why::Full => format!("Too many wait already for {what}"),
        Why::Storage => format!("{what} cannot be locked, because the server cannot write to its disk"),
    };
    if let Some(since) = denied.since {
        let _ = write!(text, ", since {since} ({} s ago)", now.millis_since(since) / 1_000);
    }
    if matches!(denied.why, Why::TimedOut) {
        let _ = write!(text, "; you have waited for {} s", waited.as_secs());
    }
    let advice = match denied.why {
        Why::Deadlock(_) => {
            "What you have locked is given back when your turn ends: finish what you can without this, say what is left to do, and end your turn."
        }
        Why::Storage => "Try again later, or end your turn and say what is left to do.",
        Why::Busy | Why::TimedOut | Why::Gone | Why::Full => {
            "Go on with something else and try this again later, or end your turn and say that you wait for it. Read it again before you change it."
        }
    };
    format!("{text}. Nothing was changed. Do not go round the lock, with a command for instance. {advice}")
}

/// Why a file may not be written: what is in it is not what the session has seen.
pub(super) fn unseen(path: &str, was_seen: bool, is_there: bool) -> String {
    let what = match (was_seen, is_there) {
        (true, true) => format!("{path} was changed by somebody else since you read it"),
        (true, false) => format!("{path} was deleted by somebody else since you read it"),
        (false, _) => format!("{path} exists, and you have not read it"),
    };
    let advice = if is_there {
        "Read it again, then make your change to what is in it now."
    } else {
        "Find out why it is gone; if it is to be there again, write it once more."
    };
    format!("{what}. Nothing was changed. {advice}")
}

/// Why a tool may not be used: it could not be found out what it would touch.
pub(super) fn unclear() -> String {
    "The server could not find out in time which file or repository this is about. Nothing was changed. \
     Try it again; if it stays like this, end your turn and say so."
        .to_owned()
}

fn name(who: &InTheWay) -> String {
    let title = who.title.as_deref().map(|title| title.chars().take(TITLE_CHARS).collect::<String>());
    match (&who.holder, title) {
        (Holder::SessionId(session), Some(title)) => {
            format!("another conversation, \"{title}\" (session {session})")
        }
        (Holder::SessionId(session), None) => format!("another conversation (session {session})"),
        (Holder::DeviceId(device), _) => format!("a person at the device {device}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;

    fn denied(why: Why) -> Denied {
        let since = Timestamp::from_millis(1_790_000_000_000);
        Denied { holder: None, since: Some(since), until: None, why }
    }

    fn told(why: Why, who: Option<&InTheWay>) -> String {
        let now = Timestamp::from_millis(1_790_000_035_999);
        taken("src/a.rs", &denied(why), who, Duration::from_secs(20), now)
    }

    #[test]
    fn the_model_is_told_who_since_when_on_what_and_what_else_to_do() {
        let session = SessionId::random();
        let title = format!("Fix the login{}", "!".repeat(200));
        let who = InTheWay { holder: Holder::SessionId(session), title: Some(title) };
        let text = told(Why::TimedOut, Some(&who));
        for part in
            ["src/a.rs is locked by another conversation, \"Fix the login!", "(35 s ago)", "waited for 20 s"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(&session.to_string()) && text.contains("Go on with something else"), "{text}");
        assert!(text.len() < 600, "{text}");
    }

    #[test]
    fn every_reason_says_what_to_do() {
        let phone = InTheWay { holder: Holder::DeviceId("phone".parse().unwrap()), title: None };
        assert!(told(Why::Busy, Some(&phone)).contains("a person at the device phone"));
        assert!(told(Why::Deadlock([].into()), None).contains("end your turn"));
        assert!(told(Why::Full, None).starts_with("Too many wait already"));
        assert!(told(Why::Storage, None).contains("Try again later"));
        assert!(unseen("a", true, true).contains("Read it again"));
        assert!(unseen("a", false, true).contains("you have not read it"));
        assert!(unseen("a", true, false).contains("deleted"));
    }
}
