//! The flags that set something, the same for every command.

use std::path::PathBuf;

use clap::Args;

use crate::config::{ConfigError, FlagValue, Loaded, Surroundings, load};

/// Flags that set something. Their values stay text: [`load`] reads them like those of the other sources.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingArgs {
    /// Read this configuration file instead of the one in the data folder
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Keep conversations, the token and tandem.toml here
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,

    /// Listen on this address [default: 127.0.0.1]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub bind: Option<String>,

    /// Listen on this port [default: 4870]
    #[arg(long, global = true, value_name = "PORT", allow_hyphen_values = true)]
    pub port: Option<String>,

    /// Run this agent: a name on the PATH, a path, or `simulator` [default: claude]
    #[arg(long, global = true, value_name = "COMMAND")]
    pub agent: Option<String>,

    /// Let conversations work in this folder; may be repeated [default: home and current folder]
    #[arg(long = "allowed-root", global = true, value_name = "FOLDER")]
    pub allowed_roots: Vec<String>,

    /// Let web pages of this origin connect; may be repeated [default: the server's own]
    #[arg(long = "allowed-origin", global = true, value_name = "ORIGIN")]
    pub allowed_origins: Vec<String>,
}

impl SettingArgs {
    /// The flags that were given.
    #[must_use]
    pub fn flags(&self) -> Vec<FlagValue> {
        let given = [
            ("--data-dir", self.data_dir.as_slice()),
            ("--bind", self.bind.as_slice()),
            ("--port", self.port.as_slice()),
            ("--agent", self.agent.as_slice()),
            ("--allowed-root", &self.allowed_roots),
            ("--allowed-origin", &self.allowed_origins),
        ];
        let given = given.into_iter().filter(|(_, values)| !values.is_empty());
        given.map(|(flag, values)| FlagValue { flag, values: values.to_vec() }).collect()
    }

    /// Puts them together with the file and the environment of this process.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        load(&Surroundings::of_process(), self.config.as_deref(), &self.flags())
    }
}
