//! Git in turn when its server ends: in good order or not, the trees are as they were before anybody works in them again.

use std::path::{Path, PathBuf};

use serde_json::json;
use tandem::git::{Operation, What};
use tandem_actors::refusal::Code;

use crate::support::repository::{AsItIs, Forge, Tree, branch, commit, commit_all, reason};
use crate::support::server::{Home, TestServer};
use crate::support::{eventually, is_running, signal};

/// A git that is held up by a hook.
struct HeldUp {
    home: Home,
    server: TestServer,
    tree: Tree,
    before: AsItIs,
    git: u32,
}

/// Writes down which git runs the hook, and waits for as long as there is a file.
fn holds_up(folder: &Path) -> String {
    format!(
        "echo $PPID > '{0}/pid.new'; mv '{0}/pid.new' '{0}/pid'; while test -e '{0}/hold'; do sleep 0.01; done",
        folder.display()
    )
}

async fn git_of(folder: &Path) -> u32 {
    let pid = folder.join("pid");
    eventually("git is held up", || pid.exists()).await;
    std::fs::read_to_string(pid).unwrap().trim().parse().unwrap()
}

impl HeldUp {
    /// In a commit of everything, when it is staged.
    async fn committing() -> Self {
        let home = Home::new();
        let tree = Forge::below(home.path()).seeded("tree");
        tree.hook("pre-commit", &holds_up(home.path()));
        std::fs::write(home.path().join("hold"), "").unwrap();
        tree.write("staged.txt", "x");
        tree.run(&["add", "staged.txt"]);
        tree.write("staged.txt", "y");
        tree.write("shared.txt", "changed\n");
        tree.write("new.txt", "x");
        let body = json!({ "operation": "commit", "message": "mine", "all": true });
        Self::begin(home, tree, body).await
    }

    /// In a pull that rebases, in the middle of it.
    async fn pulling() -> Self {
        let home = Home::new();
        let forge = Forge::below(home.path());
        let (tree, theirs) = (forge.seeded("tree"), forge.clone_as("theirs"));
        theirs.change("theirs.txt", "x");
        theirs.run(&["push", "--quiet"]);
        tree.change("mine.txt", "x");
        tree.hook("post-checkout", &holds_up(home.path()));
        std::fs::write(home.path().join("hold"), "").unwrap();
        Self::begin(home, tree, json!({ "operation": "pull" })).await
    }

    async fn begin(home: Home, tree: Tree, mut body: serde_json::Value) -> Self {
        let before = tree.as_it_is();
        let server = home.serve().await;
        body["projectPath"] = json!(tree.path);
        drop(tokio::spawn(server.request("POST", "/api/projects/git").json(&body).send()));
        let git = git_of(home.path()).await;
        assert!(!tree.is_tidy(), "it is in the middle of it");
        Self { home, server, tree, before, git }
    }
}

async fn kill(git: u32, home: &Home) {
    signal("KILL", git);
    eventually("git is gone", || !is_running(git)).await;
    std::fs::remove_file(home.path().join("hold")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_has_left_is_put_back_before_the_next_one_serves() {
    for held_up in [HeldUp::committing().await, HeldUp::pulling().await] {
        let HeldUp { home, server, tree, before, git } = held_up;
        server.kill().await;
        kill(git, &home).await;
        let server = home.serve().await;
        assert_eq!(tree.as_it_is(), before);
        assert!(tree.is_tidy());
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_outlives_its_server_is_ended_before_the_next_one_serves() {
    let HeldUp { home, server, tree, before, git } = HeldUp::pulling().await;
    server.kill().await;
    assert!(is_running(git));
    let server = home.serve().await;
    assert!(!is_running(git));
    assert_eq!(tree.as_it_is(), before);
    assert!(tree.is_tidy());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_git_and_leaves_everything_as_it_was() {
    for held_up in [HeldUp::committing().await, HeldUp::pulling().await] {
        let HeldUp { server, tree, before, git, home: _home } = held_up;
        server.stop().await;
        assert!(!is_running(git));
        assert_eq!(tree.as_it_is(), before);
        assert!(tree.is_tidy());
    }
}

/// A mark that a server left which died an hour ago.
fn mark_of_a_dead_server(tree: &Tree, name: &str, target: Option<&str>) -> PathBuf {
    let mark = json!({
        "operation": "0197a2c4-0000-7000-8000-000000000001",
        "name": name,
        "branch": "main",
        "head": tree.head(),
        "target": target,
        "changed": [],
        "index": "saved",
    });
    let path = tree.path.join(".git/tandem-operation.json");
    std::fs::copy(tree.path.join(".git/index"), tree.path.join(".git/tandem-operation.index")).unwrap();
    tree.write(".git/tandem-operation.json", &mark.to_string());
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_younger_than_the_dead_server_is_a_persons() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("shared.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    mine.change("shared.txt", "mine\n");
    mine.run(&["fetch", "--quiet"]);
    let theirs = mine.run(&["rev-parse", "origin/main"]);
    for begun in ["merge", "rebase"] {
        let mark = mark_of_a_dead_server(&mine, "pull", Some(&theirs));
        assert!(!mine.try_run(&[begun, &theirs]).status.success());
        mine.write("shared.txt", "resolved by hand\n");
        mine.run(&["add", "shared.txt"]);
        let status = mine.run(&["status"]);
        for _ in 0..2 {
            let refusal = forge.ask(&mine, commit_all("mine")).await.unwrap_err();
            assert_eq!(reason(&refusal), "in_progress", "{begun}");
        }
        assert_eq!((mine.read("shared.txt").as_str(), mine.run(&["status"])), ("resolved by hand\n", status));
        assert!(!mark.exists());
        mine.run(&[begun, "--abort"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_staged_and_written_after_the_crash_stays() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    mark_of_a_dead_server(&tree, "commit", None);
    tree.write("staged.txt", "x");
    tree.run(&["add", "staged.txt"]);
    tree.write("new.txt", "x");
    let before = tree.as_it_is();
    forge.ask(&tree, branch("new", false)).await.unwrap();
    let after = tree.as_it_is();
    assert_eq!((after.index(), after.status()), (before.index(), before.status()));
    assert!(tree.is_tidy());
    let operation = commit("mine", What::Staged);
    forge.ask(&tree, operation).await.unwrap();
    assert_eq!(tree.run(&["show", "--name-only", "--format="]), "staged.txt");

    // An empty file is what git leaves when it dies in the moment before it writes, and what a person may leave.
    tree.run(&["branch", "other"]);
    tree.change("shared.txt", "other\n");
    mark_of_a_dead_server(&tree, "merge", Some(&tree.run(&["rev-parse", "other"])));
    tree.write("shared.txt", "");
    let deleted =
        Operation::Branch { name: "other".to_owned(), from: None, is_entered: false, is_deleted: true };
    forge.ask(&tree, deleted).await.unwrap();
    assert_eq!(tree.read("shared.txt"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_git_is_not_held_up_by_a_server_that_stops() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.hook("pre-commit", &holds_up(&forge.root()));
    std::fs::write(forge.root().join("hold"), "").unwrap();
    tree.write("new.txt", "x");
    let before = tree.as_it_is();
    let stop = async {
        git_of(&forge.root()).await;
        eventually("the other one waits", || forge.told.of_kind("lock_waiting").len() == 1).await;
        forge.git.stop(std::time::Duration::ZERO).await;
    };
    let (one, other, ()) =
        tokio::join!(forge.ask(&tree, commit_all("one")), forge.ask(&tree, commit_all("other")), stop);
    for refusal in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(refusal.code, Code::ShuttingDown, "{refusal:?}");
    }
    assert_eq!(tree.as_it_is(), before);
    assert_eq!(forge.ask(&tree, commit_all("late")).await.unwrap_err().code, Code::ShuttingDown);
}
