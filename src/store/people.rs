//! The statements for what is remembered of people beside the history: how far they have read, notices that wait.

use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row, params};
use tandem_actors::clock::Timestamp;
use tandem_actors::event::By;
use tandem_actors::ids::DeviceId;
use tandem_actors::journal::{CursorRow, NoticeRow};
use uuid::Uuid;

/// Writes a cursor over what was known of it.
pub(super) fn save_cursor(connection: &Connection, cursor: &CursorRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached("REPLACE INTO cursor (session, device_id, seq, notable) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            cursor.session.uuid().as_bytes(),
            cursor.device.as_str(),
            cursor.seq.cast_signed(),
            cursor.notable.cast_signed(),
        ])?;
    Ok(())
}

/// All cursors.
pub(super) fn cursors(connection: &Connection) -> rusqlite::Result<Vec<CursorRow>> {
    connection
        .prepare_cached("SELECT session, device_id, seq, notable FROM cursor")?
        .query_map([], |row| {
            Ok(CursorRow {
                session: Uuid::from_bytes(row.get(0)?).into(),
                device: device(row, 1)?,
                seq: row.get::<_, i64>(2)?.cast_unsigned(),
                notable: row.get::<_, i64>(3)?.cast_unsigned(),
            })
        })?
        .collect()
}

/// Writes a notice that waits.
pub(super) fn insert_notice(connection: &Connection, notice: &NoticeRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO notice (number, notice_id, device_id, from_device, from_user, message, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            notice.number.cast_signed(),
            notice.id.uuid().as_bytes(),
            notice.to.as_str(),
            notice.from.device_id.as_str(),
            notice.from.user_id.as_str(),
            &*notice.message,
            notice.at.millis(),
        ])?;
    Ok(())
}

/// Forgets the notices of a device up to a number.
pub(super) fn delete_notices(connection: &Connection, device: &DeviceId, up_to: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM notice WHERE device_id = ?1 AND number <= ?2")?
        .execute(params![device.as_str(), up_to.cast_signed()])?;
    Ok(())
}

/// All notices that wait, in the order of their numbers.
pub(super) fn notices(connection: &Connection) -> rusqlite::Result<Vec<NoticeRow>> {
    connection
        .prepare_cached(
            "SELECT number, notice_id, device_id, from_device, from_user, message, at FROM notice \
             ORDER BY number",
        )?
        .query_map([], |row| {
            let user: String = row.get(4)?;
            let message: String = row.get(5)?;
            let Ok(user_id) = user.parse();
            Ok(NoticeRow {
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                id: Uuid::from_bytes(row.get(1)?).into(),
                to: device(row, 2)?,
                from: By { device_id: device(row, 3)?, user_id },
                message: message.into(),
                at: Timestamp::from_millis(row.get(6)?),
            })
        })?
        .collect()
}

fn device(row: &Row<'_>, column: usize) -> rusqlite::Result<DeviceId> {
    let text: String = row.get(column)?;
    text.parse().map_err(|cause| Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause)))
}
