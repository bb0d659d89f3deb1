//! How long to wait before the next try to connect: exponential, with full jitter, so that after a restart of the
//! server its devices do not all come back in the same moment. Pure.

use std::time::Duration;

/// A connection that lasted so long was a good one: the next pause is short again.
///
/// Shorter ones do not count, or a server that takes connections and drops them would be asked without end.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// Doubling stops here; by then every sensible cap is reached, and the shift cannot overflow.
const MAX_DOUBLINGS: u32 = 16;

/// Between which bounds pauses grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// The longest first pause.
    pub base: Duration,
    /// The longest pause at all.
    pub cap: Duration,
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self { base: Duration::from_millis(250), cap: Duration::from_secs(30) }
    }
}

/// Counts failures since the last steady connection.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
}

impl Backoff {
    pub(super) const fn new(policy: BackoffPolicy) -> Self {
        Self { policy, failures: 0 }
    }

    /// The next pause: anything from nothing to twice what was possible before. `random` is in 0..1.
    pub(super) fn pause(&mut self, random: f64) -> Duration {
        let doublings = self.failures.min(MAX_DOUBLINGS);
        let longest = self.policy.base.saturating_mul(1 << doublings).min(self.policy.cap);
        self.failures = self.failures.saturating_add(1);
        longest.mul_f64(random.clamp(0.0, 1.0))
    }

    /// A connection has ended that lasted so long.
    pub(super) fn lasted(&mut self, duration: Duration) {
        if duration >= STEADY_AFTER {
            self.failures = 0;
        }
    }
}

/// A number in 0..1. Without random numbers it is 0.5: devices then come back together, but they come back.
pub(super) fn random() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(backoff: &mut Backoff) -> u128 {
        backoff.pause(1.0).as_millis()
    }

    #[test]
    fn the_longest_pause_doubles_up_to_the_cap() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        let pauses: Vec<u128> = (0..9).map(|_| longest(&mut backoff)).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        (0..100).for_each(|_| assert_eq!(longest(&mut backoff), 30_000));
    }

    #[test]
    fn the_jitter_goes_down_to_nothing() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        assert_eq!(backoff.pause(0.0), Duration::ZERO);
        assert_eq!(backoff.pause(0.5), Duration::from_millis(250));
        assert!((0.0..=1.0).contains(&random()));
    }

    #[test]
    fn only_a_steady_connection_makes_pauses_short_again() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        for _ in 0..4 {
            backoff.pause(1.0);
        }
        backoff.lasted(Duration::from_secs(1));
        assert_eq!(longest(&mut backoff), 4000);
        backoff.lasted(STEADY_AFTER);
        assert_eq!(longest(&mut backoff), 250);
    }
}
