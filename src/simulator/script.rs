//! What a text asks the simulator to do. Pure.

use std::path::PathBuf;
use std::time::Duration;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Script {
    Echo(String),
    Slow { count: u64, pause: Duration },
    Deltas(u64),
    Burst { count: u64, bytes: usize },
    Huge(usize),
    Tool(String),
    Write { path: PathBuf, text: String },
    Edit { path: PathBuf, old: String, new: String },
    Read(PathBuf),
    Hooks { count: u64, path: PathBuf },
    Approvals(u64),
    Attachments,
    Recall,
    Recap,
    Clear,
    Error(String),
    Garbage,
    Sleep(Duration),
    Crash(u8),
    Hang(Deafness),
    Mute,
}

/// What a hanging simulator still listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deafness {
    /// An interrupt ends it.
    Soft,
    /// SIGTERM ends it.
    Firm,
    /// Only SIGKILL ends it.
    Hard,
}

impl Script {
    /// Numbers that are missing or none get a small default; an unknown command is echoed.
    pub(super) fn of(text: &str) -> Self {
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let mut words = rest.split_whitespace();
        let mut number = |default: u64| words.next().and_then(|word| word.parse().ok()).unwrap_or(default);
        match verb {
            "/slow" => Self::Slow { count: number(10), pause: Duration::from_millis(number(100)) },
            "/deltas" => Self::Deltas(number(10)),
            "/burst" => Self::Burst { count: number(10), bytes: usize::try_from(number(100)).unwrap_or(100) },
            "/huge" => Self::Huge(usize::try_from(number(1_000_000)).unwrap_or(1_000_000)),
            "/tool" => Self::Tool(rest.to_owned()),
            "/write" => {
                let (path, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                Self::Write { path: path.into(), text: text.to_owned() }
            }
            "/edit" => {
                let mut words = rest.splitn(3, char::is_whitespace).map(str::to_owned);
                let mut word = || words.next().unwrap_or_default();
                Self::Edit { path: word().into(), old: word(), new: word() }
            }
            "/hooks" => Self::Hooks {
                count: number(100),
                path: rest.split_once(char::is_whitespace).unwrap_or((rest, "")).1.trim().into(),
            },
            "/read" => Self::Read(rest.into()),
            "/approvals" => Self::Approvals(number(2)),
            "/attachments" => Self::Attachments,
            "/recall" => Self::Recall,
            "/recap" => Self::Recap,
            "/clear" => Self::Clear,
            "/error" => Self::Error(rest.to_owned()),
            "/garbage" => Self::Garbage,
            "/sleep" => Self::Sleep(Duration::from_millis(number(100))),
            "/crash" => Self::Crash(u8::try_from(number(1)).unwrap_or(1)),
            "/hang" => Self::Hang(match rest {
                "soft" => Deafness::Soft,
                "hard" => Deafness::Hard,
                _ => Deafness::Firm,
            }),
            "/mute" => Self::Mute,
            _ => Self::Echo(text.to_owned()),
        }
    }

    /// The name of a command that the CLI runs by itself, without the model.
    pub(super) const fn local_command(&self) -> Option<&'static str> {
        match self {
            Self::Recap => Some("recap"),
            Self::Clear => Some("clear"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_understood() {
        assert_eq!(Script::of("hello you"), Script::Echo("hello you".into()));
        assert_eq!(Script::of("/unknown x"), Script::Echo("/unknown x".into()));
        assert_eq!(Script::of("/slow 3 20"), Script::Slow { count: 3, pause: Duration::from_millis(20) });
        assert_eq!(Script::of("/burst"), Script::Burst { count: 10, bytes: 100 });
        assert_eq!(
            Script::of("/write a/b.txt some text"),
            Script::Write { path: "a/b.txt".into(), text: "some text".into() }
        );
        assert_eq!(
            Script::of("/edit a.txt one two three"),
            Script::Edit { path: "a.txt".into(), old: "one".into(), new: "two three".into() }
        );
        assert_eq!(Script::of("/read a.txt"), Script::Read("a.txt".into()));
        assert_eq!(Script::of("/hooks 9 a.txt"), Script::Hooks { count: 9, path: "a.txt".into() });
        assert_eq!(Script::of("/crash 7"), Script::Crash(7));
        assert_eq!(Script::of("/hang"), Script::Hang(Deafness::Firm));
    }
}
