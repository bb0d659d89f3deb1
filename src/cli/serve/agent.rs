//! Which agent the server runs: the configured one, or the built-in one where that is missing.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::Context as _;
use tandem_actors::agent::process::{Environment, ProcessConfig, ProcessLauncher};
use tandem_actors::blobs::Blobs;

use crate::agent_probe::{AgentProbe, SIMULATOR};
use crate::config::AgentConfig;
use crate::service::AgentFacts;

/// What was found, and what is run.
#[derive(Debug)]
pub(super) struct Agent {
    /// What was found of the configured agent.
    pub(super) probe: AgentProbe,
    /// As it was configured.
    pub(super) command: String,
    process: ProcessConfig,
}

impl Agent {
    /// Looks for the configured agent; takes up to 10 s where it does not tell its version.
    ///
    /// # Errors
    /// When it is missing and this program cannot find itself to stand in.
    pub(super) async fn find(config: &AgentConfig) -> anyhow::Result<Self> {
        let probe = AgentProbe::find(&config.command).await;
        let environment = Environment::inherited(&config.environment);
        let process = match &probe {
            AgentProbe::Found { path, .. } | AgentProbe::Broken { path, .. } => {
                let mut process = ProcessConfig::new(path.clone(), environment);
                process.extra_args = config.args.iter().map(OsString::from).collect();
                process
            }
            AgentProbe::Simulator | AgentProbe::Missing { .. } => {
                let own = std::env::current_exe().context("cannot find the program of the built-in agent")?;
                let mut process = ProcessConfig::new(own, environment);
                process.args_prefix = vec![SIMULATOR.into()];
                process
            }
        };
        Ok(Self { probe, command: config.command.clone(), process })
    }

    /// Starts the thread on which agents are hosted; `blobs` has the attachments of what they are told.
    pub(super) fn launcher(&self, blobs: Arc<dyn Blobs>) -> anyhow::Result<ProcessLauncher> {
        ProcessLauncher::start(self.process.clone(), blobs).context("cannot start the thread of the agents")
    }

    /// What `/health` says.
    pub(super) fn facts(&self) -> AgentFacts {
        let version = match &self.probe {
            AgentProbe::Found { version, .. } => Some(version.to_string()),
            AgentProbe::Simulator | AgentProbe::Broken { .. } | AgentProbe::Missing { .. } => None,
        };
        let problem = match &self.probe {
            // Strangers read this: a file's name, and never where it is.
            AgentProbe::Broken { path, problem } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Some(format!("`{name}` is there but {problem}"))
            }
            AgentProbe::Found { .. } | AgentProbe::Simulator | AgentProbe::Missing { .. } => None,
        };
        AgentFacts { command: self.command.clone(), is_found: self.probe.is_usable(), version, problem }
    }
}
