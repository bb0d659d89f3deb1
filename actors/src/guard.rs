//! The guard of agents: what stands between a tool call and the files, and holds the agent to the locks.

mod git;
mod shell;
mod touches;

pub use git::GitUse;
pub use touches::{Touch, touch};
