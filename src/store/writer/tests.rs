//! Group commit seen from inside, where what shares a group is not left to chance.

use futures_util::FutureExt as _;
use tandem_actors::journal::MemoryJournal;

use super::super::database;
use super::super::faults::Failure;
use super::super::folder::Folder;
use super::super::queue::queue;
use super::super::request::{Answer, Answered};
use super::super::testing::Owner;
use super::*;

struct Bench {
    writer: Writer,
    faults: Faults,
    folder: Folder,
    _home: tempfile::TempDir,
}

fn bench() -> Bench {
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::hold(home.path()).unwrap();
    let (connection, _) = database::open_writer(&folder).unwrap();
    let faults = Faults::default();
    let wal = Wal::of(&folder);
    let health = Health::default();
    let space = Space::of(&folder, faults.clone(), health.clone());
    Bench { writer: Writer::new(connection, wal, space, faults.clone(), health), faults, folder, _home: home }
}

/// Somebody who has claimed a new session, in a group of one.
fn owner(writer: &mut Writer) -> Owner {
    let session = SessionId::random();
    let (request, answered) = claim(session);
    writer.write(vec![request]);
    let claim = told(answered).unwrap();
    Owner { session, term: claim.term, head: claim.head, hash: claim.hash }
}

fn claim(session: SessionId) -> (Request, Answered<Claim>) {
    let (answer, answered) = Answer::new();
    (Request::Claim(session, answer), answered)
}

fn append(append: Append) -> (Request, Answered<()>) {
    let (answer, answered) = Answer::new();
    (Request::Append(append, answer), answered)
}

fn told<T>(mut answered: Answered<T>) -> Result<T, JournalError> {
    answered.try_recv().unwrap()
}

fn heads(bench: &Bench) -> Vec<u64> {
    let reader = database::open_reader(&bench.folder).unwrap();
    let mut statement = reader.prepare("SELECT head FROM session ORDER BY key").unwrap();
    let heads = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    heads.map(|head| head.unwrap().cast_unsigned()).collect()
}

#[test]
fn what_waits_is_one_group_up_to_its_bounds() {
    let mut bench = bench();
    let (sender, mut receiver) = queue(QUEUE_KIB);
    for _ in 0..MAX_GROUP_REQUESTS + 3 {
        drop(sender.put(0, claim(SessionId::random()).0));
    }
    let mut next_group = || bench.writer.next_group(&mut receiver).map(|group| group.len());
    assert_eq!(next_group(), Some(MAX_GROUP_REQUESTS));
    assert_eq!(next_group(), Some(3));
    let owner = Owner::of_new(&MemoryJournal::new()).now_or_never().unwrap();
    for _ in 0..3 {
        let large = "x".repeat(MAX_GROUP_BYTES / 2);
        drop(sender.put(0, append(owner.says(&[&large])).0));
    }
    assert_eq!(next_group(), Some(2));
    sender.close();
    assert_eq!(next_group(), Some(1));
    assert_eq!(next_group(), None);
}

#[test]
fn a_stale_append_is_refused_alone() {
    let mut bench = bench();
    let (one, stale, other) = (owner(&mut bench.writer), owner(&mut bench.writer), owner(&mut bench.writer));
    owner_again(&mut bench.writer, stale.session);
    let (first, first_answer) = append(one.says(&["one"]));
    let (second, second_answer) = append(stale.says(&["stale"]));
    let (third, third_answer) = append(other.says(&["one", "two"]));
    bench.writer.write(vec![first, second, third]);
    assert!(told(first_answer).is_ok());
    assert!(matches!(told(second_answer), Err(JournalError::Fenced { .. })));
    assert!(told(third_answer).is_ok());
    assert_eq!(heads(&bench), [1, 0, 2]);
}

fn owner_again(writer: &mut Writer, session: SessionId) {
    let (request, answered) = claim(session);
    writer.write(vec![request]);
    told(answered).unwrap();
}

#[test]
fn a_claim_fences_an_append_that_comes_behind_it_in_the_same_group() {
    let mut bench = bench();
    let owner = owner(&mut bench.writer);
    let (before, before_answer) = append(owner.says(&["one"]));
    let (takeover, takeover_answer) = claim(owner.session);
    let (after, after_answer) = append(owner.says(&["two"]));
    bench.writer.write(vec![before, takeover, after]);
    assert!(told(before_answer).is_ok());
    let takeover = told(takeover_answer).unwrap();
    assert_eq!((takeover.term, takeover.head), (Term(2), 1));
    assert!(matches!(told(after_answer), Err(JournalError::Fenced { .. })));
}

#[test]
fn nobody_in_a_group_that_was_taken_back_is_told_that_it_is_fenced() {
    let mut bench = bench();
    let owner = owner(&mut bench.writer);
    let (takeover, takeover_answer) = claim(owner.session);
    let (late, late_answer) = append(owner.says(&["one"]));
    bench.faults.strike_next(Moment::BeforeCommit, Failure::Io);
    bench.writer.write(vec![takeover, late]);
    assert!(matches!(told(takeover_answer), Err(JournalError::NotWritten { .. })));
    assert!(matches!(told(late_answer), Err(JournalError::NotWritten { .. })));
    let (again, again_answer) = append(owner.says(&["one"]));
    bench.writer.write(vec![again]);
    assert!(told(again_answer).is_ok());
}

#[test]
fn a_full_disk_takes_back_the_group_and_the_writer_goes_on_when_there_is_space() {
    let mut bench = bench();
    let (small, large) = (owner(&mut bench.writer), owner(&mut bench.writer));
    let limit_pages = |bench: &Bench, pages: u32| {
        let connection = &bench.writer.connection;
        connection.pragma_update(None, "max_page_count", pages).unwrap();
    };
    let text = "x".repeat(400_000);
    limit_pages(&bench, 50);
    let (first, first_answer) = append(small.says(&["one"]));
    let (second, second_answer) = append(large.says(&[&text]));
    bench.writer.write(vec![first, second]);
    assert!(matches!(told(first_answer), Err(JournalError::NotWritten { .. })));
    assert!(matches!(told(second_answer), Err(JournalError::NotWritten { .. })));
    assert!(bench.writer.health.trouble().unwrap().starts_with("the disk is full"));
    assert_eq!(heads(&bench), [0, 0]);

    limit_pages(&bench, 5000);
    let (first, first_answer) = append(small.says(&["one"]));
    let (second, second_answer) = append(large.says(&[&text]));
    bench.writer.write(vec![first, second]);
    assert!(told(first_answer).is_ok());
    assert!(told(second_answer).is_ok());
    assert_eq!(bench.writer.health.trouble(), None);
    assert_eq!(heads(&bench), [1, 1]);
}
