//! `tandem token`: prints the token, and nothing else, so that it can be used in a script.

use std::io::{self, Write};

use clap::Args;

use crate::auth::read_token;
use crate::config::Loaded;

/// Arguments of `token`.
#[derive(Debug, Clone, Copy, Args)]
pub struct TokenArgs {}

/// Prints the token of the data folder.
///
/// # Errors
/// When there is none, or it cannot be read by this user.
pub fn run(loaded: &Loaded, _args: &TokenArgs) -> anyhow::Result<()> {
    let token = read_token(&loaded.config.data.dir)?;
    writeln!(io::stdout(), "{}", token.as_str())?;
    Ok(())
}
