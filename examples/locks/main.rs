//! How fast locks are: clients that take and give back, over WebSocket, and over Redis beside it.
//!
//! ```text
//! WS_MAX_CONNECTIONS=100 cargo run --release --bin tandem -- --agent simulator --data-dir DATA &
//! redis-server --port 6379 --save "" --appendonly no &          # apt-get install redis-server
//! cargo run --release --example locks -- --token-file DATA/token --project ~/some/folder --redis 127.0.0.1:6379
//! ```
//! Each client has a connection of its own and asks for one lock at a time. On 1,000 resources every client has its own
//! ones, so nobody waits; on 1 all want the same. Tandem lets waiters wait in order; with Redis they can only ask again.
//! At the end, one more client follows the project and is told of every operation.

mod follower;
mod redis;
mod tandem;
#[path = "../load/wire.rs"]
#[expect(dead_code, reason = "the load generator uses more of it")]
mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;

use follower::Follower;

/// Measures acquiring and releasing locks.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Where the server is
    #[arg(long, default_value = "127.0.0.1:4870")]
    address: String,
    /// A file that holds its token
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// The folder in which files are locked; the server must be allowed to work there
    #[arg(long)]
    project: PathBuf,
    /// Clients, each with a connection
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Resources of the runs in which nobody waits
    #[arg(long, default_value_t = 1_000)]
    resources: usize,
    /// Operations a second of all clients together, in the runs that are not as fast as they can be
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Seconds each run takes
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// A Redis server, to be measured in the same way
    #[arg(long)]
    redis: Option<String>,
}

/// One run.
#[derive(Debug, Clone, Copy)]
struct Run {
    clients: usize,
    resources: usize,
    /// None: as fast as it goes.
    rate: Option<u64>,
    span: Duration,
}

/// What one client measured.
#[derive(Debug, Default)]
struct Measured {
    acquires: Vec<Duration>,
    releases: Vec<Duration>,
}

/// Something that locks.
trait Locker {
    /// Has it, waiting for as long as it takes.
    async fn acquire(&mut self, resource: usize) -> Result<()>;
    /// Gives it back.
    async fn release(&mut self, resource: usize) -> Result<()>;
}

#[actix_rt::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let token = tandem::token(args.token_file.as_deref())?;
    let project = args.project.canonicalize().context("the project's folder cannot be found")?;
    let span = Duration::from_secs(args.seconds);
    println!(
        "{:34}{:>14}{:>34}{:>34}",
        "", "operations/s", "acquire p50 / p99 / max", "release p50 / p99 / max"
    );
    for (resources, rate) in
        [(args.resources, Some(args.rate)), (args.resources, None), (1, Some(args.rate)), (1, None)]
    {
        let run = Run { clients: args.clients, resources, rate, span };
        let mut lockers = Vec::new();
        for client in 0..run.clients {
            lockers.push(tandem::Client::connect(&args.address, &token, &project, client).await?);
        }
        report("tandem", run, drive(run, lockers).await?);
        if let Some(address) = &args.redis {
            let mut lockers = Vec::new();
            for client in 0..run.clients {
                lockers.push(redis::Client::connect(address, client).await?);
            }
            report("redis", run, drive(run, lockers).await?);
        }
    }
    let run = Run { clients: args.clients, resources: args.resources, rate: None, span };
    let follower = Follower::start(&args.address, &token, &project).await?;
    let mut lockers = Vec::new();
    for client in 0..run.clients {
        lockers.push(tandem::Client::connect(&args.address, &token, &project, client).await?);
    }
    let done = drive(run, lockers).await?;
    let elapsed = done.1.as_secs_f64();
    report("tandem, followed", run, done);
    let seen = follower.stop().await?;
    println!(
        "its follower: {} events, {:.0} a second, {} missing or out of turn; {} after they happened (p50 / p99 / max)",
        seen.events,
        seen.events as f64 / elapsed,
        seen.gaps,
        percentiles(seen.ages)
    );
    Ok(())
}

/// Lets all clients work for the span of the run.
async fn drive<L: Locker + 'static>(run: Run, lockers: Vec<L>) -> Result<(Vec<Measured>, Duration)> {
    let begun = Instant::now();
    let working: Vec<_> = lockers
        .into_iter()
        .enumerate()
        .map(|(client, locker)| actix_rt::spawn(work(run, client, locker, begun)))
        .collect();
    let mut measured = Vec::new();
    for one in working {
        measured.push(one.await??);
    }
    Ok((measured, begun.elapsed()))
}

async fn work<L: Locker>(run: Run, client: usize, mut locker: L, begun: Instant) -> Result<Measured> {
    let mut measured = Measured::default();
    // Two operations a round; clients begin one after the other, so that they do not ask in step.
    let pause = run.rate.map(|rate| Duration::from_secs_f64(2.0 * run.clients as f64 / rate as f64));
    let offset = pause.map_or(Duration::ZERO, |pause| pause.mul_f64(client as f64 / run.clients as f64));
    let own = (run.resources / run.clients).max(1);
    for round in 0_u32.. {
        if let Some(pause) = pause {
            tokio::time::sleep_until((begun + offset + pause * round).into()).await;
        }
        if begun.elapsed() >= run.span {
            break;
        }
        let resource = (client + run.clients * (round as usize % own)) % run.resources;
        let asked = Instant::now();
        locker.acquire(resource).await?;
        let had = Instant::now();
        locker.release(resource).await?;
        measured.acquires.push(had - asked);
        measured.releases.push(had.elapsed());
    }
    Ok(measured)
}

fn report(name: &str, run: Run, (measured, elapsed): (Vec<Measured>, Duration)) {
    let (mut acquires, mut releases) = (Vec::new(), Vec::new());
    for one in measured {
        acquires.extend(one.acquires);
        releases.extend(one.releases);
    }
    let rate = (acquires.len() + releases.len()) as f64 / elapsed.as_secs_f64();
    let pace = run.rate.map_or_else(|| "flat out".to_owned(), |rate| format!("{rate}/s"));
    let title = format!("{name:7}{:>6} × {pace}", run.resources);
    println!("{title:34}{rate:>14.0}{:>34}{:>34}", percentiles(acquires), percentiles(releases));
}

/// In milliseconds.
fn percentiles(mut spans: Vec<Duration>) -> String {
    spans.sort_unstable();
    let at = |permille: usize| {
        let place = (spans.len() * permille / 1_000).min(spans.len().saturating_sub(1));
        spans.get(place).map_or(0.0, |span| span.as_secs_f64() * 1e3)
    };
    format!("{:.3} / {:.3} / {:.3} ms", at(500), at(990), at(1_000))
}
