//! Files of a project over HTTP, on a real server: read, written, merged, refused; and whole whatever happens.

use std::ffi::OsString;
use std::fs::DirEntry;

use serde_json::{Value, json};

use crate::support::server::{Home, TestServer, eventually};

/// How often a server is killed in the middle of a write.
const KILLS: usize = 6;

fn put(home: &Home, file: &str, content: &str, base: &Value) -> Value {
    json!({ "projectPath": home.project(), "filePath": file, "content": content, "baseHash": base })
}

async fn read(server: &TestServer, home: &Home, file: &str) -> Value {
    server.get(&format!("/api/projects/file?project={}&path={file}", home.project().display())).await
}

#[tokio::test]
async fn a_file_is_read_written_and_merged() {
    let home = Home::new();
    std::fs::write(home.project().join("a.txt"), "1\n2\n3\n4\n5\n").unwrap();
    let server = home.serve().await;
    let file = read(&server, &home, "a.txt").await;
    assert_eq!(
        (&file["content"], &file["encoding"], &file["filePath"]),
        (&json!("1\n2\n3\n4\n5\n"), &json!("utf8"), &json!("a.txt"))
    );
    let base = &file["hash"];
    let (status, answer) =
        server.call("PUT", "/api/projects/file", put(&home, "a.txt", "one\n2\n3\n4\n5\n", base)).await;
    assert_eq!((status, &answer["merged"]), (200, &json!(false)), "{answer}");
    let (status, answer) =
        server.call("PUT", "/api/projects/file", put(&home, "a.txt", "1\n2\n3\n4\nfive\n", base)).await;
    assert_eq!((status, &answer["merged"]), (200, &json!(true)), "{answer}");
    assert_eq!(read(&server, &home, "a.txt").await["content"], "one\n2\n3\n4\nfive\n");

    let bytes = json!({ "projectPath": home.project(), "filePath": "b.bin", "content": "gIGC", "encoding": "base64" });
    assert_eq!(server.call("PUT", "/api/projects/file", bytes).await.0, 200);
    assert_eq!(std::fs::read(home.project().join("b.bin")).unwrap(), [0x80, 0x81, 0x82]);
    assert_eq!(read(&server, &home, "b.bin").await["encoding"], "base64");
    server.stop().await;
}

#[tokio::test]
async fn a_conflict_is_kept_over_a_restart_and_settled_once() {
    let home = Home::new();
    std::fs::write(home.project().join("a.txt"), "1\n2\n3\n").unwrap();
    let server = home.serve().await;
    let base = read(&server, &home, "a.txt").await["hash"].clone();
    server.call("PUT", "/api/projects/file", put(&home, "a.txt", "1\nours\n3\n", &base)).await;
    let (status, answer) =
        server.call("PUT", "/api/projects/file", put(&home, "a.txt", "1\ntheirs\n3\n", &base)).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("conflict")), "{answer}");
    let conflict = &answer["error"]["details"]["conflict"];
    let id = conflict["conflictId"].as_str().unwrap();
    let theirs = format!("/api/blobs/{}", conflict["theirs"]["hash"].as_str().unwrap());
    let open = format!("/api/conflicts?status=open&project={}", home.project().display());
    eventually("the conflict is listed", async || {
        server.get(&open).await["conflicts"][0]["hunks"].is_string()
    })
    .await;
    server.kill().await;

    let server = home.serve().await;
    assert_eq!(server.get(&open).await["conflicts"][0]["conflictId"], id);
    let kept = server.call("GET", &theirs, Value::Null).await;
    assert_eq!(kept, (200, json!("1\ntheirs\n3\n")), "everybody who is to decide may see it");
    let resolve = format!("/api/conflicts/{id}/resolve");
    let (status, answer) = server.call("POST", &resolve, json!({ "resolution": "theirs" })).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(std::fs::read_to_string(home.project().join("a.txt")).unwrap(), "1\ntheirs\n3\n");
    let (status, answer) = server.call("POST", &resolve, json!({ "resolution": "ours" })).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("already_resolved")));
    server.stop().await;
}

#[tokio::test]
async fn what_leads_out_is_refused() {
    let home = Home::new();
    std::fs::write(home.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(home.path().join("secret"), home.project().join("link")).unwrap();
    let server = home.serve().await;
    for (file, code) in [
        ("../secret", "project_not_allowed"),
        ("link", "project_not_allowed"),
        ("missing/a.txt", "bad_request"),
        (".git/config", "bad_request"),
        (".", "bad_request"),
    ] {
        let (_, answer) = server.call("PUT", "/api/projects/file", put(&home, file, "x", &Value::Null)).await;
        assert_eq!(answer["error"]["code"], code, "{file}: {answer}");
    }
    let wrong = [
        (json!({ "projectPath": "/etc", "filePath": "a", "content": "x" }), "project_not_allowed"),
        (
            json!({ "projectPath": home.project(), "filePath": "a", "content": "-", "encoding": "base64" }),
            "bad_request",
        ),
        (
            json!({ "projectPath": home.project(), "filePath": "a", "content": "x", "baseHash": "1" }),
            "bad_request",
        ),
        (
            json!({ "projectPath": home.project(), "filePath": "a", "content": "x", "fence": 1, "deviceId": "phone" }),
            "lock_not_held",
        ),
    ];
    for (body, code) in wrong {
        let (_, answer) = server.call("PUT", "/api/projects/file", body).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let (status, _) = server
        .call(
            "GET",
            &format!("/api/projects/file?project={}&path=none", home.project().display()),
            Value::Null,
        )
        .await;
    assert_eq!(status, 404);
    assert_eq!(std::fs::read_to_string(home.path().join("secret")).unwrap(), "secret");
    server.stop().await;
}

/// Long enough that a kill hits it in the middle.
fn version(letter: char) -> String {
    letter.to_string().repeat(6 << 20)
}

#[tokio::test]
async fn a_killed_server_leaves_the_old_file_or_the_new_one() {
    let home = Home::new();
    let path = home.project().join("large.txt");
    std::fs::write(&path, version('a')).unwrap();
    let mut was_interrupted = 0;
    for kill in 0..KILLS {
        let server = home.serve().await;
        let base = read(&server, &home, "large.txt").await;
        let (old, new) = match base["content"].as_str().unwrap().starts_with('a') {
            true => ('a', 'b'),
            false => ('b', 'a'),
        };
        let writing = server.request("PUT", "/api/projects/file").json(&put(
            &home,
            "large.txt",
            &version(new),
            &base["hash"],
        ));
        let left = names(&home);
        let writing = tokio::spawn(writing.send());
        // From before anything of it is on the disk until nearly all of it is.
        let enough = (6 << 20) * kill as u64 / KILLS as u64;
        let is_far_enough = async || kill == 0 || unfinished(&home, &left) > enough || writing.is_finished();
        eventually("so much is on the disk", is_far_enough).await;
        server.kill().await;
        was_interrupted += usize::from(writing.await.unwrap().is_err());
        let there = std::fs::read_to_string(&path).unwrap();
        assert!(there == version(old) || there == version(new), "{} bytes", there.len());
    }
    assert!(was_interrupted > 0, "no kill came in the middle");
}

fn names(home: &Home) -> Vec<OsString> {
    std::fs::read_dir(home.project()).unwrap().flatten().map(|entry| entry.file_name()).collect()
}

/// How much there is of a file that is not whole; kills leave some behind, which are gone when their time has come.
fn unfinished(home: &Home, left: &[OsString]) -> u64 {
    let entries = std::fs::read_dir(home.project()).unwrap().flatten();
    let is_new = |entry: &DirEntry| {
        entry.file_name().to_string_lossy().starts_with(".tandem-") && !left.contains(&entry.file_name())
    };
    entries.filter(is_new).filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}

#[tokio::test]
async fn a_change_by_another_program_is_told_in_the_project_of_a_live_session() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let device = server.device("phone").await;
    device.subscribe(&session, 0).await;
    device.ask(json!({ "type": "subscribe_project", "projectPath": home.project() })).await;
    let is_change = |frame: &&Value| frame["type"] == "project_event" && frame["kind"] == "file_changed";
    let number = std::cell::Cell::new(0);
    // The project is watched from some moment on after the device is there.
    eventually("a change is told", async || {
        number.set(number.get() + 1);
        std::fs::write(home.project().join(format!("strange{}.txt", number.get())), "1").unwrap();
        device.frames().iter().any(|frame| is_change(&frame))
    })
    .await;
    let frames = device.frames();
    let frame = frames.iter().find(is_change).unwrap();
    assert!(frame["data"]["filePath"].as_str().unwrap().starts_with("strange"), "{frame}");
    assert!(frame["data"].get("holder").is_none(), "{frame}");
    server.stop().await;
}
