//! Fills a data folder with conversations, to see how a server starts on a history that has grown for years.
//!
//! ```text
//! cargo run --example fill -- FOLDER [sessions] [events per session] [bytes per event]
//! ```
//!
//! With the defaults, 10,000 sessions with 100 events each, the folder takes about 600 MB.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::json;
use serde_json::value::RawValue;
use tandem::store::SqliteJournal;
use tandem_actors::clock::Timestamp;
use tandem_actors::event::{Event, Record};
use tandem_actors::ids::SessionId;
use tandem_actors::journal::{Append, Journal as _};
use tokio::task::JoinSet;

/// Sessions that are written at a time: enough to fill every group commit.
const AT_A_TIME: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("name the folder to fill")?);
    let mut number = |default: usize| -> Result<usize> {
        let argument = arguments.next();
        argument.map_or(Ok(default), |text| text.parse().with_context(|| format!("{text} is no number")))
    };
    let (sessions, events, bytes) = (number(10_000)?, number(100)?, number(400)?);
    let journal = Arc::new(SqliteJournal::open(&folder)?);
    let start = Instant::now();
    let mut writing = JoinSet::new();
    for _ in 0..sessions {
        if writing.len() >= AT_A_TIME
            && let Some(written) = writing.join_next().await
        {
            written??;
        }
        writing.spawn(write(journal.clone(), events, bytes));
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    println!("{sessions} sessions with {events} events each in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// One session, at rest, in one append.
async fn write(journal: Arc<SqliteJournal>, events: usize, bytes: usize) -> Result<()> {
    let session = SessionId::random();
    let claim = journal.claim(session).await?;
    let now = Timestamp::from_millis(1_790_000_000_000);
    let line = format!(r#"{{"type":"assistant","text":"{}"}}"#, "x".repeat(bytes));
    let message: Arc<RawValue> = RawValue::from_string(line)?.into();
    let created = Event::SessionCreated {
        project_path: "/project".to_owned(),
        title: Some("a conversation of usual length".to_owned()),
        model: None,
        permission_mode: None,
        forked_from: None,
    };
    let said = Event::AgentMessage { message };
    let mut previous = (claim.head, claim.hash);
    let mut records = Vec::with_capacity(events);
    for event in std::iter::once(&created).chain(std::iter::repeat(&said)).take(events) {
        let record = Record::new(previous, claim.term, now, event)?;
        previous = (record.seq, record.hash);
        records.push(record);
    }
    let summary = json!({
        "sessionId": session,
        "projectPath": "/project",
        "title": "a conversation of usual length",
        "status": "idle",
        "head": previous.0,
        "createdAt": now,
        "lastActivityAt": now,
        "expiresAt": now,
        "turns": 1,
        "messages": 1,
        "queued": 0,
        "approvals": 0,
        "costUsd": 0.25,
        "devices": ["phone", "laptop"],
    });
    let summary = summary.to_string().into();
    journal
        .append(Append {
            session,
            term: claim.term,
            records,
            transcript: Vec::new(),
            blobs: Vec::new(),
            summary,
        })
        .await?;
    Ok(())
}
