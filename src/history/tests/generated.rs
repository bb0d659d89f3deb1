//! Any run of a right server passes, wherever it is cut off; any single fault in it is found.

use proptest::prelude::*;
use serde_json::json;

use super::world::{Event, Happened, Step, World, message, says};
use crate::history::{Answer, End, Shared, What};

const DEVICES: usize = 3;

/// What happens next, and to whom.
type Choice = (u8, usize, usize);

fn choices() -> impl Strategy<Value = Vec<Choice>> {
    proptest::collection::vec((0..12_u8, 0..DEVICES, 0..4_usize), 20..120)
}

/// A run of a right server, in which the choices say what happens when.
fn run(choices: &[Choice]) -> World {
    let mut world = World::new(DEVICES);
    let mut messages = 0;
    for (number, (what, device, nth)) in choices.iter().enumerate() {
        let (device, queued) = (*device, world.queued());
        let one = queued.get(*nth).copied();
        match (what, one) {
            (0..=1, _) => {
                world.asks(device, says(messages));
                messages += 1;
            }
            (2..=4, _) => world.decides(),
            (5..=6, _) => world.answers(device),
            (7, _) => drop(world.turns()),
            (8, _) => world.drops(device),
            (9, Some(message)) => drop(world.asks(device, What::Cancel { message })),
            (10, Some(message)) => {
                let before = queued.first().copied().filter(|before| *before != message);
                world.asks(device, What::Move { message, before });
            }
            (11, _) => {
                let value = if number % 5 == 0 { json!(null) } else { json!(number) };
                let patch = Shared::from([(format!("key {nth}"), value), ("counter".into(), json!(number))]);
                world.asks(device, What::Patch(patch));
            }
            _ => drop(world.sees(device)),
        }
    }
    world.asks(0, says(messages));
    world.comes_to_rest();
    world
}

/// A fault that is planted.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Drop,
    Double,
    Swap,
    Payload,
    Hash,
    MessageLost,
    MessageTwice,
    AnswerElsewhere,
    AnswerEarly,
    Refused,
    Stranger,
    TurnTwice,
    State,
}

const FAULTS: [Fault; 13] = [
    Fault::Drop,
    Fault::Double,
    Fault::Swap,
    Fault::Payload,
    Fault::Hash,
    Fault::MessageLost,
    Fault::MessageTwice,
    Fault::AnswerElsewhere,
    Fault::AnswerEarly,
    Fault::Refused,
    Fault::Stranger,
    Fault::TurnTwice,
    Fault::State,
];

/// Plants a fault somewhere.
fn plant(world: &mut World, fault: Fault, place: usize) {
    let of = |world: &World, is_it: fn(&Step) -> bool| -> usize {
        let places: Vec<usize> =
            world.script.iter().enumerate().filter(|(_, step)| is_it(step)).map(|(place, _)| place).collect();
        places[place % places.len()]
    };
    let sight = of(world, |step| matches!(step.what, Happened::Saw(_)));
    let answer = of(world, |step| {
        matches!(step.what, Happened::Told { answer: Answer::Accepted { is_duplicate: false, .. }, .. })
    });
    let Happened::Saw(seen) = world.script[sight].what.clone() else { unreachable!() };
    let Happened::Told { op, answer: Answer::Accepted { seq, .. } } = world.script[answer].what else {
        unreachable!()
    };
    let change = |step: &mut Step, change: fn(&mut Event)| {
        if let Happened::Saw(event) = &mut step.what {
            change(event);
        }
    };
    match fault {
        Fault::Drop => drop(world.script.remove(sight)),
        Fault::Double => world.script.insert(sight, world.script[sight].clone()),
        Fault::Swap => {
            let device = world.script[sight].device;
            let is_other = |step: &Step| {
                step.device == device && matches!(&step.what, Happened::Saw(event) if event.seq != seen.seq)
            };
            let other = world.script.iter().position(is_other).unwrap();
            let what = std::mem::replace(&mut world.script[other].what, Happened::Saw(seen));
            world.script[sight].what = what;
        }
        Fault::Payload => change(&mut world.script[sight], |event| event.data["planted"] = json!(true)),
        Fault::Hash => change(&mut world.script[sight], |event| event.hash = "f".repeat(16)),
        Fault::MessageLost => world.change_everywhere(seq, |event| event.kind = "agent_message"),
        Fault::MessageTwice => {
            let copy = world.event(seq).data.clone();
            world.write("message_accepted", copy);
            world.comes_to_rest();
        }
        Fault::AnswerElsewhere => {
            world.script[answer].what =
                Happened::Told { op, answer: Answer::Accepted { seq: seq - 1, is_duplicate: false } };
        }
        Fault::AnswerEarly => world.script[answer].at -= 1_000_000,
        Fault::Refused => world.script[answer].what = Happened::Told { op, answer: Answer::Refused },
        Fault::Stranger => {
            let data =
                json!({"messageId": message(9_999), "deviceId": "d0", "content": "x", "mode": "queue"});
            world.write("message_accepted", data);
            world.comes_to_rest();
        }
        Fault::TurnTwice => {
            let turn =
                world.journal.iter().find(|event| event.kind == "turn_dispatched").unwrap().data.clone();
            world.write("turn_dispatched", turn.clone());
            world.write("turn_ended", turn);
            world.comes_to_rest();
        }
        Fault::State => {
            let states = world.states.len();
            world.states[place % states].1.insert("planted".into(), json!(1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_run_of_a_right_server_passes_wherever_it_is_cut_off(choices in choices(), cut in 0..1000_usize) {
        let world = run(&choices);
        prop_assert_eq!(world.faults(), vec![]);
        prop_assert_eq!(world.faults_of(cut, End::Anywhere), vec![]);
    }

    #[test]
    fn any_single_fault_is_found(choices in choices(), place in any::<usize>()) {
        for fault in FAULTS {
            let mut world = run(&choices);
            plant(&mut world, fault, place);
            prop_assert!(!world.faults().is_empty(), "{:?} was not found", fault);
        }
    }
}
