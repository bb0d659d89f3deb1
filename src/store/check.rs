//! Looks at every event of every session and of every project's channel: is the history whole?

mod blobs;

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, Error, params};
use serde::Serialize;
use tandem_actors::blobs::referred_by;
use tandem_actors::event::ChainHash;
use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::project::first_kept;
use uuid::Uuid;

use super::open_error::OpenError;
use super::rows::{self, MAX_SEQ};
use super::{database, queries};

/// What a check has found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Sessions that were looked at.
    pub sessions: u64,
    /// Channels of projects that were looked at.
    pub channels: u64,
    /// Events that were read, decoded and put into their chain.
    pub events: u64,
    /// Lines of transcripts that were counted.
    pub transcript_lines: u64,
    /// Attachments that were read and hashed.
    pub blobs: u64,
    /// How long it took.
    pub seconds: f64,
    /// What is wrong, by session and seq; empty when all is well.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// In which session; none when it is the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// At which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// What.
    pub problem: String,
}

/// A session's row, as far as the events must agree with it.
struct Row {
    key: i64,
    session: SessionId,
    head: Seq,
    hash: ChainHash,
    lines: u64,
    is_channel: bool,
    /// From this event on all are kept; before it, a channel keeps some.
    first: Seq,
}

/// Reads the whole journal of a data folder, also beside a running server. Nothing is written.
///
/// Each session is read as of one moment, so what is appended meanwhile is no gap.
///
/// # Errors
/// The database cannot be opened, or its list of sessions not read.
pub fn check(folder: &Path) -> Result<Findings, OpenError> {
    let started = Instant::now();
    let connection = database::open_beside(folder)?;
    let failed = |operation| database::failed(operation, folder);
    let mut findings = Findings::default();
    match database::first_damage(&connection) {
        Ok(None) => {}
        Ok(Some(problem)) => findings.problems.push(Problem { session: None, seq: None, problem }),
        Err(error) => return Err(failed("check the database")(error)),
    }
    let keys = keys(&connection).map_err(failed("list the sessions"))?;
    for (key, session) in &keys {
        if let Err(error) = look_at(&connection, *key, &mut findings) {
            let problem = format!("it cannot be read: {error}");
            findings.problems.push(Problem { session: Some(*session), seq: None, problem });
        }
    }
    let strays = strays(&connection).map_err(failed("look for events without a session"))?;
    if strays > 0 {
        let problem = format!("{strays} events belong to no session");
        findings.problems.push(Problem { session: None, seq: None, problem });
    }
    if blobs::are_kept(&connection).map_err(failed("look for attachments"))? {
        blobs::look_at_all(&connection, &mut findings).map_err(failed("list the attachments"))?;
    }
    findings.seconds = started.elapsed().as_secs_f64();
    Ok(findings)
}

fn keys(connection: &Connection) -> rusqlite::Result<Vec<(i64, SessionId)>> {
    let mut statement = connection.prepare("SELECT key, uuid FROM session ORDER BY key")?;
    let keys = statement.query_map([], |row| Ok((row.get(0)?, Uuid::from_bytes(row.get(1)?).into())))?;
    keys.collect()
}

fn look_at(connection: &Connection, key: i64, findings: &mut Findings) -> rusqlite::Result<()> {
    let moment = connection.unchecked_transaction()?;
    let sql = match database::has_channels(&moment)? {
        true => "SELECT uuid, head, hash, lines, project IS NOT NULL, summary FROM session WHERE key = ?1",
        false => "SELECT uuid, head, hash, lines, 0, '' FROM session WHERE key = ?1",
    };
    let row = moment.prepare_cached(sql)?.query_row([key], |row| {
        Ok(Row {
            key,
            session: Uuid::from_bytes(row.get(0)?).into(),
            head: row.get::<_, i64>(1)?.cast_unsigned(),
            hash: ChainHash::from_bytes(row.get(2)?),
            lines: row.get::<_, i64>(3)?.cast_unsigned(),
            is_channel: row.get(4)?,
            first: if row.get(4)? { first_kept(row.get_ref(5)?.as_str()?) } else { 1 },
        })
    })?;
    if row.is_channel {
        findings.channels += 1;
    } else {
        findings.sessions += 1;
    }
    look_at_events(&moment, &row, findings)?;
    look_at_transcript(&moment, &row, findings)
}

fn look_at_events(connection: &Connection, row: &Row, findings: &mut Findings) -> rusqlite::Result<()> {
    let wrong = |seq: Seq, problem: String| Problem { session: Some(row.session), seq: Some(seq), problem };
    let start = (row.first == 1).then(|| ChainHash::start(row.session));
    let mut last = (row.first - 1, start);
    let mut statement = connection.prepare_cached(
        "SELECT id, at, term, hash, kind, data FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id",
    )?;
    let mut found = statement.query(params![rows::row_id(row.key, 0), rows::row_id(row.key, MAX_SEQ)])?;
    while let Some(event) = found.next()? {
        let record = match queries::record(event) {
            Ok(record) => record,
            // A column of the wrong shape is this event's damage, not the end of the reading.
            Err(error @ (Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..))) => {
                let seq = rows::seq_of(event.get(0)?);
                findings.problems.push(wrong(seq, format!("it cannot be read: {error}")));
                last.0 = seq.max(last.0);
                continue;
            }
            Err(error) => return Err(error),
        };
        findings.events += 1;
        let (last_seq, last_hash) = last;
        if record.seq >= row.first {
            last = (record.seq, Some(record.hash));
        }
        if record.seq < row.first {
            // It stays for the sake of a conflict, or has not been removed yet.
        } else if record.seq != last_seq + 1 {
            let (first_missing, last_missing) = (last_seq + 1, record.seq - 1);
            let problem = format!("events {first_missing} to {last_missing} are missing");
            findings.problems.push(wrong(first_missing, problem));
        } else if last_hash.is_some_and(|last_hash| !record.is_chained_to(last_hash)) {
            findings.problems.push(wrong(record.seq, "it is not what was written: the chain breaks".into()));
        }
        if row.is_channel {
            if let Err(error) = record.project_event() {
                findings.problems.push(wrong(record.seq, format!("{error}: {}", error.cause)));
            }
            continue;
        }
        match record.event() {
            Ok(event) => {
                for hash in referred_by(&event) {
                    if let Some(problem) = blobs::look_at_reference(connection, row.key, hash)? {
                        findings.problems.push(wrong(record.seq, problem));
                    }
                }
            }
            Err(error) => findings.problems.push(wrong(record.seq, format!("{error}: {}", error.cause))),
        }
    }
    let (head, hash) = last;
    if head != row.head {
        let problem = format!("the events end at {head}, the session at {}", row.head);
        findings.problems.push(wrong(head.min(row.head) + 1, problem));
    } else if hash.is_some_and(|hash| hash != row.hash) {
        findings.problems.push(wrong(head, "the session's chain ends differently".into()));
    }
    Ok(())
}

fn look_at_transcript(connection: &Connection, row: &Row, findings: &mut Findings) -> rusqlite::Result<()> {
    let sql = "SELECT count(*), coalesce(max(id), ?1) FROM transcript WHERE id > ?1 AND id <= ?2";
    let bounds = [rows::row_id(row.key, 0), rows::row_id(row.key, MAX_SEQ)];
    let (count, last): (i64, i64) = connection
        .prepare_cached(sql)?
        .query_row(bounds, |counted| Ok((counted.get(0)?, counted.get(1)?)))?;
    let (count, last) = (count.cast_unsigned(), rows::seq_of(last));
    findings.transcript_lines += count;
    if count != row.lines || last != row.lines {
        let problem =
            format!("{count} lines of transcript, the last being number {last}, and {} were kept", row.lines);
        findings.problems.push(Problem { session: Some(row.session), seq: None, problem });
    }
    Ok(())
}

/// Counts events whose session has no row: there is no way to them.
fn strays(connection: &Connection) -> rusqlite::Result<i64> {
    // A scan of the sessions and one seek each; what lies between them is counted, and is normally nothing.
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let all = count("SELECT count(*) FROM event")?;
    let owned = count(
        "SELECT coalesce(sum((SELECT count(*) FROM event WHERE id > key << 40 AND id < (key + 1) << 40)), 0) FROM session",
    )?;
    Ok(all - owned)
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.session, self.seq) {
            (Some(session), Some(seq)) => write!(out, "session {session}, event {seq}: {}", self.problem),
            (Some(session), None) => write!(out, "session {session}: {}", self.problem),
            (None, _) => write!(out, "database: {}", self.problem),
        }
    }
}

#[cfg(test)]
mod tests;
