//! An agent's git commands and operations through the API on one repository, at once: in turn, and nothing is lost.

use serde_json::json;

use crate::support::repository::Forge;
use crate::support::server::Home;

const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_commits_and_those_of_the_api_come_in_turn() {
    let home = Home::new();
    let forge = Forge::below(home.path());
    let tree = forge.seeded("tree");
    // Whoever commits while another one does is found out here.
    let root = home.path().display();
    tree.hook(
        "pre-commit",
        &format!("mkdir '{root}/busy' || echo both >> '{root}/at-once'; sleep 0.05; rmdir '{root}/busy'"),
    );
    let server = home.serve().await;
    let body = json!({"projectPath": tree.path, "permissionMode": "bypassPermissions"});
    let (_, created) = server.call("POST", "/api/sessions", body).await;
    let session = &created["sessionId"];
    let mut have_waited = 0;
    for round in 0..ROUNDS {
        let (agents, apis) = (format!("agent-{round}.txt"), format!("api-{round}.txt"));
        tree.write(&agents, "x");
        tree.write(&apis, "x");
        let command =
            format!("/tool git add {agents} && git commit --quiet -m {agents} -- {agents} && echo done");
        let order = json!({"sessionId": session, "message": command});
        let operation =
            json!({"projectPath": tree.path, "operation": "commit", "message": apis, "paths": [apis]});
        let turn = server.call("POST", "/api/chat", order);
        let (answer, (status, done)) =
            tokio::join!(turn, server.call("POST", "/api/projects/git", operation));
        assert_eq!(answer.1["reply"], "tool said: done", "{}", answer.1);
        assert_eq!(status, 200, "{done}");
        have_waited += usize::from(tree.run(&["log", "-1", "--format=%s"]) == apis);
    }
    assert!(!home.path().join("at-once").exists(), "two have committed at once");
    let mut subjects: Vec<String> = tree.run(&["log", "--format=%s"]).lines().map(str::to_owned).collect();
    subjects.retain(|subject| subject.starts_with("agent-") || subject.starts_with("api-"));
    subjects.sort();
    let mut wanted: Vec<String> =
        (0..ROUNDS).flat_map(|round| [format!("agent-{round}.txt"), format!("api-{round}.txt")]).collect();
    wanted.sort();
    assert_eq!(subjects, wanted, "each commit is there once");
    let kept = tree.run(&["ls-tree", "--name-only", "HEAD"]);
    assert!(wanted.iter().all(|file| kept.lines().any(|line| line == file)), "{kept}");
    assert_eq!(tree.run(&["status", "--porcelain"]), "");
    println!("git and agents: in {have_waited} of {ROUNDS} rounds the agent was first");
    assert_eq!(server.get("/api/locks").await["locks"], json!([]));
    server.stop().await;
}
