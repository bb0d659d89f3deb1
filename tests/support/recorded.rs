//! What devices have recorded, put together and checked.

use serde_json::Value;
use tandem::history::{End, History, Recorder, Seen, Tape, check};
use tandem_actors::clock::Timestamp;

use super::follower::Follower;

/// Records a session.
pub(crate) fn recorder(session: &str) -> Recorder {
    Recorder::new(session.parse().expect("a session's id"))
}

/// Notes an event that has been parsed.
pub(crate) fn saw(tape: &mut Tape, event: &Value) {
    let text = |field: &str| event[field].as_str().expect("text").to_owned();
    tape.saw(&Seen {
        seq: event["seq"].as_u64().expect("a number"),
        hash: text("hash").as_bytes(),
        at: serde_json::from_value::<Timestamp>(event["at"].clone()).expect("a moment"),
        kind: text("kind").as_bytes(),
        data: event["data"].to_string().as_bytes(),
    });
}

/// Fails with everything in these tapes that cannot be; the journal of the server is one more that has seen all of it.
pub(crate) fn have_no_faults(recorder: &Recorder, mut tapes: Vec<Tape>, journal: &[Value], end: End) {
    let mut tape = recorder.tape("the journal");
    journal.iter().for_each(|event| saw(&mut tape, event));
    tapes.push(tape);
    let faults = check(&History { conversations: vec![recorder.conversation(tapes, end)] });
    assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
}

/// Fails with everything in what these devices saw, asked and were told that cannot be.
pub(crate) fn agree(recorder: &Recorder, devices: impl IntoIterator<Item = Follower>, end: End) {
    agree_with(recorder, &[], devices, end);
}

/// The same, with the journal of the server.
pub(crate) fn agree_with(
    recorder: &Recorder,
    journal: &[Value],
    devices: impl IntoIterator<Item = Follower>,
    end: End,
) {
    let tapes = devices.into_iter().map(|device| device.tape).collect();
    have_no_faults(recorder, tapes, journal, end);
}
