//! Git in turn: the line in front of a repository, the branch's lock, and plain commits and branches.

use std::time::Duration;

use serde_json::json;
use tandem::git::{Operation, Strategy, What};
use tandem_actors::ids::SessionId;
use tandem_actors::locks::{Answer, Holder, Mode, Request, Resource};
use tandem_actors::refusal::Code;

use crate::support::eventually;
use crate::support::repository::{Forge, branch, commit, push, reason, request};

#[tokio::test(flavor = "multi_thread")]
async fn who_came_first_is_served_first_in_all_trees_of_a_repository() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let side = forge.tree("side");
    tree.run(&["worktree", "add", "--quiet", side.path.to_str().unwrap(), "-b", "side"]);
    tree.hook("pre-commit", &format!("echo $(git symbolic-ref --short HEAD) >> '{0}/order'; touch '{0}/begun'; while test -e '{0}/hold'; do sleep 0.01; done", forge.root().display()));
    std::fs::write(forge.root().join("hold"), "").unwrap();
    let mut running = Vec::new();
    for (number, tree) in [&tree, &side, &tree, &side].into_iter().enumerate() {
        tree.write(&format!("file-{number}"), "x");
        let (git, path) = (forge.git.clone(), tree.path.to_string_lossy().into_owned());
        let operation = commit(&format!("commit {number}"), What::Paths(vec![format!("file-{number}")]));
        let device = format!("device-{number}").parse().unwrap();
        running.push(tokio::spawn(async move { git.run(path, device, operation).await }));
        if number == 0 {
            eventually("the first has begun", || forge.root().join("begun").exists()).await;
        } else {
            let waiting = || forge.told.of_kind("lock_waiting");
            eventually("the next one stands in line", || waiting().len() == number).await;
            let told = waiting().pop().unwrap();
            assert_eq!(told["position"], json!(number));
            assert_eq!(told["behind"], json!({ "deviceId": format!("device-{}", number - 1) }));
            assert_eq!(told["locks"][0]["lockType"], "git");
        }
    }
    std::fs::remove_file(forge.root().join("hold")).unwrap();
    for (number, running) in running.into_iter().enumerate() {
        assert_eq!(running.await.unwrap().unwrap().position, number);
    }
    assert_eq!(std::fs::read_to_string(forge.root().join("order")).unwrap(), "main\nside\nmain\nside\n");
    assert!(forge.keeper.list().is_empty(), "all locks are given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_an_agent_holds_is_waited_for_and_then_refused() {
    let forge = Forge::with_wait(Duration::from_millis(200)).await;
    let tree = forge.seeded("tree");
    tree.write("new.txt", "x");
    let agent = Holder::SessionId(SessionId::random());
    let lock = Resource::branch(&tree.path, "main");
    assert!(matches!(forge.keeper.acquire(request(&agent, lock.clone())), Answer::Now(Ok(_))));
    let refusal = forge.ask(&tree, commit("mine", What::All)).await.unwrap_err();
    assert_eq!(refusal.code, Code::LockDenied);
    let details = refusal.details.unwrap();
    assert_eq!((&details["holder"], &details["reason"]), (&json!(agent), &json!("timed_out")));
    assert_eq!(tree.run(&["rev-list", "--count", "HEAD"]), "1");
    // Another branch is nobody's.
    forge.ask(&tree, branch("free", false)).await.unwrap();
    forge.keeper.release_all(&agent);
    forge.ask(&tree, commit("mine", What::All)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_holds_its_branch_and_leaves_a_device_what_it_had() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.hook(
        "pre-commit",
        &format!("touch '{0}/begun'; while test -e '{0}/hold'; do sleep 0.01; done", forge.root().display()),
    );
    std::fs::write(forge.root().join("hold"), "").unwrap();
    tree.write("new.txt", "x");
    let agent = Holder::SessionId(SessionId::random());
    let lock = Resource::branch(&tree.path, "main");
    let held_up = async {
        eventually("it has begun", || forge.root().join("begun").exists()).await;
        assert!(matches!(forge.keeper.acquire(request(&agent, lock.clone())), Answer::Now(Err(_))));
        std::fs::remove_file(forge.root().join("hold")).unwrap();
    };
    let (done, ()) = tokio::join!(forge.ask(&tree, commit("mine", What::All)), held_up);
    done.unwrap();
    assert!(forge.keeper.list().is_empty());

    let device = Holder::DeviceId("laptop".parse().unwrap());
    assert!(matches!(forge.keeper.acquire(request(&device, lock)), Answer::Now(Ok(_))));
    tree.write("new.txt", "y");
    forge.ask(&tree, commit("mine again", What::All)).await.unwrap();
    assert_eq!(forge.keeper.list().len(), 1, "what the device held before it still holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operation_takes_beside_the_locks_of_its_device_it_gives_back() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let device = Holder::DeviceId("laptop".parse().unwrap());
    let had = |wanted: Request| match forge.keeper.acquire(wanted) {
        Answer::Now(Ok(lease)) => lease,
        other => panic!("not had: {other:?}"),
    };
    let shares = |branch: &str| {
        let wants = vec![(Resource::branch(&tree.path, branch), Mode::Shared)];
        Request { wants, ..request(&device, Resource::everything()) }
    };
    let own = [had(shares("main")), had(shares("topic"))];
    forge.ask(&tree, branch("topic", true)).await.unwrap();
    tree.write("new.txt", "x");
    tree.hook(
        "pre-commit",
        &format!("touch '{0}/begun'; while test -e '{0}/hold'; do sleep 0.01; done", forge.root().display()),
    );
    std::fs::write(forge.root().join("hold"), "").unwrap();
    let asked_meanwhile = async {
        eventually("it has begun", || forge.root().join("begun").exists()).await;
        let mine = had(request(&device, Resource::branch(&tree.path, "topic")));
        std::fs::remove_file(forge.root().join("hold")).unwrap();
        mine
    };
    let (done, mine) = tokio::join!(forge.ask(&tree, commit("mine", What::All)), asked_meanwhile);
    done.unwrap();
    let left: Vec<_> = forge.keeper.list().into_iter().map(|held| held.ticket).collect();
    assert_eq!(left, [own[0].ticket, own[1].ticket, mine.ticket]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_taken_away_in_the_middle_stops_what_comes_after() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("theirs.txt", "x");
    theirs.run(&["push", "--quiet"]);
    mine.change("mine.txt", "x");
    let before = mine.as_it_is();
    // A rebase runs this when it has checked out what it goes to.
    mine.hook(
        "post-checkout",
        &format!("touch '{0}/begun'; while ! test -e '{0}/go'; do sleep 0.01; done", forge.root().display()),
    );
    let taken_away = async {
        eventually("it has begun", || forge.root().join("begun").exists()).await;
        let person = Holder::DeviceId("phone".parse().unwrap());
        forge.keeper.force(&Resource::branch(&mine.path, "main"), &person).unwrap();
        std::fs::write(forge.root().join("go"), "").unwrap();
    };
    let (outcome, ()) = tokio::join!(forge.ask(&mine, push(Strategy::Rebase)), taken_away);
    assert_eq!(reason(&outcome.unwrap_err()), "lock_lost");
    assert_eq!(mine.as_it_is(), before);
    assert_eq!(forge.remote().run(&["rev-list", "--count", "main"]), "2", "nothing was pushed");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_taken_to_the_letter() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let names = ["-dash", "two words.txt", ":(top)x", "*", "ä/ö.txt", "--all"];
    for name in names {
        tree.write(name, name);
    }
    tree.write("left alone.txt", "x");
    let what = What::Paths(names.iter().map(|name| (*name).to_owned()).collect());
    let author = Some("Grace Hopper <grace@example.org>".to_owned());
    let operation = Operation::Commit { message: "--amend\n\n# kept".to_owned(), what, author };
    let done = forge.ask(&tree, operation).await.unwrap();
    assert_eq!((done.head, done.branch.as_deref()), (Some(tree.head()), Some("main")));
    assert_eq!(
        tree.run(&["log", "-1", "--format=%B|%an <%ae>|%cn"]),
        "--amend\n\n# kept\n|Grace Hopper <grace@example.org>|Ada"
    );
    let committed = tree.run(&["-c", "core.quotePath=false", "show", "--name-only", "--format="]);
    let mut committed: Vec<&str> = committed.lines().collect();
    committed.sort_unstable();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(committed, expected);
    assert_eq!(tree.run(&["status", "--short"]), "?? \"left alone.txt\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_takes_what_was_named_and_nothing_else() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    for name in ["staged.txt", "named.txt", "part/inside.txt", "part/deleted.txt"] {
        tree.write(name, "x");
    }
    tree.run(&["add", "staged.txt", "part/deleted.txt"]);
    tree.run(&["commit", "--quiet", "-m", "seed", "--", "part/deleted.txt"]);
    std::fs::remove_file(tree.path.join("part/deleted.txt")).unwrap();
    let files = |tree: &crate::support::repository::Tree| {
        tree.run(&["show", "--name-status", "--no-renames", "--format="])
    };

    forge.ask(&tree, commit("named", What::Paths(vec!["named.txt".to_owned()]))).await.unwrap();
    assert_eq!(files(&tree), "A\tnamed.txt");
    // A project may be a folder of a repository: all means all of the project.
    let part = forge.tree("tree/part");
    forge.ask(&part, commit("part", What::All)).await.unwrap();
    assert_eq!(files(&tree), "D\tpart/deleted.txt\nA\tpart/inside.txt");
    forge.ask(&tree, commit("staged", What::Staged)).await.unwrap();
    assert_eq!(files(&tree), "A\tstaged.txt");
    let refusal = forge.ask(&tree, commit("nothing", What::All)).await.unwrap_err();
    assert_eq!(reason(&refusal), "nothing_to_commit");
    assert!(tree.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_are_made_entered_and_deleted() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let first = tree.head();
    tree.change("second.txt", "x");
    let from = |from: &str, name: &str| Operation::Branch {
        name: name.to_owned(),
        from: Some(from.to_owned()),
        is_entered: true,
        is_deleted: false,
    };
    let deleted = |name: &str| Operation::Branch {
        name: name.to_owned(),
        from: None,
        is_entered: false,
        is_deleted: true,
    };
    let done = forge.ask(&tree, branch("quiet", false)).await.unwrap();
    assert_eq!(done.branch.as_deref(), Some("main"));
    let done = forge.ask(&tree, from("origin/main", "old")).await.unwrap();
    assert_eq!((done.branch.as_deref(), done.head), (Some("old"), Some(first.clone())));
    let done = forge.ask(&tree, from(&first, "older")).await.unwrap();
    assert_eq!(done.branch.as_deref(), Some("older"));
    tree.change("only-here.txt", "x");
    assert_eq!(forge.ask(&tree, branch("main", true)).await.unwrap().branch.as_deref(), Some("main"));
    forge.ask(&tree, deleted("quiet")).await.unwrap();
    for (operation, expected) in [
        (deleted("quiet"), "no_such_name"),
        (deleted("older"), "not_merged"),
        (branch("old", false), "exists"),
        (from("nowhere", "new"), "no_such_name"),
    ] {
        assert_eq!(
            reason(&forge.ask(&tree, operation.clone()).await.unwrap_err()),
            expected,
            "{operation:?}"
        );
    }
}
