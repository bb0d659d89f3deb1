#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};

use super::*;

/// A shell that runs `script` as an agent's process would: in its own group, with the marker.
fn agent(script: &str, session: SessionId) -> Child {
    use std::os::unix::process::CommandExt as _;
    Command::new("sh")
        .args(["-c", script])
        .env(MARKER, marker_value(session, Term(1)))
        .process_group(0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn found(root: Option<u32>, session: SessionId, count: usize) -> HashSet<Seen> {
    for _ in 0..500 {
        let found =
            find(root.map(|pid| i32::try_from(pid).unwrap()), &Owner::Session(session), &HashSet::new());
        if found.len() == count {
            return found;
        }
        tokio::task::yield_now().await;
    }
    panic!("never {count} processes: {:?}", find(None, &Owner::Session(session), &HashSet::new()));
}

fn is_alive(process: Seen) -> bool {
    Stat::of(process.pid).is_some_and(|stat| stat.start == process.start && !stat.is_dead)
}

#[tokio::test]
async fn a_tree_ends_with_the_grandchild_that_left_the_group_and_the_one_that_ignores_sigterm() {
    let session = SessionId::random();
    let mut child =
        agent("setsid sleep 300 & sh -c 'trap \"\" TERM; sleep 300 & wait; sleep 300' & wait", session);
    let all = found(Some(child.id()), session, 4).await;
    let left = end_tree(Some(child.id()), Owner::Term(session, Term(1)), Duration::from_millis(100)).await;
    assert_eq!(left, []);
    assert!(all.into_iter().all(|process| !is_alive(process)));
    child.wait().unwrap();
}

#[tokio::test]
async fn what_an_agent_left_behind_is_found_by_its_marker_and_others_are_spared() {
    let (session, other) = (SessionId::random(), SessionId::random());
    let mut neighbour = agent("exec sleep 300", other);
    let mut child = agent("setsid sleep 300 & exec true", session);
    child.wait().unwrap();
    let orphan = found(None, session, 1).await;
    assert_eq!(end_tree(None, Owner::Session(session), Duration::from_millis(500)).await, []);
    assert!(orphan.into_iter().all(|process| !is_alive(process)));
    assert_eq!(found(None, other, 1).await.len(), 1);
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
}

#[tokio::test]
async fn a_server_ends_what_another_left_of_its_own_sessions_and_no_others() {
    let (first, second, other) = (SessionId::random(), SessionId::random(), SessionId::random());
    let mut neighbour = agent("exec sleep 300", other);
    for session in [first, second] {
        agent("setsid sleep 300 & exec true", session).wait().unwrap();
        found(None, session, 1).await;
    }
    let mut all: HashSet<SessionId> = (0..10_000).map(|_| SessionId::random()).collect();
    all.extend([first, second]);
    let all = Owner::Sessions(Arc::new(all));
    let started = std::time::Instant::now();
    assert_eq!(find(None, &all, &HashSet::new()).len(), 2);
    println!("one walk through /proc for 10,000 sessions: {:?}", started.elapsed());
    let ended = end_and_count(None, all, Duration::from_millis(500)).await;
    assert_eq!(ended, Ended { found: 2, left: Vec::new() });
    assert_eq!(found(None, other, 1).await.len(), 1);
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
}

#[tokio::test]
async fn a_process_that_was_adopted_is_collected_and_stays_no_zombie() {
    // As in a container whose first process this is: orphans become our children. No other test minds.
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let session = SessionId::random();
    let mut child = agent("setsid sleep 300 & exec true", session);
    child.wait().unwrap();
    let orphan = found(None, session, 1).await.into_iter().next().unwrap();
    assert_eq!(Stat::of(orphan.pid).unwrap().parent, own_pid());
    assert_eq!(end_tree(None, Owner::Session(session), Duration::from_millis(500)).await, []);
    assert!(Stat::of(orphan.pid).is_none_or(|stat| stat.start != orphan.start), "it is not even a zombie");
}

#[tokio::test]
async fn a_descendant_without_the_marker_is_found_by_its_descent() {
    let session = SessionId::random();
    let mut child = agent("env -i setsid sleep 300 & wait", session);
    let all = found(Some(child.id()), session, 2).await;
    assert_eq!(
        end_tree(Some(child.id()), Owner::Term(session, Term(1)), Duration::from_millis(100)).await,
        []
    );
    assert!(all.into_iter().all(|process| !is_alive(process)));
    child.wait().unwrap();
}

#[test]
fn a_name_with_brackets_does_not_confuse_the_numbers() {
    let stat = Stat::parse("7 (a) b (c)) S 3 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 991 5 6").unwrap();
    assert_eq!((stat.parent, stat.start, stat.is_dead), (3, 991, false));
    assert!(Stat::parse("7 (a) S").is_none());
}

#[test]
fn an_older_owner_does_not_touch_a_newer_ones_processes() {
    let session = SessionId::random();
    let marker = |term| format!("{MARKER}={}", marker_value(session, Term(term)));
    assert!(Owner::Term(session, Term(1)).marks(marker(1).as_bytes()));
    assert!(!Owner::Term(session, Term(1)).marks(marker(12).as_bytes()));
    assert!(Owner::Session(session).marks(marker(12).as_bytes()));
    assert!(!Owner::Session(SessionId::random()).marks(marker(1).as_bytes()));
    assert!(!Owner::Session(session).marks(b"PATH=/bin"));
}
