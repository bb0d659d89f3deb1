//! Looks at every attachment: is it there, and what its name says?

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use tandem_actors::blobs::{BlobHash, PART_BYTES};

use super::{Findings, Problem};

/// Whether the database is of a version that keeps attachments. One that no server of this version has opened yet is not.
pub(super) fn are_kept(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'blob'", [], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

/// Reads all blobs, each as of one moment.
pub(super) fn look_at_all(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT key, sha256 FROM blob ORDER BY key")?;
    let keys = statement.query_map([], |row| Ok((row.get(0)?, BlobHash::from_bytes(row.get(1)?))))?;
    let keys: Vec<(i64, BlobHash)> = keys.collect::<Result<_, _>>()?;
    for (key, hash) in keys {
        let problem = match look_at(connection, key, hash) {
            Ok(Some(problem)) => problem,
            Ok(None) => {
                findings.blobs += 1;
                continue;
            }
            Err(error) => format!("it cannot be read: {error}"),
        };
        findings.blobs += 1;
        let problem = format!("attachment {hash}: {problem}");
        findings.problems.push(Problem { session: None, seq: None, problem });
    }
    let strays: i64 = connection.query_row(
        "SELECT count(*) FROM blob_session WHERE session NOT IN (SELECT key FROM session)",
        [],
        |row| row.get(0),
    )?;
    if strays > 0 {
        let problem = format!("{strays} attachments belong to sessions that do not exist");
        findings.problems.push(Problem { session: None, seq: None, problem });
    }
    Ok(())
}

/// What is wrong with one blob. Beside a server that works, it may be gone by now, which is no problem.
fn look_at(connection: &Connection, key: i64, hash: BlobHash) -> rusqlite::Result<Option<String>> {
    let moment = connection.unchecked_transaction()?;
    let expected: Option<i64> = moment
        .prepare_cached("SELECT bytes FROM blob WHERE key = ?1 AND sha256 = ?2")?
        .query_row(params![key, hash.bytes()], |row| row.get(0))
        .optional()?;
    let Some(expected) = expected else { return Ok(None) };
    let mut statement = moment.prepare_cached(
        "SELECT id & 65535, data FROM blob_part WHERE id >= ?1 << 16 AND id < (?1 + 1) << 16 ORDER BY id",
    )?;
    let mut parts = statement.query([key])?;
    let mut hasher = Sha256::new();
    let (mut bytes, mut number) = (0_i64, 0_i64);
    while let Some(part) = parts.next()? {
        let data = part.get_ref(1)?.as_blob()?;
        let offset = number * i64::try_from(PART_BYTES).unwrap_or(i64::MAX);
        if part.get::<_, i64>(0)? != number || bytes != offset {
            return Ok(Some(format!("its part {number} is missing or of another size")));
        }
        hasher.update(data);
        bytes += i64::try_from(data.len()).unwrap_or(i64::MAX);
        number += 1;
    }
    if bytes != expected {
        return Ok(Some(format!("{bytes} bytes of it are there, and {expected} were kept")));
    }
    let found = BlobHash::from_bytes(hasher.finalize().into());
    Ok((found != hash).then(|| "it is not what was written: its bytes hash to something else".to_owned()))
}

/// What is wrong with a reference of a session's event.
pub(super) fn look_at_reference(
    connection: &Connection,
    session_key: i64,
    hash: BlobHash,
) -> rusqlite::Result<Option<String>> {
    let known: Option<bool> = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM blob_session WHERE blob = blob.key AND session = ?2)
             FROM blob WHERE sha256 = ?1",
        )?
        .query_row(params![hash.bytes(), session_key], |row| row.get(0))
        .optional()?;
    Ok(match known {
        Some(true) => None,
        Some(false) => Some(format!("its attachment {hash} is not noted as one of this session")),
        None => Some(format!("its attachment {hash} is not there")),
    })
}
