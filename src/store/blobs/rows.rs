//! The statements about attachments.

use bytes::Bytes;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, params};
use tandem_actors::blobs::{BlobHash, BlobRow, Kind, NewBlob};
use tandem_actors::clock::Timestamp;
use tandem_actors::ids::DeviceId;
use uuid::Uuid;

/// How many of a part's 56 bits count within its blob: 65,536 parts are 16 GiB.
const PART_BITS: u32 = 16;

/// One write about an attachment.
#[derive(Debug)]
pub(in crate::store) enum BlobWrite {
    /// A part that is not the last one.
    Part { key: i64, number: u64, data: Bytes },
    /// The last part; from now on the blob is there.
    Finish { key: i64, number: u64, last_part: Bytes, blob: NewBlob },
    /// The parts of a blob that nobody waits for any more; nothing, if it was finished all the same.
    Drop { key: i64 },
    /// Somebody needs it, and `by` has brought it.
    Touch { hash: BlobHash, by: Option<DeviceId>, at: Timestamp },
    /// It goes if no session refers to it and nobody has touched it since.
    Forget { key: i64, before: Timestamp },
}

impl BlobWrite {
    /// About how much memory and log it takes, without the row's own numbers.
    pub(in crate::store) fn bytes(&self) -> usize {
        match self {
            Self::Part { data, .. } | Self::Finish { last_part: data, .. } => data.len(),
            Self::Drop { .. } | Self::Touch { .. } | Self::Forget { .. } => 0,
        }
    }

    /// Whether it needs space that a full disk does not have.
    pub(in crate::store) fn begins_something(&self) -> bool {
        matches!(self, Self::Part { .. } | Self::Finish { .. })
    }

    /// Writes it; `false` when what it is about was not there.
    pub(in crate::store) fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match self {
            Self::Part { key, number, data } => {
                if *number == 0 {
                    execute(connection, "INSERT INTO blob_unfinished (key) VALUES (?1)", *key)?;
                }
                insert_part(connection, *key, *number, data)
            }
            Self::Finish { key, number, last_part, blob } => {
                finish(connection, *key, *number, last_part, blob)
            }
            Self::Drop { key } => drop_unfinished(connection, *key),
            Self::Touch { hash, by, at } => touch(connection, *hash, by.as_ref(), *at),
            Self::Forget { key, before } => forget(connection, *key, *before),
        }
    }
}

fn part_id(key: i64, number: u64) -> i64 {
    key << PART_BITS | (number & ((1 << PART_BITS) - 1)).cast_signed()
}

fn execute(connection: &Connection, sql: &str, key: i64) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute([key])
}

fn insert_part(connection: &Connection, key: i64, number: u64, data: &[u8]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("INSERT INTO blob_part (id, data) VALUES (?1, ?2)")?
        .execute(params![part_id(key, number), data])?;
    Ok(true)
}

fn drop_parts(connection: &Connection, key: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM blob_part WHERE id >= ?1 AND id < ?2")?
        .execute([part_id(key, 0), part_id(key + 1, 0)])?;
    execute(connection, "DELETE FROM blob_unfinished WHERE key = ?1", key)?;
    Ok(())
}

/// Whoever gave up may have asked for the end before: what has no mark is finished, or was never begun.
fn drop_unfinished(connection: &Connection, key: i64) -> rusqlite::Result<bool> {
    let is_unfinished: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM blob_unfinished WHERE key = ?1)")?
        .query_row([key], |row| row.get(0))?;
    if is_unfinished {
        drop_parts(connection, key)?;
    }
    Ok(is_unfinished)
}

/// Whoever brought the same bytes at the same time may have been faster; then these parts are too many.
fn finish(
    connection: &Connection,
    key: i64,
    number: u64,
    last_part: &[u8],
    blob: &NewBlob,
) -> rusqlite::Result<bool> {
    if touch(connection, blob.hash, Some(&blob.by), blob.at)? {
        drop_parts(connection, key)?;
        return Ok(true);
    }
    insert_part(connection, key, number, last_part)?;
    connection
        .prepare_cached(
            "INSERT INTO blob (key, sha256, media_type, bytes, touched_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            key,
            blob.hash.bytes(),
            blob.kind.media_type(),
            i64::try_from(blob.data.len()).unwrap_or(i64::MAX),
            blob.at.millis(),
        ])?;
    execute(connection, "DELETE FROM blob_unfinished WHERE key = ?1", key)?;
    touch(connection, blob.hash, Some(&blob.by), blob.at)
}

fn touch(
    connection: &Connection,
    hash: BlobHash,
    by: Option<&DeviceId>,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let key: Option<i64> = connection
        .prepare_cached("UPDATE blob SET touched_at = max(touched_at, ?2) WHERE sha256 = ?1 RETURNING key")?
        .query_row(params![hash.bytes(), at.millis()], |row| row.get(0))
        .optional()?;
    let Some(key) = key else { return Ok(false) };
    if let Some(device) = by {
        connection
            .prepare_cached(
                "INSERT INTO blob_device (blob, device_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![key, device.as_str()])?;
    }
    Ok(true)
}

/// Looked at again within the write: between the look and this, somebody may have needed it.
fn forget(connection: &Connection, key: i64, before: Timestamp) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM blob WHERE key = ?1 AND touched_at < ?2
             AND NOT EXISTS (SELECT 1 FROM blob_session WHERE blob = ?1)",
        )?
        .execute(params![key, before.millis()])?;
    if removed == 0 {
        return Ok(false);
    }
    drop_parts(connection, key)?;
    execute(connection, "DELETE FROM blob_device WHERE blob = ?1", key)?;
    Ok(true)
}

/// Takes note that a session refers to a blob. One that is not there is no reason to lose what was said.
pub(in crate::store) fn refer(
    connection: &Connection,
    hash: BlobHash,
    session_key: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO blob_session (blob, session) SELECT key, ?2 FROM blob WHERE sha256 = ?1
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![hash.bytes(), session_key])?;
    Ok(())
}

/// Removes what a crash has left half written, and says which key is free from there on.
pub(in crate::store) fn remove_unfinished(connection: &Connection) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare("SELECT key FROM blob_unfinished")?;
    let keys: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for key in keys {
        drop_parts(connection, key)?;
    }
    connection.query_row("SELECT coalesce(max(key), 0) + 1 FROM blob", [], |row| row.get(0))
}

/// What is known of a blob.
pub(super) fn find(connection: &Connection, hash: BlobHash) -> rusqlite::Result<Option<BlobRow>> {
    let found = connection
        .prepare_cached("SELECT key, media_type, bytes FROM blob WHERE sha256 = ?1")?
        .query_row([hash.bytes()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let Some((key, media_type, bytes)) = found else { return Ok(None) };
    let kind = Kind::named(&media_type)
        .ok_or_else(|| Error::FromSqlConversionFailure(1, Type::Text, "no kind of this name".into()))?;
    let devices = connection
        .prepare_cached("SELECT device_id FROM blob_device WHERE blob = ?1")?
        .query_map([key], |row| row.get::<_, String>(0))?
        .filter_map(|device| device.map(|device| device.parse().ok()).transpose())
        .collect::<Result<_, _>>()?;
    let sessions = connection
        .prepare_cached(
            "SELECT uuid FROM blob_session JOIN session ON session.key = blob_session.session WHERE blob = ?1",
        )?
        .query_map([key], |row| Ok(Uuid::from_bytes(row.get(0)?).into()))?
        .collect::<Result<_, _>>()?;
    Ok(Some(BlobRow { kind, bytes: bytes.cast_unsigned(), devices, sessions }))
}

/// One part of a blob that is there.
pub(super) fn part(connection: &Connection, hash: BlobHash, number: u64) -> rusqlite::Result<Option<Bytes>> {
    let key: Option<i64> = connection
        .prepare_cached("SELECT key FROM blob WHERE sha256 = ?1")?
        .query_row([hash.bytes()], |row| row.get(0))
        .optional()?;
    let Some(key) = key else { return Ok(None) };
    connection
        .prepare_cached("SELECT data FROM blob_part WHERE id = ?1")?
        .query_row([part_id(key, number)], |row| Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?)))
        .optional()
}

/// The keys of blobs that may be forgotten.
pub(super) fn unused(connection: &Connection, before: Timestamp) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT key FROM blob WHERE touched_at < ?1
             AND NOT EXISTS (SELECT 1 FROM blob_session WHERE blob = key)",
        )?
        .query_map([before.millis()], |row| row.get(0))?
        .collect()
}
