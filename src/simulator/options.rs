//! The flags of the CLI, as far as they matter here.

use std::ffi::OsString;

use uuid::Uuid;

/// What the simulator was started with.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) conversation: Conversation,
    pub(super) model: String,
    pub(super) permission_mode: String,
    /// `--session-mirror`: print every line of the transcript too.
    pub(super) is_mirrored: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversation {
    New(Uuid),
    Resume(Uuid),
}

/// Why the simulator does not start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Help,
    /// In the CLI's words.
    Refused(String),
}

/// The modes that `--permission-mode` and `set_permission_mode` take.
pub(super) const PERMISSION_MODES: [&str; 6] =
    ["acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan"];

impl Options {
    /// Takes `--flag value` and `--flag=value`.
    pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Stop> {
        let mut options = Self {
            conversation: Conversation::New(Uuid::new_v4()),
            model: "simulator".to_owned(),
            permission_mode: "default".to_owned(),
            is_mirrored: false,
        };
        let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
        while let Some(argument) = arguments.next() {
            let (flag, attached) = match argument.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value = || {
                let value = attached.clone().or_else(|| arguments.next());
                value.ok_or_else(|| Stop::Refused(format!("error: option '{flag}' argument missing")))
            };
            match flag.as_str() {
                "-h" | "--help" => return Err(Stop::Help),
                "-p" | "--print" | "--verbose" | "--replay-user-messages" | "--include-partial-messages" => {}
                "--session-mirror" => options.is_mirrored = true,
                "--input-format"
                | "--output-format"
                | "--permission-prompt-tool"
                | "--add-dir"
                | "--name" => {
                    value()?;
                }
                "--session-id" => options.conversation = Conversation::New(uuid(&value()?)?),
                "--resume" => options.conversation = Conversation::Resume(uuid(&value()?)?),
                "--model" => options.model = value()?,
                "--permission-mode" => {
                    let mode = value()?;
                    if !PERMISSION_MODES.contains(&mode.as_str()) {
                        let allowed = PERMISSION_MODES.join(", ");
                        return Err(Stop::Refused(format!(
                            "error: option '--permission-mode <mode>' argument '{mode}' is invalid. Allowed choices are {allowed}."
                        )));
                    }
                    options.permission_mode = mode;
                }
                _ => return Err(Stop::Refused(format!("error: unknown option '{flag}'"))),
            }
        }
        Ok(options)
    }
}

fn uuid(text: &str) -> Result<Uuid, Stop> {
    text.parse().map_err(|_| Stop::Refused("Error: Invalid session ID. Must be a valid UUID.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Stop> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_flags_of_the_cli_are_taken() {
        let id = Uuid::new_v4();
        let options = parse(&format!(
            "-p --input-format stream-json --verbose --session-mirror --resume {id} --model=m --permission-mode plan"
        ))
        .unwrap();
        assert_eq!(options.conversation, Conversation::Resume(id));
        assert_eq!((options.model.as_str(), options.permission_mode.as_str()), ("m", "plan"));
        assert!(options.is_mirrored);
    }

    #[test]
    fn what_the_cli_refuses_is_refused() {
        for line in ["--nonsense", "--session-id nonsense", "--permission-mode nonsense", "--model"] {
            assert!(matches!(parse(line), Err(Stop::Refused(_))), "{line}");
        }
    }
}
