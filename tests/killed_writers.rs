//! Devices that lock and write one file while the server is killed again and again: no write is lost, no number falls.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tandem::history::Moment;
use tandem::history::project::{Kept, Outcome, Run, Write};
use tandem_actors::blobs::BlobHash;

use crate::support::chance::Chance;
use crate::support::channel::{has_no_faults, told_in, whole};
use crate::support::faults::rounds_or;
use crate::support::figures::figure;
use crate::support::server::{Home, TestServer};

const WRITERS: [&str; 3] = ["phone", "laptop", "tablet"];

/// A device over all servers, and what it knows of its own line.
struct Writer {
    name: &'static str,
    chance: Chance,
    number: usize,
    /// What is in its line for sure, and what may be.
    kept: String,
    maybe: Vec<String>,
}

fn hash(text: &str) -> String {
    BlobHash::of(text.as_bytes()).to_string()
}

/// Asks a server that may be killed in between; none: nobody knows.
async fn try_call(server: &TestServer, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let response = server.request(method, path).json(body).send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.json().await.ok()?))
}

impl Writer {
    /// Writes its own line, or the one that all share, until the server is gone.
    async fn write(&mut self, server: &TestServer, home: &Home, writes: &Mutex<Vec<Write>>) {
        while self.writes_once(server, home, writes).await.is_some() {}
    }

    async fn writes_once(
        &mut self,
        server: &TestServer,
        home: &Home,
        writes: &Mutex<Vec<Write>>,
    ) -> Option<()> {
        let project = home.project();
        let lock = json!({"projectPath": project, "resourceId": "a.txt", "lockType": "file", "deviceId": self.name,
                          "ttlSeconds": 60, "wait": true});
        let has_lock = self.chance.below(2) == 0;
        let mut fence = None;
        if has_lock {
            let (status, answer) = try_call(server, "POST", "/api/locks", &lock).await?;
            assert_eq!(status, 200, "{answer}");
            fence = answer["fence"].as_u64();
        }
        let path = format!("/api/projects/file?project={}&path=a.txt", project.display());
        let (_, file) = try_call(server, "GET", &path, &Value::Null).await?;
        let text = file["content"].as_str().expect("it is there");
        self.number += 1;
        let start = if self.chance.below(4) == 0 { "shared-" } else { self.name };
        let word = format!("{start}{}{}", if start == self.name { "-" } else { self.name }, self.number);
        let old = text.lines().find(|line| line.starts_with(start)).expect("the file is whole");
        let after = text.replace(old, &word);
        let place = {
            let mut writes = writes.lock().unwrap();
            writes.push(Write {
                by: json!({"deviceId": self.name}),
                file: "a.txt".into(),
                base: file["hash"].as_str().map(str::to_owned),
                proposed: hash(&after),
                fence,
                begun: Moment::now(),
                outcome: Outcome::Unknown,
            });
            writes.len() - 1
        };
        let is_own = start == self.name;
        if is_own {
            self.maybe.push(word.clone());
        }
        let body = json!({"projectPath": project, "filePath": "a.txt", "content": after, "baseHash": file["hash"],
                          "fence": fence, "deviceId": self.name});
        let (status, answer) = try_call(server, "PUT", "/api/projects/file", &body).await?;
        let outcome = match answer["error"]["details"]["conflict"]["conflictId"].as_str() {
            _ if status == 200 => Outcome::Written(answer["hash"].as_str().map(str::to_owned)),
            Some(conflict) => Outcome::Conflict(conflict.to_owned()),
            None => Outcome::Refused,
        };
        if is_own {
            self.maybe.clear();
            if status == 200 {
                self.kept = word;
            }
        }
        writes.lock().unwrap()[place].outcome = outcome;
        if has_lock {
            try_call(server, "DELETE", "/api/locks", &lock).await?;
        }
        Some(())
    }

    /// What the file says after a kill is known from here on.
    fn looks(&mut self, text: &str) {
        let line = text.lines().find(|line| line.starts_with(self.name)).expect("the file is whole");
        assert!(
            line == self.kept || self.maybe.iter().any(|maybe| maybe == line),
            "{line} and not {}, {:?}",
            self.kept,
            self.maybe
        );
        self.kept = line.to_owned();
        self.maybe.clear();
    }
}

#[actix_rt::test]
async fn a_killed_server_loses_no_write_and_no_number_falls() {
    let kills = rounds_or(10);
    let home = Home::new();
    let path = home.project().join("a.txt");
    let own: String = WRITERS.iter().map(|name| format!("{name}-0\n-\n-\n-\n")).collect();
    let text = format!("top\n-\n-\n{own}shared-0\n-\n-\nend\n");
    std::fs::write(&path, &text).unwrap();
    let project = home.project().canonicalize().unwrap().to_str().unwrap().to_owned();
    let mut run = Run { project: project.clone(), ..Run::default() };
    let mut chance = Chance::told("killed writers");
    let mut writers: Vec<Writer> = WRITERS
        .iter()
        .zip(1..)
        .map(|(name, number)| Writer {
            name,
            chance: chance.of(number),
            number: 0,
            kept: format!("{name}-0"),
            maybe: Vec::new(),
        })
        .collect();
    let writes = Mutex::new(Vec::new());
    let mut server = home.serve().await;
    for _ in 0..kills {
        let pid = server.pid();
        let killing = async {
            chance.instant(2_000).await;
            crate::support::signal("KILL", pid);
        };
        let writing = join_all(writers.iter_mut().map(|writer| writer.write(&server, &home, &writes)));
        tokio::join!(writing, killing);
        server.kill().await;
        let there = std::fs::read_to_string(&path).unwrap();
        writers.iter_mut().for_each(|writer| writer.looks(&there));
        server = home.serve().await;
        run.ends.push(whole(&server, &project).await.len() as u64);
    }
    run.writes = writes.into_inner().unwrap();
    let kept = Kept { first: Some(hash(&text)), last: Some(hash(&std::fs::read_to_string(&path).unwrap())) };
    run.files = BTreeMap::from([("a.txt".to_owned(), kept)]);
    run.events = told_in(&whole(&server, &project).await);
    has_no_faults(&run);
    let with = |is_it: fn(&Outcome) -> bool| run.writes.iter().filter(|write| is_it(&write.outcome)).count();
    let grants = run.events.iter().filter(|told| told.kind == "lock_acquired").count();
    figure(
        "writes and locks through kill -9",
        &format!(
            "{kills} kills of the server under 3 devices: {} writes, {} of them accepted, {} conflicts, {} cut off; {grants} grants, their numbers rise; 0 accepted writes lost",
            run.writes.len(),
            with(|outcome| matches!(outcome, Outcome::Written(_))),
            with(|outcome| matches!(outcome, Outcome::Conflict(_))),
            with(|outcome| matches!(outcome, Outcome::Unknown)),
        ),
    );
    assert!(grants > 0 && run.writes.len() > kills);
    server.stop().await;
}
