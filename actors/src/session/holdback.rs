//! Messages that came before their turn in a device's own numbering, held back until the missing ones are there.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::DeviceId;

/// How long an early message is held.
pub const HOLD_FOR: Duration = Duration::from_secs(2);

/// How many early messages of one device are held.
pub const MAX_HELD: usize = 64;

/// Early messages by device and number, each with those that came again under the same number.
/// `T` is whatever must be kept of one.
#[derive(Debug)]
pub struct HoldBack<T> {
    held: HashMap<DeviceId, BTreeMap<u64, Held<T>>>,
}

#[derive(Debug)]
struct Held<T> {
    items: Vec<T>,
    until: Instant,
}

impl<T> HoldBack<T> {
    /// Holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { held: HashMap::new() }
    }

    /// Holds one back.
    ///
    /// # Errors
    /// Gives it back when [`MAX_HELD`] of the device are held already.
    pub fn hold(&mut self, device: &DeviceId, number: u64, item: T, now: Instant) -> Result<(), T> {
        let held = self.held.entry(device.clone()).or_default();
        if held.values().map(|held| held.items.len()).sum::<usize>() >= MAX_HELD {
            return Err(item);
        }
        let place = held.entry(number).or_insert_with(|| Held { items: Vec::new(), until: now + HOLD_FOR });
        place.items.push(item);
        Ok(())
    }

    /// Lets those with this number go, the first that came first.
    pub fn release(&mut self, device: &DeviceId, number: u64) -> Vec<T> {
        let Some(held) = self.held.get_mut(device) else { return Vec::new() };
        let released = held.remove(&number).map(|held| held.items).unwrap_or_default();
        if held.is_empty() {
            self.held.remove(device);
        }
        released
    }

    /// Lets everything go that has waited long enough, in the order of the numbers.
    pub fn expire(&mut self, now: Instant) -> Vec<T> {
        let mut expired = Vec::new();
        for held in self.held.values_mut() {
            let due: Vec<u64> =
                held.iter().filter(|(_, held)| held.until <= now).map(|(number, _)| *number).collect();
            expired.extend(due.iter().filter_map(|number| held.remove(number)).flat_map(|held| held.items));
        }
        self.held.retain(|_, held| !held.is_empty());
        expired
    }

    /// When the next one has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.held.values().flat_map(BTreeMap::values).map(|held| held.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_messages_wait_for_their_number_or_their_time() {
        let now = Instant::now();
        let phone: DeviceId = "phone".parse().unwrap();
        let mut held = HoldBack::new();
        held.hold(&phone, 3, "three", now).unwrap();
        held.hold(&phone, 2, "two", now).unwrap();
        held.hold(&phone, 2, "two again", now).unwrap();
        assert_eq!(held.release(&phone, 2), ["two", "two again"]);
        assert_eq!(held.expire(now), Vec::<&str>::new());
        assert_eq!(held.next_deadline(), Some(now + HOLD_FOR));
        assert_eq!(held.expire(now + HOLD_FOR), ["three"]);
        assert_eq!(held.next_deadline(), None);
    }

    #[test]
    fn a_device_cannot_make_the_server_hold_without_end() {
        let now = Instant::now();
        let phone: DeviceId = "phone".parse().unwrap();
        let mut held = HoldBack::new();
        for number in 0..MAX_HELD as u64 {
            held.hold(&phone, number + 2, number, now).unwrap();
        }
        assert!(held.hold(&phone, 1_000, 0, now).is_err());
    }
}
