//! How often an agent that keeps failing is started again, and which failures no new start can cure. Pure.

use std::time::Duration;

use crate::agent::{Exit, ExitCause, TurnResult};

/// The waits between starts, after the second failure in a row and each one behind it; the first failure is mended at once.
const WAITS_SECONDS: [u64; 7] = [1, 2, 4, 8, 16, 32, 60];

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start again after this time.
    StartAfter(Duration),
    /// Leave it until a person does something.
    Park,
}

/// What follows the failure that is the `in_a_row`th (from 1) without a healthy turn in between.
#[must_use]
pub fn after_failure(in_a_row: u32) -> Next {
    let Some(place) = in_a_row.checked_sub(2) else { return Next::StartAfter(Duration::ZERO) };
    let wait = usize::try_from(place).ok().and_then(|place| WAITS_SECONDS.get(place));
    wait.map_or(Next::Park, |seconds| Next::StartAfter(Duration::from_secs(*seconds)))
}

/// Why a new start would fail the same way, if it would: what a person must do about it.
#[must_use]
pub fn fatal_exit(exit: &Exit) -> Option<&'static str> {
    if exit.cause == ExitCause::NotFound {
        return Some("There is no agent to run. Install Claude Code, or set agent.command.");
    }
    fatal_text(&exit.last_words)
}

/// The same for a turn that the agent itself ended with an error.
#[must_use]
pub fn fatal_result(result: &TurnResult) -> Option<&'static str> {
    if !result.is_error {
        return None;
    }
    fatal_text(result.text.as_deref()?)
}

/// Recognised by the words of the CLI (2.1.328): it has no codes for them that are the same on stderr and in results.
fn fatal_text(text: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 9] = [
        (
            "please run /login",
            "The agent is not logged in. Run `claude` in a terminal on this machine and log in.",
        ),
        (
            "not logged in",
            "The agent is not logged in. Run `claude` in a terminal on this machine and log in.",
        ),
        (
            "invalid api key",
            "The agent's API key is not valid. Correct ANTHROPIC_API_KEY and start the server again.",
        ),
        (
            "failed to authenticate",
            "The agent's login or API key is refused. Log in with `claude`, or correct the key.",
        ),
        (
            "credit balance is too low",
            "The agent's account has no credit left. Add some, then send a message to go on.",
        ),
        (
            "oauth token has expired",
            "The agent's login has expired. Run `claude` in a terminal and log in again.",
        ),
        (
            "issue with the selected model",
            "The agent does not know this model, or may not use it. Choose another one.",
        ),
        ("model_not_found", "The agent does not know this model. Choose another one."),
        (
            "cannot enter the project folder",
            "The project's folder is gone. Put it back, or close this session.",
        ),
    ];
    let text = text.to_lowercase();
    KNOWN.iter().find(|(words, _)| text.contains(words)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_wait_longer_and_longer_and_then_park() {
        let waits: Vec<Next> = (1..=9).map(after_failure).collect();
        let seconds = |seconds| Next::StartAfter(Duration::from_secs(seconds));
        assert_eq!(
            waits,
            [0, 1, 2, 4, 8, 16, 32, 60].map(seconds).into_iter().chain([Next::Park]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_no_new_start_can_cure_is_recognised() {
        let exit = |cause, words: &str| Exit { code: Some(1), signal: None, last_words: words.into(), cause };
        assert!(fatal_exit(&exit(ExitCause::NotFound, "")).is_some());
        assert!(fatal_exit(&exit(ExitCause::NotStarted, "Invalid API key · Please run /login")).is_some());
        assert!(fatal_exit(&exit(ExitCause::ByItself, "segmentation fault")).is_none());
    }
}
