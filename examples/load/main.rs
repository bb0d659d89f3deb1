//! Puts load on a running server over real sockets, and checks that every device sees the same, whole and in order.
//!
//! ```text
//! tandem serve --agent simulator --port 4870 &
//! cargo run --release --example load -- --token "$(tandem token)" --pid $! --sessions 10 --devices 10 --messages 20
//! cargo run --release --example load -- --token "$(tandem token)" --pid $! --devices 100 --burst 10000
//! cargo run --release --example load -- --token "$(tandem token)" --pid $! --idle 1000
//! ```
//!
//! The agent behind it is the simulator: it repeats plain text, and answers `/burst N BYTES` with N messages.
//! Exits with 1 if anything was lost, doubled, out of order, or different between devices.
//!
//! Receiving must cost less than sending, or the generator measures itself: `wire.rs` and `stream.rs` look at fixed places
//! of what was read, 256 KiB at a time, and parse JSON only where a turn ends or a message is accepted.

mod device;
mod process;
mod report;
mod stream;
mod wire;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use tandem::client::{Client, ClientConfig, NewSession};
use tokio::sync::Barrier;
use tokio::task::LocalSet;

use device::{Connection, Outcome, Plan, Reach, Shared};

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
    let plans = plans(&args, &sessions);
    let before = args.pid.map(process::usage).transpose()?;
    let mut outcomes = run_all(&reach, plans, args.threads.max(1))?;
    let after = args.pid.map(process::usage).transpose()?;
    let is_right = report::print(&mut outcomes, before.zip(after));
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

async fn create_sessions(args: &Args, reach: &Reach) -> Result<Vec<String>> {
    let config = ClientConfig::new(&*args.url, &*reach.token, "load".parse()?);
    let (client, _incoming) = Client::connect(config).await?;
    let project_path = args.project.canonicalize()?.display().to_string();
    let mut sessions = Vec::new();
    for number in 1..=args.sessions {
        let title = Some(format!("load {number}"));
        let new = NewSession { project_path: project_path.clone(), title, ..NewSession::default() };
        sessions.push(client.create_session(&new).await?.to_string());
    }
    client.close().await;
    Ok(sessions)
}

fn plans(args: &Args, sessions: &[String]) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (session_number, session) in sessions.iter().enumerate() {
        for number in 0..args.devices {
            let says: VecDeque<String> = match args.burst {
                Some(count) if number == 0 => VecDeque::from([format!("/burst {count} {}", args.bytes)]),
                Some(_) => VecDeque::new(),
                None => (1..=args.messages)
                    .map(|message| format!("message {message} of device {number}"))
                    .collect(),
            };
            let turns = if args.burst.is_some() { 1 } else { args.devices * args.messages };
            plans.push(Plan {
                name: format!("load-{session_number}-{number}"),
                session: session.clone(),
                says,
                pause: Duration::from_millis(if args.burst.is_some() { 0 } else { args.pause_ms }),
                turns: turns as u64,
                patience: Duration::from_secs(args.patience_seconds),
            });
        }
    }
    plans
}

/// Runs all devices on a few threads; they start together.
fn run_all(reach: &Reach, plans: Vec<Plan>, threads: usize) -> Result<Vec<Outcome>> {
    let all_ready = Arc::new(Barrier::new(plans.len()));
    let mut shares: Vec<Vec<Plan>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, plan) in plans.into_iter().enumerate() {
        shares[number % threads].push(plan);
    }
    let running: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let (reach, all_ready) = (reach.clone(), all_ready.clone());
            std::thread::spawn(move || run_share(&reach, share, &all_ready))
        })
        .collect();
    let mut outcomes = Vec::new();
    for thread in running {
        outcomes.extend(thread.join().map_err(|_| anyhow!("a thread of the generator panicked"))??);
    }
    Ok(outcomes)
}

fn run_share(reach: &Reach, plans: Vec<Plan>, all_ready: &Arc<Barrier>) -> Result<Vec<Outcome>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = buffer();
    let local = LocalSet::new();
    let devices: Vec<_> = plans
        .into_iter()
        .map(|plan| local.spawn_local(device::run(reach.clone(), plan, shared.clone(), all_ready.clone())))
        .collect();
    local.block_on(&runtime, async {
        let mut outcomes = Vec::new();
        for device in devices {
            outcomes.push(device.await??);
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

fn buffer() -> Shared {
    Rc::new(RefCell::new(vec![0; device::READ_BYTES]))
}
