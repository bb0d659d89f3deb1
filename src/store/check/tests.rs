//! Histories that were tampered with, each in one place.

use tandem_actors::blobs::{Blobs as _, NewBlob, PART_BYTES};
use tandem_actors::clock::Timestamp;
use tandem_actors::content::Content;
use tandem_actors::event::{Event, Record, SubmitMode};
use tandem_actors::ids::{MessageId, UserId};
use tandem_actors::journal::{Append, Journal as _};
use tandem_actors::project::Happening;

use super::super::SqliteJournal;
use super::super::testing::Owner;
use super::*;

struct Damaged {
    home: tempfile::TempDir,
    session: SessionId,
}

/// Two sessions, of which the first has five events; then this statement, `:id` being its event 3.
async fn damaged(sql: &str) -> Damaged {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let mut first = Owner::of_new(&journal).await;
    first.write(&journal, &["1", "2", "3", "4", "5"]).await.unwrap();
    Owner::of_new(&journal).await.write(&journal, &["a"]).await.unwrap();
    drop(journal);
    let connection = Connection::open(home.path().join("tandem.db")).unwrap();
    connection.execute_batch(&sql.replace(":id", &rows::row_id(1, 3).to_string())).unwrap();
    Damaged { home, session: first.session }
}

async fn problems_after(sql: &str) -> Vec<(Option<Seq>, String)> {
    let damaged = damaged(sql).await;
    let findings = check(damaged.home.path()).unwrap();
    let of_first = |problem: &Problem| problem.session.is_none_or(|session| session == damaged.session);
    assert!(findings.problems.iter().all(of_first), "{:?}", findings.problems);
    findings.problems.into_iter().map(|problem| (problem.seq, problem.problem)).collect()
}

#[tokio::test]
async fn a_whole_history_has_no_problems() {
    let home = damaged("").await.home;
    let findings = check(home.path()).unwrap();
    assert_eq!((findings.sessions, findings.events), (2, 6));
    assert!(findings.problems.is_empty(), "{:?}", findings.problems);
}

/// A channel of six events that says of itself that it keeps those from the fourth on, and this statement.
async fn problems_of_channel_after(sql: &str) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let owner = Owner::of_channel(&journal, "/p").await;
    let mut previous = (owner.head, owner.hash);
    let mut append = Append { summary: r#"{"head":6,"first":4}"#.into(), ..owner.says(&[]) };
    for count in 0..6 {
        let event = Happening::FactsDropped { count }.into();
        let record = Record::of_project(previous, owner.term, Timestamp::from_millis(1), &event).unwrap();
        previous = (record.seq, record.hash);
        append.records.push(record);
    }
    journal.append(append).await.unwrap();
    drop(journal);
    let connection = Connection::open(home.path().join("tandem.db")).unwrap();
    connection.execute_batch(sql).unwrap();
    check(home.path()).unwrap().problems.into_iter().map(|problem| problem.problem).collect()
}

#[tokio::test]
async fn what_a_channel_has_let_go_is_no_problem_and_what_it_keeps_must_be_whole() {
    let none: [&str; 0] = [];
    assert_eq!(problems_of_channel_after("").await, none, "not removed yet");
    assert_eq!(problems_of_channel_after("DELETE FROM event WHERE id & 7 IN (1, 3)").await, none);
    let missing = problems_of_channel_after("DELETE FROM event WHERE id & 7 < 5").await;
    assert_eq!(missing, ["events 4 to 4 are missing"]);
    let changed = problems_of_channel_after("UPDATE event SET at = 2 WHERE id & 7 = 5").await;
    assert_eq!(changed, ["it is not what was written: the chain breaks"]);
}

#[tokio::test]
async fn a_check_beside_a_server_that_writes_finds_no_problems() {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let mut owner = Owner::of_new(&journal).await;
    owner.write(&journal, &["1"]).await.unwrap();
    assert_eq!(check(home.path()).unwrap().events, 1);
    owner.write(&journal, &["2"]).await.unwrap();
    assert_eq!(check(home.path()).unwrap().events, 2);
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_event() {
    let chain = "it is not what was written: the chain breaks";
    for (sql, seq, expected) in [
        ("DELETE FROM event WHERE id = :id", 3, "events 3 to 3 are missing"),
        ("UPDATE event SET data = '{\"message\":\"3!\"}' WHERE id = :id", 3, chain),
        ("UPDATE event SET at = 1 WHERE id = :id", 3, chain),
        ("DELETE FROM event WHERE id > :id AND id < :id + 9", 4, "the events end at 3, the session at 5"),
        ("UPDATE session SET hash = zeroblob(32) WHERE key = 1", 5, "the session's chain ends differently"),
        ("UPDATE session SET head = 6 WHERE key = 1", 6, "the events end at 5, the session at 6"),
    ] {
        assert_eq!(problems_after(sql).await, [(Some(seq), expected.to_owned())], "{sql}");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_decoded_is_named() {
    let problems = problems_after("UPDATE event SET kind = 'from_the_future' WHERE id = :id").await;
    assert_eq!(problems[0], (Some(3), "it is not what was written: the chain breaks".to_owned()));
    assert!(problems[1].1.contains("from_the_future"), "{problems:?}");
    let problems = problems_after("UPDATE event SET hash = x'00' WHERE id = :id").await;
    assert!(problems[0].1.starts_with("it cannot be read"), "{problems:?}");
}

#[tokio::test]
async fn what_has_no_place_is_reported() {
    let problems = problems_after("UPDATE session SET lines = 2 WHERE key = 1").await;
    assert_eq!(problems[0].1, "0 lines of transcript, the last being number 0, and 2 were kept");
    let problems = problems_after("DELETE FROM session WHERE key = 1").await;
    assert_eq!(problems[0].1, "5 events belong to no session");
}

/// A session whose only event refers to an attachment of three parts; then this statement.
async fn problems_with_blob_after(sql: &str) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(home.path()).unwrap();
    let at = Timestamp::from_millis(0);
    let blob = NewBlob::of(vec![b'x'; 2 * PART_BYTES + 9].into(), "phone".parse().unwrap(), at).unwrap();
    journal.keep(blob.clone()).await.unwrap();
    let source = serde_json::json!({"type": "blob", "sha256": blob.hash});
    let content = Content::from_value(serde_json::json!([{"type": "document", "source": source}])).unwrap();
    let accepted = Event::MessageAccepted {
        message_id: MessageId::random(),
        device_id: "phone".parse().unwrap(),
        user_id: UserId::owner(),
        content,
        mode: SubmitMode::Queue,
        device_seq: None,
    };
    let owner = Owner::of_new(&journal).await;
    let record = Record::new((0, owner.hash), owner.term, at, &accepted).unwrap();
    let (records, blobs) = (vec![record], vec![blob.hash]);
    journal.append(Append { records, blobs, ..owner.says(&[]) }).await.unwrap();
    drop(journal);
    Connection::open(home.path().join("tandem.db")).unwrap().execute_batch(sql).unwrap();
    let findings = check(home.path()).unwrap();
    findings
        .problems
        .iter()
        .map(|problem| problem.to_string().replace(&blob.hash.to_string(), "HASH"))
        .collect()
}

#[tokio::test]
async fn what_is_wrong_with_an_attachment_is_named() {
    let flip = "UPDATE blob_part SET data = CAST(replace(substr(data, 1, 1), 'x', 'y') || substr(data, 2) AS BLOB) WHERE id & 65535 = 1";
    for (sql, expected) in [
        ("", None),
        (flip, Some("attachment HASH: it is not what was written: its bytes hash to something else")),
        (
            "DELETE FROM blob_part WHERE id & 65535 = 1",
            Some("attachment HASH: its part 1 is missing or of another size"),
        ),
        (
            "DELETE FROM blob_part WHERE id & 65535 = 2",
            Some("attachment HASH: 524288 bytes of it are there, and 524297 were kept"),
        ),
        (
            "DELETE FROM blob_session",
            Some("event 1: its attachment HASH is not noted as one of this session"),
        ),
        ("DELETE FROM blob", Some("event 1: its attachment HASH is not there")),
        ("UPDATE blob_session SET session = 77", Some("1 attachments belong to sessions that do not exist")),
    ] {
        let problems = problems_with_blob_after(sql).await;
        match expected {
            None => assert!(problems.is_empty(), "{problems:?}"),
            Some(expected) => {
                assert!(problems.iter().any(|problem| problem.ends_with(expected)), "{sql}: {problems:?}");
            }
        }
    }
}
