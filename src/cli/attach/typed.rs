//! What a typed line means. Pure.

use tandem_actors::ids::{DeviceId, MessageId, RequestId};

/// What can be typed.
pub(super) const HELP: &str = "\
  TEXT               say it to the agent
  /approve [ID]      allow what it asks for; without ID the oldest question
  /always [ID]       the same, and do not ask again for this in this session
  /deny [ID] [WHY]   refuse it, and say why
  /interrupt         end the running turn
  /queue             what waits
  /cancel ID         take a waiting message back
  /lead [DEVICE]     let this device lead, or another one, with what was begun to be written
  /notify TEXT       say it to the people on the other devices, not to the agent
  /quit              leave; the conversation goes on
  //TEXT             say /TEXT to the agent, for its own commands
";

/// A typed line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    Say(String),
    /// Without an id: the oldest question.
    Approve {
        request: Option<RequestId>,
        for_session: bool,
    },
    Deny(Option<RequestId>, Option<String>),
    Interrupt,
    Cancel(MessageId),
    /// Without a device: this one.
    Lead(Option<DeviceId>),
    Notify(String),
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
        "approve" => Ok(Typed::Approve { request: request(rest), for_session: false }),
        "always" => Ok(Typed::Approve { request: request(rest), for_session: true }),
        "deny" => Ok(deny(rest)),
        "interrupt" => Ok(Typed::Interrupt),
        "cancel" => rest
            .parse()
            .map(Typed::Cancel)
            .map_err(|_| "/cancel needs the id of a waiting message; /queue shows them".to_owned()),
        "lead" if rest.is_empty() => Ok(Typed::Lead(None)),
        "lead" => {
            rest.parse().map(|device| Typed::Lead(Some(device))).map_err(|bad| format!("{rest:?}: {bad}"))
        }
        "notify" if rest.is_empty() => Err("/notify needs something to say".to_owned()),
        "notify" => Ok(Typed::Notify(rest.to_owned())),
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
            ("/approve", Typed::Approve { request: None, for_session: false }),
            ("/approve q-1 ", Typed::Approve { request: id("q-1"), for_session: false }),
            ("/always q-1", Typed::Approve { request: id("q-1"), for_session: true }),
            ("/lead", Typed::Lead(None)),
            ("/lead phone", Typed::Lead("phone".parse().ok())),
            ("/notify back at noon", Typed::Notify("back at noon".into())),
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
        assert!(parse("/lead two words").unwrap_err().contains("characters"));
        assert!(parse("/notify ").unwrap_err().contains("to say"));
        assert!(parse("/aprove").unwrap_err().contains("/help"));
        let cancel = parse("/cancel 0197a2c4-0000-7000-8000-000000000002");
        assert!(matches!(cancel, Ok(Typed::Cancel(_))));
    }

    #[test]
    fn help_names_every_command() {
        for command in
            ["/approve", "/always", "/deny", "/interrupt", "/queue", "/cancel", "/lead", "/notify", "/quit"]
        {
            assert!(HELP.contains(command), "{command}");
        }
    }
}
