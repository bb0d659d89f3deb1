//! The command line: what can be asked for, and which module answers it.

pub mod answer;
pub mod api;
pub mod attach;
pub mod backup;
pub mod config;
pub mod conflicts;
pub mod connection;
pub mod doctor;
pub mod link;
pub mod locks;
pub mod render;
pub mod restore;
pub mod send;
pub mod serve;
pub mod session_ref;
pub mod sessions;
pub mod settings;
pub mod token;
pub mod top;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::telemetry::{self, LogFormat};

use self::settings::SettingArgs;

/// One Claude Code conversation, every device.
///
/// Runs a server that owns your Claude Code conversations and shows them, live and complete, on every device that has its
/// token. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Where settings come from, besides the environment.
    #[command(flatten)]
    pub settings: SettingArgs,

    /// Write the log as JSON, one object a line; TANDEM_LOG says what is logged
    #[arg(long, global = true, help_heading = "Settings")]
    pub log_json: bool,

    /// What to do; `serve` when it is left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  tandem                                  start the server on 127.0.0.1:4870
  tandem doctor                           see whether everything it needs is there
  tandem token                            print the token that other devices need
  tandem send 0198c0de-… \"run the tests\"  talk to a conversation from a script";

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server (the default)
    #[command(after_help = "Example:\n  tandem serve --port 8080 --allowed-root ~/projects")]
    Serve(serve::ServeArgs),

    /// Print the token that devices need to connect
    #[command(
        after_help = "Example:\n  curl -H \"Authorization: Bearer $(tandem token)\" http://127.0.0.1:4870/api/sessions"
    )]
    Token(token::TokenArgs),

    /// Print the link that opens the page, and a QR code of it for a phone
    #[command(
        after_help = "Example:\n  tandem link\n\nWhoever has the link may do everything: it holds the token."
    )]
    Link(link::LinkArgs),

    /// List the conversations of the running server
    #[command(after_help = "Example:\n  tandem sessions --json")]
    Sessions(sessions::SessionsArgs),

    /// Send a message to a conversation and print the answer as it comes
    #[command(
        after_help = "Example:\n  tandem send --new ~/projects/site \"hello\"\n  tandem send 0198c0de \"run the tests\"\n\nExits with 0 when the turn completed, with 1 when it failed or was interrupted."
    )]
    Send(send::SendArgs),

    /// Follow a conversation and type into it
    #[command(after_help = "Example:\n  tandem attach 0198c0de\n\nType /help for what can be typed.")]
    Attach(attach::AttachArgs),

    /// Watch the conversations of the running server
    #[command(after_help = "Example:\n  tandem top --sort cost\n  tandem top --once")]
    Top(top::TopArgs),

    /// See who holds which lock, and take one away
    #[command(
        after_help = "Example:\n  tandem locks --project ~/projects/site\n  tandem locks --project ~/projects/site --force src/index.html"
    )]
    Locks(locks::LocksArgs),

    /// See who got in whose way, and settle it
    #[command(
        after_help = "Example:\n  tandem conflicts\n  tandem conflicts resolve 0198c0de-… theirs\n  tandem conflicts resolve 0198c0de-… merged both.txt"
    )]
    Conflicts(conflicts::ConflictsArgs),

    /// See whether everything the server needs is there, and what to do if not
    #[command(
        after_help = "Example:\n  tandem doctor --port 8080\n  tandem doctor --check\n\nExits with 1 when something must be put right."
    )]
    Doctor(doctor::DoctorArgs),

    /// Copy all conversations into one file, also while the server runs
    #[command(after_help = "Example:\n  tandem backup ~/tandem-$(date +%F).db")]
    Backup(backup::BackupArgs),

    /// Bring a backup back; the server must be stopped
    #[command(
        after_help = "Example:\n  tandem restore ~/tandem-2026-01-31.db\n\nThe database that is there is moved aside, never deleted."
    )]
    Restore(restore::RestoreArgs),

    /// Print the settings in force and where each came from
    #[command(after_help = "Example:\n  tandem config > tandem.toml")]
    Config(config::ConfigArgs),
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// The built-in agent, with arguments as `claude` takes them: they are its own and not looked at here.
    Simulator(Vec<OsString>),
    /// Anything else.
    Command(Box<Cli>),
}

/// Reads a command line, the program's name first. Prints help and ends the process when it asks for that, or is wrong.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Invocation {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.get(1) {
        Some(first) if first == crate::agent_probe::SIMULATOR => Invocation::Simulator(args[2..].to_vec()),
        _ => Invocation::Command(Box::new(Cli::parse_from(args))),
    }
}

/// Does what was asked for, and says what went wrong.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let outcome = start_log(&cli).and_then(|()| actix_web::rt::System::new().block_on(dispatch(cli)));
    match outcome {
        Ok(code) => code,
        Err(error) if is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tandem: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(cli: &Cli) -> anyhow::Result<()> {
    let format = if cli.log_json { LogFormat::Json } else { LogFormat::Text };
    let is_server = matches!(cli.command, None | Some(Command::Serve(_)));
    let default_level = if is_server { LevelFilter::INFO } else { LevelFilter::WARN };
    Ok(telemetry::start(format, default_level)?)
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = cli.settings;
    match cli.command.unwrap_or(Command::Serve(serve::ServeArgs {})) {
        Command::Serve(args) => serve::run(settings.load()?, args).await?,
        Command::Token(args) => token::run(&settings.load()?, &args)?,
        Command::Link(args) => link::run(&settings.load()?, &args)?,
        Command::Sessions(args) => sessions::run(settings.load()?, args).await?,
        Command::Send(args) => return send::run(settings.load()?, args).await,
        Command::Attach(args) => attach::run(settings.load()?, args).await?,
        Command::Top(args) => top::run(settings.load()?, args).await?,
        Command::Locks(args) => locks::run(&settings.load()?, &args).await?,
        Command::Conflicts(args) => conflicts::run(&settings.load()?, &args).await?,
        Command::Backup(args) => backup::run(&settings.load()?, &args)?,
        Command::Restore(args) => restore::run(&settings.load()?, &args)?,
        Command::Doctor(args) => return doctor::run(settings.load(), &args).await,
        Command::Config(args) => config::run(&settings.load()?, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `tandem config | head` is no failure.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::keys::KEYS;

    fn parsed(line: &str) -> Cli {
        match parse(line.split(' ').map(OsString::from)) {
            Invocation::Command(cli) => *cli,
            Invocation::Simulator(args) => panic!("the simulator with {args:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_are_taken_before_and_behind_the_command() {
        for line in ["tandem --port 1 doctor --json", "tandem doctor --json --port 1"] {
            let cli = parsed(line);
            assert!(matches!(cli.command, Some(Command::Doctor(_))), "{line}");
            assert_eq!(cli.settings.flags()[0].values, ["1"], "{line}");
        }
        assert!(parsed("tandem --log-json").command.is_none());
    }

    #[test]
    fn the_server_is_named_before_and_behind_what_is_done() {
        for line in [
            "tandem conflicts --url http://x resolve ID ours",
            "tandem conflicts resolve ID ours --url http://x",
        ] {
            let Some(Command::Conflicts(args)) = parsed(line).command else { panic!("{line}") };
            assert_eq!(args.server.url.as_deref(), Some("http://x"), "{line}");
        }
    }

    #[test]
    fn every_flag_of_the_table_of_keys_is_one_of_the_command_line() {
        let command = Cli::command();
        for key in KEYS {
            let Some(flag) = key.flag else { continue };
            let has_flag =
                command.get_arguments().any(|argument| argument.get_long() == flag.strip_prefix("--"));
            assert!(has_flag, "{flag}");
        }
    }

    #[test]
    fn arguments_of_the_simulator_are_its_own() {
        let line = "tandem simulator -p --version --help --agent x --port y";
        match parse(line.split(' ').map(OsString::from)) {
            Invocation::Simulator(args) => assert_eq!(args.len(), 7),
            Invocation::Command(cli) => panic!("{cli:?}"),
        }
    }
}
