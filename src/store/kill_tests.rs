//! A server that is killed in the middle of writing loses nothing that it acknowledged.
//!
//! The child is this test program again: it runs one test, which writes and says what was acknowledged until it is killed.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::journal::Journal;

use super::SqliteJournal;
use super::testing::{Owner, history};

const FOLDER: &str = "TANDEM_TEST_KILLED_CHILD_FOLDER";
const SESSIONS: usize = 8;

#[tokio::test]
async fn a_killed_server_loses_no_acknowledged_append() {
    let home = tempfile::tempdir().unwrap();
    let mut acknowledged: HashMap<SessionId, Seq> = HashMap::new();
    // Different lengths, so that the kill comes at different moments: in a fresh log, in a long one, after a reopening.
    for acknowledgements in [1, 40, 400] {
        let mut child = start_child(home.path().to_owned());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in &mut lines {
            let line = line.unwrap();
            if let Some((session, seq)) = acknowledgement(&line) {
                acknowledged.insert(session, seq);
                seen += 1;
            }
            if seen == acknowledgements {
                child.kill().unwrap();
                break;
            }
        }
        // What it had said before the kill counts too; the last line may be torn.
        for line in lines.map_while(Result::ok) {
            if let Some((session, seq)) = acknowledgement(&line) {
                acknowledged.insert(session, seq);
            }
        }
        assert!(!child.wait().unwrap().success(), "the child ended by itself");
        assert!(seen >= acknowledgements, "the child said too little");

        let journal = SqliteJournal::open(home.path()).unwrap();
        for (session, seq) in &acknowledged {
            let records = history(&journal, *session).await;
            assert!(records.len() as u64 >= *seq, "{session} has lost events");
        }
    }
}

/// A test only in form: without the variable it has nothing to do.
#[tokio::test]
async fn the_child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let journal = Arc::new(SqliteJournal::open(&PathBuf::from(folder)).unwrap());
    let known = journal.sessions().await.unwrap();
    let known = known.into_iter().map(|row| row.session);
    let new = std::iter::repeat_with(SessionId::random);
    let mut writers = tokio::task::JoinSet::new();
    for session in known.chain(new).take(SESSIONS) {
        let journal = journal.clone();
        writers.spawn(async move {
            let mut owner = Owner::of(&*journal, session).await;
            loop {
                owner.write(&*journal, &["one", "two"]).await.unwrap();
                println!("\nacknowledged {session} {} .", owner.head);
            }
        });
    }
    writers.join_all().await;
}

fn start_child(folder: PathBuf) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::kill_tests::the_child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads `acknowledged <session> <seq> .`; the dot says that the line is whole.
fn acknowledgement(line: &str) -> Option<(SessionId, Seq)> {
    let rest = line.strip_prefix("acknowledged ")?.strip_suffix(" .")?;
    let (session, seq) = rest.split_once(' ')?;
    Some((session.parse().ok()?, seq.parse().ok()?))
}
