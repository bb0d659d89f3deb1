//! What a device has seen of a project's channel.

use serde_json::{Value, json};
use tandem::history::End;
use tandem::history::project::{Run, Told, check};

use super::device::TestDevice;
use super::recorded::{have_no_faults, recorder, saw};
use super::server::{TestServer, eventually};

/// A file that nobody has, and that is said to have changed.
const MARK: &str = "mark.txt";

/// The events of projects that a device was given, as they came.
pub(crate) fn events(device: &TestDevice) -> Vec<Value> {
    device.frames().into_iter().filter(|frame| frame["type"] == "project_event").collect()
}

/// The same, for the checker.
pub(crate) fn told_in(events: &[Value]) -> Vec<Told> {
    events.iter().filter_map(Told::of).collect()
}

/// Everything that is in a channel, given to a device that comes late.
pub(crate) async fn whole(server: &TestServer, project: &str) -> Vec<Value> {
    let late = server.device("late").await;
    let asks = json!({"type": "subscribe_project", "projectPath": project, "after": 0});
    let head = late.ask(asks).await["head"].as_u64().expect("a head");
    // What was told a moment ago is not on disk yet; it stands before what is told now.
    let marked = json!({"type": "file_change", "filePath": MARK, "changeType": "modified"});
    assert_eq!(late.ask(marked).await["type"], "ok");
    let is_mark = |event: &Value| event["data"]["filePath"] == MARK;
    let has_come = || events(&late).len() as u64 > head && events(&late).last().is_some_and(is_mark);
    eventually("the late one has seen everything", async || has_come()).await;
    events(&late)
}

/// Fails unless a device has been given the whole channel, each event once and in order, as one that comes late.
/// Returns the channel.
pub(crate) async fn is_whole(server: &TestServer, device: &TestDevice, project: &str) -> Vec<Value> {
    let all = whole(server, project).await;
    eventually("everything has come", async || events(device).len() >= all.len()).await;
    // A channel is a stream as that of a session is, and is judged as one.
    let recorder = recorder(&uuid::Uuid::nil().to_string());
    let mut tape = recorder.tape(&*device.name);
    tape.began(1, false);
    events(device).iter().take(all.len()).for_each(|event| saw(&mut tape, event));
    have_no_faults(&recorder, vec![tape], &all, End::CaughtUp);
    all
}

/// Fails with everything in a run that cannot be, and with what was told of its files.
pub(crate) fn has_no_faults(run: &Run) {
    let wrong = check(run);
    let told: Vec<String> = run
        .events
        .iter()
        .filter(|told| !told.kind.starts_with("lock_"))
        .map(|told| format!("{told:?}"))
        .collect();
    let writes: Vec<String> = run.writes.iter().map(|write| format!("{write:?}")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\ntold:\n{}\nasked:\n{}", told.join("\n"), writes.join("\n"));
}
