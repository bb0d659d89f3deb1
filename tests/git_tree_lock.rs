//! Git in turn and the locks of files: no tree is rewritten under somebody who works in it.

use std::time::Duration;

use serde_json::json;
use tandem::git::{Operation, Strategy, What};
use tandem_actors::ids::SessionId;
use tandem_actors::locks::{Answer, Holder, Resource};
use tandem_actors::refusal::Code;

use crate::support::eventually;
use crate::support::repository::{Forge, branch, commit, pull, push, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_not_rewritten_while_somebody_has_a_file_of_it() {
    let forge = Forge::with_wait(Duration::from_millis(50)).await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("theirs.txt", "x");
    theirs.run(&["push", "--quiet"]);
    mine.change("mine.txt", "x");
    mine.run(&["fetch", "--quiet"]);
    mine.run(&["branch", "other", "HEAD~1"]);
    let agent = Holder::SessionId(SessionId::random());
    let file = Resource::file(&mine.path.join("shared.txt"));
    assert!(matches!(forge.keeper.acquire(request(&agent, file)), Answer::Now(Ok(_))));
    let before = mine.as_it_is();
    let operations = [
        pull(Strategy::Rebase),
        push(Strategy::Merge),
        Operation::Rebase { onto: "origin/main".to_owned() },
        Operation::Merge { branch: "origin/main".to_owned() },
        branch("other", true),
        branch("new", true),
    ];
    for operation in operations {
        let refusal = forge.ask(&mine, operation.clone()).await.unwrap_err();
        assert_eq!(refusal.code, Code::LockDenied, "{operation:?}");
        assert_eq!(refusal.details.unwrap()["holder"], json!(agent), "{operation:?}");
        assert_eq!(mine.as_it_is(), before, "{operation:?}");
    }
    // What leaves the files alone is not held up.
    forge.ask(&mine, branch("plain", false)).await.unwrap();
    mine.write("new.txt", "x");
    forge.ask(&mine, commit("mine", What::All)).await.unwrap();
    forge.keeper.release_all(&agent);
    forge.ask(&mine, pull(Strategy::Rebase)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_file_of_a_tree_that_is_being_rewritten() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    theirs.change("theirs.txt", "x");
    theirs.run(&["push", "--quiet"]);
    let folder = forge.root();
    let hold = format!("touch '{0}/begun'; while test -e '{0}/hold'; do sleep 0.01; done", folder.display());
    mine.hook("post-merge", &hold);
    std::fs::write(folder.join("hold"), "").unwrap();
    let agent = Holder::SessionId(SessionId::random());
    let held_up = async {
        eventually("it has begun", || folder.join("begun").exists()).await;
        for (path, is_free) in [(mine.path.join("new/file.txt"), false), (theirs.path.join("a.txt"), true)] {
            let answer = forge.keeper.acquire(request(&agent, Resource::file(&path)));
            assert_eq!(matches!(answer, Answer::Now(Ok(_))), is_free, "{}", path.display());
        }
        std::fs::remove_file(folder.join("hold")).unwrap();
    };
    let (done, ()) = tokio::join!(forge.ask(&mine, pull(Strategy::FastForward)), held_up);
    done.unwrap();
    let file = Resource::file(&mine.path.join("shared.txt"));
    assert!(matches!(forge.keeper.acquire(request(&agent, file)), Answer::Now(Ok(_))));
}
