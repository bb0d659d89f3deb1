//! Runs the real `git`: a clean environment, no question at a terminal, a deadline, bounded output.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::stop::Inside;
use super::words;
use crate::agent_probe;

/// The variable in which everything that git starts for us carries its operation.
pub(super) const MARKER: &str = "TANDEM_GIT_OPERATION";

/// What git answers is read up to here; the list of all files of a large repository fits.
const MAX_STDOUT_BYTES: usize = 64 * 1024 * 1024;

/// What git says to people; the end counts.
const MAX_STDERR_BYTES: usize = 16 * 1024;

/// How long git has between SIGTERM, upon which it takes its lock files away, and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long what a hook has left running may hold the pipes after git itself has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// What git inherits of the server's environment. No `GIT_*`: they would lead it to other places.
const INHERITED: [&str; 22] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "GNUPGHOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
];

/// What it finds besides: its words can be read by programs, and nobody is asked for anything.
const FIXED: [(&str, &str); 9] = [
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "true"),
    ("SSH_ASKPASS", "false"),
    ("SSH_ASKPASS_REQUIRE", "force"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("GIT_PAGER", "cat"),
    ("GIT_OPTIONAL_LOCKS", "0"),
];

/// Settings that count whatever the repository says: nothing goes on behind an answer (`gc`), nothing is stashed
/// silently, no branch moves that is not locked, no name of a person is guessed.
const SETTINGS: [&str; 8] = [
    "gc.auto=0",
    "maintenance.auto=false",
    "rebase.autoStash=false",
    "merge.autoStash=false",
    "rebase.updateRefs=false",
    "submodule.recurse=false",
    "user.useConfigOnly=true",
    "core.quotePath=false",
];

/// The program and its surroundings.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    environment: BTreeMap<OsString, OsString>,
}

/// One run of it.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// In which folder.
    pub(super) folder: &'a Path,
    pub(super) args: &'a [&'a str],
    pub(super) stdin: Option<Vec<u8>>,
    pub(super) within: Duration,
    /// The operation that it belongs to.
    pub(super) operation: Uuid,
    /// It ends with this, if with anything.
    pub(super) until: Option<Inside>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ran {
    /// None when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    /// The last of what it said to people.
    pub(super) stderr: String,
}

/// Why there is no end of it that means anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRun {
    #[error("git could not be run")]
    Start(#[source] io::Error),
    #[error("git was ended because it had not finished within {0} s")]
    TooLate(u64),
    #[error("git was ended because the server stops")]
    Stopped,
    #[error("git printed more than can be taken")]
    TooMuch,
}

impl Program {
    /// Looks for `git` on the `PATH` of this process; None where there is none.
    #[must_use]
    pub fn find() -> Option<Self> {
        let path = agent_probe::resolve("git", std::env::var_os("PATH").as_deref())?;
        Some(Self::new(path, std::env::vars_os()))
    }

    /// The program at `path`, with what it may have of `variables`.
    #[must_use]
    pub fn new(path: PathBuf, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let may_have = |name: &OsStr| INHERITED.iter().any(|known| name == *known);
        let inherited = variables.into_iter().filter(|(name, _)| may_have(name));
        let fixed = FIXED.iter().map(|(name, value)| (name.into(), value.into()));
        Self { path, environment: inherited.chain(fixed).collect() }
    }

    /// Runs it to its end, or ends it.
    ///
    /// Dropped before that, it asks git to end, which takes its lock files away then.
    pub(super) async fn run(&self, call: Call<'_>) -> Result<Ran, NotRun> {
        let mut child = self.spawn(&call).map_err(NotRun::Start)?;
        let mut group = Group(child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw));
        let (stdout, stderr) = (Collected::first(MAX_STDOUT_BYTES), Collected::last(MAX_STDERR_BYTES));
        let pipes = [
            child.stdout.take().map(|pipe| tokio::spawn(read(pipe, stdout.clone()))),
            child.stderr.take().map(|pipe| tokio::spawn(read(pipe, stderr.clone()))),
        ];
        if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), call.stdin) {
            // A git that does not want to hear it says why.
            drop(tokio::spawn(async move { stdin.write_all(&bytes).await }));
        }
        let ended = tokio::select! {
            status = child.wait() => Ok(status.map_err(NotRun::Start)?),
            () = sleep(call.within) => Err(NotRun::TooLate(call.within.as_secs())),
            () = stopped(call.until) => Err(NotRun::Stopped),
        };
        let status = match ended {
            Ok(status) => status,
            Err(not_run) => {
                end(&mut child, &group).await;
                group.0 = None;
                return Err(not_run);
            }
        };
        group.0 = None;
        for mut pipe in pipes.into_iter().flatten() {
            if timeout(DRAIN, &mut pipe).await.is_err() {
                pipe.abort();
            }
        }
        let (stdout, is_cut) = stdout.taken();
        if is_cut {
            return Err(NotRun::TooMuch);
        }
        let stderr = String::from_utf8_lossy(&stderr.taken().0).into_owned();
        Ok(Ran { code: status.code(), stdout, stderr })
    }

    fn spawn(&self, call: &Call<'_>) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        command.env_clear().envs(&self.environment).env(MARKER, call.operation.to_string());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let stdin = if call.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.args(call.args).current_dir(call.folder).process_group(0);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

impl Ran {
    /// Of a git that had done what it was to do, and then said nothing, or no more than this.
    pub(super) const fn done(words: String) -> Self {
        Self { code: Some(0), stdout: Vec::new(), stderr: words }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The first line of the answer, where it is text.
    pub(super) fn line(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.stdout).ok()?;
        text.lines().next().filter(|line| !line.is_empty())
    }

    /// What it said, for a person: the end of it, without names and passwords of addresses.
    pub(super) fn words(&self, visible: &Path) -> String {
        let stdout = String::from_utf8_lossy(&self.stdout);
        words::for_people(&[&stdout, &self.stderr], visible)
    }
}

impl std::fmt::Debug for Program {
    /// Shows no values: some are secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Program({})", self.path.display())
    }
}

/// The process group of a git that runs. Left alone, it is asked to end.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        // It is not reaped before `Group` is emptied, so nobody else can have its number. One that has just died needs
        // no signal.
        let _ = self.0.map(|group| killpg(group, signal));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
    }
}

async fn stopped(until: Option<Inside>) {
    match until {
        Some(inside) => inside.is_ending().await,
        None => std::future::pending().await,
    }
}

async fn end(child: &mut Child, group: &Group) {
    group.signal(Signal::SIGTERM);
    if timeout(GRACE, child.wait()).await.is_err() {
        group.signal(Signal::SIGKILL);
        // Only one that hangs in a driver is not gone at once.
        let _ = timeout(GRACE, child.wait()).await;
    }
}

/// What comes out of a pipe, up to a bound.
#[derive(Clone)]
struct Collected {
    bytes: Arc<Mutex<(Vec<u8>, bool)>>,
    most: usize,
    is_end_kept: bool,
}

impl Collected {
    fn first(most: usize) -> Self {
        Self { bytes: Arc::default(), most, is_end_kept: false }
    }

    fn last(most: usize) -> Self {
        Self { is_end_kept: true, ..Self::first(most) }
    }

    fn add(&self, more: &[u8]) {
        let (bytes, is_cut) = &mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(more);
        if bytes.len() > self.most {
            *is_cut = true;
            if self.is_end_kept {
                bytes.drain(..bytes.len() - self.most);
            } else {
                bytes.truncate(self.most);
            }
        }
    }

    fn taken(&self) -> (Vec<u8>, bool) {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads to the end, also what is not kept: a full pipe would hold git up.
async fn read(mut pipe: impl AsyncRead + Unpin, into: Collected) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        into.add(&buffer[..count]);
    }
}
