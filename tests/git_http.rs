//! Git in turn as a client sees it.

use serde_json::json;

use crate::support::repository::Forge;
use crate::support::server::{Home, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_answered_when_it_is_done() {
    let home = Home::new();
    let tree = Forge::below(home.path()).seeded("tree");
    let server = home.serve().await;
    tree.write("new.txt", "x");
    let body = json!({ "project_path": tree.path, "operation": "commit", "message": "mine", "all": true });
    let (status, answer) = server.call("POST", "/api/projects/git", body).await;
    let output = answer["output"].as_str().unwrap().to_owned();
    assert!(output.contains("mine"), "{output}");
    let expected = json!({
        "success": true, "operation": "commit", "branch": "main", "head": tree.head(), "output": output,
        "tries": 1, "position": 0,
    });
    assert_eq!((status, answer), (200, expected));
    let (_, locks) = server.call("GET", "/api/locks", json!(null)).await;
    assert_eq!(locks["locks"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_answered_and_on_record() {
    let home = Home::new();
    let forge = Forge::below(home.path());
    let (left, right) = (forge.seeded("left"), forge.clone_as("right"));
    left.change("shared.txt", "left\n");
    left.run(&["push", "--quiet"]);
    right.change("shared.txt", "right\n");
    let server = home.serve().await;
    let body = json!({ "projectPath": right.path, "operation": "push", "deviceId": "phone" });
    let (status, answer) = server.call("POST", "/api/projects/git", body.clone()).await;
    let error = &answer["error"];
    assert_eq!((status, &error["code"], &error["effect"]), (409, &json!("conflict"), &json!("none")));
    // It is told before it is answered, and on disk a moment later.
    let path = format!("/api/conflicts?project={}", right.path.display());
    eventually("it is on record", async || server.get(&path).await["conflicts"][0].is_object()).await;
    let conflict = server.get(&path).await["conflicts"][0].clone();
    assert_eq!(conflict["conflictId"], error["details"]["conflictId"]);
    assert_eq!((&conflict["conflictType"], &conflict["subject"]), (&json!("git_merge"), &json!("main")));
    assert_eq!(conflict["ours"]["holder"], json!({ "deviceId": "phone" }));

    // Tried again, it is the same one; it can be left as it is, and content is no way to merge histories.
    let (_, again) = server.call("POST", "/api/projects/git", body.clone()).await;
    assert_eq!(again["error"]["details"]["conflictId"], conflict["conflictId"]);
    let open = format!("{path}&status=open");
    assert_eq!(server.get(&open).await["conflicts"].as_array().unwrap().len(), 1);
    let resolve = format!("/api/conflicts/{}/resolve", conflict["conflictId"].as_str().unwrap());
    for decision in [json!({"resolution": "theirs"}), json!({"resolution": "merged", "content": "x"})] {
        let (status, refused) = server.call("POST", &resolve, decision).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("bad_request")), "{refused}");
    }

    // A person merges by hand, and asks for the same again.
    right.run(&["fetch", "--quiet"]);
    right.run(&["merge", "--quiet", "-X", "theirs", "-m", "by hand", "origin/main"]);
    let (status, answer) = server.call("POST", "/api/projects/git", body).await;
    assert_eq!(status, 200, "{answer}");
    let settled = format!("{path}&status=resolved");
    eventually("the conflict is settled", async || !server.get(&settled).await["conflicts"][0].is_null())
        .await;
    let found = server.get(&settled).await["conflicts"][0].clone();
    assert_eq!((&found["conflictId"], &found["resolution"]), (&conflict["conflictId"], &json!("merged")));
    assert_eq!(server.get(&open).await["conflicts"], json!([]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_with_stable_codes() {
    let home = Home::new();
    let server = home.serve().await;
    let project = home.project();
    for (body, status, code) in [
        (json!({ "projectPath": project, "operation": "pull" }), 409, "not_a_repository"),
        (json!({ "projectPath": "/etc", "operation": "pull" }), 403, "project_not_allowed"),
        (json!({ "operation": "pull" }), 400, "bad_request"),
        (json!({ "projectPath": project, "operation": "reset" }), 400, "bad_request"),
    ] {
        let (found, answer) = server.call("POST", "/api/projects/git", body.clone()).await;
        assert_eq!((found, answer["error"]["code"].as_str()), (status, Some(code)), "{body}");
    }
    Forge::below(home.path()).tree("../project").run(&["init", "--quiet"]);
    let body = json!({ "projectPath": project, "operation": "push" });
    let (status, answer) = server.call("POST", "/api/projects/git", body).await;
    let error = &answer["error"];
    assert_eq!((status, &error["code"]), (409, &json!("git_failed")));
    assert_eq!(error["details"], json!({ "reason": "no_commits", "exitCode": null, "output": "" }));
    server.stop().await;
}
