//! Making an agent end its turn, one rung after the other, until the turn is really over. Pure.
//!
//! What counts is that the turn has ended, not that the agent acknowledged anything: an acknowledgement may be all
//! that it still can do.

use std::time::Duration;

use tokio::time::Instant;

/// How long each rung may take. The CLI ends a turn within 0.1 s of an interrupt, and itself within 1.3 s of SIGTERM (measured on 2.1.328).
pub const RUNG: Duration = Duration::from_secs(5);

/// Why the turn is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A person wants it.
    Interrupted,
    /// The agent was silent for too long.
    Hung,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// Why.
    pub why: Why,
    step: Step,
    due: Instant,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Asked through its input.
    Asked,
    /// SIGINT to the process.
    Signalled,
    /// SIGTERM, then SIGKILL, to the whole tree.
    Ended,
}

impl Ladder {
    /// The first rung: the agent has just been asked.
    #[must_use]
    pub fn begin(why: Why, now: Instant) -> Self {
        Self { why, step: Step::Asked, due: now + RUNG }
    }

    /// When the next rung is due; never again after the last.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        (self.step != Step::Ended).then_some(self.due)
    }

    /// Goes one rung up, if it is time, and says what is to be done.
    pub fn climb(&mut self, now: Instant) -> Option<Step> {
        if now < self.due()? {
            return None;
        }
        self.step = match self.step {
            Step::Asked => Step::Signalled,
            Step::Signalled | Step::Ended => Step::Ended,
        };
        self.due = now + RUNG;
        Some(self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_has_its_time_and_the_last_is_final() {
        let start = Instant::now();
        let mut ladder = Ladder::begin(Why::Hung, start);
        assert_eq!(ladder.climb(start), None);
        assert_eq!(ladder.climb(start + RUNG), Some(Step::Signalled));
        assert_eq!(ladder.climb(start + RUNG), None);
        assert_eq!(ladder.climb(start + RUNG * 2), Some(Step::Ended));
        assert_eq!(ladder.climb(start + RUNG * 9), None);
    }
}
