//! Git in turn when something dies in the middle: at once, or with the next operation, everything is as before.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tandem::git::{Operation, Strategy};
use tandem_actors::refusal::{Code, Effect};

use crate::support::repository::{Forge, Tree, branch, commit_all, pull, reason};
use crate::support::server::{Home, TestServer};
use crate::support::{eventually, is_running, signal};

/// Holds git up in the middle of writing files: `b.slow` is passed through a program that waits.
struct Brake {
    folder: PathBuf,
}

impl Brake {
    fn in_tree(tree: &Tree, folder: &Path) -> Self {
        let folder = folder.to_owned();
        let script = format!(
            "echo $PPID > '{0}/pid.new'; mv '{0}/pid.new' '{0}/pid'; while test -e '{0}/hold'; do sleep 0.01; done; cat",
            folder.display()
        );
        tree.run(&["config", "filter.slow.smudge", &script]);
        tree.run(&["config", "filter.slow.clean", "cat"]);
        Self { folder }
    }

    fn pull(&self) {
        let _ = std::fs::remove_file(self.folder.join("pid"));
        std::fs::write(self.folder.join("hold"), "").unwrap();
    }

    fn release(&self) {
        std::fs::remove_file(self.folder.join("hold")).unwrap();
    }

    /// Waits until git is held up; its process.
    async fn holds(&self) -> u32 {
        let pid = self.folder.join("pid");
        eventually("git is held up", || pid.exists()).await;
        std::fs::read_to_string(pid).unwrap().trim().parse().unwrap()
    }
}

/// Two histories that fit: theirs changes, adds and deletes files before and behind the one at which git is held up.
fn two_histories(mine: &Tree, theirs: &Tree) {
    theirs.write(".gitattributes", "*.slow filter=slow\n");
    theirs.write("a.txt", "a\n");
    theirs.write("gone.txt", "soon gone\n");
    theirs.write("shared.txt", "one\ntwo\nthree\nfour\nfive\n");
    theirs.commit("begin");
    theirs.run(&["push", "--quiet"]);
    mine.run(&["pull", "--quiet"]);
    theirs.write("a.txt", "theirs\n");
    theirs.write("a/new file.txt", "theirs\n");
    theirs.write("b.slow", "theirs\n");
    theirs.write("z.txt", "theirs\n");
    theirs.write("shared.txt", "one\ntwo\nthree\nfour\ntheirs\n");
    std::fs::remove_file(theirs.path.join("gone.txt")).unwrap();
    theirs.commit("theirs");
    theirs.run(&["push", "--quiet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_is_killed_while_it_writes_files_leaves_everything_as_it_was() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    two_histories(&mine, &theirs);
    let brake = Brake::in_tree(&mine, &forge.root());
    mine.run(&["fetch", "--quiet"]);
    mine.run(&["branch", "--quiet", "other", "origin/main"]);
    mine.write("untracked.txt", "mine\n");
    let killed = async |operation: Operation| {
        brake.pull();
        let before = mine.as_it_is();
        let kill = async {
            let git = brake.holds().await;
            assert_eq!(mine.read("a.txt"), "theirs\n", "it is in the middle of it");
            signal("KILL", git);
            brake.release();
        };
        let (outcome, ()) = tokio::join!(forge.ask(&mine, operation.clone()), kill);
        let refusal = outcome.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.effect),
            (Code::GitFailed, Effect::None),
            "{operation:?} {refusal:?}"
        );
        assert_eq!(mine.as_it_is(), before, "{operation:?}");
        assert!(mine.is_tidy(), "{operation:?}");
    };
    killed(pull(Strategy::FastForward)).await;
    killed(branch("other", true)).await;
    mine.change("shared.txt", "mine\ntwo\nthree\nfour\nfive\n");
    killed(pull(Strategy::Rebase)).await;
    killed(pull(Strategy::Merge)).await;
    forge.ask(&mine, pull(Strategy::Merge)).await.unwrap();
    assert_eq!(mine.read("shared.txt"), "mine\ntwo\nthree\nfour\ntheirs\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_killed_leaves_no_lock_and_nothing_staged() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.hook(
        "pre-commit",
        &format!(
            "echo $PPID > '{0}/pid.new'; mv '{0}/pid.new' '{0}/pid'; exec sleep 60",
            forge.root().display()
        ),
    );
    tree.write("new.txt", "x");
    let before = tree.as_it_is();
    let kill = async {
        let pid = forge.root().join("pid");
        eventually("the hook runs", || pid.exists()).await;
        assert!(tree.path.join(".git/index.lock").exists());
        signal("KILL", std::fs::read_to_string(pid).unwrap().trim().parse().unwrap());
    };
    let (outcome, ()) = tokio::join!(forge.ask(&tree, commit_all("mine")), kill);
    assert_eq!(outcome.unwrap_err().effect, Effect::None);
    assert_eq!(tree.as_it_is(), before);
    assert!(tree.is_tidy());
}

/// A server with a repository that it is in the middle of pulling into.
struct InTheMiddle {
    home: Home,
    server: TestServer,
    mine: Tree,
    git: u32,
    brake: Brake,
}

impl InTheMiddle {
    async fn of(strategy: &str) -> Self {
        let home = Home::new();
        let forge = Forge::below(home.path());
        let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
        two_histories(&mine, &theirs);
        if strategy != "ff" {
            mine.change("shared.txt", "mine\ntwo\nthree\nfour\nfive\n");
        }
        let brake = Brake::in_tree(&mine, home.path());
        brake.pull();
        let server = home.serve().await;
        let request = server.request("POST", "/api/projects/git");
        let body = json!({ "projectPath": mine.path, "operation": "pull", "strategy": strategy });
        drop(tokio::spawn(request.json(&body).send()));
        let git = brake.holds().await;
        assert_eq!(mine.read("a.txt"), "theirs\n", "it is in the middle of it");
        Self { home, server, mine, git, brake }
    }

    /// What the next server makes of it.
    async fn goes_on(home: &Home, mine: &Tree, strategy: &str) -> (u16, Value) {
        let server = home.serve().await;
        let body = json!({ "projectPath": mine.path, "operation": "pull", "strategy": strategy });
        let answer = server.call("POST", "/api/projects/git", body).await;
        server.stop().await;
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_and_a_killed_git_have_left_is_put_back_by_the_next_operation() {
    for strategy in ["ff", "rebase", "merge"] {
        let InTheMiddle { home, server, mine, git, brake } = InTheMiddle::of(strategy).await;
        server.kill().await;
        signal("KILL", git);
        eventually("git is gone", || !is_running(git)).await;
        brake.release();
        assert!(!mine.is_tidy(), "{strategy}: something is left");
        let (status, answer) = InTheMiddle::goes_on(&home, &mine, strategy).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{strategy}: {answer}");
        assert_eq!(mine.run(&["status", "--porcelain"]), "", "{strategy}");
        assert!(mine.is_tidy(), "{strategy}");
        let expected = if strategy == "ff" { "one" } else { "mine" };
        assert_eq!(mine.read("shared.txt"), format!("{expected}\ntwo\nthree\nfour\ntheirs\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_outlives_its_server_is_ended_before_anything_else_is_done() {
    for strategy in ["ff", "rebase", "merge"] {
        let InTheMiddle { home, server, mine, git, .. } = InTheMiddle::of(strategy).await;
        server.kill().await;
        assert!(is_running(git));
        // The brake is still on for whoever writes this file: only a commit gets past it.
        let server = home.serve().await;
        mine.write("mine.txt", "mine\n");
        let body = json!({ "projectPath": mine.path, "operation": "commit", "message": "mine", "paths": ["mine.txt"] });
        let (status, answer) = server.call("POST", "/api/projects/git", body).await;
        assert_eq!(status, 200, "{strategy}: {answer}");
        assert!(!is_running(git), "{strategy}");
        assert_eq!(mine.run(&["show", "--name-only", "--format=%s"]), "mine\n\nmine.txt", "{strategy}");
        assert_eq!(mine.run(&["status", "--porcelain"]), "", "{strategy}");
        assert_eq!(mine.read("a.txt"), "a\n", "{strategy}");
        assert!(mine.is_tidy(), "{strategy}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_wrote_after_the_crash_stays() {
    let InTheMiddle { home, server, mine, git, brake } = InTheMiddle::of("ff").await;
    server.kill().await;
    signal("KILL", git);
    eventually("git is gone", || !is_running(git)).await;
    brake.release();
    mine.write("a.txt", "by hand\n");
    let (status, answer) = InTheMiddle::goes_on(&home, &mine, "ff").await;
    let error = &answer["error"];
    assert_eq!((status, &error["details"]["reason"]), (409, &json!("uncommitted_changes")), "{answer}");
    assert_eq!(mine.run(&["status", "--porcelain"]), " M a.txt");
    assert_eq!(mine.read("a.txt"), "by hand\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_began_something_after_the_crash_is_not_disturbed() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("shared.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    mine.change("shared.txt", "mine\n");
    mine.run(&["fetch", "--quiet"]);
    assert!(!mine.try_run(&["merge", "origin/main"]).status.success());
    let mark = json!({
        "operation": "0197a2c4-0000-7000-8000-000000000001",
        "name": "pull",
        "branch": "main",
        "head": mine.head(),
        "target": mine.run(&["rev-parse", "HEAD~1"]),
        "changed": [],
    });
    mine.write(".git/tandem-operation.json", &mark.to_string());
    let status = mine.run(&["status"]);
    let refusal = forge.ask(&mine, commit_all("mine")).await.unwrap_err();
    assert_eq!(reason(&refusal), "in_progress");
    assert_eq!(mine.run(&["status"]), status);
}
