//! What is counted while the server runs: plain numbers, registered once, cheap enough for the hottest path.
//!
//! Nothing here knows how the numbers are shown; the service names them and writes them out. All counts begin at 0 when
//! the server starts, and only what is durable is counted as having happened.

mod histogram;
mod starts;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::event::{Outcome, Resolution, StopReason};
use crate::locks::Reason;
use crate::project::{ConflictKind, Resolution as Settled};
use crate::refusal::Code;

pub use histogram::{Histogram, Reading};
pub use starts::Starts;
pub use words::{ByWord, Worded};

/// Bounds for what takes seconds: a sync of a good disk takes some 0.2 ms, one of a busy spinning disk 0.1 s.
pub const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds for numbers of events. One append holds at most 2,048.
pub const EVENTS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 10_000.0, 100_000.0];

/// All counts of one server; clones are the same counts.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    counts: Arc<Counts>,
}

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// See [`Metrics`].
#[derive(Debug)]
pub struct Counts {
    /// Sessions that were begun.
    pub sessions_created: Counter,
    /// Sessions that were brought into memory from the journal.
    pub sessions_loaded: Counter,
    /// Sessions whose actor panicked.
    pub session_panics: Counter,
    /// Events written to bring a session to rest that a stop of the server had cut off.
    pub recovery_events: Counter,
    /// Messages of people that were taken in.
    pub messages_accepted: Counter,
    /// Messages that were sent again and taken in before.
    pub messages_duplicate: Counter,
    /// Messages that were refused.
    pub messages_refused: ByWord<Code>,
    /// Turns that ended.
    pub turns: ByWord<Outcome>,
    /// Questions of agents.
    pub approvals_requested: Counter,
    /// What became of them.
    pub approvals_resolved: ByWord<Resolution>,
    /// Agents that became ready.
    pub agent_starts: Counter,
    /// Those of them that replaced one which had failed.
    pub agent_restarts: Counter,
    /// Agents that ended before they were ready.
    pub agent_start_failures: Counter,
    /// Agents that were ready and ended.
    pub agent_stops: ByWord<StopReason>,
    /// From handing records to the journal until they are durable.
    pub append_seconds: Histogram,
    /// Events that were written together.
    pub append_events: Histogram,
    /// Appends of which nothing was written.
    pub appends_not_written: Counter,
    /// Appends whose outcome is unknown.
    pub appends_unknown: Counter,
    /// From being durable until a connection that was up to date takes an event.
    pub delivery_seconds: Histogram,
    /// Times that a connection was behind the tail and read from the journal.
    pub catch_ups: Counter,
    /// How many events behind it was then.
    pub catch_up_events: Histogram,
    /// Locks that somebody got.
    pub locks_acquired: Counter,
    /// Requests that found somebody in front of them and waited.
    pub locks_waited_for: Counter,
    /// Requests that got nothing.
    pub locks_denied: ByWord<Reason>,
    /// Locks that were not renewed in time.
    pub locks_expired: Counter,
    /// Locks that a person took away.
    pub locks_forced: Counter,
    /// Conflicts that were found.
    pub conflicts_found: ByWord<ConflictKind>,
    /// How conflicts were settled.
    pub conflicts_settled: ByWord<Settled>,
    starts: Mutex<Starts>,
}

impl Metrics {
    /// The start of an agent went well, or not.
    pub(crate) fn agent_start_ended(&self, is_ready: bool) {
        if is_ready {
            self.agent_starts.add(1);
        } else {
            self.agent_start_failures.add(1);
        }
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).note(is_ready, Instant::now());
    }

    /// Why agents cannot be started at the moment, as far as the latest starts show it.
    #[must_use]
    pub fn agent_trouble(&self) -> Option<String> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).trouble(Instant::now())
    }
}

impl std::ops::Deref for Metrics {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.counts
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            sessions_created: Counter::default(),
            sessions_loaded: Counter::default(),
            session_panics: Counter::default(),
            recovery_events: Counter::default(),
            messages_accepted: Counter::default(),
            messages_duplicate: Counter::default(),
            messages_refused: ByWord::default(),
            turns: ByWord::default(),
            approvals_requested: Counter::default(),
            approvals_resolved: ByWord::default(),
            agent_starts: Counter::default(),
            agent_restarts: Counter::default(),
            agent_start_failures: Counter::default(),
            agent_stops: ByWord::default(),
            append_seconds: Histogram::new(SECONDS),
            append_events: Histogram::new(EVENTS),
            appends_not_written: Counter::default(),
            appends_unknown: Counter::default(),
            delivery_seconds: Histogram::new(SECONDS),
            catch_ups: Counter::default(),
            catch_up_events: Histogram::new(EVENTS),
            locks_acquired: Counter::default(),
            locks_waited_for: Counter::default(),
            locks_denied: ByWord::default(),
            locks_expired: Counter::default(),
            locks_forced: Counter::default(),
            conflicts_found: ByWord::default(),
            conflicts_settled: ByWord::default(),
            starts: Mutex::default(),
        }
    }
}

impl Counter {
    /// Adds.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How much it is.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
