//! What kind of value a key takes: how its text is read, what is refused, and how to say so.

use std::env;
use std::net::IpAddr;

use figment::value::Value;

use crate::auth::Origin;

/// The kind of value that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number within these bounds, both included.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// An IP address.
    Address,
    /// One folder.
    Folder,
    /// At least one folder; in the environment as in `PATH`.
    Folders,
    /// A program: a name to look up, or a path.
    Program,
    /// Origins of web pages; in the environment with commas between.
    Origins,
    /// Arguments of the agent.
    Arguments,
    /// Names of environment variables.
    VariableNames,
}

/// Arguments without which the server could not drive an agent, or that would let two processes into one conversation.
const RESERVED_ARGUMENTS: [&str; 15] = [
    "-p",
    "--print",
    "-r",
    "--resume",
    "-c",
    "--continue",
    "--session-id",
    "--fork-session",
    "--resume-session-at",
    "--input-format",
    "--output-format",
    "--replay-user-messages",
    "--include-partial-messages",
    "--permission-prompt-tool",
    "--no-session-persistence",
];

impl Shape {
    /// What a value must be, as the end of a sentence.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Address => "an IP address: 127.0.0.1 for this machine alone, 0.0.0.0 for its whole network".into(),
            Self::Folder => "the path of a folder, such as /srv/tandem or ~/tandem".into(),
            Self::Folders => "a list of at least one folder, such as [\"~/projects\"]".into(),
            Self::Program => "the name or the path of a program, or `simulator`".into(),
            Self::Origins => {
                "a list of origins without a path, such as [\"https://tandem.example\"]; `*` and `null` are not taken"
                    .into()
            }
            Self::Arguments => format!(
                "a list of arguments, such as [\"--model\", \"opus\"], without those that Tandem sets itself ({})",
                RESERVED_ARGUMENTS.join(" ")
            ),
            Self::VariableNames => {
                "a list of variable names without values, such as [\"CARGO_HOME\"]; values come from Tandem's own environment"
                    .into()
            }
        }
    }

    /// Takes the text of an environment variable apart. What cannot be read stays text, and [`Shape::admits`] refuses it.
    pub(super) fn read(self, text: &str) -> Value {
        match self {
            Self::Number { .. } => text.trim().parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
            Self::Address | Self::Word(_) => Value::from(text.trim()),
            Self::Folder | Self::Program => Value::from(text),
            Self::Folders => {
                let folders = env::split_paths(text).filter(|folder| !folder.as_os_str().is_empty());
                Value::from(folders.map(|folder| folder.display().to_string()).collect::<Vec<_>>())
            }
            Self::Origins | Self::Arguments | Self::VariableNames => {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                Value::from(entries.map(str::to_owned).collect::<Vec<_>>())
            }
        }
    }

    /// Whether a value is of this kind and within its bounds.
    pub(super) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Number { least, most } => {
                let number = value
                    .to_u128()
                    .or_else(|| value.to_i128().and_then(|signed| u128::try_from(signed).ok()));
                number.is_some_and(|number| (u128::from(least)..=u128::from(most)).contains(&number))
            }
            Self::Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Address => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            Self::Folder | Self::Program => value.as_str().is_some_and(is_plain),
            Self::Folders => {
                entries(value).is_some_and(|folders| !folders.is_empty() && folders.into_iter().all(is_plain))
            }
            Self::Origins => entries(value)
                .is_some_and(|origins| origins.iter().all(|origin| origin.parse::<Origin>().is_ok())),
            Self::Arguments => {
                entries(value).is_some_and(|arguments| arguments.into_iter().all(is_free_argument))
            }
            Self::VariableNames => {
                entries(value).is_some_and(|names| names.into_iter().all(is_variable_name))
            }
        }
    }

    /// Whether the value is a list.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Folders | Self::Origins | Self::Arguments | Self::VariableNames)
    }
}

/// The texts of a list; `None` when it is no list, or holds anything but texts.
fn entries(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0')
}

fn is_free_argument(argument: &str) -> bool {
    let name = argument.split_once('=').map_or(argument, |(name, _)| name);
    !argument.contains('\0') && !RESERVED_ARGUMENTS.contains(&name)
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Shape = Shape::Number { least: 0, most: 65_535 };

    #[test]
    fn numbers_are_whole_and_within_bounds() {
        for good in ["0", "4870", " 65535 "] {
            assert!(PORT.admits(&PORT.read(good)), "{good:?}");
        }
        for bad in ["", "65536", "-1", "4.5", "0x10", "four", "4870 4871"] {
            assert!(!PORT.admits(&PORT.read(bad)), "{bad:?}");
        }
        assert!(PORT.admits(&Value::from(80_i64)));
        assert!(!PORT.admits(&Value::from(-80_i64)));
        assert!(!PORT.admits(&Value::from(80.0)));
        assert!(!PORT.admits(&Value::from("80")), "a text in the file is not a number");
    }

    #[test]
    fn a_word_is_one_of_those_there_are() {
        const WORD: Shape = Shape::Word(&["on", "off"]);
        assert!(WORD.admits(&WORD.read(" on ")));
        for bad in ["", "On", "on,off", "1"] {
            assert!(!WORD.admits(&WORD.read(bad)), "{bad:?}");
        }
        assert!(!WORD.admits(&Value::from(true)), "what looks like a switch is none");
    }

    #[test]
    fn lists_hold_texts_alone() {
        assert!(!Shape::Folders.admits(&Value::from("/srv")));
        assert!(!Shape::Folders.admits(&Value::from(vec![1, 2])));
        assert!(!Shape::Folders.admits(&Shape::Folders.read("")));
        assert!(Shape::Folders.admits(&Shape::Folders.read("/srv:~/projects")));
        assert!(Shape::Origins.admits(&Shape::Origins.read("https://a.example, http://b.example:8080")));
        for bad in ["*", "null", "https://a.example/", "a.example"] {
            assert!(!Shape::Origins.admits(&Shape::Origins.read(bad)), "{bad:?}");
        }
    }

    #[test]
    fn arguments_that_the_server_sets_itself_are_refused() {
        assert!(Shape::Arguments.admits(&Value::from(vec!["--model", "opus"])));
        for bad in ["--session-id", "--resume=x", "-p", "--output-format"] {
            assert!(!Shape::Arguments.admits(&Value::from(vec![bad])), "{bad:?}");
        }
    }

    #[test]
    fn variable_names_have_no_values() {
        assert!(Shape::VariableNames.admits(&Value::from(vec!["CARGO_HOME"])));
        assert!(!Shape::VariableNames.admits(&Value::from(vec!["CARGO_HOME=/x"])));
        assert!(!Shape::VariableNames.admits(&Value::from(vec![""])));
    }
}
