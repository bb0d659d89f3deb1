//! Chance that can be repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Random numbers from a seed (SplitMix64).
pub(crate) struct Chance {
    pub(crate) seed: u64,
    state: u64,
}

impl Chance {
    /// Takes the seed from `TANDEM_FAULT_SEED`, else from the clock.
    pub(crate) fn new() -> Self {
        let given = std::env::var("TANDEM_FAULT_SEED").ok().and_then(|seed| seed.parse().ok());
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::seeded(given.unwrap_or_else(|| since.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// The same, and prints the seed.
    pub(crate) fn told(name: &str) -> Self {
        let chance = Self::new();
        println!("{name}: TANDEM_FAULT_SEED={}", chance.seed);
        chance
    }

    /// Another sequence for each number, from the same seed.
    pub(crate) fn of(&self, number: u64) -> Self {
        Self::seeded(self.seed.wrapping_mul(31).wrapping_add(number))
    }

    fn seeded(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// A number from 0 up to and without `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A duration of up to so many milliseconds.
    pub(crate) fn up_to_millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }

    /// Lets some time pass, up to so many milliseconds: the instant at which a fault strikes.
    pub(crate) async fn instant(&mut self, within_ms: u64) {
        tokio::time::sleep(Duration::from_micros(self.below(within_ms * 1_000))).await;
    }
}
