//! How values are spread: counts in fixed buckets, without a lock and without an allocation.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::Counter;

/// Counts values by their size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above all of them.
    buckets: Box<[Counter]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The upper bound of each bucket, rising; the last is infinite. With it, how many values lie in this bucket alone.
    pub buckets: Vec<(f64, u64)>,
    /// All values together.
    pub sum: f64,
}

impl Histogram {
    /// Makes one that has counted nothing; `bounds` rise.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0.0_f64.to_bits()) }
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[place].add(1);
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure never declines.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Counts the seconds that have passed since a moment.
    pub fn observe_since(&self, start: Instant) {
        self.observe(start.elapsed().as_secs_f64());
    }

    /// Counts a number of things.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^52 things in one go")]
    pub fn observe_count(&self, count: u64) {
        self.observe(count as f64);
    }

    /// How it stands.
    #[must_use]
    pub fn read(&self) -> Reading {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(Counter::get);
        Reading {
            buckets: bounds.zip(counts).collect(),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

impl Reading {
    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The value below which this share (0 to 1) of all values lies, as Prometheus' `histogram_quantile` estimates it: evenly
    /// spread inside a bucket, and the highest bound for what lies above it. None when nothing was counted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 52 bits")]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = self.count() as f64 * share;
        let mut below = 0.0;
        let mut lower = 0.0;
        for (upper, count) in self.buckets.iter().filter(|_| rank > 0.0) {
            let count = *count as f64;
            if below + count >= rank {
                let is_open = upper.is_infinite();
                return Some(if is_open { lower } else { lower + (upper - lower) * (rank - below) / count });
            }
            below += count;
            lower = *upper;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_to_it_and_a_great_one_to_the_last_bucket() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 99.0] {
            histogram.observe(value);
        }
        let reading = histogram.read();
        assert_eq!(reading.buckets, [(1.0, 2), (2.0, 1), (f64::INFINITY, 1)]);
        assert_eq!((reading.count(), reading.sum), (4, 102.0));
    }

    #[test]
    fn quantiles_lie_inside_their_bucket() {
        let histogram = Histogram::new(&[1.0, 2.0, 4.0]);
        assert_eq!(histogram.read().quantile(0.5), None);
        for value in [0.5, 1.5, 1.6, 3.0] {
            histogram.observe(value);
        }
        let reading = histogram.read();
        assert_eq!(reading.quantile(0.5), Some(1.5));
        assert_eq!(reading.quantile(1.0), Some(4.0));
        histogram.observe(1_000.0);
        assert_eq!(histogram.read().quantile(0.99), Some(4.0), "no more is known than that it lies above");
    }
}
