//! What a typed line means. Pure.

use tandem_actors::ids::{MessageId, RequestId};

/// What can be typed.
pub(super) const HELP: &str = "\
  TEXT               say it to the agent
  /approve [ID]      allow what it asks for; without ID the oldest question
  /deny [ID] [WHY]   refuse it, and say why
  /interrupt         end the running turn
  /queue             what waits
  /cancel ID         take a waiting message back
  /quit              leave; the conversation goes on
  //TEXT             say /TEXT to the agent, for its own commands
";

/// A typed line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    Say(String),
    /// Without an id: the oldest question.
    Approve(Option<RequestId>),
    Deny(Option<RequestId>, Option<String>),
    Interrupt,
    Cancel(MessageId),
    Queue,
    Help,
    Quit,
}

/// Reads a line; fails with a sentence that says what to type instead.
///
/// A first word behind `/deny` is an id if it has a digit or a hyphen in it; reasons rarely begin so, ids always have one.
pub(super) fn parse(line: &str) -> Result<Typed, String> {
    let line = line.trim_end_matches(['\r', '\n']);
    let Some(command) = line.strip_prefix('/') else { return Ok(Typed::Say(line.to_owned())) };
    if command.starts_with('/') {
        return Ok(Typed::Say(command.to_owned()));
    }
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match name {
        "approve" => Ok(Typed::Approve(request(rest))),
        "deny" => Ok(deny(rest)),
        "interrupt" => Ok(Typed::Interrupt),
        "cancel" => rest
            .parse()
            .map(Typed::Cancel)
            .map_err(|_| "/cancel needs the id of a waiting message; /queue shows them".to_owned()),
        "queue" => Ok(Typed::Queue),
        "help" => Ok(Typed::Help),
        "quit" => Ok(Typed::Quit),
        _ => Err(format!("there is no /{name}; /help shows what there is, //{name} goes to the agent")),
    }
}

fn deny(rest: &str) -> Typed {
    let (first, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_id = first.contains(|character: char| character.is_ascii_digit() || character == '-');
    let (id, reason) = if is_id { (first, reason.trim()) } else { ("", rest) };
    Typed::Deny(request(id), (!reason.is_empty()).then(|| reason.to_owned()))
}

fn request(id: &str) -> Option<RequestId> {
    if id.is_empty() { None } else { id.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<RequestId> {
        text.parse().ok()
    }

    #[test]
    fn lines_are_said_and_commands_done() {
        for (line, typed) in [
            ("hello /there", Typed::Say("hello /there".into())),
            ("//compact now", Typed::Say("/compact now".into())),
            ("/approve", Typed::Approve(None)),
            ("/approve q-1 ", Typed::Approve(id("q-1"))),
            ("/deny", Typed::Deny(None, None)),
            ("/deny q-1", Typed::Deny(id("q-1"), None)),
            ("/deny q-1 not that one", Typed::Deny(id("q-1"), Some("not that one".into()))),
            ("/deny please not", Typed::Deny(None, Some("please not".into()))),
            ("/interrupt\r", Typed::Interrupt),
            ("/queue", Typed::Queue),
            ("/help", Typed::Help),
            ("/quit", Typed::Quit),
        ] {
            assert_eq!(parse(line), Ok(typed), "{line}");
        }
    }

    #[test]
    fn slips_say_what_to_type() {
        assert!(parse("/cancel").unwrap_err().contains("/queue"));
        assert!(parse("/aprove").unwrap_err().contains("/help"));
        let cancel = parse("/cancel 0197a2c4-0000-7000-8000-000000000002");
        assert!(matches!(cancel, Ok(Typed::Cancel(_))));
    }

    #[test]
    fn help_names_every_command() {
        for command in ["/approve", "/deny", "/interrupt", "/queue", "/cancel", "/quit"] {
            assert!(HELP.contains(command), "{command}");
        }
    }
}
