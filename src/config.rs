//! What an operator can set: typed, checked, and with the place every value came from.
//!
//! ```text
//! defaults < tandem.toml < environment < flags
//! ```
//!
//! The table in [`keys`] is the one place that names a key; the README's table is checked against it.

mod check;
mod error;
mod in_force;
pub mod keys;
mod layer;
mod load;
mod paths;
mod shape;
mod surroundings;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tandem_actors::project::Enforcement;

use crate::auth::Origin;

pub use error::ConfigError;
pub use in_force::InForce;
pub use load::{FlagValue, Loaded, load};
pub use shape::Shape;
pub use surroundings::Surroundings;

/// Every setting of a server, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Where it listens and to whom.
    pub server: ServerConfig,
    /// What it keeps.
    pub data: DataConfig,
    /// Where conversations may work.
    pub projects: ProjectsConfig,
    /// The agent processes.
    pub agent: AgentConfig,
    /// The life of a conversation.
    pub session: SessionConfig,
    /// What the agent asks people.
    pub approvals: ApprovalsConfig,
    /// Locks between conversations.
    pub locks: LocksConfig,
    /// How it ends.
    pub shutdown: ShutdownConfig,
}

/// `[server]`: where the server listens and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerConfig {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Origins of web pages that may connect besides the server's own.
    pub allowed_origins: Vec<Origin>,
    /// WebSocket connections at a time, at least 1.
    pub max_connections: usize,
    /// Seconds between two pings; three silent spans end a connection.
    pub heartbeat_seconds: u64,
}

/// `[data]`: what the server keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataConfig {
    /// The folder of the journal, the token and `tandem.toml`; absolute, need not exist yet.
    pub dir: PathBuf,
}

/// `[projects]`: where conversations may work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectsConfig {
    /// A project must lie in one of these; absolute, not empty, as written (links are not resolved).
    pub allowed_roots: Vec<PathBuf>,
}

/// `[agent]`: the agent processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentConfig {
    /// A name to be found on the `PATH`, an absolute path, or `simulator`.
    pub command: String,
    /// Arguments added to Tandem's own; none of those that Tandem sets itself.
    pub args: Vec<String>,
    /// Names of variables that an agent inherits besides the usual ones.
    pub environment: Vec<String>,
    /// Live processes at a time, at least 1.
    pub max_concurrent: usize,
    /// An agent that had nothing to do for so long is stopped; its conversation stays.
    pub idle_minutes: u64,
    /// A turn without output for so long is interrupted.
    pub hang_seconds: u64,
    /// The memory that one agent's process tree may take.
    pub max_memory_mb: u64,
    /// The memory of all agents together above which no further one is started.
    pub max_total_memory_gb: u64,
    /// The use of the machine's processors above which no further agent is started; 1 to 100.
    pub cpu_limit_percent: u64,
}

/// `[session]`: the life of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionConfig {
    /// Hours without activity after which a conversation expires.
    pub timeout_hours: u64,
    /// Hours without activity after which devices are warned; below `timeout_hours`, 0 for no warning.
    pub warning_hours: u64,
    /// How long an equal message without an id counts as sent twice; 0 is off.
    pub dedup_window_seconds: u64,
}

/// `[approvals]`: what the agent asks people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalsConfig {
    /// How long a question waits for an answer before it is denied; 0 waits for ever.
    pub deny_after_minutes: u64,
}

/// `[locks]`: locks between conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocksConfig {
    /// How long a lock holds without being renewed.
    pub ttl_seconds: u64,
    /// How long a request waits for a lock that another holds; 0 does not wait.
    pub wait_seconds: u64,
    /// How long an agent's tool call waits for a lock that another holds; 0 does not wait.
    pub agent_wait_seconds: u64,
    /// How agents are held to locks in projects for which nobody has chosen.
    pub enforcement: Enforcement,
}

/// `[shutdown]`: how the server ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How long running turns may go on after the signal to stop.
    pub grace_seconds: u64,
}

impl ServerConfig {
    /// The address and port to listen on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueOrigin {
    /// Nobody set it.
    Default,
    /// This configuration file.
    File(PathBuf),
    /// This environment variable.
    Environment(&'static str),
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File(path) => write!(out, "file {}", path.display()),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::Flag(name) => write!(out, "flag {name}"),
        }
    }
}
