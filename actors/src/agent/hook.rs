//! What an agent tells before and after it uses a tool, and what it is answered.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::ids::RequestId;

/// The tools that ask before: those that change a file, run a command, or read a file that may be changed afterwards.
pub const ASKING_TOOLS: [&str; 6] = ["Edit", "Write", "MultiEdit", "NotebookEdit", "Bash", "Read"];

/// The tools that tell after: of a command it is not known what it has touched.
pub const TELLING_TOOLS: [&str; 5] = ["Edit", "Write", "MultiEdit", "NotebookEdit", "Read"];

/// The agent is about to use a tool, or has used it, and goes on when it is answered.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Under which it is answered.
    pub request: RequestId,
    /// Before or after.
    pub moment: Moment,
    /// Which tool.
    pub tool: String,
    /// What it was called with.
    pub input: Arc<RawValue>,
    /// The call's own name; the same before and after.
    pub tool_use_id: Option<String>,
    /// Which of the agent's own helpers calls; none for the agent itself.
    pub helper: Option<String>,
    /// Where the agent works at this moment.
    pub cwd: Option<PathBuf>,
}

/// When a hook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was done; whether people are asked for leave comes after it.
    Before,
    /// The tool has done its work without an error.
    After,
}

/// What a hook is answered.
#[derive(Debug, Clone)]
pub enum HookAnswer {
    /// Go on.
    Pass,
    /// Go on with this input. People are asked for leave all the same.
    Instead {
        /// A JSON object.
        input: Arc<RawValue>,
    },
    /// Do not call the tool. Only before it.
    Deny {
        /// What the model is told; never empty.
        reason: String,
    },
}
