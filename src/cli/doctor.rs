//! `tandem doctor`: looks at everything the server needs, and says what to do about what is missing.

mod agent;
mod data_folder;
mod history;
mod port;
mod roots;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::config::{ConfigError, Loaded};

/// Arguments of `doctor`.
#[derive(Debug, Clone, Copy, Args)]
pub struct DoctorArgs {
    /// Print JSON instead of a list
    #[arg(long)]
    pub json: bool,

    /// Read all conversations instead, and see whether every event is there and as it was written
    #[arg(long)]
    pub check: bool,
}

/// What was found, in the order in which it was looked at.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing failed; warnings do not count.
    ok: bool,
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    /// What was found.
    message: String,
    /// What to do; `None` when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, message: message.into(), remedy: None }
    }

    fn warn(name: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, message: message.into(), remedy: Some(remedy.into()) }
    }

    fn fail(name: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, message: message.into(), remedy: Some(remedy.into()) }
    }
}

/// Looks at everything and prints the report; the exit code is 1 when something failed.
///
/// # Errors
/// When the report cannot be written to standard output, or the conversations not be read.
pub async fn run(loaded: Result<Loaded, ConfigError>, args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    if args.check {
        return history::run(&loaded?, args.json);
    }
    let checks = match loaded {
        Ok(loaded) => look_at_all(&loaded).await,
        Err(error) => {
            let message = format!("{:#}", anyhow::Error::from(error));
            vec![Check::fail("configuration", message, "correct it and run `tandem doctor` again")]
        }
    };
    let report = Report { ok: checks.iter().all(|check| check.status != Status::Fail), checks };
    let text = if args.json { serde_json::to_string_pretty(&report)? } else { as_list(&report) };
    writeln!(io::stdout(), "{}", text.trim_end())?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look_at_all(loaded: &Loaded) -> Vec<Check> {
    let config = &loaded.config;
    let source = match &loaded.file {
        Some(path) => path.display().to_string(),
        None => "no tandem.toml; defaults, environment and flags".to_owned(),
    };
    let mut checks = vec![
        Check::ok("configuration", source),
        agent::check(&config.agent.command).await,
        data_folder::check(&config.data.dir),
        data_folder::check_token(&config.data.dir),
        port::check(config.server.address()).await,
    ];
    checks.extend(roots::check(&config.projects.allowed_roots));
    checks
}

fn as_list(report: &Report) -> String {
    let mut list = String::new();
    for check in &report.checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{status:<5} {:<14} {}", check.name, check.message);
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(list, "{:<20} → {remedy}", "");
        }
    }
    let failed = report.checks.iter().filter(|check| check.status == Status::Fail).count();
    list.push_str(&match failed {
        0 => "\nReady: start the server with `tandem serve`.".to_owned(),
        1 => "\nOne thing must be put right first.".to_owned(),
        several => format!("\n{several} things must be put right first."),
    });
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_shows_status_finding_and_remedy() {
        let checks = vec![
            Check::ok("agent", "claude 2.1.328"),
            Check::warn("project folder", "/old is not there", "create it"),
            Check::fail("port", "4870 is taken", "stop the other one"),
        ];
        let expected = "\
ok    agent          claude 2.1.328
warn  project folder /old is not there
                     → create it
FAIL  port           4870 is taken
                     → stop the other one

One thing must be put right first.";
        assert_eq!(as_list(&Report { ok: false, checks }), expected);
    }
}
