//! One agent process from its start to its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use super::host::Host;
use super::last_words::{self, LastWords};
use super::{ProcessConfig, arguments, restore, stdio};
use crate::agent::tree::{MARKER, Owner, end_tree, marker_value};
use crate::agent::{AgentInput, AgentOutput, Conversation, Exit, ExitCause, Launch, Stop};
use crate::blobs::Blobs;

/// How long a process has between SIGTERM and SIGKILL. The CLI needs up to 1.3 s to end its tools.
const GRACE: Duration = Duration::from_secs(2);

/// How long a killed process may take to be gone for the kernel; only one that hangs in a driver takes longer.
const REAP_WITHIN: Duration = Duration::from_secs(5);

/// Our ends of what the session holds.
pub(super) struct Ends {
    pub(super) inputs: mpsc::Receiver<AgentInput>,
    pub(super) outputs: mpsc::Sender<Vec<AgentOutput>>,
    pub(super) stops: mpsc::Receiver<Stop>,
    pub(super) blobs: Arc<dyn Blobs>,
}

/// Runs one agent. `_host` is held, so that the thread lives as long as its agents.
pub(super) async fn run(config: Arc<ProcessConfig>, launch: Launch, ends: Ends, _host: Arc<Host>) {
    let outputs = ends.outputs.clone();
    let exit = match start(&config, &launch).await {
        Ok(child) => attend(child, &config, &launch, ends).await,
        Err(exit) => exit,
    };
    debug!(session = %launch.session, code = exit.code, signal = exit.signal, cause = ?exit.cause, "agent ended");
    // Without a session there is nobody to tell.
    let _ = outputs.send(vec![AgentOutput::Exited(exit)]).await;
}

async fn start(config: &ProcessConfig, launch: &Launch) -> Result<Child, Exit> {
    if !launch.project_path.is_dir() {
        let words = format!("the folder {} does not exist", launch.project_path.display());
        return Err(never_started(ExitCause::NotStarted, words));
    }
    // Two processes on one conversation split it silently: what an earlier owner left running ends first.
    let left = end_tree(None, Owner::Session(launch.session), GRACE).await;
    if !left.is_empty() {
        let words = "an earlier agent of this conversation still runs and cannot be ended";
        return Err(never_started(ExitCause::NotStarted, words.to_owned()));
    }
    put_transcript_back(config, launch).await;
    spawn(config, launch).map_err(|error| {
        let cause = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => ExitCause::NotFound,
            _ => ExitCause::NotStarted,
        };
        let program = config.program.display();
        never_started(cause, format!("could not run {program}: {error}"))
    })
}

fn never_started(cause: ExitCause, last_words: String) -> Exit {
    Exit { code: None, signal: None, last_words, cause }
}

/// A transcript that cannot be put back is no reason not to try: the agent itself says what it misses.
async fn put_transcript_back(config: &ProcessConfig, launch: &Launch) {
    let Conversation::Resume(conversation) = launch.conversation else {
        return;
    };
    let Some(folder) = config.environment.transcripts() else {
        return;
    };
    if launch.transcript.is_empty() {
        return;
    }
    let lines = launch.transcript.clone();
    let work = tokio::task::spawn_blocking(move || restore::restore(&folder, conversation, &lines));
    let done = match work.await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match done {
        Ok(0) => {}
        Ok(files) => info!(session = %launch.session, files, "put the agent's transcript back"),
        Err(error) => warn!(session = %launch.session, error, "could not put the agent's transcript back"),
    }
}

fn spawn(config: &ProcessConfig, launch: &Launch) -> io::Result<Child> {
    let mut command = Command::new(&config.program);
    command
        .args(arguments(config, launch))
        .current_dir(&launch.project_path)
        .env_clear()
        .envs(config.environment.iter())
        .env(MARKER, marker_value(launch.session, launch.term))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    #[cfg(target_os = "linux")]
    die_with_this_thread(&mut command);
    let child = command.spawn()?;
    #[cfg(target_os = "linux")]
    if let Some(stdout) = &child.stdout {
        use nix::fcntl::{FcntlArg, fcntl};
        // A bonus, within limits of the system: fewer and larger reads.
        let _ = fcntl(stdout, FcntlArg::F_SETPIPE_SZ(1024 * 1024));
    }
    Ok(child)
}

/// Asks the kernel to kill the agent when the host's thread ends, which it does only with the server.
#[cfg(target_os = "linux")]
fn die_with_this_thread(command: &mut Command) {
    use nix::sys::prctl::set_pdeathsig;
    use nix::sys::signal::Signal;
    use nix::unistd::{getpid, getppid};

    let server = getpid();
    let hook = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // The server may have died before the line above took effect; then nobody would ever send the signal.
        if getppid() != server {
            return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
        }
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec: the hook makes two system calls and neither allocates nor locks"
    )]
    unsafe {
        command.pre_exec(hook);
    }
}

/// Attends to a running process until it and everything that it started is gone.
async fn attend(mut child: Child, config: &ProcessConfig, launch: &Launch, ends: Ends) -> Exit {
    let last_words = LastWords::default();
    let (is_ready, mut ready) = watch::channel(false);
    let (is_gone, gone) = watch::channel(false);
    let (replies, replies_to_write) = mpsc::channel(stdio::REPLY_LINES);
    let (close, closed) = oneshot::channel();
    let reader = stdio::Reader {
        session: launch.session,
        pid: child.id(),
        max_line_bytes: config.max_line_bytes,
        outputs: ends.outputs,
        replies,
        last_words: last_words.clone(),
        is_ready,
        is_gone: gone,
    };
    let encoder = stdio::Encoder { session: launch.session, blobs: ends.blobs };
    let mut pipes = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        pipes.spawn(reader.read(stdout));
    }
    if let Some(stderr) = child.stderr.take() {
        pipes.spawn(stdio::listen(stderr, last_words.clone(), is_gone.subscribe()));
    }
    let writer = child
        .stdin
        .take()
        .map(|stdin| tokio::spawn(stdio::write(stdin, encoder, ends.inputs, replies_to_write, closed)));

    let ready_by = Instant::now() + config.ready_within;
    let end = wait(&mut child, ready_by, &mut ready, ends.stops, close).await;
    let status = match end {
        End::Gone(status) => status,
        End::Asked(Some(status)) => Some(status),
        End::Asked(None) | End::Late | End::Mute => end_now(&mut child, launch).await,
    };
    // Whatever the process has left running belongs to nobody now, and may hold its pipes.
    end_tree(None, Owner::Term(launch.session, launch.term), GRACE).await;
    is_gone.send_replace(true);
    if let Some(writer) = writer {
        writer.abort();
    }
    while pipes.join_next().await.is_some() {}
    if matches!(end, End::Late) {
        let seconds = config.ready_within.as_secs();
        last_words.hear(format!("\nit was not ready within {seconds} s").as_bytes());
    }
    let was_asked = matches!(end, End::Asked(_));
    if matches!(end, End::Mute) {
        last_words.hear(b"\nit closed its output and lived on");
    }
    exit(status, last_words.text(), *ready.borrow(), was_asked)
}

/// How the wait for a process ended.
#[derive(Clone, Copy)]
enum End {
    /// It is gone without having been asked.
    Gone(Option<ExitStatus>),
    /// It was asked to end: it is gone, or must be ended now.
    Asked(Option<ExitStatus>),
    /// It did not become ready in time and must be ended now.
    Late,
    /// It has closed its output, so nothing will ever be heard of it, and must be ended now.
    Mute,
}

async fn wait(
    child: &mut Child,
    ready_by: Instant,
    ready: &mut watch::Receiver<bool>,
    mut stops: mpsc::Receiver<Stop>,
    close: oneshot::Sender<()>,
) -> End {
    let mut reader = ready.clone();
    let became_ready = async {
        let _ = ready.wait_for(|is_ready| *is_ready).await;
        // A process that closes its output without being ready is not ready either.
        if !*ready.borrow() {
            std::future::pending::<()>().await;
        }
    };
    let fell_silent = async {
        // The reader holds the other end as long as there is something to read.
        while reader.changed().await.is_ok() {}
        sleep(GRACE).await;
    };
    tokio::pin!(became_ready, fell_silent);
    let mut deadline = Some(ready_by);
    let mut is_starting = true;
    let mut close = Some(close);
    loop {
        tokio::select! {
            status = child.wait() => {
                let was_asked = close.is_none();
                return if was_asked { End::Asked(status.ok()) } else { End::Gone(status.ok()) };
            }
            stop = stops.recv() => match (stop, close.take()) {
                (Some(Stop::Nudge), still_open) => {
                    close = still_open;
                    nudge(child);
                }
                (Some(Stop::Finish { within }), Some(close)) => {
                    is_starting = false;
                    deadline = Some(Instant::now() + within);
                    // Its arrival is all that counts; a writer that is gone has closed already.
                    let _ = close.send(());
                }
                // The first word counts.
                (Some(Stop::Finish { .. }), None) => {}
                // Somebody is in a hurry, or nobody holds the handle any more.
                (Some(Stop::Now) | None, _) => return End::Asked(None),
            },
            () = &mut became_ready, if is_starting => {
                is_starting = false;
                deadline = None;
            }
            // One that was asked to finish may close its output first.
            () = &mut fell_silent, if close.is_some() => return End::Mute,
            () = until(deadline) => return if is_starting { End::Late } else { End::Asked(None) },
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// SIGINT to the process alone. It is not reaped before this returns, so no other process can have its number.
fn nudge(child: &Child) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
    // A process that has just died needs no signal.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT);
}

/// Ends the process and everything below it.
async fn end_now(child: &mut Child, launch: &Launch) -> Option<ExitStatus> {
    let root = child.id();
    let ended = async {
        tokio::join!(
            end_tree(root, Owner::Term(launch.session, launch.term), GRACE),
            timeout(GRACE + REAP_WITHIN, child.wait())
        )
    };
    let (_, status) = ended.await;
    if let Ok(status) = status {
        return status.ok();
    }
    error!(session = %launch.session, pid = root, "an agent cannot be killed");
    None
}

fn exit(status: Option<ExitStatus>, last_words: String, was_ready: bool, was_asked: bool) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    let cause = match last_words::cause(&last_words) {
        Some(cause) if !was_ready => cause,
        _ if was_asked => ExitCause::Asked,
        _ if was_ready => ExitCause::ByItself,
        _ => ExitCause::NotStarted,
    };
    Exit {
        code: status.and_then(|status| status.code()),
        signal: status.and_then(|status| status.signal()),
        last_words,
        cause,
    }
}
