//! What every handler and every socket has at hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_actors::hub::Hub;

use crate::access::Access;
use crate::config::InForce;
use crate::doors::Doors;
use crate::git::{Git, Ledger, Parts, Program};
use crate::traffic::Traffic;

/// One running server, shared by all of its threads.
pub struct Service {
    /// The way into the actor system.
    pub hub: Hub,
    /// What was configured.
    pub settings: Settings,
    /// Who may come in.
    pub access: Access,
    /// The open sockets.
    pub doors: Doors,
    /// Git in turn.
    pub git: Git,
    /// What is counted of the wire.
    pub traffic: Traffic,
    pub(crate) started: Instant,
}

/// How the server behaves on the wire. Values are checked where they are read, not here.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that carry connections. Two keep one busy device from delaying all others.
    pub workers: usize,
    /// Open WebSockets, of all devices together; one more is answered 503.
    pub max_connections: usize,
    /// How often the server pings; three silent intervals end a connection.
    pub heartbeat: Duration,
    /// How long a connection may be open without a `hello`.
    pub hello_within: Duration,
    /// How long one write may take before the connection is cut off.
    pub write_within: Duration,
    /// How long an orderly stop waits for sockets, and again for HTTP requests.
    pub shutdown_within: Duration,
    /// How long before it expires a session needs a warning.
    pub warn_before: Duration,
    /// Agents that may run at once.
    pub max_agents: usize,
    /// What all agents together may use, in bytes.
    pub max_memory_bytes: u64,
    /// The agent that sessions run on.
    pub agent: AgentFacts,
    /// Where it is written down in which trees git is at work.
    pub git_ledger: Option<Ledger>,
    /// All settings, for people who ask; nothing here reads them.
    pub config: Vec<InForce>,
}

/// The agent as it was found at start.
#[derive(Debug, Clone, Default)]
pub struct AgentFacts {
    /// The command.
    pub command: String,
    /// Whether there is such a program; otherwise sessions run on the simulator.
    pub is_found: bool,
    /// What it says its version is.
    pub version: Option<String>,
    /// Why it cannot work although it is there. One that is missing is stood in for, and is no problem.
    pub problem: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 2,
            max_connections: 1000,
            heartbeat: Duration::from_secs(30),
            hello_within: Duration::from_secs(10),
            write_within: Duration::from_secs(10),
            shutdown_within: Duration::from_secs(3),
            warn_before: Duration::from_hours(4),
            max_agents: 10,
            max_memory_bytes: 2 * 1024 * 1024 * 1024,
            agent: AgentFacts::default(),
            git_ledger: None,
            config: Vec::new(),
        }
    }
}

impl Service {
    /// Puts it together; nobody is connected yet.
    #[must_use]
    pub fn new(hub: Hub, settings: Settings, access: Access) -> Self {
        let doors = Doors::new(settings.max_connections);
        let traffic = Traffic::default();
        let git = git(&hub, &settings);
        Self { hub, settings, access, doors, git, traffic, started: Instant::now() }
    }
}

fn git(hub: &Hub, settings: &Settings) -> Git {
    let (projects, known) = (hub.projects.clone(), hub.projects.clone());
    Git::new(Parts {
        program: Program::find(),
        keeper: hub.locks.keeper().clone(),
        feed: hub.projects.clone(),
        files: hub.files.clone(),
        clock: hub.clock.clone(),
        find_project: Arc::new(move |path| {
            let projects = projects.clone();
            Box::pin(async move { projects.find(&path).await })
        }),
        is_open: Arc::new(move |project, conflict| known.is_open(project, conflict)),
        wait: hub.locks.longest_wait(),
        ledger: settings.git_ledger.clone(),
    })
}

impl std::fmt::Debug for Service {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Service({:?})", self.settings)
    }
}
