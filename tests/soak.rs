//! A long day in a minute: a hundred devices come and go on ten conversations, all of them talking.
//!
//! `TANDEM_SOAK_SECONDS` sets how long the traffic lasts (1800 for half an hour); `TANDEM_FAULT_SEED` repeats a run.

use std::time::{Duration, Instant};

use serde_json::json;
use tandem::history::{End, Recorder};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::chance::Chance;
use crate::support::figures::{agents, figure, memory_kib, open_files, processor_seconds};
use crate::support::follower::{Follower, Reach};
use crate::support::recorded::{agree_with, recorder};
use crate::support::server::{Home, TestServer, eventually};

const SESSIONS: usize = 10;
const DEVICES: usize = 100;

/// How long traffic lasts in a normal run of the tests.
const SECONDS: u64 = 45;

/// Fills every session's tail (4 MiB), which is full on any day but the first.
const FILL: &str = "/burst 3000 1500";

/// One message in so many asks for fifty answers.
const ONE_IN: u64 = 20;

/// The server's memory after all traffic, in percent of what it was after the first third.
const MAX_MEMORY_PERCENT: u64 = 110;

/// What a session keeps of each message for ever, so that it is known when it is sent again (`session/ledger.rs`); that is
/// meant to grow, and is allowed beside the percentage.
const LEDGER_BYTES: u64 = 150;

/// What a server holds while nobody talks.
struct Rest {
    memory_kib: u64,
    files: usize,
    agents: usize,
}

/// Comes, reads, says something, hangs up at any moment, and stays away for a while; until `end`.
async fn live(mut device: Follower, reach: Reach, mut chance: Chance, end: Instant) -> Follower {
    while Instant::now() < end {
        device.connect(&reach).await.unwrap();
        let leaves = Instant::now() + chance.up_to_millis(4_000);
        while Instant::now() < leaves.min(end) {
            // What it said before must be accepted first, so that its messages wait in no long queue.
            if device.is_following() && device.is_heard() {
                let text = match chance.below(ONE_IN) {
                    0 => "/burst 50".to_owned(),
                    _ => format!("{} says {}", device.name, device.said()),
                };
                device.say(text).await.unwrap();
            }
            assert!(device.read_for(chance.up_to_millis(1_000)).await, "{} was sent away", device.name);
        }
        device.hang_up();
        sleep(chance.up_to_millis(1_000)).await;
    }
    device
}

/// All devices live for so long.
async fn traffic(devices: Vec<Follower>, reach: &Reach, chance: &Chance, lasting: Duration) -> Vec<Follower> {
    let end = Instant::now() + lasting;
    let mut living = JoinSet::new();
    for (device, number) in devices.into_iter().zip(0..) {
        living.spawn(live(device, reach.clone(), chance.of(number), end));
    }
    let mut devices = living.join_all().await;
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    devices
}

/// Brings every device to the head of its session, and hangs up.
async fn all_catch_up(devices: &mut [Follower], reach: &Reach, server: &TestServer) {
    for device in devices.iter_mut() {
        device.connect(reach).await.unwrap();
        device.until("that it was heard", |device| device.is_following() && device.is_heard()).await;
        device.hang_up();
    }
    // All devices of a session are there at once, so that nobody has to take the lead from one that has gone meanwhile.
    for group in devices.chunk_by_mut(|one, other| one.session == other.session) {
        let state = format!("/api/sessions/{}", group[0].session);
        for device in group.iter_mut() {
            device.connect(reach).await.unwrap();
        }
        eventually("the session is at rest", async || {
            let state = server.get(&state).await;
            let is_led_by_one_who_is_there = state["devices"].as_array().is_some_and(|devices| {
                devices.iter().any(|one| one["deviceId"] == state["primaryDeviceId"] && one["online"] == true)
            });
            state["status"] == "idle" && state["queue"] == json!([]) && is_led_by_one_who_is_there
        })
        .await;
        let head = server.get(&format!("{state}/events?limit=1")).await["head"].as_u64().expect("a head");
        for device in group.iter_mut() {
            device.until("the head", |device| device.is_at(head)).await;
        }
        for device in group {
            device.hang_up();
        }
    }
}

/// Waits until nobody is connected, and looks at the server several times: the median of its memory.
async fn at_rest(server: &TestServer) -> Rest {
    eventually("nobody is connected", async || server.get("/health").await["connections"] == 0).await;
    let mut files = open_files(server);
    let mut samples = Vec::new();
    for _ in 0..15 {
        samples.push(memory_kib(server));
        files = files.min(open_files(server));
        sleep(Duration::from_millis(100)).await;
    }
    samples.sort_unstable();
    Rest { memory_kib: samples[samples.len() / 2], files, agents: agents(server) }
}

/// Checks that all devices of a session have seen its journal, and that what they said and were told fits to it.
async fn all_agree(recorder: &Recorder, devices: Vec<Follower>, server: &TestServer) {
    devices.iter().for_each(Follower::is_whole);
    let mut journal = server.events(&recorder.session().to_string()).await;
    // When all have hung up, an agent may still be put to rest: nobody was there to see it.
    journal.retain(|event| event["seq"].as_u64() <= Some(devices[0].tape.last()));
    agree_with(recorder, &journal, devices, End::AtRest);
}

#[tokio::test]
async fn a_hundred_devices_that_come_and_go_lose_nothing_and_leave_nothing_behind() {
    let seconds = std::env::var("TANDEM_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let lasting = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let chance = Chance::new();
    println!("TANDEM_FAULT_SEED={}", chance.seed);
    let home = Home::new();
    let server = home.serve().await;
    let reach = Reach::to(&server, &home);
    let (mut recorders, mut devices) = (Vec::new(), Vec::new());
    for number in 0..SESSIONS {
        let recorder = recorder(&server.session(&home).await);
        for place in 0..DEVICES / SESSIONS {
            devices.push(Follower::new(format!("device-{number}-{place}"), &recorder));
        }
        recorders.push(recorder);
    }
    for first in devices.iter_mut().step_by(DEVICES / SESSIONS) {
        first.connect(&reach).await.unwrap();
        first.say(FILL).await.unwrap();
        first.until("the end of the turn", |first| first.turns == 1).await;
        first.hang_up();
    }

    devices = traffic(devices, &reach, &chance, lasting / 3).await;
    all_catch_up(&mut devices, &reach, &server).await;
    let before = at_rest(&server).await;
    let messages_before = devices.iter().map(Follower::said).sum::<usize>();
    devices = traffic(devices, &reach, &chance.of(u64::MAX), lasting * 2 / 3).await;
    all_catch_up(&mut devices, &reach, &server).await;
    let after = at_rest(&server).await;

    let messages = devices.iter().map(Follower::said).sum::<usize>();
    let connections = devices.iter().map(|device| device.connections).sum::<u64>();
    let mut events = 0;
    for recorder in &recorders {
        let session = recorder.session().to_string();
        let of_session: Vec<Follower> = devices.extract_if(.., |device| device.session == session).collect();
        events += of_session[0].tape.events();
        all_agree(recorder, of_session, &server).await;
    }
    let ledger_kib = (messages - messages_before) as u64 * LEDGER_BYTES / 1024;
    let memory_percent = after.memory_kib.saturating_sub(ledger_kib) * 100 / before.memory_kib;
    figure(
        "soak",
        &format!(
            "{} s, {DEVICES} devices on {SESSIONS} conversations (seed {}): {connections} connections, {messages} messages, {events} \
             events, each to every device of its conversation; 0 lost, 0 doubled, 0 out of order; memory {} KiB after a \
             third, {} KiB at the end ({memory_percent} % without {ledger_kib} KiB for {} new messages); files {} and {}, agents {} and {}; {:.0} s of processor time",
            lasting.as_secs(),
            chance.seed,
            before.memory_kib,
            after.memory_kib,
            messages - messages_before,
            before.files,
            after.files,
            before.agents,
            after.agents,
            processor_seconds(&server),
        ),
    );
    assert!(memory_percent <= MAX_MEMORY_PERCENT, "memory is at {memory_percent} % of what it was");
    assert!(after.files <= before.files + 2, "{} files more", after.files - before.files);
    assert_eq!((before.agents, after.agents), (SESSIONS, SESSIONS));
    server.stop().await;
}
