//! Git in turn where something else goes on in the tree, or git dies with its work done.

use tandem::git::{Operation, Strategy, What};
use tandem_actors::refusal::{Code, Effect};

use crate::support::repository::{Forge, Tree, commit_all, pull, push};

/// Two commits that do not fit, and what is run in the middle of finding that out.
fn two_that_do_not_fit(forge: &Forge, in_the_middle: &str) -> Tree {
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("shared.txt", "theirs\n");
    theirs.run(&["push", "--quiet"]);
    mine.write(".git/info/attributes", "shared.txt merge=driver\n");
    mine.change("shared.txt", "mine\n");
    mine.run(&["config", "merge.driver.driver", &format!("{in_the_middle}; exit 1")]);
    mine.run(&["fetch", "--quiet"]);
    mine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_told_although_something_else_appears_in_the_tree() {
    let forge = Forge::new().await;
    let appeared = forge.work("mine").join("appeared.txt");
    let mine = two_that_do_not_fit(&forge, &format!("echo x > '{}'", appeared.display()));
    let before = mine.as_it_is();
    let operations = [
        pull(Strategy::Rebase),
        pull(Strategy::Merge),
        push(Strategy::Rebase),
        push(Strategy::Merge),
        Operation::Rebase { onto: "origin/main".to_owned() },
    ];
    for (number, operation) in operations.into_iter().enumerate() {
        let refusal = forge.ask(&mine, operation.clone()).await.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.effect),
            (Code::Conflict, Effect::None),
            "{operation:?} {refusal:?}"
        );
        assert_eq!(forge.told.of_kind("conflict_detected").len(), number + 1, "{operation:?}");
        assert!(mine.is_tidy(), "{operation:?}");
        std::fs::remove_file(&appeared).unwrap();
        assert_eq!(mine.as_it_is(), before, "{operation:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_told_and_its_mark_forgotten_although_the_branch_is_not_where_it_was() {
    let forge = Forge::new().await;
    let move_it = format!("git -C '{}' update-ref refs/heads/main main~1", forge.work("mine").display());
    let mine = two_that_do_not_fit(&forge, &format!("unset GIT_DIR GIT_INDEX_FILE; {move_it}"));
    let refusal = forge.ask(&mine, pull(Strategy::Merge)).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::Conflict, Effect::Unknown), "{refusal:?}");
    assert!(refusal.message.contains("git status"), "{}", refusal.message);
    let told = forge.told.of_kind("conflict_detected").pop().unwrap();
    assert_eq!(refusal.details.unwrap()["conflictId"], told["conflictId"]);
    assert!(mine.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_made_is_done_although_its_git_does_not_come_to_an_end() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let first = tree.head();
    tree.hook("post-commit", "kill -9 $PPID");
    tree.write("new.txt", "x");
    tree.write("shared.txt", "changed\n");
    let what = What::Paths(vec!["shared.txt".to_owned()]);
    let operation = Operation::Commit { message: "mine".to_owned(), what, author: None };
    let done = forge.ask(&tree, operation).await.unwrap();
    assert_eq!(done.head, Some(tree.head()));
    assert_eq!(tree.run(&["rev-parse", "HEAD~1"]), first);
    assert_eq!(tree.run(&["status", "--porcelain"]), "?? new.txt");
    assert!(tree.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_upon_which_another_one_follows_is_in_doubt_and_nothing_is_undone() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.hook(
        "post-commit",
        "test -e once && exit; touch once; git commit --quiet --allow-empty -m more; kill -9 $PPID",
    );
    tree.write("new.txt", "x");
    let refusal = forge.ask(&tree, commit_all("mine")).await.unwrap_err();
    assert_eq!((refusal.code, refusal.effect), (Code::GitFailed, Effect::Unknown), "{refusal:?}");
    assert_eq!(tree.run(&["log", "--format=%s"]), "more\nmine\nfirst");
    assert_eq!(tree.run(&["status", "--porcelain"]), "?? once");
    assert!(tree.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_for_a_commit_is_done_with_that_commit() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    tree.run(&["switch", "--quiet", "--create", "topic"]);
    tree.change("topic.txt", "x");
    let decided = tree.head();
    tree.change("later.txt", "x");
    let later = tree.head();
    let others = [
        (Operation::Merge { branch: "topic".to_owned() }, "merge"),
        (Operation::Rebase { onto: "topic".to_owned() }, "rebase"),
    ];
    for (operation, word) in others {
        tree.run(&["switch", "--quiet", "--force-create", "work", "main"]);
        tree.change("work.txt", "x");
        tree.run(&["branch", "--force", "topic", &decided]);
        // The branch moves in the moment before git looks at it.
        let git = forge.through(&format!(
            "case \" $* \" in *' {word} '*) \"$GIT\" update-ref refs/heads/topic {later};; esac"
        ));
        git.run(tree.path.to_string_lossy().into_owned(), "laptop".parse().unwrap(), operation)
            .await
            .unwrap();
        assert_eq!(tree.run(&["rev-parse", "topic"]), later, "it has moved");
        assert!(!tree.path.join("later.txt").exists(), "{word}");
        assert_eq!(tree.run(&["merge-base", "HEAD", "topic"]), decided, "{word}");
    }
}
