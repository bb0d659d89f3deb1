//! `tandem doctor --check`: is every event of every conversation there, and as it was written?

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::json;

use crate::config::Loaded;
use crate::store::{self, Findings};

/// Reads everything and prints what is wrong; the exit code is 1 when anything is.
pub(super) fn run(loaded: &Loaded, as_json: bool) -> anyhow::Result<ExitCode> {
    let findings = store::check(&loaded.config.data.dir)?;
    let is_whole = findings.problems.is_empty();
    let text = if as_json {
        let mut report = serde_json::to_value(&findings)?;
        report["ok"] = json!(is_whole);
        serde_json::to_string_pretty(&report)?
    } else {
        in_words(&findings)
    };
    writeln!(io::stdout(), "{}", text.trim_end())?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(findings: &Findings) -> String {
    let Findings { sessions, channels, events, transcript_lines, blobs, seconds, problems } = findings;
    let mut text = format!(
        "{sessions} conversations, {channels} projects, {events} events, {transcript_lines} lines of transcript, {blobs} attachments, read in {seconds:.1} s.\n"
    );
    if problems.is_empty() {
        text.push_str("All of it is whole.");
        return text;
    }
    for problem in problems {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "FAIL  {problem}");
    }
    text.push_str("\nStop the server and bring back a backup with `tandem restore FILE`; the files that are there are kept.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Problem;

    #[test]
    fn problems_are_listed_with_their_event() {
        let session = "00000000-0000-0000-0000-000000000001".parse().unwrap();
        let problem = Problem { session: Some(session), seq: Some(7), problem: "it is gone".to_owned() };
        let text =
            in_words(&Findings { sessions: 1, events: 8, problems: vec![problem], ..Findings::default() });
        assert!(text.starts_with("1 conversations, 0 projects, 8 events, 0 lines of transcript"), "{text}");
        let line = "\nFAIL  session 00000000-0000-0000-0000-000000000001, event 7: it is gone\n";
        assert!(text.contains(line), "{text}");
    }
}
