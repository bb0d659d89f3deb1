//! Devices that do not read, read slowly, vanish, or come back hundreds of times a second: nobody else notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem::history::End;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{interval, sleep_until, timeout};

use crate::support::chance::Chance;
use crate::support::figures::{figure, memory_kib, most_memory_kib, open_files};
use crate::support::follower::{Follower, Reach};
use crate::support::recorded::{agree, recorder};
use crate::support::server::{Home, PATIENCE, TestServer, eventually};

/// One message of a burst takes about 0.7 kB on the wire, so a burst of 20,000 is several times what the kernel and the
/// server keep for one connection.
const BURST: &str = "/burst 20000 400";
const BURST_EVENTS: u64 = 20_000;

/// By how much the server's memory may grow over a burst with a device that does not read: the session's tail holds
/// 4 MiB, a connection some 0.2 MiB; the rest is what the journal, the pipe and the allocator need at the peak.
const MAX_BURST_GROWTH_KIB: u64 = 48 * 1024;

async fn has_connections(server: &TestServer, count: u64) {
    eventually(&format!("{count} connections"), async || server.get("/health").await["connections"] == count)
        .await;
}

/// The number and the hash of a session's last event, once nothing more happens in it.
async fn head_at_rest(server: &TestServer, session: &str) -> (u64, String) {
    eventually("the session is at rest", async || {
        let state = server.get(&format!("/api/sessions/{session}")).await;
        state["status"] == "idle" && state["queue"] == json!([])
    })
    .await;
    let page = server.get(&format!("/api/sessions/{session}/events?limit=1")).await;
    let head = page["head"].as_u64().expect("a head");
    let last = server.get(&format!("/api/sessions/{session}/events?after={}&limit=1", head - 1)).await;
    (head, last["events"][0]["hash"].as_str().expect("a hash").to_owned())
}

/// Reads everything up to the head and checks that it is what the journal says.
async fn ends_whole(device: &mut Follower, head: &(u64, String)) {
    device.until("the head", |device| device.is_at(head.0)).await;
    assert_eq!(device.hash(), head.1, "{}", device.name);
    device.is_whole();
}

#[tokio::test]
async fn a_device_that_never_reads_harms_nobody_and_resumes() {
    let mut home = Home::new();
    home.set("WS_MAX_CONNECTIONS", "4");
    let server = home.serve().await;
    let session = server.session(&home).await;
    let reach = Reach::to(&server, &home);
    let recorder = recorder(&session);
    let mut others = Vec::new();
    for number in 0..3 {
        let mut other = Follower::new(format!("other-{number}"), &recorder);
        other.connect(&reach).await.unwrap();
        others.push(other);
    }
    others[0].say("/burst 10000 400").await.unwrap();
    for other in &mut others {
        other.until("the first burst", |other| other.turns == 1).await;
    }
    let before = memory_kib(&server);

    let mut deaf = Follower::new("deaf", &recorder);
    deaf.connect_narrow(&reach).await.unwrap();
    has_connections(&server, 4).await;
    assert!(reach.knock().await.is_err(), "its place is taken");
    let begun = Instant::now();
    others[0].say(BURST).await.unwrap();
    for other in &mut others {
        other.until("the burst", |other| other.turns == 2).await;
    }
    let took = begun.elapsed();
    has_connections(&server, 3).await;
    let cut_off_after = begun.elapsed();
    let growth = most_memory_kib(&server).saturating_sub(before);
    let mut newcomer = Follower::new("newcomer", &recorder);
    newcomer.connect(&reach).await.expect("its place is free again");
    newcomer.until("the stream", Follower::is_following).await;
    newcomer.hang_up();
    has_connections(&server, 3).await;

    assert!(!deaf.read_for(PATIENCE).await, "the connection is over");
    let (read, code) = (deaf.tape.events(), deaf.close_code);
    assert!(code.is_none_or(|code| code == 4008), "{code:?}");
    deaf.connect(&reach).await.unwrap();
    let head = head_at_rest(&server, &session).await;
    for device in others.iter_mut().chain([&mut deaf]) {
        ends_whole(device, &head).await;
    }
    agree(&recorder, others.into_iter().chain([deaf]), End::AtRest);
    assert!(growth <= MAX_BURST_GROWTH_KIB, "the server grew by {growth} KiB");
    assert!(head.0 > BURST_EVENTS);
    figure(
        "a device that never reads",
        &format!(
            "{BURST_EVENTS} messages reached 3 others in {:.1} s; cut off after {:.1} s (close code {code:?}); it had \
             {read} of {} events and resumed; the server grew by {growth} KiB at most (bound {MAX_BURST_GROWTH_KIB})",
            took.as_secs_f64(),
            cut_off_after.as_secs_f64(),
            head.0
        ),
    );
    server.stop().await;
}

/// Reads a kilobyte a second, until something is true or the connection is over.
async fn sip_until(device: &mut Follower, is_true: impl Fn(&Follower) -> bool) {
    let mut tick = interval(Duration::from_millis(100));
    while !is_true(device) && device.is_connected() {
        tick.tick().await;
        // Nothing may be there for a while; then the next sip is not larger.
        let _ = timeout(Duration::from_millis(90), device.sip(100)).await;
    }
}

#[tokio::test]
async fn a_device_that_reads_a_kilobyte_a_second_sees_a_prefix_and_the_rest_when_it_comes_back() {
    let home = Home::new();
    let server = home.serve().await;
    let (small, large) = (server.session(&home).await, server.session(&home).await);
    let reach = Reach::to(&server, &home);
    let (recorder_of_small, recorder) = (recorder(&small), recorder(&large));
    let mut quick = Follower::new("quick", &recorder);
    quick.connect(&reach).await.unwrap();
    quick.say(BURST).await.unwrap();
    quick.until("the end of the turn", |quick| quick.turns == 1).await;
    quick.hang_up();
    has_connections(&server, 0).await;

    let mut patient = Follower::new("patient", &recorder_of_small);
    patient.connect_narrow(&reach).await.unwrap();
    patient.say("hello").await.unwrap();
    let mut slow = Follower::new("slow", &recorder);
    slow.connect_narrow(&reach).await.unwrap();
    has_connections(&server, 2).await;
    let begun = Instant::now();
    let patient_sips = sip_until(&mut patient, |patient| patient.turns == 1);
    let slow_sips = async {
        tokio::select! {
            () = sip_until(&mut slow, |_| false) => panic!("the connection ended before it was given up"),
            () = eventually("cut off", async || home.log().contains("does not read and is cut off")) => {}
        }
        begun.elapsed()
    };
    let ((), cut_off_after) = tokio::join!(patient_sips, slow_sips);
    patient.is_whole();
    assert_eq!(patient.turns, 1, "what is small arrives at any pace");
    patient.hang_up();
    slow.is_whole();
    assert!(!slow.read_for(PATIENCE).await, "what is large does not: it is cut off");
    let read = slow.tape.events();
    assert_eq!(slow.close_code, Some(4008));
    slow.connect(&reach).await.unwrap();
    let head = head_at_rest(&server, &large).await;
    ends_whole(&mut slow, &head).await;
    quick.connect(&reach).await.unwrap();
    ends_whole(&mut quick, &head).await;
    // In parts it has seen what others saw at once.
    agree(&recorder, [slow, quick], End::AtRest);
    figure(
        "a device at 1 kB a second",
        &format!(
            "{} events arrived whole; of {} it had {read} when it was cut off after {:.1} s (close code 4008), and \
             the rest when it came back",
            patient.tape.events(),
            head.0,
            cut_off_after.as_secs_f64()
        ),
    );
    server.stop().await;
}

/// A wire that can be unplugged: from then on nothing passes, and neither side is told.
struct Wire {
    authority: String,
    unplug: watch::Sender<()>,
}

impl Wire {
    async fn to(server: &Reach) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (unplug, is_unplugged) = watch::channel(());
        let far = server.authority.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (far, mut is_unplugged) = (far.clone(), is_unplugged.clone());
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(far).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        _ = is_unplugged.changed() => {}
                    }
                    // Both sockets stay open, and nobody reads them.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { authority, unplug }
    }
}

#[tokio::test]
async fn a_peer_that_vanishes_without_a_word_is_noticed_by_its_silence() {
    let mut home = Home::new();
    home.set("WS_HEARTBEAT_INTERVAL", "1");
    let server = home.serve().await;
    let session = server.session(&home).await;
    let reach = Reach::to(&server, &home);
    let wire = Wire::to(&reach).await;
    let mut phone = Follower::new("phone", &recorder(&session));
    phone.connect(&reach.over(wire.authority.clone())).await.unwrap();
    phone.until("the stream", Follower::is_following).await;
    let watcher = server.device("watcher").await;
    watcher.subscribe(&session, 0).await;
    assert!(phone.read_for(Duration::from_secs(4)).await, "one that answers pings stays");
    wire.unplug.send_replace(());
    let vanished = Instant::now();
    watcher.submit(&session, "said while it is away").await;
    has_connections(&server, 1).await;
    let noticed_after = vanished.elapsed();
    let is_gone = |frame: &Value| {
        let devices = frame["data"]["devices"].as_array().map_or(&[][..], Vec::as_slice);
        frame["kind"] == "presence"
            && devices.iter().any(|device| device["deviceId"] == "phone" && device["online"] == false)
    };
    watcher.frame("that the phone is gone", is_gone).await;
    let shown_for = vanished.elapsed();
    // The grace counts from its last pong or the ping that it owes an answer to, at most a heartbeat apart.
    assert!((14.0..17.0).contains(&shown_for.as_secs_f64()), "shown for {shown_for:?}");
    assert!(phone.is_connected(), "the phone itself has not been told");
    watcher.kind(&session, "turn_ended", 1).await;
    phone.connect(&reach).await.unwrap();
    let head = head_at_rest(&server, &session).await;
    ends_whole(&mut phone, &head).await;
    figure(
        "a half-open connection",
        &format!(
            "noticed after {:.1} s at a heartbeat of 1 s, shown for {:.1} s; it resumed",
            noticed_after.as_secs_f64(),
            shown_for.as_secs_f64(),
        ),
    );
    server.stop().await;
}

const STORM_DEVICES: u64 = 50;
const STORM_RECONNECTS: u64 = 20;
/// 200 a second.
const STORM_PACE: Duration = Duration::from_millis(5);

/// By how much the server's memory may grow over a thousand connections, of which none is left.
const MAX_STORM_GROWTH_KIB: u64 = 32 * 1024;

/// Comes back again and again, reads for a moment and hangs up, wherever the stream is.
async fn come_and_go(mut device: Follower, reach: Reach, number: u64, mut chance: Chance) -> Follower {
    let begun = tokio::time::Instant::now();
    for round in 0..STORM_RECONNECTS {
        let due = u32::try_from(round * STORM_DEVICES + number).unwrap();
        sleep_until(begun + STORM_PACE * due).await;
        device.connect(&reach).await.unwrap();
        device.read_for(chance.up_to_millis(60)).await;
        device.hang_up();
    }
    device
}

/// Keeps a session talking until it is told to stop.
async fn chatter(mut writer: Follower, stop: Arc<Notify>) -> Follower {
    let mut number = 0;
    let is_enough = stop.notified();
    tokio::pin!(is_enough);
    loop {
        number += 1;
        let text = if number % 5 == 0 { "/burst 50".to_owned() } else { format!("message {number}") };
        writer.say(text).await.unwrap();
        writer.until("the end of the turn", |writer| writer.turns == number).await;
        if futures_util::poll!(&mut is_enough).is_ready() {
            return writer;
        }
    }
}

#[tokio::test]
async fn two_hundred_reconnects_a_second_leave_no_gap_and_nothing_behind() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let reach = Reach::to(&server, &home);
    let recorder = recorder(&session);
    let mut devices: Vec<Follower> =
        (0..STORM_DEVICES).map(|number| Follower::new(format!("device-{number}"), &recorder)).collect();
    // What the server allocates once for all is no leak: the tail, its caches, a first connection of everybody.
    let mut writer = Follower::new("writer", &recorder);
    writer.connect(&reach).await.unwrap();
    writer.say("/burst 10000 400").await.unwrap();
    writer.until("the burst", |writer| writer.turns == 1).await;
    writer.turns = 0;
    for device in &mut devices {
        device.connect(&reach).await.unwrap();
        device.until("the burst", |device| device.turns == 1).await;
    }
    devices.iter_mut().for_each(Follower::hang_up);
    has_connections(&server, 1).await;
    let (files, memory) = (open_files(&server), memory_kib(&server));

    let chance = Chance::new();
    let stop = Arc::new(Notify::new());
    let writing = tokio::spawn(chatter(writer, stop.clone()));
    let begun = Instant::now();
    let coming: Vec<_> = devices
        .into_iter()
        .zip(0..)
        .map(|(device, number)| tokio::spawn(come_and_go(device, reach.clone(), number, chance.of(number))))
        .collect();
    let mut devices = Vec::new();
    for task in coming {
        devices.push(task.await.unwrap());
    }
    let took = begun.elapsed().as_secs_f64();
    stop.notify_one();
    let mut writer = writing.await.unwrap();
    let head = head_at_rest(&server, &session).await;
    ends_whole(&mut writer, &head).await;
    for device in &mut devices {
        device.connect(&reach).await.unwrap();
        ends_whole(device, &head).await;
        device.hang_up();
    }
    has_connections(&server, 1).await;
    // What is over for the server may have to wait a second for its peer.
    eventually("no file is left open", async || open_files(&server) <= files + 2).await;
    let growth = memory_kib(&server).saturating_sub(memory);
    agree(&recorder, devices.into_iter().chain([writer]), End::AtRest);
    assert!(growth <= MAX_STORM_GROWTH_KIB, "the server grew by {growth} KiB");
    let count = STORM_DEVICES * STORM_RECONNECTS;
    figure(
        "reconnects",
        &format!(
            "{count} in {took:.1} s, {:.0} a second (seed {}); {} events to each of {STORM_DEVICES} devices, 0 lost, 0 \
             doubled, 0 out of order; 0 connections and {} files more; the server grew by {growth} KiB (bound \
             {MAX_STORM_GROWTH_KIB})",
            count as f64 / took,
            chance.seed,
            head.0,
            open_files(&server).saturating_sub(files)
        ),
    );
    server.stop().await;
}
