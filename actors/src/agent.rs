//! The agent as the session sees it: something that can be launched, told things, and heard.
//!
//! [`Launcher`] is the seam: `agent/process.rs` runs the real CLI (or anything that speaks its lines),
//! tests hand in a script. The session never sees a line of stream-json, only [`AgentInput`] and [`AgentOutput`];
//! `agent/stream_json.rs` translates, without any I/O.

pub mod gauge;
mod hook;
mod init;
pub mod lines;
#[cfg(unix)]
pub mod process;
pub mod stream_json;
#[cfg(unix)]
pub mod tree;

use std::future::ready;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::content::Content;
use crate::event::Approval;
use crate::ids::{MessageId, RequestId, SessionId, Term};
use crate::journal::TranscriptLine;

pub use hook::{ASKING_TOOLS, Hook, HookAnswer, Moment, TELLING_TOOLS};
pub use init::Init;

/// How many batches of output wait between the reader of an agent and its session.
///
/// The reader takes at most [`MAX_BATCH_BYTES`] a batch; with the pipe behind it this is all that an agent
/// which prints faster than the disk can make the server hold.
pub const OUTPUT_BATCHES: usize = 2;

/// About how much output one batch holds; a single line may be larger.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The longest line that is taken from an agent, unless configured otherwise; a longer one is dropped and reported as [`AgentOutput::Garbage`].
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// How many inputs wait for the agent to read them. One turn runs at a time, so this is approvals, hooks and controls.
pub const INPUT_LINES: usize = 64;

/// Starts agents.
pub trait Launcher: Send + Sync + 'static {
    /// Starts one and returns at once. Whatever happens is told through the handle's `output`:
    /// first [`AgentOutput::Ready`] or a failure, at the very end one [`AgentOutput::Exited`].
    fn launch(&self, launch: Launch) -> AgentHandle;

    /// Ends whatever still runs of these sessions, tools of agents that are long gone too, and nothing of anybody else.
    ///
    /// To be awaited before a session's agent is launched again after a crash, and before its transcript is read.
    fn sweep(&self, _sessions: Vec<SessionId>) -> BoxFuture<'static, Sweep> {
        Box::pin(ready(Sweep::default()))
    }

    /// Reads what the agent itself has written down of a conversation: the whole lines of its own file, oldest first, in
    /// the very words in which it also tells them ([`AgentOutput::Transcript`]). Empty when there is no such file.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    fn transcript(
        &self,
        _project_path: PathBuf,
        _conversation: Uuid,
    ) -> BoxFuture<'static, io::Result<Vec<TranscriptLine>>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}

/// What [`Launcher::sweep`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// How many processes were running.
    pub found: usize,
    /// How many of them could not be ended.
    pub left: usize,
}

/// What an agent is started with.
#[derive(Debug, Clone)]
pub struct Launch {
    /// For which session; also in the process's environment as `TANDEM_SESSION=<session>:<term>`.
    pub session: SessionId,
    /// Under which ownership.
    pub term: Term,
    /// The folder it works in.
    pub project_path: PathBuf,
    /// Which conversation it continues or begins.
    pub conversation: Conversation,
    /// What the agent wrote before, to be put back where a transcript is missing; empty when there is none.
    pub transcript: Vec<TranscriptLine>,
    /// `--model`, if one was chosen.
    pub model: Option<String>,
    /// `--permission-mode`, if one was chosen.
    pub permission_mode: Option<String>,
}

/// How the agent finds its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversation {
    /// `--session-id`: no agent ever ran under this id.
    New(Uuid),
    /// `--resume`: one did, and nobody else runs it now.
    Resume(Uuid),
}

/// A running agent. Dropping it ends the agent and everything that it started.
#[derive(Debug)]
pub struct AgentHandle {
    /// What it is to be told; closed means that it is gone.
    pub input: mpsc::Sender<AgentInput>,
    /// What it says, in order; ends after `Exited`.
    pub output: mpsc::Receiver<Vec<AgentOutput>>,
    /// Asks it to end: how, and how long it may take.
    pub stop: mpsc::Sender<Stop>,
}

/// How an agent is asked to end. All but a nudge are final: whatever does not end in its time is killed with its whole tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT to the process alone: end what you do. It may go on afterwards, or end itself.
    Nudge,
    /// Close its input and let it finish what it does.
    Finish {
        /// How long it may take.
        within: Duration,
    },
    /// End it now: SIGTERM, then SIGKILL of the whole tree.
    Now,
}

/// What an agent is told.
#[derive(Debug, Clone)]
pub enum AgentInput {
    /// A person's message; its id is the agent's `uuid` of it.
    Message {
        /// Whose id.
        id: MessageId,
        /// What it says.
        content: Content,
    },
    /// End the running turn.
    Interrupt,
    /// The answer to an approval.
    Answer {
        /// Which question.
        request: RequestId,
        /// What was decided.
        decision: Decision,
    },
    /// The answer to a hook.
    HookAnswer {
        /// Which.
        request: RequestId,
        /// What it is to do.
        answer: HookAnswer,
    },
    /// Use another model from the next turn on.
    SetModel(String),
    /// Ask for other permissions from now on.
    SetPermissionMode(String),
}

/// A person's answer to an approval.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Do it.
    Allow {
        /// With this input instead of the one that was asked for.
        input: Arc<RawValue>,
        /// And do not ask again for what these rules cover: the agent's own suggestions.
        remember: Option<Arc<RawValue>>,
    },
    /// Do not.
    Deny {
        /// What the model is told; never empty.
        message: String,
    },
}

/// What an agent says.
#[derive(Debug, Clone)]
pub enum AgentOutput {
    /// It is there and takes messages.
    Ready {
        /// Its process.
        pid: Option<u32>,
        /// Its version, where known.
        version: Option<String>,
    },
    /// It has taken up a message.
    Started(MessageId),
    /// It was given this message before and will not run it again: no `Started` and no `Result` follow.
    ///
    /// Said of a message that was sent twice, also to an earlier process whose turn was completed.
    AlreadyKnown(MessageId),
    /// A line for everyone, verbatim.
    Message(Arc<RawValue>),
    /// The start of a turn; kept only when it says something new.
    Init(Init),
    /// A piece of the answer as it grows.
    Delta {
        /// The content block, counted from 0 within one answer of the model.
        block: u64,
        /// The new text.
        text: String,
    },
    /// It wants to do something and asks first.
    Asks(Approval),
    /// It is about to use a tool, or has used one, and waits for an answer.
    Hook(Hook),
    /// It no longer asks, or no longer waits for the answer to a hook.
    Withdraws(RequestId),
    /// A turn is over.
    Result(TurnResult),
    /// Lines of its transcript.
    Transcript(Vec<TranscriptLine>),
    /// Something that is no JSON: for the log, not for devices.
    Garbage {
        /// How it begins, made printable, at most 200 characters.
        start: String,
        /// How long it was.
        bytes: usize,
    },
    /// It is gone; nothing follows.
    Exited(Exit),
}

/// How a turn ended, as the agent tells it.
#[derive(Debug, Clone)]
pub struct TurnResult {
    /// The line, verbatim.
    pub line: Arc<RawValue>,
    /// Which messages it answers; empty for a turn that the agent began by itself, as it does when a command that
    /// it runs in the background has ended. Such a result is nobody's and ends no message's turn.
    pub answers: Vec<Uuid>,
    /// Whether it is an error.
    pub is_error: bool,
    /// Whether a person's interrupt ended it.
    pub is_interrupted: bool,
    /// The answer, or the error's text.
    pub text: Option<String>,
    /// Tokens, verbatim.
    pub usage: Option<Value>,
    /// What the conversation has cost so far, in US dollars: `--resume` goes on counting, `/clear` begins at 0 again.
    pub total_cost_usd: Option<f64>,
}

/// How an agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The last lines that it wrote to stderr, and what it printed that was no JSON; at most 4 KiB.
    pub last_words: String,
    /// What went wrong, where it can be told.
    pub cause: ExitCause,
}

/// What is known of an agent's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// It was asked to end.
    Asked,
    /// It ended by itself after it had been ready.
    ByItself,
    /// It never became ready.
    NotStarted,
    /// There is no such program, or it may not be run.
    NotFound,
    /// `--session-id` named a conversation that exists: it must be resumed.
    ConversationExists,
    /// `--resume` named a conversation that does not exist: it must be begun.
    NoConversation,
}
