//! What the trait promises, asked of every journal there is.

use tandem_actors::blobs::{BlobHash, NewBlob, PART_BYTES};
use tandem_actors::clock::Timestamp;
use tandem_actors::event::{By, ChainHash};
use tandem_actors::ids::{NoticeId, Seq, SessionId, Term, UserId};
use tandem_actors::journal::{
    Append, CursorRow, DeviceRow, Journal, JournalError, MAX_FORGOTTEN, MemoryJournal, NoticeRow, OldEvents,
};

use super::SqliteJournal;
use super::testing::{Owner, history, line};

macro_rules! promises {
    ($($promise:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::MemoryJournal::new()).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $promise() {
                let home = tempfile::tempdir().unwrap();
                super::$promise(super::SqliteJournal::open(home.path()).unwrap()).await;
            })*
        }
    };
}

promises! {
    a_new_session_starts_at_the_start_of_its_chain
    every_claim_raises_the_term
    a_claim_without_an_append_is_not_listed
    what_was_appended_is_read_back_to_the_letter
    a_claim_finds_the_head_and_its_hash
    an_older_owner_is_refused
    an_append_that_does_not_follow_the_head_is_refused
    an_append_to_a_session_that_nobody_claimed_is_refused
    a_refused_append_leaves_nothing
    the_list_shows_the_last_append
    a_transcript_is_kept_in_order_and_beside_the_events
    a_read_starts_behind_the_cursor_and_ends_at_the_limit
    a_read_ends_at_the_bytes_but_gives_one_record
    reading_what_is_not_there_gives_nothing
    old_events_of_a_channel_go_step_by_step_and_those_that_are_kept_stay
    of_a_conversation_nothing_goes
    sessions_do_not_see_each_other
    the_newest_write_of_a_device_wins
    the_newest_write_of_a_cursor_wins
    notices_wait_in_order_until_they_are_forgotten
    a_journal_that_works_has_no_trouble
    a_blob_is_read_back_part_by_part
    a_blob_knows_who_brought_it_and_which_sessions_refer_to_it
    a_blob_that_nobody_needs_is_forgotten
    a_reference_to_no_blob_loses_no_event
}

fn is_fenced(result: &Result<(), JournalError>, by: &Append) -> bool {
    matches!(result, Err(JournalError::Fenced { session, term }) if *session == by.session && *term == by.term)
}

async fn a_new_session_starts_at_the_start_of_its_chain(journal: impl Journal) {
    let session = SessionId::random();
    let claim = journal.claim(session).await.unwrap();
    assert_eq!((claim.term, claim.head), (Term(1), 0));
    assert_eq!(claim.hash, ChainHash::start(session));
}

async fn every_claim_raises_the_term(journal: impl Journal) {
    let session = SessionId::random();
    for term in 1..=3 {
        assert_eq!(journal.claim(session).await.unwrap().term, Term(term));
    }
}

async fn a_claim_without_an_append_is_not_listed(journal: impl Journal) {
    Owner::of_new(&journal).await;
    assert!(journal.sessions().await.unwrap().is_empty());
}

async fn what_was_appended_is_read_back_to_the_letter(journal: impl Journal) {
    let owner = Owner::of_new(&journal).await;
    let append = owner.says(&["one", "quotes \" and \u{2028} and \0", ""]);
    journal.append(append.clone()).await.unwrap();
    assert_eq!(history(&journal, owner.session).await, append.records);
}

async fn a_claim_finds_the_head_and_its_hash(journal: impl Journal) {
    let mut first = Owner::of_new(&journal).await;
    first.write(&journal, &["one", "two"]).await.unwrap();
    let second = Owner::of(&journal, first.session).await;
    assert_eq!((second.head, second.hash), (2, first.hash));
}

async fn an_older_owner_is_refused(journal: impl Journal) {
    let mut first = Owner::of_new(&journal).await;
    first.write(&journal, &["one"]).await.unwrap();
    let mut second = Owner::of(&journal, first.session).await;
    let late = first.says(&["late"]);
    assert!(is_fenced(&journal.append(late.clone()).await, &late));
    second.write(&journal, &["two"]).await.unwrap();
    assert_eq!(history(&journal, first.session).await.len(), 2);
}

async fn an_append_that_does_not_follow_the_head_is_refused(journal: impl Journal) {
    let mut owner = Owner::of_new(&journal).await;
    let again = owner.says(&["one"]);
    owner.write(&journal, &["one"]).await.unwrap();
    assert!(is_fenced(&journal.append(again.clone()).await, &again));
    owner.head += 1;
    let behind_a_gap = owner.says(&["three"]);
    assert!(is_fenced(&journal.append(behind_a_gap.clone()).await, &behind_a_gap));
}

async fn an_append_to_a_session_that_nobody_claimed_is_refused(journal: impl Journal) {
    let session = SessionId::random();
    let stranger = Owner { session, term: Term(1), head: 0, hash: ChainHash::start(session) };
    let append = stranger.says(&["one"]);
    assert!(is_fenced(&journal.append(append.clone()).await, &append));
    assert!(journal.sessions().await.unwrap().is_empty());
}

async fn a_refused_append_leaves_nothing(journal: impl Journal) {
    let mut first = Owner::of_new(&journal).await;
    first.write(&journal, &["one"]).await.unwrap();
    Owner::of(&journal, first.session).await;
    let mut late = first.says(&["late"]);
    late.transcript.push(line("late"));
    assert!(is_fenced(&journal.append(late.clone()).await, &late));
    assert_eq!(history(&journal, first.session).await.len(), 1);
    assert!(journal.transcript(first.session).await.unwrap().is_empty());
    assert_eq!(&*journal.sessions().await.unwrap()[0].summary, r#"{"events":1}"#);
}

async fn the_list_shows_the_last_append(journal: impl Journal) {
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one", "two"]).await.unwrap();
    owner.write(&journal, &["three"]).await.unwrap();
    let rows = journal.sessions().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].session, rows[0].head), (owner.session, 3));
    assert_eq!(&*rows[0].summary, r#"{"events":3}"#);
}

async fn a_transcript_is_kept_in_order_and_beside_the_events(journal: impl Journal) {
    let owner = Owner::of_new(&journal).await;
    let mut append = owner.says(&[]);
    append.transcript = vec![line("a"), line("b")];
    journal.append(append).await.unwrap();
    let mut append = owner.says(&["one"]);
    append.transcript = vec![line("c")];
    journal.append(append).await.unwrap();
    let expected = [line("a"), line("b"), line("c")];
    assert_eq!(journal.transcript(owner.session).await.unwrap(), expected);
    assert_eq!(history(&journal, owner.session).await.len(), 1);
}

async fn a_read_starts_behind_the_cursor_and_ends_at_the_limit(journal: impl Journal) {
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one", "two", "three", "four"]).await.unwrap();
    let page = journal.read(owner.session, 1, 2, usize::MAX).await.unwrap();
    let seqs: Vec<_> = page.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [2, 3]);
    let nothing = journal.read(owner.session, 1, 0, usize::MAX).await.unwrap();
    assert!(nothing.is_empty());
}

async fn a_read_ends_at_the_bytes_but_gives_one_record(journal: impl Journal) {
    let mut owner = Owner::of_new(&journal).await;
    let long = "x".repeat(1000);
    owner.write(&journal, &[&long, &long, &long]).await.unwrap();
    for (max_bytes, expected) in [(0, 1), (10, 1), (2500, 2), (5000, 3)] {
        let page = journal.read(owner.session, 0, usize::MAX, max_bytes).await.unwrap();
        assert_eq!(page.len(), expected, "with {max_bytes} bytes");
    }
}

async fn reading_what_is_not_there_gives_nothing(journal: impl Journal) {
    let stranger = SessionId::random();
    assert!(journal.read(stranger, 0, 10, 10).await.unwrap().is_empty());
    assert!(journal.transcript(stranger).await.unwrap().is_empty());
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one"]).await.unwrap();
    for after in [1, 2, u64::MAX] {
        let page = journal.read(owner.session, after, 10, 10).await.unwrap();
        assert!(page.is_empty(), "behind {after}");
    }
}

fn old(channel: SessionId, from: Seq, before: Seq, kept: &[Seq]) -> OldEvents {
    OldEvents { channel, from, before, kept: kept.to_vec() }
}

async fn seqs(journal: &impl Journal, session: SessionId) -> Vec<Seq> {
    let records = journal.read(session, 0, usize::MAX, usize::MAX).await.unwrap();
    records.iter().map(|record| record.seq).collect()
}

async fn old_events_of_a_channel_go_step_by_step_and_those_that_are_kept_stay(journal: impl Journal) {
    let mut owner = Owner::of_channel(&journal, "/p").await;
    let mut other = Owner::of_channel(&journal, "/q").await;
    owner.write(&journal, &["x"; 4_200]).await.unwrap();
    other.write(&journal, &["x"]).await.unwrap();
    let next = journal.forget(old(owner.session, 1, 4_200, &[3, 4_000])).await.unwrap();
    assert_eq!(next, 1 + MAX_FORGOTTEN as Seq + 2, "so many at a time");
    assert_eq!(seqs(&journal, owner.session).await.len(), 4_200 - MAX_FORGOTTEN);
    // Asked from the start, as after a crash that forgot how far it was.
    let next = journal.forget(old(owner.session, 1, 4_200, &[3, 4_000])).await.unwrap();
    assert_eq!(next, 4_200);
    assert_eq!(seqs(&journal, owner.session).await, [3, 4_000, 4_200]);
    assert_eq!(seqs(&journal, other.session).await, [1]);
    owner.write(&journal, &["y"]).await.unwrap();
    assert_eq!(Owner::of_channel(&journal, "/p").await.head, 4_201);
}

async fn of_a_conversation_nothing_goes(journal: impl Journal) {
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one", "two"]).await.unwrap();
    journal.forget(old(owner.session, 1, 2, &[])).await.unwrap();
    assert_eq!(history(&journal, owner.session).await.len(), 2);
}

async fn sessions_do_not_see_each_other(journal: impl Journal) {
    let mut one = Owner::of_new(&journal).await;
    let mut other = Owner::of_new(&journal).await;
    one.write(&journal, &["a", "b"]).await.unwrap();
    other.write(&journal, &["c"]).await.unwrap();
    one.write(&journal, &["d"]).await.unwrap();
    assert_eq!(history(&journal, one.session).await.len(), 3);
    assert_eq!(history(&journal, other.session).await.len(), 1);
}

async fn the_newest_write_of_a_device_wins(journal: impl Journal) {
    let phone = DeviceRow {
        device_id: "phone".parse().unwrap(),
        device_name: Some("my phone".to_owned()),
        kind: None,
        last_seen_at: tandem_actors::clock::Timestamp::from_millis(5),
    };
    let renamed = DeviceRow { device_name: None, kind: Some("phone".to_owned()), ..phone.clone() };
    journal.save_devices(vec![phone]).await.unwrap();
    journal.save_devices(vec![renamed.clone()]).await.unwrap();
    assert_eq!(journal.devices().await.unwrap(), [renamed]);
}

async fn the_newest_write_of_a_cursor_wins(journal: impl Journal) {
    let (session, device) = (SessionId::random(), "phone".parse().unwrap());
    let first = CursorRow { session, device, seq: 9, notable: 2 };
    let second = CursorRow { seq: 7, notable: 1, ..first.clone() };
    let other = CursorRow { device: "laptop".parse().unwrap(), ..first.clone() };
    journal.save_cursors(vec![first, other.clone()]).await.unwrap();
    journal.save_cursors(vec![second.clone()]).await.unwrap();
    let mut cursors = journal.cursors().await.unwrap();
    cursors.sort_by_key(|cursor| cursor.seq);
    assert_eq!(cursors, [second, other]);
}

async fn notices_wait_in_order_until_they_are_forgotten(journal: impl Journal) {
    let notice = |number: u64, to: &str| NoticeRow {
        number,
        id: NoticeId::random(),
        to: to.parse().unwrap(),
        from: By { device_id: "laptop".parse().unwrap(), user_id: UserId::owner() },
        message: format!("number {number}").into(),
        at: tandem_actors::clock::Timestamp::from_millis(5),
    };
    let kept = [notice(1, "phone"), notice(2, "tablet"), notice(3, "phone"), notice(4, "phone")];
    for one in &kept {
        journal.keep_notice(one.clone()).await.unwrap();
    }
    assert_eq!(journal.notices().await.unwrap(), kept);
    journal.forget_notices("phone".parse().unwrap(), 3).await.unwrap();
    assert_eq!(journal.notices().await.unwrap(), [kept[1].clone(), kept[3].clone()]);
}

async fn a_journal_that_works_has_no_trouble(journal: impl Journal) {
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["one"]).await.unwrap();
    assert_eq!(journal.trouble(), None);
}

fn blob(bytes: usize, by: &str, at: i64) -> NewBlob {
    let at = Timestamp::from_millis(at);
    NewBlob::of(vec![b'x'; bytes].into(), by.parse().unwrap(), at).unwrap()
}

async fn a_blob_is_read_back_part_by_part(journal: impl Journal) {
    let blob = blob(2 * PART_BYTES + 1, "phone", 0);
    journal.keep(blob.clone()).await.unwrap();
    let row = journal.find(blob.hash).await.unwrap().unwrap();
    assert_eq!((row.kind, row.bytes), (blob.kind, blob.data.len() as u64));
    for (number, length) in [(0, Some(PART_BYTES)), (1, Some(PART_BYTES)), (2, Some(1)), (3, None)] {
        let part = journal.part(blob.hash, number).await.unwrap();
        assert_eq!(part.map(|part| part.len()), length, "{number}");
    }
    let other = BlobHash::of(b"other");
    assert!(journal.find(other).await.unwrap().is_none());
    assert!(journal.part(other, 0).await.unwrap().is_none());
}

async fn a_blob_knows_who_brought_it_and_which_sessions_refer_to_it(journal: impl Journal) {
    let blob = blob(5, "phone", 0);
    journal.keep(blob.clone()).await.unwrap();
    journal.keep(NewBlob { by: "laptop".parse().unwrap(), ..blob.clone() }).await.unwrap();
    let owner = Owner::of_new(&journal).await;
    // Twice in one append, as two messages of one moment do it.
    let append = Append { blobs: vec![blob.hash, blob.hash], ..owner.says(&["look"]) };
    journal.append(append).await.unwrap();
    let mut row = journal.find(blob.hash).await.unwrap().unwrap();
    row.devices.sort();
    assert_eq!(row.devices, ["laptop".parse().unwrap(), "phone".parse().unwrap()]);
    assert_eq!(row.sessions, [owner.session]);
}

async fn a_blob_that_nobody_needs_is_forgotten(journal: impl Journal) {
    let (old, new) = (blob(5, "phone", 10), blob(6, "phone", 20));
    journal.keep(old.clone()).await.unwrap();
    journal.keep(new.clone()).await.unwrap();
    assert_eq!(journal.forget_unused(Timestamp::from_millis(20)).await.unwrap(), 1);
    assert!(journal.find(old.hash).await.unwrap().is_none());
    assert!(!journal.touch(old.hash, Timestamp::from_millis(30)).await.unwrap());
    assert!(journal.touch(new.hash, Timestamp::from_millis(30)).await.unwrap());
    assert_eq!(journal.forget_unused(Timestamp::from_millis(30)).await.unwrap(), 0);
}

async fn a_reference_to_no_blob_loses_no_event(journal: impl Journal) {
    let owner = Owner::of_new(&journal).await;
    let append = Append { blobs: vec![BlobHash::of(b"gone")], ..owner.says(&["look"]) };
    journal.append(append.clone()).await.unwrap();
    assert_eq!(history(&journal, owner.session).await, append.records);
}
