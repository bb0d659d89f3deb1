//! Conversations that are told to change the same files at once, round after round: no update is lost, and no file is ever
//! half written. In some rounds an agent is killed on the way.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tandem::history::Moment;
use tandem::history::project::{Kept, Outcome, Run, Write, check};
use tandem_actors::blobs::BlobHash;

use crate::guard::Workshop;
use crate::support::agent::Kind;
use crate::support::chance::Chance;
use crate::support::channel::{has_no_faults, is_whole, told_in};
use crate::support::device::TestDevice;
use crate::support::faults::rounds_or;
use crate::support::figures::figure;
use crate::support::try_signal;

const FILES: [&str; 2] = ["a.txt", "b.txt"];

/// Every so many rounds an agent is killed.
const KILL_EVERY: usize = 8;

/// Every so many rounds all of them are told to change the same line, so that some must be refused.
const MEET_EVERY: usize = 5;

/// How often it is looked whether everything was told; each look takes some milliseconds.
const TRIES: usize = 50;

/// How long a reader waits before it looks again: a file that is emptied first and written then is empty for about as long.
const LOOK_AGAIN_AFTER: Duration = Duration::from_micros(200);

/// Conversations at work on the same files.
struct Crowd {
    shop: Workshop,
    watcher: TestDevice,
    members: Vec<String>,
    chance: Chance,
    run: Run,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    written: usize,
    refused: usize,
    unknown: usize,
    kills: usize,
}

/// What a member is told to do: by Edit or by Write, to its own line or to the one that all share.
#[derive(Clone, Copy)]
struct Task {
    is_edit: bool,
    is_shared: bool,
}

impl Crowd {
    async fn gather(kind: Kind, count: usize) -> Self {
        let shop = Workshop::open(kind).await;
        let chance = Chance::told("together");
        let project = shop.home.project().canonicalize().unwrap().to_str().unwrap().to_owned();
        let mut run = Run { project, ..Run::default() };
        for file in FILES {
            let text = beginning(count);
            std::fs::write(shop.file(file), &text).unwrap();
            run.files.insert(file.into(), Kept { first: Some(hash(&text)), last: None });
        }
        let watcher = shop.server.device("watcher").await;
        let follows = json!({"type": "subscribe_project", "projectPath": shop.home.project(), "after": 0});
        assert_eq!(watcher.ask(follows).await["type"], "subscribed_project");
        let mut members = Vec::new();
        for number in 0..count {
            let body = json!({"projectPath": shop.home.project(), "title": format!("m{number}"), "permissionMode": "acceptEdits"});
            let (_, created) = shop.server.call("POST", "/api/sessions", body).await;
            members.push(created["sessionId"].as_str().expect("a session").to_owned());
        }
        Self { shop, watcher, members, chance, run, tally: Tally::default() }
    }

    /// A whole turn; none if it did not end well.
    async fn turn(&self, member: usize, text: String) -> Option<String> {
        let body = json!({"sessionId": self.members[member], "message": text});
        let (status, answer) = self.shop.server.call("POST", "/api/chat", body).await;
        assert!(
            status == 200 || answer["success"] == false || answer["error"].is_object(),
            "{status} {answer}"
        );
        answer["reply"].as_str().filter(|_| answer["success"] == true).map(str::to_owned)
    }

    async fn round(&mut self, number: usize) {
        let name = FILES[number % FILES.len()];
        let path = self.shop.file(name);
        let before = std::fs::read_to_string(&path).unwrap();
        let all = 0..self.members.len();
        join_all(all.clone().map(|member| self.turn(member, self.shop.says("read", &path, "")))).await;

        let all_meet = number.is_multiple_of(MEET_EVERY);
        let mut tasks = Vec::new();
        for member in all.clone() {
            let task =
                Task { is_edit: self.chance.below(2) == 0, is_shared: all_meet || self.chance.below(4) == 0 };
            tasks.push((task, word(task, member, number)));
        }
        let orders = tasks.iter().enumerate().map(|(member, (task, word))| {
            let old = line(&before, *task, member).to_owned();
            let after = before.replace(&old, word);
            let text = match task.is_edit {
                true => self.shop.says("edit", &path, &format!("{old} {word}")),
                false => self.shop.says("write", &path, &after),
            };
            (text, after)
        });
        let orders: Vec<(String, String)> = orders.collect();
        let victim = match number % KILL_EVERY {
            0 => Some(usize::try_from(self.chance.below(self.members.len() as u64)).unwrap()),
            _ => None,
        };
        let begun = Moment::now();
        let told = {
            let mut chance = self.chance.of(number as u64);
            let killing = async {
                let Some(victim) = victim else { return 0 };
                let state = self.shop.server.get(&format!("/api/sessions/{}", self.members[victim])).await;
                let Some(pid) = state["agent"]["pid"].as_u64() else { return 0 };
                chance.instant(250).await;
                usize::from(try_signal("KILL", u32::try_from(pid).unwrap()))
            };
            let turns = join_all(
                orders.iter().enumerate().map(|(member, (text, _))| self.turn(member, text.clone())),
            );
            let (told, kills) = tokio::join!(turns, killing);
            self.tally.kills += kills;
            told
        };
        for (member, (told, (_, after))) in told.iter().zip(&orders).enumerate() {
            self.run.writes.push(Write {
                by: json!({"sessionId": self.members[member]}),
                file: name.into(),
                base: Some(hash(&before)),
                proposed: hash(after),
                fence: None,
                begun,
                outcome: outcome(told.as_deref()),
            });
        }
        self.judge(&before, &std::fs::read_to_string(&path).unwrap(), &tasks, victim);
    }

    /// What the file itself says of a round.
    fn judge(&mut self, before: &str, after: &str, tasks: &[(Task, String)], victim: Option<usize>) {
        assert_eq!(whole(after, self.members.len()), Ok(()));
        let outcomes = self.run.writes[self.run.writes.len() - tasks.len()..].to_vec();
        let mut has_shared = 0;
        for (member, ((task, word), write)) in tasks.iter().zip(&outcomes).enumerate() {
            let (was, is) = (line(before, *task, member), line(after, *task, member));
            match &write.outcome {
                Outcome::Written(_) => {
                    self.tally.written += 1;
                    has_shared += usize::from(task.is_shared);
                    assert!(is == word, "member {member} has written {word}, and there is:\n{after}");
                }
                Outcome::Refused | Outcome::Conflict(_) => {
                    self.tally.refused += 1;
                    assert_ne!(is, word, "member {member} was refused");
                }
                Outcome::Unknown => {
                    self.tally.unknown += 1;
                    assert_eq!(victim, Some(member), "only who is killed does not know");
                    assert!(task.is_shared || [was, word].contains(&is), "{is}");
                }
            }
        }
        assert!(has_shared <= 1, "two have written the same line over each other:\n{after}");
    }

    /// Checks everything that was told, and says what it was.
    async fn ends(mut self, what: &str, rounds: usize, looks: usize) {
        for (file, kept) in &mut self.run.files {
            kept.last = Some(hash(&std::fs::read_to_string(self.shop.file(file)).unwrap()));
        }
        // The end of a turn does not wait until everybody was told what it has changed.
        for _ in 0..TRIES {
            let events = is_whole(&self.shop.server, &self.watcher, &self.run.project).await;
            self.run.events = told_in(&events);
            if check(&self.run).is_empty() {
                break;
            }
        }
        has_no_faults(&self.run);
        let of = |kind: &str| self.run.events.iter().filter(|told| told.kind == kind).count();
        let is_merged = |told: &&tandem::history::project::Told| told.data["resolution"] == "merged";
        let merged = self.run.events.iter().filter(is_merged).count();
        let Tally { written, refused, unknown, kills } = self.tally;
        figure(
            what,
            &format!(
                "{rounds} rounds, {} writes: {written} done, {merged} of them merged, {refused} refused, {unknown} of an agent that was killed ({kills} kills); {} records of conflicts, {} locks granted; 0 updates lost; {looks} looks at the files, 0 of them half written",
                written + refused + unknown,
                of("conflict_detected"),
                of("lock_acquired"),
            ),
        );
        assert!(merged > 0 && refused > 0, "they never met, so that nothing was tried");
        self.shop.server.stop().await;
    }
}

/// The file before anybody has written: a line for each, and one for all, far enough from each other to be merged.
fn beginning(count: usize) -> String {
    let own = (0..count).map(|member| format!("m{member}-start"));
    let spread = own.chain(["shared-start".to_owned()]).map(|line| format!("{line}\n-\n-\n-\n"));
    format!("top\n-\n-\n{}end", spread.collect::<String>())
}

/// The line that a task is about.
fn line(text: &str, task: Task, member: usize) -> &str {
    let start = if task.is_shared { "shared-".to_owned() } else { format!("m{member}-") };
    text.lines().find(|line| line.starts_with(&start)).expect("the file is whole")
}

fn word(task: Task, member: usize, round: usize) -> String {
    match task.is_shared {
        true => format!("shared-r{round}m{member}"),
        false => format!("m{member}-r{round}"),
    }
}

/// Whether all of a file is there.
fn whole(text: &str, count: usize) -> Result<(), String> {
    let shape = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split('-').next().unwrap_or_default().to_owned()).collect()
    };
    if shape(text) == shape(&beginning(count)) { Ok(()) } else { Err(format!("half of a file: {text:?}")) }
}

fn hash(text: &str) -> String {
    BlobHash::of(text.as_bytes()).to_string()
}

fn outcome(told: Option<&str>) -> Outcome {
    let Some(told) = told else { return Outcome::Unknown };
    if told.contains("successfully") {
        return Outcome::Written(None);
    }
    let conflict = told.split_once("(conflict ").and_then(|(_, rest)| rest.split_once(')'));
    conflict.map_or(Outcome::Refused, |(id, _)| Outcome::Conflict(id.to_owned()))
}

/// Looks at files all the time.
struct Reader {
    stop: mpsc::Sender<()>,
    looking: JoinHandle<usize>,
}

impl Reader {
    fn start(paths: Vec<PathBuf>, count: usize) -> Self {
        let (stop, stopped) = mpsc::channel();
        let looking = std::thread::spawn(move || {
            let mut looks = 0;
            while stopped.recv_timeout(LOOK_AGAIN_AFTER) == Err(mpsc::RecvTimeoutError::Timeout) {
                for path in &paths {
                    assert_eq!(whole(&std::fs::read_to_string(path).unwrap(), count), Ok(()));
                    looks += 1;
                }
            }
            looks
        });
        Self { stop, looking }
    }

    fn stop(self) -> usize {
        drop(self.stop);
        self.looking.join().expect("what was read was whole")
    }
}

async fn nothing_is_lost(what: &str, kind: Kind, count: usize, rounds: usize) {
    let mut crowd = Crowd::gather(kind, count).await;
    let reader = Reader::start(FILES.map(|file| crowd.shop.file(file)).to_vec(), count);
    for number in 1..=rounds {
        crowd.round(number).await;
    }
    crowd.ends(what, rounds, reader.stop()).await;
}

#[actix_rt::test]
async fn two_simulators_lose_nothing() {
    nothing_is_lost("two simulators on the same files", Kind::Simulator, 2, rounds_or(100)).await;
}

#[actix_rt::test]
async fn five_simulators_lose_nothing() {
    nothing_is_lost("five simulators on the same files", Kind::Simulator, 5, rounds_or(80)).await;
}

#[actix_rt::test]
async fn two_claudes_lose_nothing() {
    nothing_is_lost("two real CLIs on the same files", Kind::Claude, 2, rounds_or(20)).await;
}
