//! The log: `tracing` to standard error, for a person or as JSON lines.

use std::env;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The variable that says what is logged.
pub const FILTER_VARIABLE: &str = "TANDEM_LOG";

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person; coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error(
        "{FILTER_VARIABLE} is {filter:?}, which is no log filter; use for example `debug` or `info,tandem=debug`"
    )]
    BadFilter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// A log was started before.
    #[error("the log was already started")]
    AlreadyStarted,
}

/// Starts the log of this process. `TANDEM_LOG` says what is logged; without it, `default_level` and what is graver.
///
/// # Errors
/// [`TelemetryError`]; nothing is logged then.
pub fn start(format: LogFormat, default_level: LevelFilter) -> Result<(), TelemetryError> {
    let filter = parse_filter(&env::var(FILTER_VARIABLE).unwrap_or_default(), default_level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| TelemetryError::AlreadyStarted)
}

fn parse_filter(filter: &str, default_level: LevelFilter) -> Result<EnvFilter, TelemetryError> {
    let builder = EnvFilter::builder().with_default_directive(default_level.into());
    builder.parse(filter).map_err(|cause| TelemetryError::BadFilter { filter: filter.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_holds_and_a_bad_filter_says_what_to_use() {
        assert_eq!(parse_filter("", LevelFilter::INFO).unwrap().to_string(), "info");
        assert!(parse_filter("warn,tandem=debug", LevelFilter::INFO).is_ok());
        let refusal = parse_filter("tandem=loudly", LevelFilter::INFO).unwrap_err().to_string();
        assert!(refusal.contains("TANDEM_LOG") && refusal.contains("tandem=debug"), "{refusal}");
    }
}
