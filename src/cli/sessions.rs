//! `tandem sessions`: lists the conversations of the running server.

use clap::Args;

use crate::config::Loaded;

/// Arguments of `sessions`.
#[derive(Debug, Clone, Copy, Args)]
pub struct SessionsArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Prints the list.
///
/// # Errors
/// When no server answers.
pub async fn run(_loaded: Loaded, _args: SessionsArgs) -> anyhow::Result<()> {
    anyhow::bail!("`sessions` is not wired yet")
}
