//! What git in turn refuses, and that it leaves everything as it was.

use std::time::{Duration, Instant};

use tandem::git::{Operation, Strategy, What};
use tandem_actors::refusal::Code;

use crate::support::repository::{Forge, branch, commit, pull, push, reason};

#[tokio::test(flavor = "multi_thread")]
async fn only_repositories_below_the_allowed_folders_are_touched() {
    let forge = Forge::new().await;
    let outside = forge.root().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::create_dir(forge.work("plain")).unwrap();
    std::os::unix::fs::symlink(&outside, forge.work("link")).unwrap();
    let device = || "laptop".parse().unwrap();
    for (path, code) in [
        (outside.clone(), Code::ProjectNotAllowed),
        (forge.work("link"), Code::ProjectNotAllowed),
        (forge.work("missing"), Code::ProjectNotFound),
        (forge.work("plain"), Code::NotARepository),
        ("relative".into(), Code::BadRequest),
    ] {
        let refusal = forge
            .git
            .run(path.to_string_lossy().into_owned(), device(), commit("m", What::All))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, code, "{}", path.display());
    }
    // A repository that begins above what is allowed is not touched either.
    forge.remote().run(&["init", "--quiet", forge.root().to_str().unwrap()]);
    let refusal = forge
        .git
        .run(forge.work("plain").to_string_lossy().into_owned(), device(), commit("m", What::All))
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ProjectNotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_whose_git_folder_lies_elsewhere_is_not_touched() {
    let forge = Forge::new().await;
    let outside = forge.root().join("outside");
    let outside = outside.to_str().unwrap();
    let tree = forge.work("tree");
    forge.remote().run(&["init", "--quiet", "--separate-git-dir", outside, tree.to_str().unwrap()]);
    let refusal = forge.ask(&forge.tree("tree"), commit("m", What::All)).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProjectNotAllowed);
    // A second tree here of a repository there is one of the repository there.
    let (there, side) = (forge.outside("there"), forge.work("side"));
    forge.remote().run(&["clone", "--quiet", ".", there.path.to_str().unwrap()]);
    there.run(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
    there.run(&["worktree", "add", "--quiet", side.to_str().unwrap(), "-b", "side"]);
    let refusal = forge.ask(&forge.tree("side"), branch("x", false)).await.unwrap_err();
    assert_eq!(refusal.code, Code::ProjectNotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_becomes_an_option() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let before = tree.as_it_is();
    let text = |text: &str| text.to_owned();
    let from = |from: &str| Operation::Branch {
        name: text("x"),
        from: Some(text(from)),
        is_entered: false,
        is_deleted: false,
    };
    let operations = [
        branch("--delete", false),
        branch("a b", false),
        branch("a.lock", false),
        branch("a//b", true),
        from("--orphan"),
        from("HEAD~1"),
        Operation::Rebase { onto: text("--exec=touch owned") },
        Operation::Merge { branch: text("-s") },
        Operation::Pull {
            remote: Some(text("--upload-pack=touch owned")),
            branch: None,
            strategy: Strategy::Rebase,
        },
        Operation::Push { remote: None, branch: Some(text("--force")), strategy: Strategy::Rebase },
    ];
    for operation in operations {
        let refusal = forge.ask(&tree, operation.clone()).await.unwrap_err();
        assert_eq!(refusal.code, Code::BadRequest, "{operation:?}: {refusal:?}");
    }
    // A remote is one of those that are configured, and no address.
    for address in ["ext::touch owned", "file:///etc"] {
        let remote = Some(text(address));
        let operation = Operation::Pull { remote, branch: None, strategy: Strategy::Rebase };
        assert!(forge.ask(&tree, operation).await.is_err(), "{address}");
    }
    let remote =
        Operation::Push { remote: Some(text("../remote.git")), branch: None, strategy: Strategy::Rebase };
    assert!(forge.ask(&tree, remote).await.is_err());
    assert_eq!(tree.as_it_is(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_head_can_commit_and_not_pull_or_push() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["switch", "--quiet", "--detach"]);
    for operation in [pull(Strategy::Rebase), push(Strategy::Merge)] {
        assert_eq!(reason(&forge.ask(&tree, operation).await.unwrap_err()), "detached_head");
    }
    tree.write("new.txt", "x");
    let done = forge.ask(&tree, commit("detached", What::All)).await.unwrap();
    assert_eq!((done.branch, done.head), (None, Some(tree.head())));
    forge.ask(&tree, branch("kept", true)).await.unwrap();
    assert_eq!(tree.run(&["log", "-1", "--format=%s"]), "detached");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_takes_its_first_commit_and_its_first_pull() {
    let forge = Forge::new().await;
    let (empty, other) = (forge.clone_as("empty"), forge.clone_as("other"));
    for (operation, expected) in [
        (push(Strategy::Rebase), "no_commits"),
        (pull(Strategy::Rebase), "no_such_name"),
        (branch("x", false), "no_commits"),
        (commit("nothing", What::All), "nothing_to_commit"),
        (Operation::Merge { branch: "main".to_owned() }, "no_such_name"),
    ] {
        let refusal = forge.ask(&empty, operation.clone()).await.unwrap_err();
        assert_eq!(reason(&refusal), expected, "{operation:?}: {refusal:?}");
    }
    empty.write("first.txt", "x");
    let done = forge.ask(&empty, commit("first", What::All)).await.unwrap();
    assert_eq!(done.head, Some(empty.head()));
    forge.ask(&empty, push(Strategy::Rebase)).await.unwrap();
    let done = forge.ask(&other, pull(Strategy::Rebase)).await.unwrap();
    assert_eq!((done.head, other.read("first.txt").as_str()), (Some(empty.head()), "x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_nothing_is_committed() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    std::fs::write(forge.root().join(".gitconfig"), "").unwrap();
    tree.write("new.txt", "x");
    let before = tree.as_it_is();
    let refusal = forge.ask(&tree, commit("mine", What::All)).await.unwrap_err();
    assert_eq!(reason(&refusal), "no_identity");
    assert!(refusal.message.contains("user.email"));
    assert_eq!(tree.as_it_is(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_says_no_is_quoted_and_the_index_is_as_before() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.hook("pre-commit", "echo the tests do not pass >&2; exit 3");
    tree.write("staged.txt", "x");
    tree.run(&["add", "staged.txt"]);
    tree.write("shared.txt", "changed");
    tree.write("new.txt", "x");
    let before = tree.as_it_is();
    for what in [What::All, What::Staged, What::Paths(vec!["new.txt".to_owned()])] {
        let refusal = forge.ask(&tree, commit("mine", what.clone())).await.unwrap_err();
        assert_eq!(reason(&refusal), "hook", "{refusal:?}");
        let details = refusal.details.unwrap();
        assert_eq!((&details["exitCode"], &details["output"]), (&1.into(), &"the tests do not pass".into()));
        assert_eq!(tree.as_it_is(), before, "{what:?}");
    }
    assert!(tree.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_refuses_a_merge_leaves_no_merge_behind() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("theirs.txt", "x");
    theirs.run(&["push", "--quiet"]);
    mine.change("mine.txt", "x");
    mine.hook("commit-msg", "exit 1");
    let before = mine.as_it_is();
    let refusal = forge.ask(&mine, pull(Strategy::Merge)).await.unwrap_err();
    assert_eq!(refusal.code, Code::GitFailed);
    assert_eq!(mine.as_it_is(), before);
    assert!(mine.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_file_of_somebody_else_is_named_and_not_removed() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.write("new.txt", "x");
    let lock = tree.path.join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let begun = Instant::now();
    let refusal = forge.ask(&tree, commit("mine", What::All)).await.unwrap_err();
    assert_eq!(reason(&refusal), "index_locked");
    assert!(refusal.message.contains("index.lock"), "{}", refusal.message);
    assert!(begun.elapsed() >= Duration::from_secs(2), "it may have been gone in a moment");
    assert!(lock.exists());
    std::fs::remove_file(lock).unwrap();
    forge.ask(&tree, commit("mine", What::All)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lock_file_that_is_in_the_way_is_named() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["branch", "other"]);
    for (lock, operation) in [
        (".git/HEAD.lock", branch("other", true)),
        (".git/refs/heads/main.lock", commit("mine", What::All)),
        (".git/refs/heads/new.lock", branch("new", false)),
    ] {
        tree.write("new.txt", "x");
        let before = tree.as_it_is();
        tree.write(lock, "");
        let refusal = forge.ask(&tree, operation).await.unwrap_err();
        assert_eq!(reason(&refusal), "lock_file", "{refusal:?}");
        assert!(refusal.message.contains(&format!("`{lock}`")), "{}", refusal.message);
        assert!(tree.path.join(lock).exists(), "it may be somebody's");
        std::fs::remove_file(tree.path.join(lock)).unwrap();
        assert_eq!(tree.as_it_is(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_begun_is_not_touched() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("shared.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    mine.change("shared.txt", "mine\n");
    mine.run(&["fetch", "--quiet"]);
    for begun in [["rebase", "origin/main"], ["merge", "origin/main"], ["cherry-pick", "origin/main"]] {
        assert!(!mine.try_run(&begun).status.success());
        mine.write("shared.txt", "half resolved\n");
        let status = mine.run(&["status"]);
        for operation in [commit("mine", What::All), pull(Strategy::Merge), branch("x", false)] {
            let refusal = forge.ask(&mine, operation).await.unwrap_err();
            assert_eq!(reason(&refusal), "in_progress");
            assert!(refusal.message.contains(begun[0]), "{}", refusal.message);
        }
        assert_eq!((mine.read("shared.txt").as_str(), mine.run(&["status"])), ("half resolved\n", status));
        mine.run(&[begun[0], "--abort"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_cannot_be_reached_says_so_without_a_password() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["remote", "set-url", "origin", "http://me:secret@127.0.0.1:1/x.git"]);
    let before = tree.as_it_is();
    for operation in [pull(Strategy::Rebase), push(Strategy::Rebase)] {
        let refusal = forge.ask(&tree, operation).await.unwrap_err();
        assert_eq!(refusal.code, Code::GitFailed);
        let output = refusal.details.unwrap()["output"].as_str().unwrap().to_owned();
        assert!(output.contains("127.0.0.1") && !output.contains("secret"), "{output}");
        assert_eq!(tree.as_it_is(), before);
    }
}
