//! `tandem send`: one message, and its answer as it comes.

use clap::Args;
use tandem_actors::ids::SessionId;

use crate::config::Loaded;

/// Arguments of `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The conversation, as `tandem sessions` shows it
    pub session: SessionId,

    /// What to say
    pub text: String,
}

/// Sends the message and prints the answer until the turn has ended.
///
/// # Errors
/// When no server answers, or the turn fails.
pub async fn run(_loaded: Loaded, _args: SendArgs) -> anyhow::Result<()> {
    anyhow::bail!("`send` is not wired yet")
}
