//! The lines that the agent reads and prints, translated to what the session knows. Pure: no I/O, no state.
//!
//! One line is one JSON object. What is understood is described in docs/claude-cli.md; what is not passes
//! through verbatim. [`parse`] reads a line's few fields of interest and copies the line only where it is kept.

mod encode;
mod parse;

use crate::agent::AgentOutput;
use crate::ids::MessageId;

pub use encode::{initialize, input};
pub use parse::{garbage, parse};

/// The name of our first request; its answer means that the agent is ready.
const INITIALIZE: &str = "tandem-initialize";

/// The name of the hook before a tool.
const BEFORE: &str = "tandem-before";

/// The name of the hook after a tool.
const AFTER: &str = "tandem-after";

/// All our requests are named with this; answers to other names are echoes of answers that we gave.
const OUR_PREFIX: &str = "tandem-";

/// What one line of the agent means.
#[derive(Debug, Clone)]
pub enum Line {
    /// Something to tell the session.
    Output(AgentOutput),
    /// It repeats a message that it was given: either it has just started it, or it knew it already.
    Replayed(MessageId),
    /// `initialize` was answered.
    Initialized {
        /// The agent's version, where it says.
        version: Option<String>,
    },
    /// A request of ours was refused.
    Refused {
        /// Its name, which begins with what was asked.
        request_id: String,
        /// The agent's words.
        error: String,
    },
    /// It must be answered with this line (which has its newline), or the agent waits forever.
    Reply(String),
    /// Of no interest: an echo, an acknowledgement, a blank line.
    Nothing,
}
