//! `tandem config`: what is in force, and where each value came from.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::config::Loaded;
use crate::config::keys::{KEYS, Key};

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
    let values = serde_json::to_value(&loaded.config)?;
    let text = if args.json { as_json(loaded, &values)? } else { as_toml(loaded, &values) };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Lines of a `tandem.toml`: numbers, texts and lists of texts are written the same in TOML as in JSON.
fn as_toml(loaded: &Loaded, values: &Value) -> String {
    let settings = || KEYS.iter().map(|key| format!("{} = {}", key.name, value_of(key, values)));
    // One long list must not push all comments out of sight.
    let width =
        settings().map(|setting| setting.chars().count()).filter(|width| *width <= 50).max().unwrap_or(0);
    let lines = KEYS.iter().zip(settings());
    let lines = lines.map(|(key, setting)| format!("{setting:width$}  # {}", loaded.origin(key.name)));
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(loaded: &Loaded, values: &Value) -> serde_json::Result<String> {
    let entry =
        |key: &Key| json!({"value": value_of(key, values), "origin": loaded.origin(key.name).to_string()});
    let entries: Map<String, Value> = KEYS.iter().map(|key| (key.name.to_owned(), entry(key))).collect();
    serde_json::to_string_pretty(&entries)
}

fn value_of<'a>(key: &Key, values: &'a Value) -> &'a Value {
    let (section, name) = key.parts();
    &values[section][name]
}
