//! Whether agents can be started at all, as far as the latest starts show it. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// So many starts in a row must fail: one session with a broken project is no reason to call the server broken.
const MIN_FAILURES: u32 = 3;

/// A failure older than this says nothing of now: who sends no work to a server that is not ready would never see it heal.
const MAX_AGE: Duration = Duration::from_secs(120);

/// The latest starts of all sessions.
#[derive(Debug, Default)]
pub struct Starts {
    failed_in_a_row: u32,
    last_failure: Option<Instant>,
}

impl Starts {
    /// A start went well, or not.
    pub fn note(&mut self, is_ready: bool, now: Instant) {
        if is_ready {
            *self = Self::default();
        } else {
            self.failed_in_a_row += 1;
            self.last_failure = Some(now);
        }
    }

    /// Why agents cannot be started, if that is so.
    #[must_use]
    pub fn trouble(&self, now: Instant) -> Option<String> {
        let is_recent = self.last_failure.is_some_and(|last| now.duration_since(last) < MAX_AGE);
        (is_recent && self.failed_in_a_row >= MIN_FAILURES)
            .then(|| format!("the last {} starts of an agent failed", self.failed_in_a_row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_recent_failures_in_a_row_are_trouble() {
        let now = Instant::now();
        let mut starts = Starts::default();
        for _ in 0..2 {
            starts.note(false, now);
        }
        assert_eq!(starts.trouble(now), None);
        starts.note(false, now);
        assert_eq!(starts.trouble(now).unwrap(), "the last 3 starts of an agent failed");
        assert_eq!(starts.trouble(now + MAX_AGE), None, "it may have healed since");
        starts.note(true, now);
        starts.note(false, now);
        assert_eq!(starts.trouble(now), None);
    }
}
