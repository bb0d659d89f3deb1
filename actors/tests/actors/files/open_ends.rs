//! What is easily lost: writes that nobody can rule on, bases that are gone, calls that never run, conflicts that stay open.

use super::*;

#[tokio::test]
async fn what_cannot_be_ruled_on_is_not_written_over() {
    let desk = Desk::open().await;
    let large = vec![b'x'; (10 << 20) + 1];
    std::fs::write(desk.path("large.txt"), &large).unwrap();
    std::fs::write(desk.project.parent().unwrap().join("outside.txt"), "theirs\n").unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    for file in ["large.txt", "../outside.txt", "folder", ".git/config"] {
        let agent = Agent { session: SessionId::random(), file, seen: Some(BlobHash::of(b"read")) };
        let attempt = desk.attempt(&agent, "Write", &json!({"content": "mine\n"}));
        let ruling = desk.files.before_write(attempt).await;
        assert!(matches!(&ruling, Ruling::Deny(why) if why.contains("Read it again")), "{file}: {ruling:?}");
    }
}

#[tokio::test]
async fn a_base_that_is_lost_is_not_taken_for_an_empty_file() {
    let desk = Desk::open().await;
    let lost = Some(BlobHash::of(b"nobody has kept this\n"));
    desk.write("a.txt", "1\n2\n");
    let refusal = desk.put("a.txt", "", lost).await.unwrap_err();
    assert_eq!(
        (conflict_of(&refusal).hunks, &*desk.text("a.txt")),
        (None, "1\n2\n"),
        "emptied over a change"
    );
    desk.write("a.txt", "");
    let refusal = desk.put("a.txt", "stale\n", lost).await.unwrap_err();
    assert_eq!((conflict_of(&refusal).hunks, &*desk.text("a.txt")), (None, ""), "stale words come back");
}

#[tokio::test]
async fn an_empty_file_is_not_made_over_one_that_is_there() {
    let desk = Desk::open().await;
    desk.write("a.txt", "1\n");
    conflict_of(&desk.put("a.txt", "", None).await.unwrap_err());
    assert_eq!(desk.text("a.txt"), "1\n");
}

/// A file that another has changed, and an agent's write that fits to it.
async fn with_a_merge(desk: &Desk) -> (Agent, Attempt) {
    desk.write("a.txt", "1\n2\n3\n4\n5\n");
    let agent = Agent::with(desk, "a.txt").await;
    desk.put("a.txt", "one\n2\n3\n4\n5\n", agent.seen).await.unwrap();
    let attempt = desk.attempt(&agent, "Write", &json!({"content": "1\n2\n3\n4\nfive\n"}));
    (agent, attempt)
}

fn is_resolved(one: &Happening) -> bool {
    matches!(one, Happening::ConflictResolved { .. })
}

#[tokio::test]
async fn a_merge_that_the_tool_never_writes_is_not_merged() {
    let desk = Desk::open().await;
    let (_agent, attempt) = with_a_merge(&desk).await;
    let ruling = desk.files.before_write(attempt).await;
    assert!(matches!(ruling, Ruling::Instead { .. }), "{ruling:?}");
    assert_eq!(desk.told.resolutions(), [], "the tool has not run");
    // A person denies it, or the turn ends.
    drop(ruling);
    desk.told.until("the end", is_resolved).await;
    assert_eq!(desk.told.resolutions(), [Resolution::Waited], "nothing was written");
    assert_eq!(desk.text("a.txt"), "one\n2\n3\n4\n5\n");
}

#[tokio::test]
async fn a_merge_is_told_when_it_is_on_disk() {
    let desk = Desk::open().await;
    let (_agent, attempt) = with_a_merge(&desk).await;
    let ruling = desk.files.before_write(attempt).await;
    desk.write("a.txt", "one\n2\n3\n4\nfive\n");
    // The end of the call was never told.
    drop(ruling);
    desk.told.until("the end", is_resolved).await;
    assert_eq!(desk.told.resolutions(), [Resolution::Merged]);
}

#[tokio::test]
async fn a_merge_that_somebody_else_comes_before_is_for_a_person() {
    let desk = Desk::open().await;
    let (_agent, attempt) = with_a_merge(&desk).await;
    let ruling = desk.files.before_write(attempt).await;
    desk.told.clear();
    desk.write("a.txt", "by a program\n");
    drop(ruling);
    desk.told.until("the versions", |one| matches!(one, Happening::ConflictDetected(_))).await;
    let open = desk.told.conflicts().pop().unwrap();
    assert_eq!(desk.version(open.ours.hash.as_ref()).await, "by a program\n");
    assert_eq!(desk.version(open.theirs.hash.as_ref()).await, "1\n2\n3\n4\nfive\n");
    assert_eq!(desk.told.resolutions(), []);
}

#[tokio::test]
async fn a_collision_that_nobody_waits_for_any_more_is_brought_to_its_end() {
    let desk = Desk::open_with(&[50]).await;
    desk.write("a.txt", "1\n");
    let agent = Agent::with(&desk, "a.txt").await;
    desk.write("a.txt", "ours\n");
    let attempt = desk.attempt(&agent, "Write", &json!({"content": "theirs\n"}));
    let mut ruling = desk.files.before_write(attempt);
    let told = desk.told.until("the conflict", |one| matches!(one, Happening::ConflictDetected(_)));
    tokio::select! {
        _ = &mut ruling => panic!("it takes its time"),
        _ = told => {}
    }
    // The turn is interrupted.
    drop(ruling);
    let has_hunks =
        |one: &Happening| matches!(one, Happening::ConflictDetected(found) if found.hunks.is_some());
    desk.told.until("the versions", has_hunks).await;
    let open = desk.told.conflicts().pop().unwrap();
    assert_eq!(desk.version(open.theirs.hash.as_ref()).await, "theirs\n");
}

#[tokio::test]
async fn a_device_that_hangs_up_has_its_write_all_the_same() {
    let desk = Desk::open_with(&[50]).await;
    desk.write("a.txt", "1\n2\n3\n4\n5\n");
    let (_, base) = desk.read("a.txt").await;
    desk.write("a.txt", "one\n2\n3\n4\n5\n");
    let mut putting = Box::pin(desk.put("a.txt", "1\n2\n3\n4\nfive\n", Some(base)));
    let told = desk.told.until("the conflict", |one| matches!(one, Happening::ConflictDetected(_)));
    tokio::select! {
        _ = &mut putting => panic!("it takes its time"),
        _ = told => {}
    }
    drop(putting);
    desk.told.until("the end", is_resolved).await;
    assert_eq!(desk.text("a.txt"), "one\n2\n3\n4\nfive\n");
    assert_eq!(desk.told.resolutions(), [Resolution::Merged]);
}

#[tokio::test]
async fn what_a_person_has_settled_is_neither_settled_nor_opened_again() {
    let desk = Desk::open().await;
    desk.write("a.txt", "1\n");
    let agent = Agent::with(&desk, "a.txt").await;
    desk.write("a.txt", "ours\n");
    let write = |seen, text: &'static str| {
        let (desk, agent) = (&desk, Agent { seen, ..agent });
        async move { desk.use_tool(&agent, "Write", json!({"content": text})).await }
    };
    write(agent.seen, "theirs\n").await.unwrap_err();
    let first = desk.told.conflicts().pop().unwrap();
    desk.settle(&first, Resolution::Ours, None).await.unwrap();

    write(agent.seen, "theirs\n").await.unwrap_err();
    let second = desk.told.conflicts().pop().unwrap();
    assert_ne!(second.conflict_id, first.conflict_id);
    desk.settle(&second, Resolution::Ours, None).await.unwrap();

    write(Some(BlobHash::of(b"ours\n")), "on top\n").await.unwrap();
    assert_eq!(desk.told.resolutions(), [], "whoever asked a person to settle it has told of it");
}

#[tokio::test]
async fn so_many_writes_wait_for_a_file_and_no_more() {
    let desk = Desk::open().await;
    let lease = desk.lock(Holder::SessionId(SessionId::random()), "a.txt", PATIENCE).await;
    let puts = (0..70).map(|_| desk.put("a.txt", "1\n", None));
    let refused = std::cell::Cell::new(0);
    let counted = puts.map(|put| async {
        let outcome = put.await;
        if let Err(refusal) = outcome {
            assert_eq!(refusal.code, Code::LockQueueFull, "{refusal}");
            refused.set(refused.get() + 1);
        }
        if refused.get() == 5 {
            desk.keeper.withdraw(lease.ticket);
        }
    });
    futures_util::future::join_all(counted).await;
    assert_eq!((refused.get(), &*desk.text("a.txt")), (5, "1\n"));
}

#[tokio::test]
async fn the_servers_own_folder_is_no_part_of_a_project() {
    let desk = Desk::open().await;
    std::fs::create_dir(desk.path("data")).unwrap();
    desk.write("data/token", "secret");
    let read = desk.files.read(&desk.project, Path::new("data/token")).await;
    assert_eq!(read.unwrap_err().code, Code::ProjectNotAllowed);
    let put = desk.put("data/tandem.toml", "", None).await;
    assert_eq!(put.unwrap_err().code, Code::ProjectNotAllowed);

    let watcher = Watcher::new(&desk.files);
    let _interest = watcher.watch(&desk.project.to_str().unwrap().into());
    watched(&desk, &watcher).await;
    assert_eq!(watcher.folders(), 1, "what the server writes there is nobody's news");
}

#[tokio::test]
async fn files_in_a_folder_that_was_moved_away_are_gone() {
    let desk = Desk::open().await;
    std::fs::create_dir(desk.path("folder")).unwrap();
    desk.write("folder/a.txt", "1\n");
    let watcher = Watcher::new(&desk.files);
    let _interest = watcher.watch(&desk.project.to_str().unwrap().into());
    watched(&desk, &watcher).await;
    std::fs::rename(desk.path("folder"), desk.project.parent().unwrap().join("elsewhere")).unwrap();
    let is_gone = |one: &Happening| matches!(one, Happening::FileChanged { file_path, change_type: ChangeType::Deleted, .. } if file_path == "folder/a.txt");
    desk.told.until("its end", is_gone).await;
}

#[tokio::test]
async fn after_a_flood_the_whole_project_is_looked_at() {
    let desk = Desk::open().await;
    let watcher = Watcher::new(&desk.files);
    let _interest = watcher.watch(&desk.project.to_str().unwrap().into());
    watched(&desk, &watcher).await;
    for file in 0..2_000 {
        desk.write(&format!("flood{file}"), "");
    }
    for file in 0..2_000 {
        let name = format!("flood{file}");
        let is_it =
            |one: &Happening| matches!(one, Happening::FileChanged { file_path, .. } if *file_path == name);
        desk.told.until(&name, is_it).await;
    }
}
