//! Hybrid logical time (Kulkarni et al., 2014): close to the wall clock, and later than everything that was seen before.
//! The format and its order are those of the crate `uhlc`.

use std::fmt;
use std::num::NonZeroU8;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uhlc::{ID, NTP64};

use super::{Clock, Timestamp};

/// The low bits of a time, which count what happened within one tick (`uhlc::CSIZE`).
const COUNTER_MASK: u64 = (1 << uhlc::CSIZE) - 1;

/// The last millisecond that 32 bits of seconds can tell, in the year 2106.
const LAST_MILLIS: i64 = u32::MAX as i64 * 1000;

/// A moment of a hybrid clock, and whose clock it was: whoever compares two of them comes to the same order.
///
/// As text `TIME/ID`: seconds since 1970 in 32.32 bits as a decimal number, and the clock's number in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(uhlc::Timestamp);

/// A text that is no [`Stamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is TIME/ID as in 7574310182400000000/9f3c, or a time as in 2026-01-01T12:00:00.000Z")]
pub struct BadStamp;

/// The clock of one writer: every stamp that it gives out is later than all that it gave out or saw before.
#[derive(Clone)]
pub struct HybridClock {
    wall: Arc<dyn Clock>,
    id: ID,
    last: NTP64,
}

impl Stamp {
    /// Before all others.
    pub(crate) fn first() -> Self {
        Self(uhlc::Timestamp::new(NTP64(0), server()))
    }

    /// The server's stamp of something that happens at `now`, after everything up to `latest`.
    #[must_use]
    pub fn of_server(now: Timestamp, latest: Self) -> Self {
        Self(uhlc::Timestamp::new(next(ntp(now), *latest.0.get_time()), server()))
    }

    /// Whether it stands for one write: a plain time may stand for many.
    #[must_use]
    pub fn is_unique(self) -> bool {
        *self.0.get_id() != server()
    }

    /// What it says of the time of day, cut to milliseconds.
    #[must_use]
    pub fn wall(self) -> Timestamp {
        let millis = self.0.get_time().as_nanos() / 1_000_000;
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(LAST_MILLIS))
    }

    /// Reads the wire's form, or a plain RFC 3339 time, for programs that keep no hybrid clock.
    ///
    /// # Errors
    /// [`BadStamp`], which says how a stamp looks.
    pub fn parse(text: &str) -> Result<Self, BadStamp> {
        if let Ok(stamp) = text.parse() {
            return Ok(Self(stamp));
        }
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| BadStamp)?;
        let moment = Timestamp::from(moment.with_timezone(&Utc));
        Ok(Self(uhlc::Timestamp::new(ntp(moment), server())))
    }
}

impl HybridClock {
    /// Starts with the wall clock and a random number of its own.
    #[must_use]
    pub fn new(wall: Arc<dyn Clock>) -> Self {
        // Never zero, which is nobody's number, and never the server's.
        let number = uuid::Uuid::new_v4().as_u128() | (1 << 64);
        let id = ID::try_from(number).unwrap_or_else(|_| server());
        Self { wall, id, last: NTP64(0) }
    }

    /// A stamp later than all before it.
    pub fn stamp(&mut self) -> Stamp {
        self.last = next(ntp(self.wall.now()), self.last);
        Stamp(uhlc::Timestamp::new(self.last, self.id))
    }

    /// Takes note of somebody's stamp: what is stamped from here on comes after it.
    pub fn saw(&mut self, stamp: Stamp) {
        self.last = self.last.max(*stamp.0.get_time());
    }

    /// Takes note of when the server did something: what is stamped from here on comes after it.
    pub fn saw_at(&mut self, at: Timestamp) {
        // The server tells whole milliseconds and cuts off the rest.
        self.last = self.last.max(ntp(at.plus(TimeDelta::milliseconds(1))));
    }
}

/// Devices have random numbers of 64 bits and more.
fn server() -> ID {
    ID::from(NonZeroU8::MIN)
}

/// The first tick of a millisecond.
fn ntp(at: Timestamp) -> NTP64 {
    let millis = at.millis().clamp(0, LAST_MILLIS).unsigned_abs();
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let fraction = (rest << 32).div_ceil(1000);
    NTP64(((seconds << 32) + fraction + COUNTER_MASK) & !COUNTER_MASK)
}

/// The moment after `last` that is nearest to `now`.
fn next(now: NTP64, last: NTP64) -> NTP64 {
    if now.as_u64() > last.as_u64() & !COUNTER_MASK { now } else { NTP64(last.as_u64().saturating_add(1)) }
}

impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl fmt::Debug for HybridClock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HybridClock({} at {})", self.id, self.last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    const NOON: i64 = 1_790_000_000_007;

    fn clock(millis: i64) -> (HybridClock, ManualClock) {
        let wall = ManualClock::at(Timestamp::from_millis(millis));
        (HybridClock::new(Arc::new(wall.clone())), wall)
    }

    #[test]
    fn stamps_rise_although_the_wall_clock_stands_still_or_goes_back() {
        let (mut clock, wall) = clock(NOON);
        let mut before = clock.stamp();
        for step in [0, 0, 1, -60_000, 0, 5] {
            wall.advance(TimeDelta::milliseconds(step));
            let stamp = clock.stamp();
            assert!(stamp > before, "{stamp} after {before}");
            before = stamp;
        }
    }

    #[test]
    fn what_was_seen_comes_before() {
        let (mut ahead, _) = clock(NOON + 60_000);
        let (mut behind, _) = clock(NOON);
        let seen = ahead.stamp();
        assert!(behind.stamp() < seen);
        behind.saw(seen);
        assert!(behind.stamp() > seen);
        let done_at = Timestamp::from_millis(NOON + 90_000);
        behind.saw_at(done_at);
        assert!(behind.stamp().wall() > done_at);
    }

    #[test]
    fn the_server_stamps_behind_the_latest() {
        let (mut device, _) = clock(NOON + 30_000);
        let latest = device.stamp();
        let stamp = Stamp::of_server(Timestamp::from_millis(NOON), latest);
        assert!(stamp > latest);
        let later = Stamp::of_server(Timestamp::from_millis(NOON + 31_000), stamp);
        assert_eq!(later.wall().millis(), NOON + 31_000);
    }

    #[test]
    fn the_wire_has_a_number_and_an_id_and_takes_a_plain_time_too() {
        let stamp = Stamp::parse("7574310182400000000/9f3c").unwrap();
        assert_eq!(stamp.to_string(), "7574310182400000000/9f3c");
        let plain = Stamp::parse("2026-09-21T14:13:20.007Z").unwrap();
        assert_eq!(plain.wall().millis(), NOON);
        for wrong in [
            "",
            "/",
            "7/",
            "/9",
            "7/0",
            "-7/9",
            "noon",
            "7574310182400000000",
            "1/9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c",
        ] {
            assert_eq!(Stamp::parse(wrong), Err(BadStamp), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_stamp_is_read_back(time in any::<u64>(), id in 1..=u128::MAX) {
            let stamp = Stamp(uhlc::Timestamp::new(NTP64(time), ID::try_from(id).unwrap()));
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Ok(stamp));
            let _ = stamp.wall();
            let _ = Stamp::of_server(Timestamp::from_millis(i64::MAX), stamp);
        }
    }
}
