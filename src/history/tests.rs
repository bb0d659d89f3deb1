//! A good history passes; of every sort of fault one is planted, and found under its name.

mod generated;
mod world;

use serde_json::{Value, json};
use tandem_actors::content::Content;

use super::*;
use world::{Event, Happened, Step, World, message, says};

/// Three devices, four messages of which one is cancelled, moved, edited; two changes of the shared state; one lost connection.
fn good() -> World {
    let mut world = World::new(3);
    let patch = |value: i32| What::Patch(Shared::from([("tab".into(), json!(value))]));
    for number in 0..4 {
        world.asks(number % 3, says(number));
    }
    world.decides();
    world.decides();
    world.answers(0);
    world.turns();
    world.sees(2);
    world.drops(1);
    for _ in 0..4 {
        world.decides();
    }
    for device in 0..3 {
        world.answers(device);
        world.answers(device);
    }
    world.asks(0, What::Move { message: message(3), before: Some(message(2)) });
    world.asks(1, What::Cancel { message: message(1) });
    world.asks(2, What::Edit { message: message(2), content: Content::text("better").unwrap() });
    world.asks(2, What::Cancel { message: message(0) });
    world.asks(0, patch(1));
    world.asks(1, patch(2));
    world.comes_to_rest();
    world
}

/// The names of what was found.
fn found(world: &World) -> Vec<Wrong> {
    world.faults().into_iter().map(|fault| fault.what).collect()
}

/// Where a device saw an event.
fn sight(world: &World, device: usize, seq: u64) -> usize {
    let is_it =
        |step: &Step| step.device == device && matches!(&step.what, Happened::Saw(event) if event.seq == seq);
    world.script.iter().position(is_it).expect("it was seen")
}

/// Where a message was answered for the first time.
fn answer_to(world: &mut World, number: usize) -> (usize, &mut Answer) {
    let is_told = |step: &Step| matches!(step.what, Happened::Told { op, .. } if op == number);
    let place = world.script.iter().position(is_told).expect("it was answered");
    let Happened::Told { answer, .. } = &mut world.script[place].what else { unreachable!() };
    (place, answer)
}

fn changed_sight(world: &mut World, device: usize, seq: u64, change: impl Fn(&mut Event)) {
    let place = sight(world, device, seq);
    let Happened::Saw(event) = &mut world.script[place].what else { unreachable!() };
    change(event);
}

#[test]
fn a_good_history_has_no_faults() {
    let world = good();
    assert_eq!(found(&world), []);
    assert!(world.journal.len() > 15, "there is something to look at");
}

#[test]
fn a_dropped_event_is_lost_to_one_device() {
    let mut world = good();
    let place = sight(&world, 1, 4);
    world.script.remove(place);
    assert_eq!(found(&world), [Wrong::Lost { device: "d1".into(), first: 4, last: 4 }]);
}

#[test]
fn a_device_that_misses_the_end_is_behind() {
    let mut world = good();
    let head = world.journal.len() as u64;
    let place = sight(&world, 2, head);
    world.script.remove(place);
    assert_eq!(found(&world), [Wrong::Behind { device: "d2".into(), last: head - 1, head }]);
}

#[test]
fn a_doubled_event_is_found() {
    let mut world = good();
    let place = sight(&world, 1, 4);
    world.script.insert(place + 1, world.script[place].clone());
    assert_eq!(found(&world), [Wrong::Doubled { device: "d1".into(), seq: 4 }]);
}

#[test]
fn swapped_events_are_out_of_order() {
    let mut world = good();
    let (one, other) = (sight(&world, 1, 4), sight(&world, 1, 5));
    world.script.swap(one, other);
    assert_eq!(found(&world), [Wrong::OutOfOrder { device: "d1".into(), seq: 4 }]);
}

#[test]
fn another_payload_and_another_hash_are_found_at_who_saw_them() {
    let mut world = good();
    changed_sight(&mut world, 2, 5, |event| event.data = json!({"other": true}));
    assert_eq!(found(&world), [Wrong::Different { device: "d2".into(), seq: 5 }]);
    let mut world = good();
    changed_sight(&mut world, 0, 5, |event| event.hash = "f".repeat(16));
    assert_eq!(found(&world), [Wrong::DifferentHash { device: "d0".into(), seq: 5 }]);
}

#[test]
fn a_program_that_has_parsed_its_events_has_seen_the_same() {
    let recorder = Recorder::new(SessionId::random());
    let mut tapes = [recorder.tape("raw"), recorder.tape("parsed")];
    for (tape, data) in tapes.iter_mut().zip([r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#]) {
        let at = tandem_actors::clock::Timestamp::from_millis(0);
        tape.saw(&Seen { seq: 1, hash: b"0", at, kind: b"x", data: data.as_bytes() });
    }
    let conversation = recorder.conversation(tapes.into(), End::AtRest);
    assert_eq!(check(&History { conversations: vec![conversation] }), []);
}

#[test]
fn a_stream_that_begins_elsewhere_or_again_is_found() {
    let mut world = good();
    let is_second =
        |step: &Step| matches!(step.what, Happened::Began { from } if from > 1 || step.device == 1);
    let place = world.script.iter().rposition(is_second).unwrap();
    world.script[place].what = Happened::Began { from: 3 };
    let device: Arc<str> = "d1".into();
    assert!(found(&world).contains(&Wrong::ResumedElsewhere {
        device: device.clone(),
        from: 3,
        expected: 1
    }));

    let recorder = Recorder::new(SessionId::random());
    let mut tape = recorder.tape(device.clone());
    tape.began(1, false);
    tape.began(1, true);
    let history = History { conversations: vec![recorder.conversation(vec![tape], End::Anywhere)] };
    assert_eq!(check(&history)[0].what, Wrong::TakenBack { device, from: 1 });
}

#[test]
fn an_accepted_message_that_is_nowhere_is_lost() {
    let mut world = good();
    let seq = world.seq_of("message_accepted", 1);
    world.change_everywhere(seq, |event| event.kind = "agent_message");
    assert!(found(&world).contains(&Wrong::MessageLost { message: message(1), told: seq }));
}

#[test]
fn a_message_that_is_there_twice_is_found() {
    let mut world = good();
    let first = world.seq_of("message_accepted", 0);
    let copy = world.event(first).data.clone();
    world.write("message_accepted", copy);
    world.comes_to_rest();
    assert!(found(&world).contains(&Wrong::MessageTwice { message: message(0), seq: first, times: 2 }));
}

#[test]
fn a_message_that_is_elsewhere_or_answered_in_two_ways_is_found() {
    let mut world = good();
    let seq = world.seq_of("message_accepted", 0);
    *answer_to(&mut world, 0).1 = Answer::Accepted { seq: seq + 1, is_duplicate: false };
    assert_eq!(found(&world), [Wrong::MessageElsewhere { message: message(0), told: seq + 1, seq }]);

    let mut world = good();
    let again = world.asks(0, says(0));
    world.decides();
    world.answers(0);
    assert_eq!(found(&world), []);
    *answer_to(&mut world, again).1 = Answer::Accepted { seq: seq + 1, is_duplicate: false };
    let differ = Wrong::AnswersDiffer { message: message(0), first: seq, second: seq + 1 };
    assert_eq!(found(&world), [differ, Wrong::AcceptedAgain { message: message(0), times: 2 }]);
}

#[test]
fn a_message_that_says_something_else_than_was_sent_is_found() {
    let mut world = good();
    let seq = world.seq_of("message_accepted", 2);
    world.change_everywhere(seq, |event| event.data["content"] = json!("never said"));
    assert_eq!(found(&world), [Wrong::MessageChanged { message: message(2), seq }]);
    world.change_everywhere(seq, |event| {
        event.data["content"] = json!("text 2");
        event.data["deviceId"] = json!("d0");
    });
    assert_eq!(found(&world), [Wrong::MessageChanged { message: message(2), seq }]);
}

#[test]
fn an_answer_before_the_acceptance_and_an_acceptance_before_the_question_are_found() {
    let mut world = good();
    let seq = world.seq_of("message_accepted", 3);
    let written = world.event(seq).at_millis;
    let place = answer_to(&mut world, 3).0;
    world.script[place].at = written * 1000 - 1;
    assert!(matches!(found(&world)[..], [Wrong::AfterAnswered { seq: found, .. }] if found == seq));
    let mut world = good();
    world.change_everywhere(seq, |event| event.at_millis -= 100);
    assert!(matches!(found(&world)[..], [Wrong::BeforeAsked { seq: found, .. }] if found == seq));
}

#[test]
fn an_order_against_real_time_is_found_where_the_clock_is_too_coarse_to_tell() {
    let mut world = World::new(1);
    for number in 0..2 {
        world.asks(0, says(number));
        world.decides();
        world.answers(0);
    }
    world.comes_to_rest();
    let (one, other) = (world.seq_of("message_accepted", 0), world.seq_of("message_accepted", 1));
    assert_eq!((one, other), (2, 3));
    assert_eq!(found(&world), []);
    // The second message stands first, with everything that follows from it.
    let (first, second) = (world.journal[1].clone(), world.journal[2].clone());
    world.change_everywhere(one, |event| event.data = second.data.clone());
    world.change_everywhere(other, |event| event.data = first.data.clone());
    for (number, seq) in [(0, other), (1, one)] {
        *answer_to(&mut world, number).1 = Answer::Accepted { seq, is_duplicate: false };
    }
    let at_millis = first.at_millis;
    for seq in [one, other] {
        world.change_everywhere(seq, |event| event.at_millis = at_millis);
    }
    assert!(found(&world).contains(&Wrong::AgainstRealTime { earlier: other, later: one }));
}

#[test]
fn what_was_refused_must_not_be_there() {
    let mut world = good();
    *answer_to(&mut world, 2).1 = Answer::Refused;
    let seq = world.seq_of("message_accepted", 2);
    let what = format!("message {}", message(2));
    assert_eq!(found(&world), [Wrong::RefusedAndDone { what, seq }]);
    let mut world = good();
    *answer_to(&mut world, 4).1 = Answer::Refused;
    assert!(matches!(&found(&world)[..], [Wrong::RefusedAndDone { .. }]));
}

#[test]
fn what_was_done_must_be_there_once_and_where_it_was_said_to_be() {
    let mut world = good();
    let seq = world.seq_of("queue_moved", 0);
    world.change_everywhere(seq, |event| event.kind = "agent_message");
    assert!(matches!(found(&world)[..], [Wrong::CommandLost { .. }, Wrong::TurnOutOfOrder { .. }]));
    let mut world = good();
    let copy = world.event(world.seq_of("message_edited", 0)).data.clone();
    world.write("message_edited", copy);
    world.comes_to_rest();
    assert!(matches!(found(&world)[..], [Wrong::CommandTwice { times: 2, asked: 1, .. }]));
    let mut world = good();
    *answer_to(&mut world, 8).1 = Answer::Done { seq: Some(2) };
    assert!(matches!(found(&world)[..], [Wrong::CommandElsewhere { told: 2, .. }]));
}

#[test]
fn what_nobody_asked_for_must_not_be_there() {
    let mut world = good();
    let data = json!({"messageId": message(99), "deviceId": "d0", "userId": "owner", "content": "hi", "mode": "queue"});
    let seq = world.write("message_accepted", data);
    world.comes_to_rest();
    let stranger = Wrong::Stranger { message: message(99), seq };
    assert_eq!(found(&world), [stranger, Wrong::TurnMissing { message: message(99) }]);
    let mut world = good();
    let seq = world.write("state_changed", json!({"patch": {"x": 1}, "by": {"deviceId": "d0"}}));
    world.comes_to_rest();
    assert_eq!(found(&world), [Wrong::StrangeChange { seq }]);
    let mut world = good();
    let patch = json!({"draft.d0": null, "draft.d1": "half a"});
    world.write("state_changed", json!({"patch": patch, "by": {"deviceId": "d0"}}));
    world.comes_to_rest();
    assert_eq!(found(&world), [], "a hand-over takes a draft along");
}

#[test]
fn a_key_that_lost_to_an_equal_value_is_named_nowhere() {
    let patch = |tab: i32, size: i32| {
        What::Patch(Shared::from([("tab".into(), json!(tab)), ("size".into(), json!(size))]))
    };
    let named = |data: Value| move |event: &mut Event| event.data["patch"] = data.clone();
    for is_answered in [true, false] {
        let mut world = good();
        let op = world.asks(0, patch(2, 7));
        world.comes_to_rest();
        let seq = world.seq_of("state_changed", 2);
        if !is_answered {
            let answer = answer_to(&mut world, op).0;
            world.script.remove(answer);
        }
        world.change_everywhere(seq, named(json!({"size": 7})));
        assert_eq!(found(&world), [], "tab was 2 already");
        world.change_everywhere(seq, named(json!({"tab": 2})));
        for (_, state) in &mut world.states {
            state.remove("size");
        }
        let found = found(&world);
        assert!(found.contains(&Wrong::StrangeChange { seq }), "size was nothing: {found:?}");
        let is_lost = found.iter().any(|wrong| matches!(wrong, Wrong::CommandLost { .. }));
        assert_eq!(is_lost, is_answered, "{found:?}");
    }
}

#[test]
fn a_patch_of_which_everything_is_so_already_leads_to_nothing() {
    let done = |patch: Shared| {
        let mut world = good();
        let head = world.journal.len() as u64;
        let op = world.asks(0, What::Cancel { message: message(9) });
        world.comes_to_rest();
        *answer_to(&mut world, op).1 = Answer::Done { seq: Some(head) };
        for step in &mut world.script {
            if let Happened::Asked { op: asked, what } = &mut step.what
                && *asked == op
            {
                *what = What::Patch(patch.clone());
            }
        }
        found(&world)
    };
    assert_eq!(done(Shared::from([("tab".into(), json!(2)), ("gone".into(), json!(null))])), []);
    let lost = done(Shared::from([("tab".into(), json!(1))]));
    assert!(lost.iter().any(|wrong| matches!(wrong, Wrong::CommandLost { .. })), "{lost:?}");
}

#[test]
fn a_turn_that_is_run_twice_is_found() {
    let mut world = good();
    let data = json!({"messageId": message(0), "turn": 9, "attempt": 1});
    let seq = world.write("turn_dispatched", data.clone());
    world.write("turn_ended", data);
    world.comes_to_rest();
    assert_eq!(found(&world), [Wrong::TurnTwice { message: message(0), seq }]);
    let mut world = good();
    let seq = world.write("turn_ended", json!({"messageId": message(0), "turn": 1}));
    world.comes_to_rest();
    assert_eq!(found(&world), [Wrong::TurnTwice { message: message(0), seq }]);
}

#[test]
fn a_turn_out_of_the_order_of_the_queue_is_found() {
    let mut world = good();
    // Of messages 3 and 2, in this order: each takes the other's place.
    for (kind, nth, number) in
        [("turn_dispatched", 1, 2), ("turn_ended", 1, 2), ("turn_dispatched", 2, 3), ("turn_ended", 2, 3)]
    {
        let seq = world.seq_of(kind, nth);
        world.change_everywhere(seq, |event| event.data["messageId"] = json!(message(number)));
    }
    let seq = world.seq_of("turn_dispatched", 1);
    assert_eq!(found(&world), [Wrong::TurnOutOfOrder { message: message(2), next: message(3), seq }]);
}

#[test]
fn turns_of_cancelled_messages_turns_beside_each_other_and_missing_turns_are_found() {
    let mut world = good();
    let seq = world.seq_of("turn_dispatched", 2);
    let ended = world.seq_of("turn_ended", 2);
    for seq in [seq, ended] {
        world.change_everywhere(seq, |event| event.data["messageId"] = json!(message(1)));
    }
    let unasked = Wrong::TurnUnasked { message: message(1), seq };
    assert_eq!(found(&world), [unasked, Wrong::TurnMissing { message: message(2) }]);
    let mut world = good();
    let ended = world.seq_of("turn_ended", 0);
    world.change_everywhere(ended, |event| event.kind = "agent_message");
    let overlaps = Wrong::TurnOverlaps {
        message: message(3),
        running: message(0),
        seq: world.seq_of("turn_dispatched", 1),
    };
    assert_eq!(found(&world), [overlaps]);
    let mut world = good();
    let dispatched = world.seq_of("turn_dispatched", 2);
    world.change_everywhere(dispatched, |event| event.kind = "agent_message");
    let seq = world.seq_of("turn_ended", 2);
    let end = Wrong::EndWithoutTurn { message: message(2), seq };
    assert_eq!(found(&world), [end, Wrong::TurnMissing { message: message(2) }]);
}

#[test]
fn a_final_state_that_differs_is_found() {
    let mut world = good();
    assert_eq!(world.states[1].1, Shared::from([("tab".into(), json!(2))]));
    world.states[1].1.insert("tab".into(), json!(1));
    assert_eq!(found(&world), [Wrong::StateDiffers { of: "d1".into(), key: "tab".into() }]);
    world.states[1].1 = Shared::new();
    assert_eq!(found(&world), [Wrong::StateDiffers { of: "d1".into(), key: "tab".into() }]);
}
