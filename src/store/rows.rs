//! The statements that write, each prepared once by the connection, and how rows are numbered.

use rusqlite::{Connection, OptionalExtension as _, params};
use tandem_actors::event::{ChainHash, Record};
use tandem_actors::ids::{Seq, SessionId, Term};
use tandem_actors::journal::{DeviceRow, OldEvents, TranscriptLine};

use super::request::TokenRow;

/// How many of an id's 63 bits count events within a session; the upper 23 name the session.
const SEQ_BITS: u32 = 40;

/// The largest seq, and the largest number of transcript lines; the schema refuses more.
pub(super) const MAX_SEQ: Seq = (1 << SEQ_BITS) - 1;

/// Where a session stands: its row without the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) key: i64,
    pub(super) term: Term,
    pub(super) head: Seq,
    pub(super) hash: ChainHash,
    pub(super) lines: u64,
}

/// The place of event `seq`, or of transcript line `seq`, in its table.
pub(super) fn row_id(session_key: i64, seq: Seq) -> i64 {
    session_key << SEQ_BITS | seq.min(MAX_SEQ).cast_signed()
}

/// The seq of a row.
pub(super) fn seq_of(row_id: i64) -> Seq {
    row_id.cast_unsigned() & MAX_SEQ
}

/// Finds where a session stands; `None` if it was never claimed.
pub(super) fn find(connection: &Connection, session: SessionId) -> rusqlite::Result<Option<Standing>> {
    connection
        .prepare_cached("SELECT key, term, head, hash, lines FROM session WHERE uuid = ?1")?
        .query_row([session.uuid().as_bytes()], |row| {
            Ok(Standing {
                key: row.get(0)?,
                term: Term(row.get::<_, i64>(1)?.cast_unsigned()),
                head: row.get::<_, i64>(2)?.cast_unsigned(),
                hash: ChainHash::from_bytes(row.get(3)?),
                lines: row.get::<_, i64>(4)?.cast_unsigned(),
            })
        })
        .optional()
}

/// Makes a session, or the channel of a project, that stands at the start.
pub(super) fn insert_session(
    connection: &Connection,
    session: SessionId,
    project: Option<&str>,
) -> rusqlite::Result<Standing> {
    let hash = ChainHash::start(session);
    let key = connection
        .prepare_cached(
            "INSERT INTO session (uuid, term, head, hash, lines, summary, project) \
             VALUES (?1, 0, 0, ?2, 0, '', ?3)",
        )?
        .insert(params![session.uuid().as_bytes(), hash.bytes(), project])?;
    Ok(Standing { key, term: Term(0), head: 0, hash, lines: 0 })
}

/// Writes the term of a standing.
pub(super) fn update_term(connection: &Connection, standing: &Standing) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE session SET term = ?2 WHERE key = ?1")?
        .execute(params![standing.key, standing.term.0.cast_signed()])?;
    Ok(())
}

/// Writes the rest of a standing, and the summary.
pub(super) fn update_head(
    connection: &Connection,
    standing: &Standing,
    summary: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE session SET head = ?2, hash = ?3, lines = ?4, summary = ?5 WHERE key = ?1")?
        .execute(params![
            standing.key,
            standing.head.cast_signed(),
            standing.hash.bytes(),
            standing.lines.cast_signed(),
            summary,
        ])?;
    Ok(())
}

/// Writes one event.
pub(super) fn insert_event(connection: &Connection, key: i64, record: &Record) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO event (id, at, term, hash, kind, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            row_id(key, record.seq),
            record.at.millis(),
            record.term.0.cast_signed(),
            record.hash.bytes(),
            &*record.kind,
            &*record.data,
        ])?;
    Ok(())
}

/// Removes old events of a project's channel, at most so many, and returns where to go on.
///
/// Rows of a channel lie side by side, so a stretch is found by one seek and goes page by page.
pub(super) fn delete_events(
    connection: &Connection,
    old: &OldEvents,
    at_most: usize,
) -> rusqlite::Result<Seq> {
    let key: Option<i64> = connection
        .prepare_cached("SELECT key FROM session WHERE uuid = ?1 AND project IS NOT NULL")?
        .query_row([old.channel.uuid().as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(key) = key else { return Ok(old.before) };
    let mut nth = connection
        .prepare_cached("SELECT id FROM event WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1 OFFSET ?3")?;
    let mut delete = connection.prepare_cached("DELETE FROM event WHERE id >= ?1 AND id < ?2")?;
    let mut left = at_most;
    for (first, end) in old.stretches() {
        let (first, end) = (row_id(key, first), row_id(key, end));
        let offset = i64::try_from(left).unwrap_or(i64::MAX);
        let stays: Option<i64> = nth.query_row(params![first, end, offset], |row| row.get(0)).optional()?;
        left -= delete.execute([first, stays.unwrap_or(end)])?.min(left);
        if let Some(stays) = stays {
            return Ok(seq_of(stays));
        }
    }
    Ok(old.before)
}

/// Writes one transcript line as number `n`.
pub(super) fn insert_line(
    connection: &Connection,
    key: i64,
    n: u64,
    line: &TranscriptLine,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO transcript (id, file, line) VALUES (?1, ?2, ?3)")?
        .execute(params![row_id(key, n), &*line.file, &*line.line])?;
    Ok(())
}

/// Writes a device over what was known of it.
pub(super) fn save_device(connection: &Connection, device: &DeviceRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "REPLACE INTO device (device_id, device_name, kind, last_seen_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            device.device_id.as_str(),
            device.device_name,
            device.kind,
            device.last_seen_at.millis(),
        ])?;
    Ok(())
}

/// Writes a token; one that is known already changes owner.
pub(super) fn save_token(connection: &Connection, token: &TokenRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached("REPLACE INTO token (hash, user_id, created_at) VALUES (?1, ?2, ?3)")?
        .execute(params![token.hash, token.user_id.as_str(), token.created_at.millis()])?;
    Ok(())
}

/// Writes up to where fencing numbers may be used; never a lower one than before.
pub(super) fn reserve_fences(connection: &Connection, up_to: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('fences', ?1) ON CONFLICT (name) DO UPDATE \
             SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(meta.value AS INTEGER)",
        )?
        .execute([up_to.to_string()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_sessions_apart_and_events_in_order() {
        assert!(row_id(1, MAX_SEQ) < row_id(2, 0));
        assert!(row_id(2, 1) < row_id(2, 2));
        assert_eq!(seq_of(row_id(5, 77)), 77);
        let last_key = (1 << 23) - 1;
        assert_eq!(row_id(last_key, MAX_SEQ), i64::MAX);
    }
}
