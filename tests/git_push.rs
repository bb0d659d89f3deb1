//! Git in turn: where a push goes to, and what the branch follows from then on.

use tandem::git::{Operation, Strategy};
use tandem_actors::refusal::Code;

use crate::support::repository::{Forge, Tree, branch, pull, push, reason};

fn push_to(branch: &str) -> Operation {
    Operation::Push { remote: None, branch: Some(branch.to_owned()), strategy: Strategy::Rebase }
}

fn upstream(tree: &Tree) -> Option<String> {
    let found = tree.try_run(&["rev-parse", "--abbrev-ref", "@{upstream}"]);
    let name = String::from_utf8(found.stdout).unwrap();
    found.status.success().then(|| name.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_begun_from_another_one_is_pushed_under_its_own_name() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let main = tree.head();
    // What a person may have set up counts for people alone.
    tree.run(&["config", "branch.autoSetupMerge", "always"]);
    for (name, is_entered) in [("entered", true), ("made", false)] {
        let name = name.to_owned();
        let from = Some("origin/main".to_owned());
        let operation = Operation::Branch { name: name.clone(), from, is_entered, is_deleted: false };
        forge.ask(&tree, operation).await.unwrap();
        tree.run(&["switch", "--quiet", &name]);
        tree.change(&format!("{name}.txt"), "x");
        forge.ask(&tree, push(Strategy::Rebase)).await.unwrap();
        assert_eq!(forge.remote().run(&["rev-parse", &name]), tree.head());
        assert_eq!(forge.remote().run(&["rev-parse", "main"]), main, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_follows_another_name_is_pushed_there_only_if_that_is_said() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let main = tree.head();
    tree.run(&["switch", "--quiet", "--create", "feature", "--track", "origin/main"]);
    tree.change("feature.txt", "x");
    let before = tree.as_it_is();
    let refusal = forge.ask(&tree, push(Strategy::Rebase)).await.unwrap_err();
    assert_eq!((refusal.code, reason(&refusal).as_str()), (Code::GitFailed, "follows_another"));
    assert!(refusal.message.contains("`feature`") && refusal.message.contains("`main`"), "{refusal:?}");
    assert_eq!((tree.as_it_is(), forge.remote().run(&["rev-parse", "main"])), (before, main));
    forge.ask(&tree, push_to("main")).await.unwrap();
    assert_eq!(forge.remote().run(&["rev-parse", "main"]), tree.head());
    assert_eq!(upstream(&tree).as_deref(), Some("origin/main"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_elsewhere_changes_nothing_of_what_is_followed() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["branch", "--quiet", "--set-upstream-to=origin/main"]);
    forge.ask(&tree, push_to("backup")).await.unwrap();
    assert_eq!(forge.remote().run(&["rev-parse", "backup"]), tree.head());
    assert_eq!(upstream(&tree).as_deref(), Some("origin/main"));
    forge.ask(&tree, branch("new", true)).await.unwrap();
    forge.ask(&tree, push_to("backup")).await.unwrap();
    assert_eq!(upstream(&tree), None, "another name is no name to follow");
    forge.ask(&tree, push(Strategy::Rebase)).await.unwrap();
    assert_eq!(upstream(&tree).as_deref(), Some("origin/new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_goes_to_the_remote_that_is_configured_for_pushes() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["branch", "--quiet", "--set-upstream-to=origin/main"]);
    let remotes = ["fork", "mine"].map(|name| {
        let remote = forge.outside(name);
        let address = remote.path.to_str().unwrap();
        forge.remote().run(&["init", "--quiet", "--bare", address]);
        tree.run(&["remote", "add", name, address]);
        remote
    });
    let (first, [fork, mine]) = (tree.head(), remotes);
    tree.run(&["config", "remote.pushDefault", "fork"]);
    tree.change("a.txt", "x");
    forge.ask(&tree, push(Strategy::Rebase)).await.unwrap();
    let second = tree.head();
    tree.run(&["config", "branch.main.pushRemote", "mine"]);
    tree.change("b.txt", "x");
    forge.ask(&tree, push(Strategy::Rebase)).await.unwrap();
    let heads = [forge.remote(), fork, mine].map(|remote| remote.run(&["rev-parse", "main"]));
    assert_eq!(heads, [first, second, tree.head()]);
    assert_eq!(upstream(&tree).as_deref(), Some("origin/main"));
    forge.ask(&tree, pull(Strategy::FastForward)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_place_of_a_remote_is_not_quoted() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    for key in ["branch.main.remote", "branch.main.pushRemote"] {
        tree.run(&["config", key, "https://secret@host.example/x.git"]);
        let refusal = forge.ask(&tree, push(Strategy::Rebase)).await.unwrap_err();
        assert_eq!(reason(&refusal), "no_such_name");
        assert!(!format!("{refusal:?}").contains("secret"), "{refusal:?}");
    }
}
