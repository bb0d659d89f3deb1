//! The journal as its users see it: opened again, crowded, failing.

use tandem_actors::clock::Timestamp;
use tandem_actors::ids::{SessionId, Term, UserId};
use tandem_actors::journal::{Journal, JournalError};

use super::testing::{Owner, history, line};
use super::{Failure, Faults, Moment, OpenError, SqliteJournal, TokenRow};

#[tokio::test]
async fn everything_is_there_when_the_journal_is_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let epoch = journal.epoch();
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one", "two"]).await.unwrap();
    let mut append = owner.says(&["three"]);
    append.transcript.push(line("kept"));
    journal.append(append).await.unwrap();
    let before = history(&journal, owner.session).await;
    drop(journal);

    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(journal.epoch(), epoch);
    assert_eq!(history(&journal, owner.session).await, before);
    assert_eq!(journal.transcript(owner.session).await.unwrap(), [line("kept")]);
    let next = Owner::of(&journal, owner.session).await;
    assert_eq!((next.term, next.head, next.hash), (Term(2), 3, before[2].hash));
    assert!(owner.write(&journal, &["late"]).await.is_err());
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let first = SqliteJournal::open(home.path()).unwrap();
    let refusal = SqliteJournal::open(home.path()).unwrap_err();
    assert!(matches!(refusal, OpenError::InUse { .. }), "{refusal}");
    Owner::of_new(&first).await;
}

#[tokio::test]
async fn dropping_the_journal_writes_what_was_queued_and_empties_the_log() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let owner = Owner::of_new(&journal).await;
    drop(journal.append(owner.says(&["one"])));
    drop(journal);
    assert!(!home.path().join("tandem.db-wal").exists());
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(history(&journal, owner.session).await.len(), 1);
}

#[tokio::test]
async fn a_future_that_outlives_the_journal_has_its_answer() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let owner = Owner::of_new(&journal).await;
    let append = journal.append(owner.says(&["one"]));
    let sessions = journal.sessions();
    drop(journal);
    append.await.unwrap();
    sessions.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once_lose_and_mix_nothing() {
    const SESSIONS: usize = 40;
    const APPENDS: usize = 10;
    let home = tempfile::tempdir().unwrap();
    let journal = std::sync::Arc::new(SqliteJournal::open(home.path()).unwrap());
    let mut owners = tokio::task::JoinSet::new();
    for _ in 0..SESSIONS {
        let journal = journal.clone();
        owners.spawn(async move {
            let mut owner = Owner::of_new(&*journal).await;
            for n in 0..APPENDS {
                let text = format!("{} says {n}", owner.session);
                owner.write(&*journal, &[&text]).await.unwrap();
                let newest = journal.read(owner.session, owner.head - 1, 9, 9).await.unwrap();
                assert!(newest[0].data.contains(&text), "an append is read at once");
            }
            owner
        });
    }
    let owners = owners.join_all().await;
    assert_eq!(journal.sessions().await.unwrap().len(), SESSIONS);
    for owner in owners {
        let records = history(&*journal, owner.session).await;
        assert_eq!(records.len(), APPENDS);
        assert!(records.iter().all(|record| record.data.contains(&owner.session.to_string())));
    }
}

#[tokio::test]
async fn an_append_larger_than_the_queue_is_written() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    let huge = "x".repeat(33 << 20);
    owner.write(&journal, &[&huge]).await.unwrap();
    let page = journal.read(owner.session, 0, 1, 1).await.unwrap();
    assert!(page[0].data.len() > huge.len());
}

#[tokio::test]
async fn tokens_are_kept_by_their_hash() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let token = TokenRow { hash: [7; 32], user_id: UserId::owner(), created_at: Timestamp::from_millis(5) };
    journal.add_token(token.clone()).await.unwrap();
    drop(journal);
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(journal.token_hashes().await.unwrap(), [token]);
}

#[tokio::test]
async fn a_write_that_fails_before_its_commit_can_be_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let journal = SqliteJournal::open_with_faults(home.path(), faults.clone()).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    faults.strike_next(Moment::BeforeCommit, Failure::Io);
    let error = owner.write(&journal, &["one"]).await.unwrap_err();
    assert!(matches!(error, JournalError::NotWritten { .. }), "{error}");
    assert!(journal.trouble().unwrap().starts_with("the last write failed"));
    assert!(history(&journal, owner.session).await.is_empty());

    owner.write(&journal, &["one"]).await.unwrap();
    assert_eq!(journal.trouble(), None);
    assert_eq!(history(&journal, owner.session).await.len(), 1);
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_commit_is_no_doubt() {
    let home = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let journal = SqliteJournal::open_with_faults(home.path(), faults.clone()).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    faults.strike_next(Moment::InsteadOfCommit, Failure::DiskFull);
    let error = owner.write(&journal, &["one"]).await.unwrap_err();
    assert!(matches!(error, JournalError::NotWritten { .. }), "{error}");
    assert!(journal.trouble().unwrap().starts_with("the disk is full"));

    owner.write(&journal, &["one"]).await.unwrap();
    assert_eq!(journal.trouble(), None);
    drop(journal);
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(history(&journal, owner.session).await.len(), 1);
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_begun_and_what_runs_comes_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let order = home.path().join("order");
    let journal = SqliteJournal::open_with_faults(home.path(), Faults::from_file(order.clone())).unwrap();
    let ballast = home.path().join("ballast");
    assert!(ballast.exists(), "there is room for it");
    let mut owner = Owner::of_new(&journal).await;
    std::fs::write(&order, "disk-full 1").unwrap();
    let error = owner.write(&journal, &["one"]).await.unwrap_err();
    assert!(matches!(error, JournalError::NotWritten { .. }), "{error}");
    assert!(!ballast.exists(), "it was given up");
    assert!(history(&journal, owner.session).await.is_empty(), "reads go on");

    // The ballast has made room for a while: the disk is not quite full, but short.
    std::fs::write(&order, "disk-short 0").unwrap();
    owner.write(&journal, &["one"]).await.unwrap();
    let error = journal.append(owner.creates()).await.unwrap_err();
    assert!(matches!(error, JournalError::NotWritten { .. }), "{error}");
    assert!(journal.trouble().unwrap().starts_with("the disk is full"));
    assert!(journal.warning().unwrap().contains("make room"));

    std::fs::remove_file(&order).unwrap();
    journal.append(owner.creates()).await.unwrap();
    assert_eq!((journal.trouble(), journal.warning()), (None, None));
    assert!(ballast.exists(), "it was made again");
}

#[tokio::test]
async fn a_damaged_database_is_reported_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    for _ in 0..40 {
        owner.write(&journal, &[&"x".repeat(3000)]).await.unwrap();
    }
    drop(journal);
    let file = home.path().join("tandem.db");
    let whole = std::fs::read(&file).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut damaged = whole.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        damaged
    };
    let garbage = b"no database at all, but as long as one would be".repeat(300);
    for (what, damaged) in [
        ("another magic", with(3, b"ght")),
        ("an impossible page size", with(16, &[3, 3])),
        ("a page of nonsense", with(5 * 4096, &[0xa5; 4096])),
        ("a half of it", whole[..whole.len() / 2].to_vec()),
        ("garbage", garbage),
        ("nothing", Vec::new()),
    ] {
        std::fs::write(&file, &damaged).unwrap();
        let refusal = SqliteJournal::open(home.path()).unwrap_err();
        assert!(matches!(refusal, OpenError::Damaged { .. }), "{what}: {refusal}");
        assert!(refusal.to_string().contains("tandem restore FILE"), "{what}: {refusal}");
        assert!(std::fs::read(&file).unwrap() == damaged, "{what}: it was changed");
    }
    std::fs::write(&file, &whole).unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(history(&journal, owner.session).await.len(), 40);
}

#[tokio::test]
async fn a_claim_that_was_taken_back_fences_nobody() {
    let home = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let journal = SqliteJournal::open_with_faults(home.path(), faults.clone()).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    faults.strike_next(Moment::BeforeCommit, Failure::Io);
    assert!(journal.claim(owner.session).await.is_err());
    owner.write(&journal, &["one"]).await.unwrap();
    assert_eq!(journal.claim(owner.session).await.unwrap().term, Term(2));
}

#[tokio::test]
async fn a_commit_in_doubt_ends_all_writing_and_a_new_start_shows_what_is_there() {
    for (moment, events_on_disk) in [(Moment::InsteadOfCommit, 1), (Moment::AfterCommit, 2)] {
        let home = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let journal = SqliteJournal::open_with_faults(home.path(), faults.clone()).unwrap();
        let mut owner = Owner::of_new(&journal).await;
        owner.write(&journal, &["one"]).await.unwrap();
        faults.strike_next(moment, Failure::Io);
        let doubt = owner.write(&journal, &["two"]).await.unwrap_err();
        assert!(matches!(doubt, JournalError::Unknown { .. }), "{doubt}");
        let retry = owner.write(&journal, &["two"]).await.unwrap_err();
        assert!(matches!(retry, JournalError::Unknown { .. }), "{retry}");
        let claim = journal.claim(owner.session).await.unwrap_err();
        assert!(matches!(claim, JournalError::Unknown { .. }), "{claim}");
        assert!(journal.trouble().unwrap().contains("restart the server"));
        assert!(journal.in_doubt().await.contains("the commit failed"));
        drop(journal);

        let journal = SqliteJournal::open(home.path()).unwrap();
        assert_eq!(journal.trouble(), None);
        assert_eq!(history(&journal, owner.session).await.len(), events_on_disk);
        let mut next = Owner::of(&journal, owner.session).await;
        next.write(&journal, &["three"]).await.unwrap();
    }
}

#[tokio::test]
async fn fencing_numbers_only_rise() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(journal.fences().await.unwrap(), 0);
    for (reserved, expected) in [(9, 9), (10, 10), (2, 10)] {
        journal.reserve_fences(reserved).await.unwrap();
        assert_eq!(journal.fences().await.unwrap(), expected);
    }
    drop(journal);
    let journal = SqliteJournal::open(home.path()).unwrap();
    assert_eq!(journal.fences().await.unwrap(), 10);
}

#[tokio::test]
async fn a_channel_is_kept_as_a_session_is_and_is_none() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let claim = journal.claim_channel("/srv/app".into()).await.unwrap();
    assert!(journal.channels().await.unwrap().is_empty(), "nothing was told yet");
    let channel = SessionId::of_channel("/srv/app");
    let mut owner = Owner { session: channel, term: claim.term, head: claim.head, hash: claim.hash };
    owner.write(&journal, &["one", "two"]).await.unwrap();
    assert!(journal.sessions().await.unwrap().is_empty());
    let channels = journal.channels().await.unwrap();
    assert_eq!(
        (channels.len(), &*channels[0].project, &*channels[0].summary),
        (1, "/srv/app", r#"{"events":2}"#)
    );
    assert_eq!(history(&journal, channel).await.len(), 2);
    let next = journal.claim_channel("/srv/app".into()).await.unwrap();
    assert_eq!((next.term, next.head), (Term(2), 2));
    assert!(owner.write(&journal, &["late"]).await.is_err());
}
