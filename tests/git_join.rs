//! Git in turn where two histories meet: pull, push, rebase, merge, and what is left when they do not fit.

use serde_json::json;
use tandem::git::{Operation, Strategy};
use tandem_actors::refusal::{Code, Effect};

use crate::support::repository::{Forge, branch, pull, push, reason};

const ROUNDS: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn two_clones_that_push_at_once_both_get_through_and_history_is_linear() {
    let forge = Forge::new().await;
    let (left, right) = (forge.seeded("left"), forge.clone_as("right"));
    let mut tries = 0;
    for round in 0..ROUNDS {
        left.change(&format!("left-{round}.txt"), "l");
        right.change(&format!("right-{round}.txt"), "r");
        let (one, other) = tokio::join!(
            forge.ask_as("one", &left, push(Strategy::Rebase)),
            forge.ask_as("other", &right, push(Strategy::Rebase))
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        tries += one.tries + other.tries;
        let there = forge.remote().run(&["rev-parse", "main"]);
        assert!([one.head, other.head].contains(&Some(there)), "round {round}");
    }
    let remote = forge.remote();
    let count = |range: &[&str]| remote.run(&[&["rev-list", "--count", "main"], range].concat());
    assert_eq!(count(&[]), (1 + 2 * ROUNDS).to_string(), "every commit has arrived, once");
    assert_eq!(count(&["--merges"]), "0", "and none of them merges");
    assert!(tries > 2 * ROUNDS, "in some round one was faster");
    assert!(left.is_tidy() && right.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_leaves_everything_as_it_was_and_is_told() {
    let forge = Forge::new().await;
    let (left, right) = (forge.seeded("left"), forge.clone_as("right"));
    left.change("shared.txt", "one\nleft\nthree\n");
    left.run(&["push", "--quiet"]);
    right.change("before.txt", "a commit that fits\n");
    right.change("shared.txt", "one\nright\nthree\n");
    right.write("untracked.txt", "mine\n");
    let before = right.as_it_is();
    let operations = [
        pull(Strategy::Rebase),
        pull(Strategy::Merge),
        push(Strategy::Rebase),
        push(Strategy::Merge),
        Operation::Rebase { onto: "origin/main".to_owned() },
        Operation::Merge { branch: "origin/main".to_owned() },
    ];
    for operation in operations {
        let refusal = forge.ask(&right, operation.clone()).await.unwrap_err();
        assert_eq!((refusal.code, refusal.effect), (Code::Conflict, Effect::None), "{operation:?}");
        assert_eq!(right.as_it_is(), before, "{operation:?}");
        assert!(right.is_tidy(), "{operation:?}");
        let told = forge.told.of_kind("conflict_detected").pop().unwrap();
        let details = refusal.details.unwrap();
        assert_eq!(details["conflictId"], told["conflictId"]);
        assert_eq!(details["files"], json!(["shared.txt"]));
        assert_eq!(told["conflictType"], "git_merge");
        assert_eq!(told["subject"], "main");
        assert_eq!(told["projectPath"], right.path.to_str().unwrap());
        assert_eq!(told["ours"]["holder"], json!({ "deviceId": "laptop" }));
        assert!(told["theirs"]["what"].as_str().unwrap().starts_with("origin/main at "));
        let hunks = told["hunks"].as_str().unwrap();
        assert!(hunks.starts_with("=== shared.txt: changed on both sides\n"), "{hunks}");
        assert!(
            hunks.contains("left\n=======\nright\n") || hunks.contains("right\n=======\nleft\n"),
            "{hunks}"
        );
    }
    assert_eq!(forge.told.of_kind("conflict_detected").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_side_that_deletes_what_the_other_changes_is_a_conflict() {
    let forge = Forge::new().await;
    let (left, right) = (forge.seeded("left"), forge.clone_as("right"));
    left.run(&["rm", "--quiet", "shared.txt"]);
    left.commit("delete it");
    left.run(&["push", "--quiet"]);
    right.change("shared.txt", "changed\n");
    let before = right.as_it_is();
    let refusal = forge.ask(&right, pull(Strategy::Merge)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Conflict);
    assert_eq!(right.as_it_is(), before);
    let told = forge.told.of_kind("conflict_detected").pop().unwrap();
    assert_eq!(told["hunks"], "=== shared.txt: changed on our side, deleted on theirs\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_somebody_outruns_once_is_tried_again() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    // Runs when the remote has said where it stands and before it is given anything.
    let script = format!(
        "cd '{}' && test -e pushed || {{ touch pushed; git commit --quiet --allow-empty -m faster; env -u GIT_DIR git push --quiet; }}",
        theirs.path.display()
    );
    mine.hook("pre-push", &format!("unset GIT_DIR; {script}"));
    mine.change("mine.txt", "mine\n");
    let done = forge.ask(&mine, push(Strategy::Rebase)).await.unwrap();
    assert_eq!((done.tries, done.operation), (2, "push"));
    assert_eq!(done.head, Some(forge.remote().run(&["rev-parse", "main"])));
    assert_eq!(forge.remote().run(&["log", "--format=%s", "main"]), "change mine.txt\nfaster\nfirst");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_outrun_three_times_is_refused_and_leaves_no_trace() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    mine.hook(
        "pre-push",
        &format!(
            "unset GIT_DIR; cd '{}' && git pull --quiet && git commit --quiet --allow-empty -m faster && git push --quiet",
            theirs.path.display()
        ),
    );
    mine.change("mine.txt", "mine\n");
    let before = mine.as_it_is();
    for strategy in [Strategy::Rebase, Strategy::Merge] {
        let refusal = forge.ask(&mine, push(strategy)).await.unwrap_err();
        assert_eq!(
            (refusal.code, reason(&refusal).as_str()),
            (Code::GitFailed, "remote_moved"),
            "{refusal:?}"
        );
        assert_eq!(refusal.effect, Effect::None);
        assert_eq!(mine.as_it_is(), before);
    }
    assert_eq!(forge.remote().run(&["rev-list", "--count", "main"]), "7", "one for each of six tries");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_remote_does_not_take_is_refused_at_once_and_leaves_no_trace() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("theirs.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    forge.remote().hook("pre-receive", "echo no pushes on Fridays >&2; exit 1");
    mine.change("mine.txt", "mine\n");
    let before = mine.as_it_is();
    let refusal = forge.ask(&mine, push(Strategy::Rebase)).await.unwrap_err();
    assert_eq!(reason(&refusal), "declined");
    let details = refusal.details.unwrap();
    assert_eq!(details["exitCode"], 1);
    let output = details["output"].as_str().unwrap();
    assert!(output.contains("no pushes on Fridays"), "{output}");
    assert!(!output.contains(forge.root().to_str().unwrap()), "no path outside of the tree: {output}");
    assert_eq!(mine.as_it_is(), before, "the rebase is taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_takes_in_what_came_in_each_way() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("theirs.txt", "1");
    theirs.run(&["push", "--quiet"]);
    let done = forge.ask(&mine, pull(Strategy::FastForward)).await.unwrap();
    assert_eq!(done.head, Some(theirs.head()));
    let again = forge.ask(&mine, pull(Strategy::Rebase)).await.unwrap();
    assert_eq!((again.head, again.output.as_str()), (done.head, ""), "there was nothing to do");

    theirs.change("theirs.txt", "2");
    theirs.run(&["push", "--quiet"]);
    mine.change("mine.txt", "mine");
    let refusal = forge.ask(&mine, pull(Strategy::FastForward)).await.unwrap_err();
    assert_eq!(reason(&refusal), "diverged");
    forge.ask(&mine, pull(Strategy::Merge)).await.unwrap();
    assert_eq!(mine.run(&["log", "-1", "--format=%s"]), "Merge branch 'main' of origin");
    assert_eq!((mine.read("theirs.txt"), mine.read("mine.txt")), ("2".to_owned(), "mine".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_branch_is_pushed_and_followed_from_then_on() {
    let forge = Forge::new().await;
    let mine = forge.seeded("mine");
    forge.ask(&mine, branch("feature/x", true)).await.unwrap();
    mine.change("x.txt", "x");
    let done = forge.ask(&mine, push(Strategy::Rebase)).await.unwrap();
    assert_eq!((done.branch.as_deref(), done.tries), (Some("feature/x"), 1));
    assert_eq!(forge.remote().run(&["rev-parse", "feature/x"]), mine.head());
    assert_eq!(mine.run(&["rev-parse", "--abbrev-ref", "@{upstream}"]), "origin/feature/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_in_no_commit_are_never_put_away_silently() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("shared.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    mine.run(&["config", "rebase.autoStash", "true"]);
    mine.run(&["config", "merge.autoStash", "true"]);
    mine.change("mine.txt", "mine\n");
    mine.write("shared.txt", "in no commit\n");
    let before = mine.as_it_is();
    for strategy in [Strategy::Rebase, Strategy::Merge] {
        for operation in [pull(strategy), push(strategy)] {
            let refusal = forge.ask(&mine, operation).await.unwrap_err();
            assert_eq!(reason(&refusal), "uncommitted_changes", "{refusal:?}");
            assert_eq!(mine.as_it_is(), before);
        }
    }
    mine.run(&["checkout", "--quiet", "shared.txt"]);
    mine.write("other.txt", "in no commit, and in nobody's way\n");
    let refusal = forge.ask(&mine, pull(Strategy::Rebase)).await.unwrap_err();
    assert!(
        refusal.message.contains("`other.txt`"),
        "a rebase takes no changes with it: {}",
        refusal.message
    );
    forge.ask(&mine, pull(Strategy::Merge)).await.unwrap();
    assert_eq!(mine.read("other.txt"), "in no commit, and in nobody's way\n");
    assert_eq!(mine.read("shared.txt"), "theirs\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_keeps_changes_that_are_in_nobodys_way() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("shared.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    mine.change("shared.txt", "mine\n");
    mine.write("other.txt", "in no commit\n");
    let before = mine.as_it_is();
    let refusal = forge.ask(&mine, pull(Strategy::Merge)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Conflict);
    assert_eq!(mine.as_it_is(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_or_rebase_within_the_repository_needs_no_remote() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["branch", "topic"]);
    tree.change("main.txt", "main");
    tree.run(&["switch", "--quiet", "topic"]);
    tree.change("topic.txt", "topic");
    tree.run(&["remote", "remove", "origin"]);
    forge.ask(&tree, Operation::Rebase { onto: "main".to_owned() }).await.unwrap();
    assert_eq!(tree.run(&["log", "--format=%s"]), "change topic.txt\nchange main.txt\nfirst");
    tree.run(&["switch", "--quiet", "main"]);
    let hash = tree.run(&["rev-parse", "topic"]);
    let done = forge.ask(&tree, Operation::Merge { branch: hash.clone() }).await.unwrap();
    assert_eq!(done.head, Some(hash));
    let refusal = forge.ask(&tree, pull(Strategy::Rebase)).await.unwrap_err();
    assert_eq!(reason(&refusal), "no_such_name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_is_settled_by_asking_the_remote() {
    let forge = Forge::new().await;
    let mine = forge.seeded("mine");
    mine.change("mine.txt", "mine\n");
    // Ends git when the remote has taken what it was given, and before that is said.
    let pid = forge.root().join("pid");
    mine.hook("pre-push", &format!("echo $PPID > '{}'", pid.display()));
    forge.remote().hook("post-update", &format!("kill -9 $(cat '{}')", pid.display()));
    let done = forge.ask(&mine, push(Strategy::Rebase)).await.unwrap();
    assert_eq!(done.head, Some(forge.remote().run(&["rev-parse", "main"])));

    // And where the remote has not taken it, everything is as before.
    mine.hook("pre-push", "kill -9 $PPID");
    mine.change("mine.txt", "more\n");
    let before = mine.as_it_is();
    let refusal = forge.ask(&mine, push(Strategy::Rebase)).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::GitFailed, Effect::None), "{refusal:?}");
    assert_eq!(mine.as_it_is(), before);
}
