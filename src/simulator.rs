//! The built-in agent: speaks the lines of the real CLI on stdin and stdout, without a model and without an account.
//!
//! It takes the same flags, keeps the same transcript below `$HOME/.claude/projects`, and refuses what the CLI
//! refuses. The tests run the same suite against both. What it does is decided by the text that it is sent;
//! [`HELP`] lists it.
//!
//! ```text
//! stdin ──▶ a thread (input.rs) ──▶ events ──▶ engine.rs ──▶ turn.rs, tools.rs ──▶ output.rs ──▶ stdout
//!                                                                └─▶ transcript.rs (file and mirror)
//! ```

mod attachments;
mod engine;
mod hooks;
mod input;
mod options;
mod output;
mod script;
mod timing;
mod tools;
mod transcript;
mod turn;

use std::ffi::OsString;
use std::process::ExitCode;

use engine::Engine;
use options::Options;

/// What `tandem simulator --help` prints.
pub const HELP: &str = "\
The built-in agent. It takes the flags of `claude -p --input-format stream-json` and answers by what it is sent:

  TEXT               echo: TEXT
  /slow N MS         N pieces of text, one every MS milliseconds
  /deltas N          N pieces of text, as fast as possible
  /burst N [BYTES]   N messages of about BYTES (default 100), as fast as possible
  /huge BYTES        one message of that size
  /tool COMMAND      asks for leave, then runs the shell command
  /write PATH TEXT   asks for leave, then writes the file
  /edit PATH OLD NEW asks for leave, then puts one word in the place of another
  /hooks N PATH      edits a file N times without leave, and says how long the hooks of a call take
  /read PATH         reads the file
  /approvals N       asks for leave N times at once
  /attachments       kind, size and SHA-256 of each attachment of the message
  /recall            all earlier texts of the conversation
  /recap             a summary, as a local command
  /clear             begins a new conversation under a new id
  /error TEXT        a turn that fails
  /garbage           lines that are no messages, then an answer
  /sleep MS          says nothing for a while
  /crash [CODE]      says so on stderr and ends at once with that exit code (default 1)
  /hang [soft|hard]  never answers; soft: an interrupt ends it; hard: it ignores SIGINT and SIGTERM too
  /mute              closes its output and lives on
";

/// Runs the simulator on this process's stdin and stdout; `arguments` are those behind the subcommand.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(options::Stop::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(options::Stop::Refused(reason)) => {
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    match Engine::start(options) {
        Ok(engine) => ExitCode::from(engine.run()),
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
