//! Messages that came before their turn in a device's own numbering, held back until the missing ones are there.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::DeviceId;

/// How long an early message is held.
pub const HOLD_FOR: Duration = Duration::from_secs(2);

/// How many early messages of one device are held.
pub const MAX_HELD: usize = 64;

/// Early messages by device and number. `T` is whatever must be kept of one.
#[derive(Debug)]
pub struct HoldBack<T> {
    held: HashMap<DeviceId, BTreeMap<u64, (T, Instant)>>,
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
    /// Gives it back when the device has [`MAX_HELD`] already, or one with this number.
    pub fn hold(&mut self, device: &DeviceId, number: u64, item: T, now: Instant) -> Result<(), T> {
        let held = self.held.entry(device.clone()).or_default();
        if held.len() >= MAX_HELD || held.contains_key(&number) {
            return Err(item);
        }
        held.insert(number, (item, now + HOLD_FOR));
        Ok(())
    }

    /// Lets the one with this number go, if it is there.
    pub fn release(&mut self, device: &DeviceId, number: u64) -> Option<T> {
        let held = self.held.get_mut(device)?;
        let (item, _) = held.remove(&number)?;
        if held.is_empty() {
            self.held.remove(device);
        }
        Some(item)
    }

    /// Lets everything go that has waited long enough, in the order of the numbers.
    pub fn expire(&mut self, now: Instant) -> Vec<T> {
        let mut expired = Vec::new();
        for held in self.held.values_mut() {
            let due: Vec<u64> =
                held.iter().filter(|(_, (_, until))| *until <= now).map(|(number, _)| *number).collect();
            expired.extend(due.iter().filter_map(|number| held.remove(number)).map(|(item, _)| item));
        }
        self.held.retain(|_, held| !held.is_empty());
        expired
    }

    /// When the next one has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.held.values().flat_map(BTreeMap::values).map(|(_, until)| *until).min()
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
        assert_eq!(held.hold(&phone, 2, "again", now), Err("again"));
        assert_eq!(held.release(&phone, 2), Some("two"));
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
