//! What the agent wrote down and the journal never heard of, when the server was interrupted. Pure.
//!
//! ```text
//!  journal      … turn_dispatched  turn_started  agent_message a │            (the server was killed here)
//!  transcript   …        user line (uuid = messageId)          a │ b  c  last-prompt
//!                                                                 └─▶ agent_message b, c, turn_ended
//! ```
//! Lines are told apart by their `uuid`, which is the same in the transcript and in what the agent prints (measured on
//! 2.1.328). So what was brought in once is known the next time, and doing it twice adds nothing.

mod entry;
mod progress;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::state::{State, Turn};
use crate::clock::Timestamp;
use crate::event::{Event, Outcome};
use crate::ids::MessageId;
use crate::journal::TranscriptLine;
use entry::{Entry, Kind};
use progress::Progress;

/// What the journal holds of the latest turn; gathered while its events are folded.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    message: Option<MessageId>,
    lines: Vec<Arc<RawValue>>,
}

/// All that is needed to find what is missing.
#[derive(Debug, Clone)]
pub struct Remains {
    /// What the journal holds of the latest turn.
    pub witness: Witness,
    /// What the journal holds of the transcript.
    pub kept: Vec<TranscriptLine>,
    /// What the agent's own file holds.
    pub written: Vec<TranscriptLine>,
}

/// What is missing in the journal, in the order in which it belongs there.
#[derive(Debug, Clone, Default)]
pub struct Salvage {
    /// Messages of the agent, and the start and the end of its turn.
    pub events: Vec<Event>,
    /// Lines of the transcript.
    pub transcript: Vec<TranscriptLine>,
}

impl Witness {
    /// Takes note of an event; to be told all of a session, in order.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::TurnDispatched { message_id, .. } if self.message != Some(*message_id) => {
                *self = Self { message: Some(*message_id), lines: Vec::new() };
            }
            Event::AgentMessage { message } if self.message.is_some() => self.lines.push(message.clone()),
            _ => {}
        }
    }

    fn known(&self) -> HashSet<Uuid> {
        #[derive(Deserialize)]
        struct Named {
            uuid: Uuid,
        }
        let named = self.lines.iter().filter_map(|line| serde_json::from_str::<Named>(line.get()).ok());
        named.map(|named| named.uuid).collect()
    }
}

/// Finds what is missing in the journal of a session whose agent is gone.
///
/// A turn that the transcript shows to be over ends as it shows; one that it shows to have begun is started, and what
/// becomes of it is for [`super::react::recover`] to say; one that it does not know stays as it is.
#[must_use]
pub fn salvage(state: &State, remains: &Remains, now: Timestamp) -> Salvage {
    let Remains { witness, kept, written } = remains;
    let events = match witness.message {
        Some(message) => missing_events(state, message, &witness.known(), written, now),
        None => Vec::new(),
    };
    Salvage { events, transcript: not_kept(kept, written) }
}

/// The events of a turn that an agent which lives says to have completed before; none when the transcript does not show
/// its end.
#[must_use]
pub fn salvage_known(
    state: &State,
    message: MessageId,
    written: &[TranscriptLine],
    now: Timestamp,
) -> Vec<Event> {
    let events = missing_events(state, message, &HashSet::new(), written, now);
    let is_over = events.iter().any(|event| matches!(event, Event::TurnEnded { .. }));
    if is_over { events } else { Vec::new() }
}

fn missing_events(
    state: &State,
    message: MessageId,
    known: &HashSet<Uuid>,
    written: &[TranscriptLine],
    now: Timestamp,
) -> Vec<Event> {
    let entries: Vec<Entry<'_>> = written.iter().filter_map(|line| Entry::read(&line.line)).collect();
    let is_its_message = |entry: &Entry<'_>| entry.kind == Kind::Prompt && entry.uuid == Some(message.uuid());
    let Some(start) = entries.iter().rposition(is_its_message) else {
        return Vec::new();
    };
    let mut turn = state.turn.as_ref().filter(|turn| turn.message.message == message);
    let mut progress = Progress::begin(&entries[start]);
    let mut events = Vec::new();
    if let Some(turn) = turn.filter(|turn| turn.started_at.is_none()) {
        events.push(Event::TurnStarted { message_id: message, turn: turn.number });
    }
    for entry in &entries[start + 1..] {
        if entry.kind == Kind::Prompt
            && let Some(turn) = turn.take()
        {
            // What follows belongs to another turn, which the agent has begun by itself.
            events.extend(progress.end().map(|end| ended(turn, &end, now)));
        }
        progress.take_in(entry);
        let is_new = entry.uuid.is_some_and(|uuid| !known.contains(&uuid));
        if is_new && let Some(line) = entry.as_printed() {
            events.push(Event::AgentMessage { message: line });
        }
    }
    if let Some(turn) = turn {
        events.extend(progress.end().map(|end| ended(turn, &end, now)));
    }
    events
}

/// How the transcript shows a turn to have ended.
#[derive(Debug, PartialEq, Eq)]
struct End {
    outcome: Outcome,
    text: Option<String>,
    duration_ms: Option<u64>,
}

/// What it cost is not known; the next turn's cost is counted from the agent's own total and has it in it.
fn ended(turn: &Turn, end: &End, now: Timestamp) -> Event {
    let is_failed = end.outcome == Outcome::Failed;
    let lasted = || now.millis_since(turn.started_at.unwrap_or(turn.dispatched_at));
    Event::TurnEnded {
        message_id: turn.message.message,
        turn: turn.number,
        outcome: end.outcome,
        text: end.text.clone().filter(|_| !is_failed),
        error: end.text.clone().filter(|_| is_failed),
        duration_ms: end.duration_ms.unwrap_or_else(lasted),
        usage: None,
        cost_usd: None,
        by: None,
    }
}

/// The lines that are written and not kept. Equal lines are counted, because the agent repeats some.
fn not_kept(kept: &[TranscriptLine], written: &[TranscriptLine]) -> Vec<TranscriptLine> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for line in kept {
        *counts.entry(&line.line).or_default() += 1;
    }
    let mut missing = Vec::new();
    for line in written {
        match counts.get_mut(&*line.line) {
            Some(count) if *count > 0 => *count -= 1,
            // What an earlier crash has torn is no line of a transcript.
            _ if serde_json::from_str::<IgnoredAny>(&line.line).is_err() => {}
            _ => missing.push(line.clone()),
        }
    }
    missing
}

#[cfg(test)]
mod tests;
