//! An agent under test: the simulator or the real CLI, with a home, a folder and a model of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tandem_actors::agent::process::{Environment, ProcessConfig, ProcessLauncher};
use tandem_actors::agent::{
    AgentHandle, AgentInput, AgentOutput, Conversation, Decision, Exit, Hook, HookAnswer, Launch,
    Launcher as _, Stop, TurnResult,
};
use tandem_actors::content::Content;
use tandem_actors::event::Approval;
use tandem_actors::ids::{MessageId, SessionId, Term};
use tandem_actors::journal::{MemoryJournal, TranscriptLine};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::model::Model;

/// No test waits longer for anything. The real CLI takes half a second to start, several at once two.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Simulator,
    Claude,
}

/// A place where agents can be run.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) model: Model,
    folder: TempDir,
    config: ProcessConfig,
    launcher: ProcessLauncher,
    pub(crate) blobs: MemoryJournal,
}

impl Place {
    pub(crate) async fn new(kind: Kind) -> Self {
        let model = Model::start().await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Both are made here, so that the agent sees them as they are and not through a link.
        for name in ["home", "project"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let config = config(kind, &model, folder.path());
        let blobs = MemoryJournal::new();
        let launcher = launcher(&config, &blobs);
        Self { kind, model, folder, config, launcher, blobs }
    }

    /// The same place with something changed in how agents are started.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut ProcessConfig)) -> Self {
        change(&mut self.config);
        self.launcher = launcher(&self.config, &self.blobs);
        self
    }

    /// Starts the bare program, to be spoken to in lines.
    pub(crate) fn raw(&self) -> Raw {
        let mut command = Command::new(&self.config.program);
        command
            .args(&self.config.args_prefix)
            .args(["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"])
            .current_dir(self.project())
            .env("HOME", self.home())
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("ANTHROPIC_BASE_URL", self.model.url())
            .env("ANTHROPIC_API_KEY", "test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Raw(command.spawn().expect("the program can be run"))
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Starts an agent and waits until it is ready.
    pub(crate) async fn ready(&self, conversation: Conversation) -> Agent {
        let mut agent = self.launch(conversation, Vec::new());
        agent.is_ready().await;
        agent
    }

    pub(crate) fn launch(&self, conversation: Conversation, transcript: Vec<TranscriptLine>) -> Agent {
        let handle = self.launcher.launch(Launch {
            session: SessionId::random(),
            term: Term(1),
            project_path: self.project(),
            conversation,
            transcript,
            model: None,
            permission_mode: None,
        });
        let unread = Vec::new().into_iter();
        Agent { kind: self.kind, handle, unread, seen: Vec::new(), is_guarded: false }
    }

    /// What has to be said so that the agent recalls, waits, runs a command, or asks often.
    pub(crate) fn recall(&self) -> &'static str {
        self.kind.either("/recall", "recall")
    }

    pub(crate) fn slow(&self, pieces: u32, milliseconds: u32) -> String {
        let verb = self.kind.either("/slow", "slow");
        format!("{verb} {pieces} {milliseconds}")
    }

    pub(crate) fn bash(&self, command: &str) -> String {
        format!("{} {command}", self.kind.either("/tool", "bash"))
    }

    pub(crate) fn write(&self, path: &Path, text: &str) -> String {
        format!("{} {} {text}", self.kind.either("/write", "write"), path.display())
    }

    pub(crate) fn edit(&self, path: &Path, old: &str, new: &str) -> String {
        format!("{} {} {old} {new}", self.kind.either("/edit", "edit"), path.display())
    }

    pub(crate) fn read(&self, path: &Path) -> String {
        format!("{} {}", self.kind.either("/read", "read"), path.display())
    }

    pub(crate) fn three_questions(&self) -> &'static str {
        self.kind.either("/approvals 3", "read /etc/hostname /etc/hosts /etc/passwd")
    }
}

fn launcher(config: &ProcessConfig, blobs: &MemoryJournal) -> ProcessLauncher {
    let blobs = Arc::new(blobs.clone());
    ProcessLauncher::start(config.clone(), blobs).expect("a thread can be started")
}

impl Kind {
    fn either<T>(self, simulator: T, claude: T) -> T {
        match self {
            Self::Simulator => simulator,
            Self::Claude => claude,
        }
    }
}

fn config(kind: Kind, model: &Model, folder: &Path) -> ProcessConfig {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let environment = Environment::default()
        .with("PATH", path)
        .with("HOME", folder.join("home"))
        .with("ANTHROPIC_BASE_URL", model.url())
        .with("ANTHROPIC_API_KEY", "test")
        .with("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .with("DISABLE_TELEMETRY", "1")
        .with("DISABLE_AUTOUPDATER", "1")
        .with("DISABLE_ERROR_REPORTING", "1");
    match kind {
        Kind::Simulator => ProcessConfig {
            args_prefix: vec!["simulator".into()],
            ..ProcessConfig::new(env!("CARGO_BIN_EXE_tandem"), environment)
        },
        Kind::Claude => ProcessConfig::new(claude_path(), environment),
    }
}

/// The real CLI. A machine without it fails the tests instead of passing fewer of them.
pub(crate) fn claude_path() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/claude/node_modules/@anthropic-ai/claude-code-linux-x64/claude");
    let program = std::env::var_os("TANDEM_TEST_CLAUDE").map_or(installed, PathBuf::from);
    assert!(
        program.is_file(),
        "there is no claude at {}: install it with `npm install --prefix target/claude \
         @anthropic-ai/claude-code`, or name it in TANDEM_TEST_CLAUDE",
        program.display()
    );
    program
}

/// A program that is spoken to in lines.
pub(crate) struct Raw(Child);

impl Raw {
    pub(crate) async fn write(&mut self, line: &str) {
        let stdin = self.0.stdin.as_mut().expect("it is piped");
        stdin.write_all(line.as_bytes()).await.expect("it reads");
    }

    /// The next line that it prints; bytes behind it may be lost.
    pub(crate) async fn line(&mut self) -> Value {
        let mut lines = BufReader::new(self.0.stdout.as_mut().expect("it is piped")).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("it answers in time").expect("it can be read");
        serde_json::from_str(&line.expect("it lives")).expect("it prints JSON")
    }

    /// Its exit code and all that it wrote to stderr.
    pub(crate) async fn end(self) -> (Option<i32>, String) {
        // `wait_with_output` would close stdin, which ends it as well.
        let mut child = self.0;
        let _stdin = child.stdin.take();
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.expect("it ends in time").expect("it can be waited for");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A running agent, and all that it has said.
pub(crate) struct Agent {
    kind: Kind,
    pub(crate) handle: AgentHandle,
    unread: std::vec::IntoIter<AgentOutput>,
    pub(crate) seen: Vec<AgentOutput>,
    /// Whether the test answers hooks itself; otherwise all of them pass, and nobody sees them.
    pub(crate) is_guarded: bool,
}

impl Agent {
    /// The next thing that it says; none after the last.
    pub(crate) async fn next(&mut self) -> Option<AgentOutput> {
        loop {
            if let Some(output) = self.unread.next() {
                if let AgentOutput::Hook(hook) = &output
                    && !self.is_guarded
                {
                    self.hook_answer(hook, HookAnswer::Pass).await;
                    continue;
                }
                self.seen.push(output.clone());
                return Some(output);
            }
            let batch = tokio::time::timeout(PATIENCE, self.handle.output.recv()).await;
            let Ok(batch) = batch else {
                panic!("{:?} says nothing more; it said {:#?}", self.kind, self.seen);
            };
            self.unread = batch?.into_iter();
        }
    }

    /// Reads on until something is found; panics with all that was said when the agent ends before.
    pub(crate) async fn until<T>(&mut self, mut find: impl FnMut(AgentOutput) -> Option<T>) -> T {
        while let Some(output) = self.next().await {
            if let Some(found) = find(output) {
                return found;
            }
        }
        panic!("{:?} ended; it said {:#?}", self.kind, self.seen);
    }

    pub(crate) async fn is_ready(&mut self) {
        self.until(|output| matches!(output, AgentOutput::Ready { .. }).then_some(())).await;
    }

    pub(crate) async fn tell(&self, input: AgentInput) {
        self.handle.input.send(input).await.expect("the agent takes input");
    }

    /// Sends a message and returns its id.
    pub(crate) async fn say(&self, text: &str) -> MessageId {
        let id = MessageId::random();
        self.say_as(id, text).await;
        id
    }

    pub(crate) async fn say_as(&self, id: MessageId, text: &str) {
        let content = Content::text(text).expect("the test says something");
        self.tell(AgentInput::Message { id, content }).await;
    }

    pub(crate) async fn answer(&self, approval: &Approval, decision: Decision) {
        let request = approval.request_id.clone();
        self.tell(AgentInput::Answer { request, decision }).await;
    }

    pub(crate) async fn allow(&self, approval: &Approval) {
        let input = approval.input.clone();
        self.answer(approval, Decision::Allow { input, remember: None }).await;
    }

    pub(crate) async fn result(&mut self) -> TurnResult {
        self.until(|output| match output {
            AgentOutput::Result(result) => Some(result),
            _ => None,
        })
        .await
    }

    /// Sends a message and returns the answer's text.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.say(text).await;
        self.result().await.text.unwrap_or_default()
    }

    pub(crate) async fn asks(&mut self) -> Approval {
        self.until(|output| match output {
            AgentOutput::Asks(approval) => Some(approval),
            _ => None,
        })
        .await
    }

    /// The next hook.
    pub(crate) async fn hooks(&mut self) -> Hook {
        self.until(|output| match output {
            AgentOutput::Hook(hook) => Some(hook),
            _ => None,
        })
        .await
    }

    pub(crate) async fn hook_answer(&self, hook: &Hook, answer: HookAnswer) {
        self.tell(AgentInput::HookAnswer { request: hook.request.clone(), answer }).await;
    }

    pub(crate) async fn stop(&self, stop: Stop) {
        self.handle.stop.send(stop).await.expect("the agent can be stopped");
    }

    /// Reads to the end and checks that it is the end.
    pub(crate) async fn exit(&mut self) -> Exit {
        let exit = self
            .until(|output| match output {
                AgentOutput::Exited(exit) => Some(exit),
                _ => None,
            })
            .await;
        assert!(self.next().await.is_none(), "something follows the exit");
        exit
    }

    /// Lets it finish and returns how it ended.
    pub(crate) async fn finish(&mut self) -> Exit {
        self.stop(Stop::Finish { within: PATIENCE }).await;
        self.exit().await
    }

    /// All lines of the transcript that it has told so far.
    pub(crate) fn transcript(&self) -> Vec<TranscriptLine> {
        let mut lines = Vec::new();
        for output in &self.seen {
            if let AgentOutput::Transcript(more) = output {
                lines.extend(more.iter().cloned());
            }
        }
        lines
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        let ready = self.seen.iter().find_map(|output| match output {
            AgentOutput::Ready { pid, .. } => *pid,
            _ => None,
        });
        ready.expect("the agent is ready and has a process")
    }
}

/// A conversation that nobody has had.
pub(crate) fn new_conversation() -> (Conversation, Conversation) {
    let id = Uuid::now_v7();
    (Conversation::New(id), Conversation::Resume(id))
}
