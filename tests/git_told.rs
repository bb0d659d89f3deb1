//! Git in turn as those see it who work on the files that it writes.

use std::sync::Arc;

use serde_json::{Value, json};
use tandem::git::Strategy;
use tandem_actors::blobs::BlobHash;
use tandem_actors::ids::SessionId;
use tandem_actors::watch::Watcher;

use crate::support::eventually;
use crate::support::repository::{Forge, branch, pull};

fn file_changes(forge: &Forge) -> Vec<Value> {
    let mut told = forge.told.of_kind("file_changed");
    told.sort_by_key(|change| change["filePath"].as_str().unwrap().to_owned());
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_git_writes_are_its_devices_change_and_no_conflict() {
    let forge = Forge::new().await;
    let (mine, theirs) = (forge.seeded("mine"), forge.clone_as("theirs"));
    let project: Arc<str> = mine.path.to_str().unwrap().into();
    let session = SessionId::random();
    for file in ["shared.txt", "other.txt"] {
        let content = mine.read(file);
        let hash = BlobHash::of(content.as_bytes());
        forge.files.seen(session, &project, &mine.path.join(file), hash, &content.into());
    }
    let watcher = Watcher::new(&forge.files);
    let _interest = watcher.watch(&project);
    eventually("the project is watched", || watcher.folders() > 0).await;
    theirs.write("shared.txt", "theirs\n");
    theirs.write("new/file.txt", "theirs\n");
    std::fs::remove_file(theirs.path.join("other.txt")).unwrap();
    theirs.commit("theirs");
    theirs.run(&["push", "--quiet"]);
    // Longer than the watcher waits for anybody to say so.
    mine.hook("post-merge", "sleep 0.3");
    forge.ask(&mine, pull(Strategy::FastForward)).await.unwrap();
    // When it has seen this, it has seen all that came before.
    mine.write("stranger.txt", "by hand\n");
    let is_seen = || file_changes(&forge).iter().any(|change| change["filePath"] == "stranger.txt");
    eventually("the watcher has seen it", is_seen).await;
    let by = json!({ "deviceId": "laptop" });
    let hash = json!(BlobHash::of(b"theirs\n").to_string());
    let told: Vec<[Value; 4]> = file_changes(&forge)
        .into_iter()
        .map(|change| ["filePath", "changeType", "hash", "holder"].map(|field| change[field].clone()))
        .collect();
    let expected = [
        [json!("new/file.txt"), json!("created"), hash.clone(), by.clone()],
        [json!("other.txt"), json!("deleted"), json!(null), by.clone()],
        [json!("shared.txt"), json!("modified"), hash, by],
    ];
    assert_eq!(told[..3], expected);
    assert_eq!((told.len(), &told[3][3]), (4, &json!(null)), "the stranger is nobody's: {told:?}");
    assert!(forge.told.of_kind("conflict_detected").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_branch_is_still_a_conflict_for_who_had_read_its_files() {
    let forge = Forge::new().await;
    let tree = forge.seeded("tree");
    let project: Arc<str> = tree.path.to_str().unwrap().into();
    tree.run(&["branch", "other"]);
    tree.change("shared.txt", "main\n");
    let (session, content) = (SessionId::random(), tree.read("shared.txt"));
    let hash = BlobHash::of(content.as_bytes());
    forge.files.seen(session, &project, &tree.path.join("shared.txt"), hash, &content.into());
    let watcher = Watcher::new(&forge.files);
    let _interest = watcher.watch(&project);
    eventually("the project is watched", || watcher.folders() > 0).await;
    forge.ask(&tree, branch("other", true)).await.unwrap();
    eventually("it is told", || !forge.told.of_kind("conflict_detected").is_empty()).await;
    assert_eq!(forge.told.of_kind("conflict_detected")[0]["conflictType"], "context_switch");
}
