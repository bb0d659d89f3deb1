//! The three pipes of an agent: what is written to it, what it prints, and what it complains about.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::last_words::LastWords;
use crate::agent::lines::{LineSplitter, Piece};
use crate::agent::stream_json::{self, Line};
use crate::agent::{AgentInput, AgentOutput, MAX_BATCH_BYTES};
use crate::blobs::{Blobs, hand_out};
use crate::ids::{MessageId, SessionId};

/// How many answers to the agent's own questions wait to be written. It asks for very little by itself.
pub(super) const REPLY_LINES: usize = 64;

/// How long output is awaited after the process is gone: somebody else may hold its pipe.
const DRAIN: Duration = Duration::from_secs(2);

/// How much a pipe can hold, and so how much can be left in it by a process that is gone.
const PIPE_BYTES: usize = 1024 * 1024;

/// Turns what an agent is told into lines.
pub(super) struct Encoder {
    pub(super) session: SessionId,
    /// Where the attachments of messages are.
    pub(super) blobs: Arc<dyn Blobs>,
}

impl Encoder {
    /// Megabytes of attachments are not encoded on the thread that all agents share.
    async fn line(&self, input: AgentInput, number: u64) -> String {
        let AgentInput::Message { id, content } = input else {
            return stream_json::input(&input, number);
        };
        if content.blobs().is_empty() {
            return stream_json::input(&AgentInput::Message { id, content }, number);
        }
        let content = hand_out(&self.blobs, self.session, content).await;
        let message = AgentInput::Message { id, content };
        let encoding = tokio::task::spawn_blocking(move || stream_json::input(&message, number));
        // It ends early only with the runtime, and this task with it.
        encoding.await.unwrap_or_default()
    }
}

/// Writes to the agent until there is nobody left who could tell it anything, or `close` comes;
/// then closes its input.
pub(super) async fn write(
    mut stdin: impl AsyncWrite + Unpin,
    encoder: Encoder,
    mut inputs: mpsc::Receiver<AgentInput>,
    mut replies: mpsc::Receiver<String>,
    mut close: oneshot::Receiver<()>,
) {
    let mut number = 0;
    let mut line = stream_json::initialize();
    // A failed write means that the agent is gone, and its exit tells more than the error.
    while stdin.write_all(line.as_bytes()).await.is_ok() && stdin.flush().await.is_ok() {
        number += 1;
        // It may have been megabytes, and the next one may be hours away.
        drop(std::mem::take(&mut line));
        line = tokio::select! {
            biased;
            Some(reply) = replies.recv() => reply,
            input = inputs.recv() => match input {
                Some(input) => encoder.line(input, number).await,
                None => return,
            },
            _ = &mut close => match inputs.try_recv() {
                Ok(input) => {
                    // Closed means: what was given before is still written.
                    inputs.close();
                    encoder.line(input, number).await
                }
                Err(_) => return,
            },
        };
    }
}

/// What the reader of stdout works with.
pub(super) struct Reader {
    pub(super) session: SessionId,
    pub(super) pid: Option<u32>,
    pub(super) max_line_bytes: usize,
    pub(super) outputs: mpsc::Sender<Vec<AgentOutput>>,
    pub(super) replies: mpsc::Sender<String>,
    pub(super) last_words: LastWords,
    /// Becomes true when `initialize` is answered.
    pub(super) is_ready: watch::Sender<bool>,
    /// Becomes true when the process is gone.
    pub(super) is_gone: watch::Receiver<bool>,
}

impl Reader {
    /// Reads until the end of the pipe. While the session is behind, nothing is read: the pipe holds the agent.
    pub(super) async fn read(mut self, mut stdout: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; MAX_BATCH_BYTES];
        let mut splitter = LineSplitter::new(self.max_line_bytes);
        let mut unfinished = HashSet::new();
        let mut patience = Patience::default();
        while let Some(bytes) = patience.read(&mut stdout, &mut buffer, &mut self.is_gone).await {
            let mut batch = Vec::new();
            splitter.push(&buffer[..bytes], |piece| {
                self.take(piece, &mut unfinished, &mut batch);
            });
            if !batch.is_empty() && self.outputs.send(batch).await.is_err() {
                return;
            }
        }
        let mut rest = Vec::new();
        splitter.finish(|piece| self.take(piece, &mut unfinished, &mut rest));
        if !rest.is_empty() {
            // The session may be gone; then nobody misses it.
            let _ = self.outputs.send(rest).await;
        }
    }

    /// `unfinished` holds the messages that were started and not repeated yet.
    fn take(&self, piece: Piece<'_>, unfinished: &mut HashSet<MessageId>, batch: &mut Vec<AgentOutput>) {
        let line = match piece {
            Piece::Line(line) => stream_json::parse(line),
            Piece::TooLong { start, bytes } => Line::Output(stream_json::garbage(start, bytes)),
        };
        let output = match line {
            Line::Output(output) => output,
            Line::Initialized { version } => {
                if self.is_ready.send_replace(true) {
                    return;
                }
                AgentOutput::Ready { pid: self.pid, version }
            }
            Line::Replayed(id) => {
                if unfinished.remove(&id) {
                    return;
                }
                AgentOutput::AlreadyKnown(id)
            }
            Line::Refused { request_id, error } => {
                // What it says is not logged: it may repeat what it was asked.
                warn!(session = %self.session, request_id, "the agent refused a request");
                if !*self.is_ready.borrow() {
                    self.last_words.hear(error.as_bytes());
                }
                return;
            }
            Line::Reply(reply) => {
                if self.replies.try_send(reply).is_err() {
                    warn!(session = %self.session, "the agent asks faster than it reads; a question stays open");
                }
                return;
            }
            Line::Nothing => return,
        };
        match &output {
            AgentOutput::Started(id) => {
                unfinished.insert(*id);
            }
            AgentOutput::Result(result) => {
                unfinished.clear();
                // Before there was a turn it is the agent's way to say why it cannot start.
                if !*self.is_ready.borrow() {
                    let reason = result.text.as_deref().unwrap_or_default();
                    self.last_words.hear(format!("{reason}\n").as_bytes());
                    return;
                }
            }
            AgentOutput::Garbage { start, bytes } => {
                debug!(session = %self.session, bytes, "the agent printed something that is no message");
                self.last_words.hear(format!("{start}\n").as_bytes());
            }
            _ => {}
        }
        batch.push(output);
    }
}

/// Reads without end while the process lives, and for a bounded time and amount when it is gone.
struct Patience {
    wait: Duration,
    bytes: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { wait: DRAIN, bytes: PIPE_BYTES }
    }
}

impl Patience {
    /// `None`: that was all.
    async fn read(
        &mut self,
        stdout: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
        is_gone: &mut watch::Receiver<bool>,
    ) -> Option<usize> {
        if !*is_gone.borrow() {
            tokio::select! {
                biased;
                read = stdout.read(buffer) => return read.ok().filter(|bytes| *bytes > 0),
                // An error means that nobody watches any more, which is an end too.
                () = async { let _ = is_gone.wait_for(|is_gone| *is_gone).await; } => {}
            }
        }
        // Only waiting for the pipe counts, not waiting for the session.
        let started = Instant::now();
        let read = timeout(self.wait, stdout.read(buffer)).await.ok()?.ok()?;
        self.wait = self.wait.saturating_sub(started.elapsed());
        self.bytes = self.bytes.checked_sub(read)?;
        (read > 0).then_some(read)
    }
}

/// Listens to stderr until its end.
pub(super) async fn listen(
    mut stderr: impl AsyncRead + Unpin,
    last_words: LastWords,
    mut is_gone: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 4 * 1024];
    let mut patience = Patience::default();
    while let Some(bytes) = patience.read(&mut stderr, &mut buffer, &mut is_gone).await {
        last_words.hear(&buffer[..bytes]);
    }
}
