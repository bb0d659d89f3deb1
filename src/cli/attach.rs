//! `tandem attach`: follows a conversation and types into it.

use clap::Args;
use tandem_actors::ids::SessionId;

use crate::config::Loaded;

/// Arguments of `attach`.
#[derive(Debug, Clone, Copy, Args)]
pub struct AttachArgs {
    /// The conversation, as `tandem sessions` shows it
    pub session: SessionId,
}

/// Follows the conversation until the input ends.
///
/// # Errors
/// When no server answers.
pub async fn run(_loaded: Loaded, _args: AttachArgs) -> anyhow::Result<()> {
    anyhow::bail!("`attach` is not wired yet")
}
