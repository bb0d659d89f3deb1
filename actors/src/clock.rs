//! The wall clock as something that is handed in, so that tests can set it; and the hybrid one, which orders what devices
//! write that cannot see each other.

mod hybrid;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use hybrid::{BadStamp, HybridClock, Stamp};

/// A moment of the wall clock in whole milliseconds; on the wire RFC 3339 in UTC, with milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes milliseconds since 1970, as the journal stores them.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The moment so much later; stays at the largest moment instead of wrapping round.
    #[must_use]
    pub const fn plus(self, span: TimeDelta) -> Self {
        Self(self.0.saturating_add(span.num_milliseconds()))
    }

    /// Milliseconds from `earlier` to here; 0 when the clock was set back in between.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        out.write_str(&moment.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?;
        Ok(Self(moment.timestamp_millis()))
    }
}

/// Tells the time of day.
pub trait Clock: Send + Sync + 'static {
    /// The moment now.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock: the time of day when it was made, and from then on the time that has really passed.
///
/// A wall clock that is set in between, forth or back, moves nothing; time in which the machine was suspended counts
/// (`CLOCK_BOOTTIME` on Linux). So no session expires because somebody set the clock, and none lives on because a
/// laptop slept.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    wall_at_start: Timestamp,
    steady_at_start: Duration,
}

impl SystemClock {
    /// Starts with the present time of day.
    #[must_use]
    pub fn new() -> Self {
        Self { wall_at_start: Utc::now().into(), steady_at_start: steady() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let passed = steady().saturating_sub(self.steady_at_start);
        self.wall_at_start.plus(TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX))
    }
}

/// Time since an unknown moment; it never goes back and counts while the machine is suspended.
#[cfg(target_os = "linux")]
fn steady() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    // The clock exists since Linux 2.6.39, so there is no error to be had.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn steady() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// A clock that stands still until it is set; clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Starts at the given moment.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.millis())))
    }

    /// Moves on, or back with a negative span.
    pub fn advance(&self, span: TimeDelta) {
        self.0.fetch_add(span.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc3339_with_milliseconds() {
        let moment = Timestamp::from_millis(1_790_000_000_007);
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(text, "\"2026-09-21T14:13:20.007Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), moment);
    }

    #[test]
    fn the_time_of_day_is_asked_for_once() {
        // A clock that was made in another year stays there, whatever the machine's clock says.
        let wall_at_start = Timestamp::from_millis(1_000_000_000_000);
        let clock = SystemClock { wall_at_start, steady_at_start: steady() };
        let first = clock.now();
        assert!(first >= wall_at_start && first < wall_at_start.plus(TimeDelta::minutes(10)), "{first}");
        let passed = steady() / 2;
        let earlier = SystemClock { wall_at_start, steady_at_start: steady() - passed };
        let passed = TimeDelta::from_std(passed).unwrap();
        assert!(earlier.now() >= wall_at_start.plus(passed), "what has really passed counts");
    }

    #[test]
    fn the_machines_clock_never_goes_back() {
        let clock = SystemClock::new();
        let difference = clock.now().millis() - Timestamp::from(Utc::now()).millis();
        assert!(difference.abs() < 60_000, "it begins with the time of day: {difference} ms");
        let readers: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || {
                    let moments: Vec<_> = (0..1_000).map(|_| clock.now()).collect();
                    moments.is_sorted()
                })
            })
            .collect();
        assert!(readers.into_iter().all(|reader| reader.join().unwrap()));
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_span() {
        let later = Timestamp::from_millis(10);
        assert_eq!(later.millis_since(Timestamp::from_millis(4)), 6);
        assert_eq!(Timestamp::from_millis(4).millis_since(later), 0);
    }
}
