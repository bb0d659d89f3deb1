//! `tandem serve`: runs the server until it is told to stop.

use clap::Args;

use crate::config::Loaded;

/// Arguments of `serve`; what it can be told is in the settings.
#[derive(Debug, Clone, Copy, Args)]
pub struct ServeArgs {}

/// Runs the server until a signal ends it.
///
/// # Errors
/// When it cannot start.
pub async fn run(_loaded: Loaded, _args: ServeArgs) -> anyhow::Result<()> {
    anyhow::bail!("`serve` is not wired yet")
}
