//! The statements that read.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Row, params};
use tandem_actors::clock::Timestamp;
use tandem_actors::event::{ChainHash, Record};
use tandem_actors::ids::{Seq, SessionId, Term};
use tandem_actors::journal::{ChannelRow, DeviceRow, SessionRow, TranscriptLine};
use uuid::Uuid;

use super::request::TokenRow;
use super::rows::{self, MAX_SEQ};

/// The list of sessions that have an event.
pub(super) fn sessions(connection: &Connection) -> rusqlite::Result<Vec<SessionRow>> {
    connection
        .prepare_cached("SELECT uuid, head, summary FROM session WHERE head > 0 AND project IS NULL")?
        .query_map([], |row| {
            Ok(SessionRow {
                session: Uuid::from_bytes(row.get(0)?).into(),
                head: row.get::<_, i64>(1)?.cast_unsigned(),
                summary: text(row, 2)?,
            })
        })?
        .collect()
}

/// The channels of projects that have an event.
pub(super) fn channels(connection: &Connection) -> rusqlite::Result<Vec<ChannelRow>> {
    connection
        .prepare_cached("SELECT project, summary FROM session WHERE head > 0 AND project IS NOT NULL")?
        .query_map([], |row| Ok(ChannelRow { project: text(row, 0)?, summary: text(row, 1)? }))?
        .collect()
}

/// The highest fencing number that was reserved.
pub(super) fn fences(connection: &Connection) -> rusqlite::Result<u64> {
    let stored: Option<i64> = connection
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'fences'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(stored.unwrap_or(0).cast_unsigned())
}

/// One page of events behind `after`.
pub(super) fn read(
    connection: &Connection,
    session: SessionId,
    after: Seq,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<Vec<Record>> {
    let Some(key) = session_key(connection, session)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT id, at, term, hash, kind, data FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = statement.query(params![rows::row_id(key, after), rows::row_id(key, MAX_SEQ), limit])?;
    let mut records: Vec<Record> = Vec::new();
    let mut bytes = 0_usize;
    while let Some(row) = found.next()? {
        let record = record(row)?;
        bytes = bytes.saturating_add(record.data.len());
        if bytes > max_bytes && !records.is_empty() {
            break;
        }
        records.push(record);
    }
    Ok(records)
}

/// The whole transcript of a session.
pub(super) fn transcript(
    connection: &Connection,
    session: SessionId,
) -> rusqlite::Result<Vec<TranscriptLine>> {
    let Some(key) = session_key(connection, session)? else {
        return Ok(Vec::new());
    };
    connection
        .prepare_cached("SELECT file, line FROM transcript WHERE id > ?1 AND id <= ?2 ORDER BY id")?
        .query_map([rows::row_id(key, 0), rows::row_id(key, MAX_SEQ)], |row| {
            Ok(TranscriptLine { file: text(row, 0)?, line: text(row, 1)? })
        })?
        .collect()
}

/// All devices.
pub(super) fn devices(connection: &Connection) -> rusqlite::Result<Vec<DeviceRow>> {
    connection
        .prepare_cached("SELECT device_id, device_name, kind, last_seen_at FROM device")?
        .query_map([], |row| {
            let device_id = text(row, 0)?
                .parse()
                .map_err(|cause| Error::FromSqlConversionFailure(0, Type::Text, Box::new(cause)))?;
            Ok(DeviceRow {
                device_id,
                device_name: row.get(1)?,
                kind: row.get(2)?,
                last_seen_at: Timestamp::from_millis(row.get(3)?),
            })
        })?
        .collect()
}

/// All tokens.
pub(super) fn tokens(connection: &Connection) -> rusqlite::Result<Vec<TokenRow>> {
    connection
        .prepare_cached("SELECT hash, user_id, created_at FROM token")?
        .query_map([], |row| {
            let Ok(user_id) = text(row, 1)?.parse();
            Ok(TokenRow { hash: row.get(0)?, user_id, created_at: Timestamp::from_millis(row.get(2)?) })
        })?
        .collect()
}

fn session_key(connection: &Connection, session: SessionId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT key FROM session WHERE uuid = ?1")?
        .query_row([session.uuid().as_bytes()], |row| row.get(0))
        .optional()
}

/// One event.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        seq: rows::seq_of(row.get(0)?),
        at: Timestamp::from_millis(row.get(1)?),
        term: Term(row.get::<_, i64>(2)?.cast_unsigned()),
        hash: ChainHash::from_bytes(row.get(3)?),
        kind: text(row, 4)?,
        data: text(row, 5)?,
    })
}

/// Copies a text once, from SQLite's memory to where it stays.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(row.get_ref(column)?.as_str()?.into())
}
