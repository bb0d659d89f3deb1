//! Measures the journal on this machine's disk: how many appends it acknowledges, and how long each one takes.
//!
//! ```text
//! cargo run --release --example journal -- [sessions] [appends per session] [bytes per event] [folder]
//! ```
//!
//! Every acknowledged append is synced. The folder decides which disk is measured: the temporary one may be memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::value::RawValue;
use tandem::store::SqliteJournal;
use tandem_actors::clock::{Clock as _, SystemClock};
use tandem_actors::event::{Event, Record};
use tandem_actors::ids::SessionId;
use tandem_actors::journal::{Append, Journal as _};
use tokio::task::JoinSet;

struct Load {
    sessions: usize,
    appends: usize,
    event_bytes: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| -> Result<usize> {
        let argument = arguments.next();
        argument.map_or(Ok(default), |text| text.parse().with_context(|| format!("{text} is no number")))
    };
    let load = Load { sessions: number(64)?, appends: number(200)?, event_bytes: number(300)? };
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = parent.join(format!("tandem-journal-{}", std::process::id()));
    let outcome = measure(&load, &folder).await;
    std::fs::remove_dir_all(&folder).context("could not remove the measured folder")?;
    outcome
}

async fn measure(load: &Load, folder: &std::path::Path) -> Result<()> {
    let journal = Arc::new(SqliteJournal::open(folder)?);
    let mut sessions = JoinSet::new();
    let start = Instant::now();
    for _ in 0..load.sessions {
        sessions.spawn(write(journal.clone(), load.appends, load.event_bytes));
    }
    let mut latencies = Vec::with_capacity(load.sessions * load.appends);
    while let Some(session) = sessions.join_next().await {
        latencies.extend(session??);
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    report(load, elapsed, &latencies);
    Ok(())
}

/// One session: the next append goes out when the one before is on disk.
async fn write(journal: Arc<SqliteJournal>, appends: usize, event_bytes: usize) -> Result<Vec<Duration>> {
    let session = SessionId::random();
    let claim = journal.claim(session).await?;
    let mut previous = (claim.head, claim.hash);
    let mut latencies = Vec::with_capacity(appends);
    let message: Arc<RawValue> = RawValue::from_string(format!("\"{}\"", "x".repeat(event_bytes)))?.into();
    for _ in 0..appends {
        let event = Event::AgentMessage { message: message.clone() };
        let record = Record::new(previous, claim.term, SystemClock::new().now(), &event)?;
        previous = (record.seq, record.hash);
        let append = Append {
            session,
            term: claim.term,
            records: vec![record],
            transcript: Vec::new(),
            blobs: Vec::new(),
            summary: r#"{"title":"a conversation of usual length","state":"running"}"#.into(),
        };
        let sent = Instant::now();
        journal.append(append).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

fn report(load: &Load, elapsed: Duration, sorted: &[Duration]) {
    let percentile = |percent: usize| {
        let latency = sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
        latency.copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    let rate = sorted.len() as f64 / elapsed.as_secs_f64();
    println!(
        "{} sessions × {} appends of {} bytes: {rate:.0} appends/s, p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        load.sessions,
        load.appends,
        load.event_bytes,
        percentile(50),
        percentile(99),
        percentile(100),
    );
}
