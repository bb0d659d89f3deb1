//! `tandem config`: what is in force, and where each value came from.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::config::{InForce, Loaded};

/// Arguments of `config`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ConfigArgs {
    /// Print JSON instead of TOML
    #[arg(long)]
    pub json: bool,
}

/// Prints all settings.
///
/// # Errors
/// When they cannot be written to standard output.
pub fn run(loaded: &Loaded, args: &ConfigArgs) -> anyhow::Result<()> {
    let settings = loaded.in_force()?;
    let text = if args.json { as_json(settings)? } else { as_toml(&settings) };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Lines of a `tandem.toml`: numbers, texts and lists of texts are written the same in TOML as in JSON.
fn as_toml(settings: &[InForce]) -> String {
    let assignments = || settings.iter().map(|setting| format!("{} = {}", setting.key, setting.value));
    // One long list must not push all comments out of sight.
    let width =
        assignments().map(|line| line.chars().count()).filter(|width| *width <= 50).max().unwrap_or(0);
    let lines = settings.iter().zip(assignments());
    let lines = lines.map(|(setting, line)| format!("{line:width$}  # {}", setting.origin));
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(settings: Vec<InForce>) -> serde_json::Result<String> {
    let entries: Map<String, Value> = settings
        .into_iter()
        .map(|setting| (setting.key.to_owned(), json!({ "value": setting.value, "origin": setting.origin })))
        .collect();
    serde_json::to_string_pretty(&entries)
}
