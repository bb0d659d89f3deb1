//! Runs agents as child processes: the real CLI, or anything that speaks its lines.
//!
//! ```text
//!              ┌─ stdin  ◀── writer ◀── AgentInput
//!  process ────┼─ stdout ──▶ reader ──▶ batches of AgentOutput      (all on one thread: host.rs)
//!              ├─ stderr ──▶ last words
//!              └─ exit   ──▶ watch  ──▶ ends the tree, drains stdout, Exited
//! ```

mod child;
mod environment;
mod host;
mod last_words;
mod restore;
mod stdio;
mod transcript;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::agent::tree::{Owner, end_and_count};
use crate::agent::{
    AgentHandle, Conversation, INPUT_LINES, Launch, Launcher, MAX_LINE_BYTES, OUTPUT_BATCHES, Sweep,
};
use crate::blobs::Blobs;
use crate::ids::SessionId;
use crate::journal::TranscriptLine;
use host::Host;

pub use environment::Environment;

/// What every agent of a server is started with.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// The program: a path, or a name that is looked for in the PATH of `environment`.
    pub program: OsString,
    /// Arguments before those of the CLI, for instance the name of a subcommand that speaks its lines.
    pub args_prefix: Vec<OsString>,
    /// Arguments behind those that Tandem gives.
    pub extra_args: Vec<OsString>,
    /// The whole environment, but for the marker.
    pub environment: Environment,
    /// How long a process may take from its start until it has answered `initialize`.
    pub ready_within: Duration,
    /// The longest line that is taken; a longer one is dropped and told as garbage.
    pub max_line_bytes: usize,
}

impl ProcessConfig {
    /// A program with nothing special: 30 seconds to become ready, 100 times what the real CLI needs, and
    /// lines of at most [`MAX_LINE_BYTES`].
    #[must_use]
    pub fn new(program: impl Into<OsString>, environment: Environment) -> Self {
        Self {
            program: program.into(),
            args_prefix: Vec::new(),
            extra_args: Vec::new(),
            environment,
            ready_within: Duration::from_secs(30),
            max_line_bytes: MAX_LINE_BYTES,
        }
    }
}

/// Starts agents as child processes. Agents that run keep running when it is dropped.
pub struct ProcessLauncher {
    config: Arc<ProcessConfig>,
    host: Arc<Host>,
    blobs: Arc<dyn Blobs>,
}

impl ProcessLauncher {
    /// Starts the thread on which all agents of this launcher are hosted. `blobs` has the attachments of what they are told.
    ///
    /// # Errors
    /// When the thread or its event loop cannot be had; a later retry is safe.
    pub fn start(config: ProcessConfig, blobs: Arc<dyn Blobs>) -> io::Result<Self> {
        Ok(Self { config: Arc::new(config), host: Arc::new(Host::start()?), blobs })
    }
}

impl std::fmt::Debug for ProcessLauncher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ProcessLauncher({:?})", self.config)
    }
}

impl Launcher for ProcessLauncher {
    fn launch(&self, launch: Launch) -> AgentHandle {
        let (input, inputs) = mpsc::channel(INPUT_LINES);
        let (outputs, output) = mpsc::channel(OUTPUT_BATCHES);
        // An order to finish may be followed by an order to end now; more makes no sense.
        let (stop, stops) = mpsc::channel(2);
        let ends = child::Ends { inputs, outputs, stops, blobs: self.blobs.clone() };
        self.host.spawn(child::run(self.config.clone(), launch, ends, self.host.clone()));
        AgentHandle { input, output, stop }
    }

    fn sweep(&self, sessions: Vec<SessionId>) -> BoxFuture<'static, Sweep> {
        Box::pin(async move {
            let owner = Owner::Sessions(Arc::new(sessions.into_iter().collect()));
            let ended = end_and_count(None, owner, SWEEP_GRACE).await;
            Sweep { found: ended.found, left: ended.left.len() }
        })
    }

    fn transcript(
        &self,
        project_path: PathBuf,
        conversation: Uuid,
    ) -> BoxFuture<'static, io::Result<Vec<TranscriptLine>>> {
        let (folder, max_line_bytes) = (self.config.environment.transcripts(), self.config.max_line_bytes);
        Box::pin(async move {
            let Some(folder) = folder else { return Ok(Vec::new()) };
            let work = move || transcript::read(&folder, &project_path, conversation, max_line_bytes);
            tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
        })
    }
}

/// How long a process whose agent is gone has between SIGTERM and SIGKILL. Nobody hears what it still has to say, and
/// a server that starts waits for it.
const SWEEP_GRACE: Duration = Duration::from_millis(500);

/// The arguments of one start, in the order in which they are given.
fn arguments(config: &ProcessConfig, launch: &Launch) -> Vec<OsString> {
    let mut arguments = config.args_prefix.clone();
    let always = [
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--replay-user-messages",
        "--include-partial-messages",
        "--permission-prompt-tool",
        "stdio",
        "--session-mirror",
    ];
    arguments.extend(always.map(OsString::from));
    let (flag, id) = match launch.conversation {
        Conversation::New(id) => ("--session-id", id),
        Conversation::Resume(id) => ("--resume", id),
    };
    arguments.extend([flag.into(), id.to_string().into()]);
    // One argument and not two, so that a name that begins with a dash cannot become a flag.
    if let Some(model) = &launch.model {
        arguments.push(format!("--model={model}").into());
    }
    if let Some(mode) = &launch.permission_mode {
        arguments.push(format!("--permission-mode={mode}").into());
    }
    arguments.extend(config.extra_args.iter().cloned());
    arguments
}
