//! A history that leaves by one door and comes in by another.

use std::os::unix::fs::PermissionsExt as _;

use tandem_actors::journal::Journal as _;

use super::super::SqliteJournal;
use super::super::testing::{Owner, history};
use super::*;

#[tokio::test]
async fn a_backup_of_a_journal_in_use_is_its_history_at_one_moment() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let file = home.path().join("copy.db");
    let journal = SqliteJournal::open(&data).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one", "two"]).await.unwrap();
    let before = history(&journal, owner.session).await;
    let contents = back_up(&data, &file).unwrap();
    assert_eq!((contents.sessions, contents.events), (1, 2));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "nothing lies beside it");
    owner.write(&journal, &["three"]).await.unwrap();
    let epoch = journal.epoch();
    assert!(matches!(restore(&data, &file), Err(CopyError::Folder(OpenError::InUse { .. }))));
    drop(journal);

    let restored = restore(&data, &file).unwrap();
    let journal = SqliteJournal::open(&data).unwrap();
    assert_ne!(journal.epoch(), epoch);
    assert_eq!(history(&journal, owner.session).await, before);
    drop(journal);

    // What was there is a database that can be restored too.
    let aside = restored.moved_aside.unwrap();
    restore(&data, &aside).unwrap();
    let journal = SqliteJournal::open(&data).unwrap();
    assert_eq!(history(&journal, owner.session).await.len(), 3);
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("copy.db");
    assert!(matches!(back_up(home.path(), &file), Err(CopyError::NothingThere(_))));
    drop(SqliteJournal::open(home.path()).unwrap());
    fs::write(&file, "dear").unwrap();
    assert!(matches!(back_up(home.path(), &file), Err(CopyError::Exists(_))));
    assert_eq!(fs::read(&file).unwrap(), b"dear");
}

#[tokio::test]
async fn what_is_no_whole_backup_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let file = home.path().join("copy.db");
    let journal = SqliteJournal::open(&data).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    for _ in 0..20 {
        owner.write(&journal, &[&"x".repeat(4000)]).await.unwrap();
    }
    drop(journal);
    back_up(&data, &file).unwrap();
    let whole = fs::read(&file).unwrap();
    let mut torn = whole.clone();
    torn[6 * 4096..7 * 4096].fill(0xa5);
    for damaged in [b"no database".to_vec(), Vec::new(), whole[..4096 * 9].to_vec(), torn] {
        fs::write(&file, damaged).unwrap();
        let refusal = restore(&data, &file).unwrap_err();
        assert!(matches!(refusal, CopyError::NotWhole { .. }), "{refusal}");
    }
    let journal = SqliteJournal::open(&data).unwrap();
    assert_eq!(history(&journal, owner.session).await.len(), 20);
}

#[tokio::test]
async fn a_restore_takes_the_place_of_a_damaged_database() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let file = home.path().join("copy.db");
    drop(SqliteJournal::open(&data).unwrap());
    back_up(&data, &file).unwrap();
    fs::write(data.join("tandem.db"), "garbage, but not nothing").unwrap();
    assert!(SqliteJournal::open(&data).is_err());
    let aside = restore(&data, &file).unwrap().moved_aside.unwrap();
    assert_eq!(fs::read(aside).unwrap(), b"garbage, but not nothing");
    SqliteJournal::open(&data).unwrap();
}
