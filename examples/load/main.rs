//! Puts load on a running server over real sockets, and checks that every device sees the same, whole and in order.
//!
//! ```text
//! tandem serve --agent simulator --port 4870 &
//! cargo run --release --example load -- --token "$(tandem token)" --pid $! --sessions 10 --devices 10 --messages 20
//! cargo run --release --example load -- --token "$(tandem token)" --pid $! --devices 100 --burst 10000
//! cargo run --release --example load -- --token "$(tandem token)" --pid $! --idle 1000
//! ```
//!
//! With `--drop-percent` a part of the devices loses its connection every few seconds, stays away for a while, resumes, and
//! says again what was not answered; with `--state` a quarter of all commands change the shared state.
//!
//! The agent behind it is the simulator: it repeats plain text, and answers `/burst N BYTES` with N messages.
//! Every run is recorded and checked (`tandem::history`): exits with 1 if anything was lost, doubled or out of order,
//! different between devices, or cannot have been one conversation. `TANDEM_FAULT_SEED` repeats its chances.
//!
//! Receiving must cost less than sending, or the generator measures itself: `wire.rs` and `scan.rs` look at fixed places
//! of what was read, 256 KiB at a time; an event is kept once for all devices, and each other device only compares what it
//! got with it, byte by byte, and notes its number in room that was made before. JSON is parsed where a command is answered or
//! the shared state changes; messages and turns are read when the run is over.
//!
//! A thousand devices need files: `ulimit -n 4096` for the generator and for the server.

mod connection;
mod device;
mod drive;
mod plan;
mod process;
mod report;
mod scan;
mod wire;

#[expect(dead_code, reason = "tests use all of it")]
#[path = "../../tests/support/chance.rs"]
mod chance;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use serde_json::Value;
use tandem::client::{Client, ClientConfig, NewSession};
use tandem::history::{Conversation, End, History, Recorder, Shared, check};
use tandem_actors::ids::SessionId;
use tokio::sync::Barrier;
use tokio::task::LocalSet;

use chance::Chance;
use connection::{Connection, Reach, buffer};
use device::{Device, Outcome};
use drive::Phases;
use plan::{Command, Plan};
use report::Costs;

/// Puts load on a running Tandem server.
#[derive(Debug, Parser)]
struct Args {
    /// Where the server is
    #[arg(long, default_value = "http://127.0.0.1:4870")]
    url: String,
    /// The server's token
    #[arg(long, required_unless_present = "token_file")]
    token: Option<String>,
    /// A file that holds the token
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// The server's process, to say what it costs
    #[arg(long)]
    pid: Option<u32>,
    /// The folder that sessions work in; the server must allow it
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Sessions
    #[arg(long, default_value_t = 1)]
    sessions: usize,
    /// Devices of each session
    #[arg(long, default_value_t = 10)]
    devices: usize,
    /// Messages of each device
    #[arg(long, default_value_t = 20)]
    messages: usize,
    /// Milliseconds for which a device is silent after each turn of its own, give or take a half; without a pause the
    /// machine is the limit, and the delays say how long the queue is
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    /// How many devices of a hundred lose their connection every few seconds, and come back
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    drop_percent: u64,
    /// A quarter of the commands changes the shared state
    #[arg(long)]
    state: bool,
    /// Instead: one message to each session that the agent answers with so many messages
    #[arg(long)]
    burst: Option<usize>,
    /// About how large each of these is
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// Instead: open so many connections and leave them alone
    #[arg(long, requires = "pid")]
    idle: Option<usize>,
    /// Threads of the generator; every one takes processor time from the server
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds without anything new after which a device gives up
    #[arg(long, default_value_t = 30)]
    patience_seconds: u64,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let reach = reach(&args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let (Some(count), Some(pid)) = (args.idle, args.pid) {
        runtime.block_on(idle(&reach, count, pid))?;
        return Ok(ExitCode::SUCCESS);
    }
    let sessions = runtime.block_on(create_sessions(&args, &reach))?;
    let recorders: BTreeMap<SessionId, Recorder> =
        sessions.iter().map(|session| (*session, Recorder::new(*session))).collect();
    let chance = Chance::told("load");
    let devices = plans(&args, &sessions).into_iter().zip(0..).map(|(plan, number)| {
        let tape = recorders[&plan.session].tape(&*plan.name);
        Device::new(plan, tape, chance.of(number))
    });
    let before = args.pid.map(process::usage).transpose()?;
    let own_before = process::usage(std::process::id())?;
    let mut outcomes = run_all(&reach, devices.collect(), args.threads.max(1))?;
    let own_after = process::usage(std::process::id())?;
    let after = args.pid.map(process::usage).transpose()?;
    let costs = Costs {
        server: before.zip(after),
        agents: agents(args.pid),
        generator_seconds: own_after.cpu_seconds - own_before.cpu_seconds,
    };
    let figures = report::sum(&mut outcomes);
    report::print(&outcomes, figures, &costs);
    let states = runtime.block_on(shared_states(&args, &reach, &sessions))?;
    let checked_since = Instant::now();
    let faults = check(&history(&recorders, &mut outcomes, states));
    let is_right = report::print_faults(&outcomes, &faults, checked_since);
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many processes the server has, and their memory together in KiB.
fn agents(server: Option<u32>) -> (usize, u64) {
    let agents = server.map(process::children).unwrap_or_default();
    let kib = agents.iter().filter_map(|agent| process::usage(*agent).ok()).map(|usage| usage.resident_kib);
    (agents.len(), kib.sum())
}

/// The shared state of each session as the server tells it; none where the run has not touched it.
async fn shared_states(
    args: &Args,
    reach: &Reach,
    sessions: &[SessionId],
) -> Result<Vec<(SessionId, Shared)>> {
    let client = reqwest::Client::new();
    let mut states = Vec::new();
    for session in sessions.iter().filter(|_| args.state) {
        let request = client.get(format!("{}/api/sessions/{session}", args.url)).bearer_auth(&reach.token);
        let state: Value = request.send().await?.error_for_status()?.json().await?;
        let keys = state["shared"].as_object().into_iter().flatten();
        states.push((*session, keys.map(|(key, entry)| (key.clone(), entry["value"].clone())).collect()));
    }
    Ok(states)
}

/// Everything that was recorded, session by session.
fn history(
    recorders: &BTreeMap<SessionId, Recorder>,
    outcomes: &mut [Outcome],
    states: Vec<(SessionId, Shared)>,
) -> History {
    let mut conversations: BTreeMap<SessionId, Conversation> = BTreeMap::new();
    // A device in trouble is told of by itself; what it saw until then is judged all the same.
    let end =
        if outcomes.iter().any(|outcome| outcome.trouble.is_some()) { End::Anywhere } else { End::AtRest };
    for (session, recorder) in recorders {
        let of_session = outcomes.iter_mut().filter(|outcome| outcome.session == *session);
        let (mut tapes, mut maps) = (Vec::new(), Vec::new());
        for outcome in of_session {
            tapes.push(std::mem::replace(&mut outcome.tape, recorder.tape("")));
            maps.push((outcome.name.clone(), std::mem::take(&mut outcome.shared)));
        }
        let conversation = recorder.conversation(tapes, end);
        let conversation = maps.into_iter().fold(conversation, |all, (name, map)| all.with_state(name, map));
        conversations.insert(*session, conversation);
    }
    for (session, state) in states {
        let conversation = conversations.remove(&session);
        conversations.extend(conversation.map(|one| (session, one.with_state("the server", state))));
    }
    History { conversations: conversations.into_values().collect() }
}

fn reach(args: &Args) -> Result<Reach> {
    let token = match (&args.token, &args.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => std::fs::read_to_string(path)?.trim().to_owned(),
        (None, None) => unreachable!("the arguments require one of them"),
    };
    let authority = args.url.strip_prefix("http://").context("the URL must begin with http://")?;
    Ok(Reach { authority: authority.trim_end_matches('/').into(), token: token.into() })
}

async fn create_sessions(args: &Args, reach: &Reach) -> Result<Vec<SessionId>> {
    let config = ClientConfig::new(&*args.url, &*reach.token, "load".parse()?);
    let (client, _incoming) = Client::connect(config).await?;
    let project_path = args.project.canonicalize()?.display().to_string();
    let mut sessions = Vec::new();
    for number in 1..=args.sessions {
        let title = Some(format!("load {number}"));
        let new = NewSession { project_path: project_path.clone(), title, ..NewSession::default() };
        sessions.push(client.create_session(&new).await?);
    }
    client.close().await;
    Ok(sessions)
}

fn plans(args: &Args, sessions: &[SessionId]) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (session_number, session) in sessions.iter().enumerate() {
        for number in 0..args.devices {
            let commands: VecDeque<Command> = match args.burst {
                Some(count) if number == 0 => {
                    VecDeque::from([Command::Say(format!("/burst {count} {}", args.bytes))])
                }
                Some(_) => VecDeque::new(),
                None => plan::commands(number, args.messages, args.state),
            };
            let turns = if args.burst.is_some() { 1 } else { args.devices * args.messages };
            let place = (session_number * args.devices + number) as u64;
            plans.push(Plan {
                name: format!("load-{session_number}-{number}"),
                session: *session,
                commands,
                pause: Duration::from_millis(if args.burst.is_some() { 0 } else { args.pause_ms }),
                turns: turns as u64,
                // Spread evenly over all sessions.
                is_dropping: (place + 1) * args.drop_percent / 100 > place * args.drop_percent / 100,
                patience: Duration::from_secs(args.patience_seconds),
            });
        }
    }
    plans
}

/// Runs all devices on a few threads; they start together.
fn run_all(reach: &Reach, devices: Vec<Device>, threads: usize) -> Result<Vec<Outcome>> {
    let all = || Arc::new(Barrier::new(devices.len()));
    let phases = Phases { all_ready: all(), all_done: all() };
    let mut shares: Vec<Vec<Device>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, device) in devices.into_iter().enumerate() {
        shares[number % threads].push(device);
    }
    let running: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let (reach, phases) = (reach.clone(), phases.clone());
            std::thread::spawn(move || run_share(&reach, share, &phases))
        })
        .collect();
    let mut outcomes = Vec::new();
    for thread in running {
        outcomes.extend(thread.join().map_err(|_| anyhow!("a thread of the generator panicked"))??);
    }
    Ok(outcomes)
}

fn run_share(reach: &Reach, devices: Vec<Device>, phases: &Phases) -> Result<Vec<Outcome>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = buffer();
    let local = LocalSet::new();
    let devices: Vec<_> = devices
        .into_iter()
        .map(|device| local.spawn_local(drive::run(reach.clone(), device, shared.clone(), phases.clone())))
        .collect();
    local.block_on(&runtime, async {
        let mut outcomes = Vec::new();
        for device in devices {
            outcomes.push(device.await?);
        }
        Ok(outcomes)
    })
}

/// Opens connections that say hello and nothing else, and says what each costs the server.
async fn idle(reach: &Reach, count: usize, pid: u32) -> Result<()> {
    let shared = buffer();
    // What the server allocates once for all is not a connection's cost.
    let first = Connection::open(reach, "idle-first", shared.clone()).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process::usage(pid)?;
    let mut connections = vec![first];
    while connections.len() < count {
        let name = format!("idle-{}", connections.len());
        connections.push(Connection::open(reach, &name, shared.clone()).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = process::usage(pid)?;
    let bytes = after.resident_kib.saturating_sub(before.resident_kib) * 1024;
    println!("idle connections           {count}");
    println!(
        "server's memory            {} KiB before, {} KiB after",
        before.resident_kib, after.resident_kib
    );
    println!("memory of each             {} bytes", bytes / (count as u64 - 1).max(1));
    Ok(())
}
