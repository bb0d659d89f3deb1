//! Finds everything that an agent has started, and ends it.
//!
//! The agent's tools run in sessions and process groups of their own, so neither its group nor its death reaches
//! them. Two traces do: their descent (`/proc/PID/stat`), as long as their parents live, and the marker that every
//! process inherits in its environment (`/proc/PID/environ`). Without `/proc` only the agent's own group is ended.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::ids::{SessionId, Term};

/// The variable in which every process of an agent carries its session.
pub const MARKER: &str = "TANDEM_SESSION";

/// How often a tree is killed again because something new had grown. A fork bomb is not outrun any better by more.
const MAX_KILLS: u32 = 20;

/// How often in a row nothing must be found before nothing is there: a process that is just being forked may be
/// missed by one walk through `/proc`, and one in the middle of its exec shows no environment.
const ENOUGH_MISSES: u32 = 2;

/// How long is waited between two looks at a dying tree.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What the marker of one agent says.
#[must_use]
pub fn marker_value(session: SessionId, term: Term) -> String {
    format!("{session}:{}", term.0)
}

/// Whose processes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Everything of this session, of whatever term: its owner takes over.
    Session(SessionId),
    /// Only what was started under this term: a newer owner's processes are not touched.
    Term(SessionId, Term),
    /// Everything of these sessions, of whatever term: a server takes over what another has left.
    Sessions(Arc<HashSet<SessionId>>),
}

impl Owner {
    /// Whether a variable, as `NAME=value`, is the marker of this owner.
    fn marks(&self, variable: &[u8]) -> bool {
        let Some(value) = variable.strip_prefix(MARKER.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
        else {
            return false;
        };
        match self {
            Self::Session(session) => value.starts_with(format!("{session}:").as_bytes()),
            Self::Term(session, term) => value == marker_value(*session, *term).as_bytes(),
            Self::Sessions(sessions) => {
                let session = std::str::from_utf8(value).ok().and_then(|value| value.split_once(':'));
                session.and_then(|(id, _)| id.parse().ok()).is_some_and(|id| sessions.contains(&id))
            }
        }
    }
}

/// A process as it was seen; `start` tells it from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Its number.
    pub pid: i32,
    /// When it was started, in clock ticks since the machine was.
    pub start: u64,
}

/// Ends an agent and everything that it started: SIGTERM, `grace` to comply, then SIGKILL until nothing is left.
///
/// `root` is the agent itself, not waited for yet; without it, what carries the owner's marker is ended.
/// Returns what could not be ended; empty when all is well.
pub async fn end_tree(root: Option<u32>, owner: Owner, grace: Duration) -> Vec<Seen> {
    end_and_count(root, owner, grace).await.left
}

/// What became of processes that were to be ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many were found.
    pub found: usize,
    /// Which of them could not be ended; empty when all is well.
    pub left: Vec<Seen>,
}

/// Does the same as [`end_tree`] and tells how many processes there were. With nothing to end it takes two walks
/// through `/proc` and the wait between them.
pub async fn end_and_count(root: Option<u32>, owner: Owner, grace: Duration) -> Ended {
    let root = root.and_then(|pid| i32::try_from(pid).ok());
    if !Path::new("/proc/self/environ").exists() {
        end_group(root, grace).await;
        return Ended::default();
    }
    // Descent is asked for once, before the first signal: a process whose parent dies is in nobody's tree any more,
    // and a root that was waited for may have given its number to another. From here on all are known by start.
    let mut known = look(root, &owner, HashSet::new()).await;
    let mut all = known.clone();
    let patience = Instant::now() + grace;
    let mut told: HashSet<Seen> = HashSet::new();
    let (mut misses, mut kills) = (0, 0);
    loop {
        if known.is_empty() {
            misses += 1;
        } else if kills == MAX_KILLS {
            warn!(?owner, processes = known.len(), "processes of an agent cannot be ended");
            return Ended { found: all.len(), left: known.into_iter().collect() };
        } else if Instant::now() < patience {
            misses = 0;
            signal_all(known.difference(&told), Signal::SIGTERM);
            told.extend(&known);
        } else {
            misses = 0;
            kills += 1;
            debug!(?owner, processes = known.len(), "killing what is left of an agent");
            signal_all(&known, Signal::SIGKILL);
        }
        if misses == ENOUGH_MISSES {
            reap_adopted(root, &all);
            return Ended { found: all.len(), left: Vec::new() };
        }
        sleep(LOOK_AGAIN_AFTER).await;
        known = look(None, &owner, known).await;
        all.extend(&known);
    }
}

async fn end_group(root: Option<i32>, grace: Duration) {
    if let Some(root) = root.map(Pid::from_raw) {
        // The group may be gone already, and then there is nothing to say.
        let _ = killpg(root, Signal::SIGTERM);
        sleep(grace).await;
        let _ = killpg(root, Signal::SIGKILL);
    }
}

/// Reading `/proc` takes milliseconds with many processes, so it is done beside the other agents' work.
async fn look(root: Option<i32>, owner: &Owner, known: HashSet<Seen>) -> HashSet<Seen> {
    let owner = owner.clone();
    let found = spawn_blocking(move || find(root, &owner, &known)).await;
    found.unwrap_or_default()
}

/// Collects those that have become our children because their own parent died, which happens where this process is
/// the first of a container: nobody else would, and they would stay as zombies. The root is its keeper's to collect.
fn reap_adopted(root: Option<i32>, ended: &HashSet<Seen>) {
    for process in ended.iter().filter(|process| Some(process.pid) != root) {
        let is_ours = Stat::of(process.pid)
            .is_some_and(|stat| stat.start == process.start && stat.is_dead && stat.parent == own_pid());
        if is_ours {
            // It is dead, so this returns at once; an error means that somebody was quicker.
            let _ = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

fn signal_all<'a>(processes: impl IntoIterator<Item = &'a Seen>, signal: Signal) {
    for process in processes {
        // Between the look and the signal the number may have got another owner; the start time tells.
        if Stat::of(process.pid).is_some_and(|stat| stat.start == process.start) {
            let _ = kill(Pid::from_raw(process.pid), signal);
        }
    }
}

/// Finds what lives of an agent: `root` and its descendants, those of `known` that still live and their
/// descendants, and whatever carries the owner's marker. Zombies do not count, nor does this process.
#[must_use]
pub fn find(root: Option<i32>, owner: &Owner, known: &HashSet<Seen>) -> HashSet<Seen> {
    let processes = all_processes();
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, stat) in &processes {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut to_visit: Vec<i32> = root.into_iter().collect();
    for (pid, stat) in &processes {
        let is_known = known.contains(&Seen { pid: *pid, start: stat.start });
        if is_known || is_marked(*pid, owner) {
            to_visit.push(*pid);
        }
    }
    let mut found = HashSet::new();
    let mut visited = HashSet::from([own_pid()]);
    while let Some(pid) = to_visit.pop() {
        if !visited.insert(pid) {
            continue;
        }
        to_visit.extend(children.get(&pid).into_iter().flatten());
        if let Some(stat) = processes.get(&pid)
            && !stat.is_dead
        {
            found.insert(Seen { pid, start: stat.start });
        }
    }
    found
}

fn own_pid() -> i32 {
    Pid::this().as_raw()
}

struct Stat {
    parent: i32,
    start: u64,
    is_dead: bool,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state ppid …`, the start time as field 22 (proc_pid_stat(5)); the name may hold anything.
    fn parse(line: &str) -> Option<Self> {
        let (_, behind_name) = line.rsplit_once(')')?;
        let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
        Some(Self {
            is_dead: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }
}

fn all_processes() -> HashMap<i32, Stat> {
    let mut processes = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Some(stat) = Stat::of(pid)
        {
            processes.insert(pid, stat);
        }
    }
    processes
}

/// Others' processes cannot be read, and are not ours.
fn is_marked(pid: i32, owner: &Owner) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    environment.split(|byte| *byte == 0).any(|variable| owner.marks(variable))
}

#[cfg(test)]
mod tests;
