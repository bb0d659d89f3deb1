//! How often a session that panics is built anew before it is left alone. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A bug that strikes every time must not keep a core busy; one that strikes now and then must not stop anybody.
const MAX_RESTARTS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// The latest panics of one session.
#[derive(Debug, Default)]
pub struct Restarts {
    panics: VecDeque<Instant>,
}

impl Restarts {
    /// Counts one, and says whether it may be built anew.
    pub fn count(&mut self, now: Instant) -> bool {
        self.panics.retain(|panic| now.duration_since(*panic) < WINDOW);
        self.panics.push_back(now);
        self.panics.len() <= MAX_RESTARTS
    }

    /// Whether it is left alone at the moment.
    #[must_use]
    pub fn is_parked(&self, now: Instant) -> bool {
        self.panics.iter().filter(|panic| now.duration_since(**panic) < WINDOW).count() > MAX_RESTARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_panic_in_a_minute_parks_it_and_a_minute_later_it_is_tried_again() {
        let start = Instant::now();
        let mut restarts = Restarts::default();
        for second in 0..5 {
            assert!(restarts.count(start + Duration::from_secs(second)));
        }
        assert!(!restarts.count(start + Duration::from_secs(5)));
        assert!(restarts.is_parked(start + Duration::from_secs(6)));
        assert!(!restarts.is_parked(start + WINDOW + Duration::from_secs(5)));
    }
}
