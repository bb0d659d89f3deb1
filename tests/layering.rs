//! Who may know whom: read from the sources, so that the map in docs/architecture.md stays true.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(below);
    let mut open = vec![root];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "there are sources below {below}");
    found
}

/// Fails with the names of all files below `below` that mention one of `words` in their code.
fn nobody_mentions(below: &str, words: &[&str], is_exempt: impl Fn(&Path) -> bool) {
    let mut offenders = Vec::new();
    for (path, text) in sources(below) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let mentions = code.flat_map(|line| words.iter().filter(move |word| line.contains(**word)));
        offenders
            .extend(mentions.filter(|_| !is_exempt(&path)).map(|word| format!("{}: {word}", path.display())));
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn the_actor_system_knows_no_http_and_no_sql() {
    nobody_mentions("actors/src", &["actix_web", "actix_http", "rusqlite", "tungstenite", "reqwest"], |_| {
        false
    });
}

#[test]
fn the_edge_never_sees_the_store() {
    for edge in ["src/ws", "src/http"] {
        nobody_mentions(edge, &["crate::store", "rusqlite"], |_| false);
    }
}

#[test]
fn only_the_socket_names_the_deprecated_crate() {
    let is_socket = |path: &Path| path.ends_with("ws/socket.rs");
    nobody_mentions("src", &["actix_web_actors"], is_socket);
}

#[test]
fn only_the_store_speaks_sql() {
    let is_store =
        |path: &Path| path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("store"));
    nobody_mentions("src", &["rusqlite"], is_store);
}

#[test]
fn a_session_never_knows_the_registry_actor() {
    nobody_mentions("actors/src/session", &["Addr<Registry>", "registry::Registry"], |_| false);
}

#[test]
fn plain_parts_know_no_actors() {
    for part in
        ["state", "ledger", "decide", "react", "live", "lifetime", "ladder", "backoff", "holdback", "view"]
    {
        let file = format!("actors/src/session/{part}.rs");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
        assert!(!text.contains("use actix"), "{file} is to be tested without actors");
    }
}

#[test]
fn the_guard_of_agents_knows_no_actors() {
    nobody_mentions("actors/src/guard", &["actix"], |_| false);
    for part in ["answer", "git", "known", "shell", "touches"] {
        nobody_mentions(&format!("actors/src/guard/{part}.rs"), &["std::fs", "tokio"], |_| false);
    }
}

#[test]
fn every_file_says_what_it_is() {
    for below in ["src", "actors/src", "tests", "examples"] {
        for (path, text) in sources(below) {
            let is_part_of_a_test =
                path.ends_with("tests.rs") || path.parent().is_some_and(|folder| folder.ends_with("tests"));
            assert!(
                text.starts_with("//!") || is_part_of_a_test,
                "{} begins with what it is",
                path.display()
            );
        }
    }
}
