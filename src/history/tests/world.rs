//! A server and its devices in a nutshell: right by construction, and a script of everything that was asked, told and seen,
//! in which a fault can be planted.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use tandem_actors::clock::Timestamp;
use tandem_actors::content::Content;
use tandem_actors::ids::{MessageId, Seq, SessionId};
use uuid::Uuid;

use crate::history::{Answer, End, Fault, History, Moment, Recorder, Seen, Shared, What, apply_patch, check};

/// When everything begins, and how long one step takes, in microseconds.
const START_MICROS: i64 = 1_790_000_000_000_000;
const STEP_MICROS: i64 = 700;

/// One thing that happened at one device, and when.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) device: usize,
    pub(super) at: i64,
    pub(super) what: Happened,
}

#[derive(Debug, Clone)]
pub(super) enum Happened {
    Began { from: Seq },
    Saw(Event),
    Asked { op: usize, what: What },
    Told { op: usize, answer: Answer },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) seq: Seq,
    pub(super) hash: String,
    pub(super) at_millis: i64,
    pub(super) kind: &'static str,
    pub(super) data: Value,
}

/// See the module.
pub(super) struct World {
    pub(super) script: Vec<Step>,
    pub(super) states: Vec<(String, Shared)>,
    pub(super) journal: Vec<Event>,
    now: i64,
    devices: Vec<Device>,
    ops: usize,
    asked: VecDeque<(usize, usize, What)>,
    answers: Vec<VecDeque<(usize, Answer)>>,
    queue: VecDeque<MessageId>,
    accepted: BTreeMap<MessageId, Seq>,
    running: Option<(MessageId, u64)>,
    turns: u64,
}

#[derive(Default, Clone)]
struct Device {
    last: Seq,
    unanswered: Vec<(usize, What)>,
}

pub(super) fn message(number: usize) -> MessageId {
    Uuid::from_u128(number as u128 + 1).into()
}

pub(super) fn says(number: usize) -> What {
    What::Submit { message: message(number), content: Content::text(format!("text {number}")).unwrap() }
}

impl World {
    /// Devices that have followed a new session from its first event.
    pub(super) fn new(devices: usize) -> Self {
        let mut world = Self {
            script: Vec::new(),
            states: Vec::new(),
            journal: Vec::new(),
            now: START_MICROS,
            devices: vec![Device::default(); devices],
            ops: 0,
            asked: VecDeque::new(),
            answers: vec![VecDeque::new(); devices],
            queue: VecDeque::new(),
            accepted: BTreeMap::new(),
            running: None,
            turns: 0,
        };
        world.write("session_created", json!({"projectPath": "/p"}));
        for device in 0..devices {
            world.step(device, Happened::Began { from: 1 });
        }
        world
    }

    fn step(&mut self, device: usize, what: Happened) {
        self.now += STEP_MICROS;
        self.script.push(Step { device, at: self.now, what });
    }

    pub(super) fn write(&mut self, kind: &'static str, data: Value) -> Seq {
        self.now += STEP_MICROS;
        let seq = self.journal.len() as Seq + 1;
        self.journal.push(Event { seq, hash: format!("{seq:016x}"), at_millis: self.now / 1000, kind, data });
        seq
    }

    pub(super) fn asks(&mut self, device: usize, what: What) -> usize {
        let op = self.ops;
        self.ops += 1;
        self.step(device, Happened::Asked { op, what: what.clone() });
        self.devices[device].unanswered.push((op, what.clone()));
        self.asked.push_back((device, op, what));
        op
    }

    /// The server takes the next command.
    pub(super) fn decides(&mut self) {
        let Some((device, op, what)) = self.asked.pop_front() else { return };
        let answer = self.decide(device, &what);
        self.answers[device].push_back((op, answer));
    }

    fn decide(&mut self, device: usize, what: &What) -> Answer {
        let by = json!({"deviceId": format!("d{device}"), "userId": "owner"});
        match what {
            What::Submit { message, content } => {
                if let Some(seq) = self.accepted.get(message) {
                    return Answer::Accepted { seq: *seq, is_duplicate: true };
                }
                let data = json!({"messageId": message, "deviceId": by["deviceId"], "userId": "owner",
                                  "content": content, "mode": "queue"});
                let seq = self.write("message_accepted", data);
                self.accepted.insert(*message, seq);
                self.queue.push_back(*message);
                Answer::Accepted { seq, is_duplicate: false }
            }
            What::Patch(patch) => {
                let seq = self.write("state_changed", json!({"patch": patch, "at": "t", "by": by}));
                Answer::Done { seq: Some(seq) }
            }
            What::Cancel { message } | What::Edit { message, .. } | What::Move { message, .. }
                if !self.queue.contains(message) =>
            {
                Answer::Refused
            }
            What::Cancel { message } => {
                self.queue.retain(|queued| queued != message);
                self.write("message_cancelled", json!({"messageId": message, "by": by}));
                Answer::Done { seq: None }
            }
            What::Edit { message, content } => {
                self.write("message_edited", json!({"messageId": message, "by": by, "content": content}));
                Answer::Done { seq: None }
            }
            What::Move { message, before } => {
                self.queue.retain(|queued| queued != message);
                let place = self.queue.iter().position(|queued| Some(*queued) == *before);
                self.queue.insert(place.unwrap_or(self.queue.len()), *message);
                self.write("queue_moved", json!({"messageId": message, "by": by, "before": before}));
                Answer::Done { seq: None }
            }
        }
    }

    /// A device hears its next answer.
    pub(super) fn answers(&mut self, device: usize) {
        let Some((op, answer)) = self.answers[device].pop_front() else { return };
        self.devices[device].unanswered.retain(|(unanswered, _)| *unanswered != op);
        self.step(device, Happened::Told { op, answer });
    }

    /// A device is given its next event.
    pub(super) fn sees(&mut self, device: usize) -> bool {
        let next = self.devices[device].last + 1;
        let Some(event) = self.journal.iter().find(|event| event.seq == next).cloned() else { return false };
        self.devices[device].last = event.seq;
        self.step(device, Happened::Saw(event));
        true
    }

    /// A device loses its connection with all answers on it, comes back, and sends its messages again.
    pub(super) fn drops(&mut self, device: usize) {
        self.answers[device].clear();
        self.asked.retain(|(asked_by, _, _)| *asked_by != device);
        let from = self.devices[device].last + 1;
        self.step(device, Happened::Began { from });
        self.devices[device].unanswered.retain(|(_, what)| matches!(what, What::Submit { .. }));
        for (op, what) in self.devices[device].unanswered.clone() {
            self.asked.push_back((device, op, what));
        }
    }

    /// The running turn ends, or the next one begins.
    pub(super) fn turns(&mut self) -> bool {
        if let Some((message, turn)) = self.running.take() {
            self.write("turn_ended", json!({"messageId": message, "turn": turn, "outcome": "completed"}));
            return true;
        }
        let Some(message) = self.queue.pop_front() else { return false };
        self.turns += 1;
        let data = json!({"messageId": message, "turn": self.turns, "attempt": 1});
        self.write("turn_dispatched", data);
        self.running = Some((message, self.turns));
        true
    }

    pub(super) fn queued(&self) -> Vec<MessageId> {
        self.queue.iter().copied().collect()
    }

    /// Everything is decided, answered, run and seen.
    pub(super) fn comes_to_rest(&mut self) {
        while !self.asked.is_empty() {
            self.decides();
        }
        while self.turns() {}
        for device in 0..self.devices.len() {
            while !self.answers[device].is_empty() {
                self.answers(device);
            }
            while self.sees(device) {}
        }
        let mut state = Shared::new();
        for event in self.journal.iter().filter(|event| event.kind == "state_changed") {
            apply_patch(&mut state, &event.data);
        }
        self.states = (0..self.devices.len()).map(|device| (format!("d{device}"), state.clone())).collect();
    }

    /// Changes every copy of an event.
    pub(super) fn change_everywhere(&mut self, seq: Seq, change: impl Fn(&mut Event)) {
        for step in &mut self.script {
            if let Happened::Saw(event) = &mut step.what
                && event.seq == seq
            {
                change(event);
            }
        }
    }

    pub(super) fn event(&self, seq: Seq) -> &Event {
        self.journal.iter().find(|event| event.seq == seq).expect("there is one")
    }

    pub(super) fn seq_of(&self, kind: &str, nth: usize) -> Seq {
        self.journal.iter().filter(|event| event.kind == kind).nth(nth).expect("there is one").seq
    }

    /// What the checker says, of the first so many steps.
    pub(super) fn faults_of(&self, steps: usize, end: End) -> Vec<Fault> {
        let recorder = Recorder::new(SessionId::random());
        let mut tapes: Vec<_> =
            (0..self.devices.len()).map(|device| recorder.tape(format!("d{device}"))).collect();
        let mut asked = BTreeMap::new();
        for Step { device, at, what } in self.script.iter().take(steps) {
            let tape = &mut tapes[*device];
            match what {
                Happened::Began { from } => tape.began(*from, false),
                Happened::Saw(event) => tape.saw(&Seen {
                    seq: event.seq,
                    hash: event.hash.as_bytes(),
                    at: Timestamp::from_millis(event.at_millis),
                    kind: event.kind.as_bytes(),
                    data: event.data.to_string().as_bytes(),
                }),
                Happened::Asked { op, what } => {
                    asked.insert(*op, tape.asks(what.clone(), Moment(*at)));
                }
                Happened::Told { op, answer } => {
                    if let Some(asked) = asked.get(op) {
                        tape.is_told(*asked, *answer, Moment(*at));
                    }
                }
            }
        }
        let mut conversation = recorder.conversation(tapes, end);
        for (of, state) in &self.states {
            conversation = conversation.with_state(of.clone(), state.clone());
        }
        check(&History { conversations: vec![conversation] })
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        self.faults_of(usize::MAX, End::AtRest)
    }
}
