//! Blobs on the disk: written in parts, cut off in between, forgotten, copied.

use futures_util::FutureExt as _;
use rusqlite::Connection;
use tandem_actors::journal::{Append, Journal as _};

use super::super::faults::{Failure, Faults, Moment};
use super::super::testing::Owner;
use super::super::{back_up, check, restore};
use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Text that is not the same in any two places.
fn blob(bytes: usize) -> NewBlob {
    let data: String = (0..).map(|number| format!("{number} ")).take(bytes / 2 + 1).collect();
    NewBlob::of(data.into_bytes()[..bytes].to_vec().into(), "phone".parse().unwrap(), at(1_000)).unwrap()
}

async fn bytes_of(journal: &SqliteJournal, hash: BlobHash) -> Option<Vec<u8>> {
    let row = journal.find(hash).await.unwrap()?;
    let mut data = Vec::new();
    for number in 0.. {
        let Some(part) = journal.part(hash, number).await.unwrap() else { break };
        data.extend_from_slice(&part);
    }
    assert_eq!(data.len() as u64, row.bytes);
    Some(data)
}

fn count(home: &tempfile::TempDir, table: &str) -> i64 {
    let connection = Connection::open(home.path().join("tandem.db")).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Drives a write until some of it is on the disk; the rest is written only when it is driven on.
async fn first_part_is_there(home: &tempfile::TempDir, keeping: &mut Pending<()>) {
    while count(home, "blob_part") == 0 {
        assert!(keeping.now_or_never().is_none(), "it is not finished yet");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_large_blob_is_written_in_parts_and_read_back_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let blob = blob(3 * PART_BYTES + 17);
    journal.keep(blob.clone()).await.unwrap();
    drop(journal);
    assert_eq!((count(&home, "blob_part"), count(&home, "blob_unfinished")), (4, 0));
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(bytes_of(&journal, blob.hash).await.unwrap(), blob.data);
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_even_at_the_same_time() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let blob = blob(2 * PART_BYTES + 1);
    let by_laptop = NewBlob { by: "laptop".parse().unwrap(), ..blob.clone() };
    let (one, two) = tokio::join!(journal.keep(blob.clone()), journal.keep(by_laptop));
    one.and(two).unwrap();
    journal.keep(blob.clone()).await.unwrap();
    assert_eq!(journal.find(blob.hash).await.unwrap().unwrap().devices.len(), 2);
    drop(journal);
    assert_eq!((count(&home, "blob"), count(&home, "blob_part")), (1, 3));
}

#[tokio::test]
async fn a_crash_between_two_parts_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let whole = blob(PART_BYTES + 1);
    journal.keep(whole.clone()).await.unwrap();
    // As a killed server leaves it: nobody asks for the removal.
    let data = Bytes::from_static(b"half");
    ask(&journal.writer.asker(), BlobWrite::Part { key: 9, number: 0, data }).await.unwrap();
    drop(journal);
    assert_eq!((count(&home, "blob_part"), count(&home, "blob_unfinished")), (3, 1));
    let journal = SqliteJournal::open(home.path()).unwrap();
    let other = blob(PART_BYTES + 2);
    journal.keep(other.clone()).await.unwrap();
    assert_eq!(bytes_of(&journal, whole.hash).await.unwrap(), whole.data);
    drop(journal);
    assert_eq!((count(&home, "blob_part"), count(&home, "blob_unfinished")), (4, 0));
    assert!(check(home.path()).unwrap().problems.is_empty());
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_removed_at_once() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let mut keeping = journal.keep(blob(8 * PART_BYTES));
    first_part_is_there(&home, &mut keeping).await;
    drop(keeping);
    drop(journal);
    assert_eq!((count(&home, "blob_part"), count(&home, "blob_unfinished")), (0, 0));
}

#[tokio::test]
async fn an_upload_that_is_given_up_during_its_last_write_is_whole_or_not_there() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let blob = blob(10);
    let unfinished = Unfinished { asker: journal.writer.asker(), key: Some(journal.next_blob.take()) };
    // Its only part is its last one: when it is driven once, the end is queued.
    let mut writing = Box::pin(unfinished.write(blob.clone()));
    drop((&mut writing).now_or_never());
    drop(writing);
    drop(journal);
    assert_eq!((count(&home, "blob"), count(&home, "blob_part")), (1, 1));
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(bytes_of(&journal, blob.hash).await.unwrap(), blob.data);
}

#[tokio::test]
async fn a_part_that_finds_the_disk_full_leaves_nothing_and_may_be_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let journal = SqliteJournal::open_with_faults(home.path(), faults.clone()).unwrap();
    let blob = blob(8 * PART_BYTES);
    let mut keeping = journal.keep(blob.clone());
    first_part_is_there(&home, &mut keeping).await;
    faults.strike_next(Moment::InsteadOfCommit, Failure::DiskFull);
    assert!(matches!(keeping.await, Err(JournalError::NotWritten { .. })));
    assert!(journal.find(blob.hash).await.unwrap().is_none());
    journal.keep(blob.clone()).await.unwrap();
    assert_eq!(bytes_of(&journal, blob.hash).await.unwrap(), blob.data);
    drop(journal);
    assert_eq!((count(&home, "blob_part"), count(&home, "blob_unfinished")), (8, 0));
}

#[tokio::test]
async fn what_no_session_refers_to_is_forgotten_in_time_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let (unused, touched, used) = (blob(PART_BYTES + 1), blob(PART_BYTES + 2), blob(PART_BYTES + 3));
    for blob in [&unused, &touched, &used] {
        journal.keep(blob.clone()).await.unwrap();
    }
    assert!(journal.touch(touched.hash, at(5_000)).await.unwrap());
    let owner = Owner::of_new(&journal).await;
    journal.append(Append { blobs: vec![used.hash], ..owner.says(&["look"]) }).await.unwrap();
    assert_eq!(journal.forget_unused(at(1_000)).await.unwrap(), 0);
    assert_eq!(journal.forget_unused(at(5_000)).await.unwrap(), 1);
    assert!(!journal.touch(unused.hash, at(6_000)).await.unwrap());
    assert_eq!(journal.forget_unused(at(9_000)).await.unwrap(), 1);
    assert_eq!(journal.find(used.hash).await.unwrap().unwrap().sessions, [owner.session]);
    drop(journal);
    assert_eq!((count(&home, "blob_part"), count(&home, "blob_device")), (2, 1));
}

#[tokio::test]
async fn a_blob_that_somebody_needs_after_the_look_stays() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let (touched, used) = (blob(10), blob(11));
    for blob in [&touched, &used] {
        journal.keep(blob.clone()).await.unwrap();
    }
    let connection = Connection::open(home.path().join("tandem.db")).unwrap();
    let before = at(5_000);
    let unused = rows::unused(&connection, before).unwrap();
    assert_eq!(unused.len(), 2);
    assert!(journal.touch(touched.hash, before).await.unwrap());
    let owner = Owner::of_new(&journal).await;
    journal.append(Append { blobs: vec![used.hash], ..owner.says(&["look"]) }).await.unwrap();
    for key in unused {
        assert!(!ask(&journal.writer.asker(), BlobWrite::Forget { key, before }).await.unwrap());
    }
    assert_eq!(bytes_of(&journal, used.hash).await.unwrap(), used.data);
}

#[tokio::test]
async fn a_refused_append_claims_no_blob() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let blob = blob(10);
    journal.keep(blob.clone()).await.unwrap();
    let late = Owner::of_new(&journal).await;
    Owner::of(&journal, late.session).await;
    journal.append(Append { blobs: vec![blob.hash], ..late.says(&["late"]) }).await.unwrap_err();
    assert!(journal.find(blob.hash).await.unwrap().unwrap().sessions.is_empty());
}

#[tokio::test]
async fn a_backup_brings_blobs_back_with_their_sessions() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let blob = blob(2 * PART_BYTES);
    journal.keep(blob.clone()).await.unwrap();
    let owner = Owner::of_new(&journal).await;
    journal.append(Append { blobs: vec![blob.hash], ..owner.says(&["look"]) }).await.unwrap();
    let file = home.path().join("copy");
    back_up(home.path(), &file).unwrap();
    drop(journal);
    let elsewhere = tempfile::tempdir().unwrap();
    restore(elsewhere.path(), &file).unwrap();
    let journal = SqliteJournal::open(elsewhere.path()).unwrap();
    assert_eq!(bytes_of(&journal, blob.hash).await.unwrap(), blob.data);
    assert_eq!(journal.find(blob.hash).await.unwrap().unwrap().sessions, [owner.session]);
    assert_eq!(check(elsewhere.path()).unwrap().blobs, 1);
}

#[tokio::test]
async fn a_history_without_blobs_gets_room_for_them() {
    let home = tempfile::tempdir().unwrap();
    let older = Connection::open(home.path().join("tandem.db")).unwrap();
    older.execute_batch(include_str!("../schema.sql")).unwrap();
    older.pragma_update(None, "user_version", 1).unwrap();
    drop(older);
    assert_eq!(check(home.path()).unwrap().problems, [], "before any server has opened it");
    let journal = SqliteJournal::open(home.path()).unwrap();
    journal.keep(blob(10)).await.unwrap();
}
