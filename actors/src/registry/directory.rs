//! The devices of the server's people: who is connected now, and who was before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::clock::{Clock, Timestamp};
use crate::device::{Arrival, Outbox};
use crate::ids::{ConnectionId, DeviceId, SessionId};
use crate::journal::DeviceRow;
use crate::notice::Notice;
use crate::session::{DeviceCard, Summary};

/// Every device that ever said hello. Names and times are kept in the journal; connections only here.
pub struct Directory {
    clock: Arc<dyn Clock>,
    devices: Mutex<BTreeMap<DeviceId, Known>>,
}

#[derive(Debug)]
struct Known {
    row: DeviceRow,
    /// The oldest first.
    connections: BTreeMap<ConnectionId, Outbox>,
    is_saved: bool,
}

/// An open connection; dropping it is going offline, so that no way out can forget to.
pub struct Presence {
    directory: Arc<Directory>,
    device: DeviceId,
    connection: ConnectionId,
}

/// A device as `GET /api/devices` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceEntry {
    /// Its id, its name and kind, when it was last seen.
    #[serde(flatten)]
    pub row: DeviceRow,
    /// Whether a connection of it is open.
    pub online: bool,
    /// The sessions that it is linked to.
    pub sessions: Vec<SessionId>,
}

impl Directory {
    /// Starts with what the journal remembers.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, rows: Vec<DeviceRow>) -> Self {
        let known = |row: DeviceRow| {
            (row.device_id.clone(), Known { row, connections: BTreeMap::new(), is_saved: true })
        };
        Self { clock, devices: Mutex::new(rows.into_iter().map(known).collect()) }
    }

    /// A connection said hello; the device is online until the returned presence is dropped. Notices go into `outbox`.
    #[must_use]
    pub fn connect(
        self: &Arc<Self>,
        card: &DeviceCard,
        connection: ConnectionId,
        outbox: Outbox,
    ) -> Presence {
        let now = self.clock.now();
        let mut devices = self.devices();
        let known = devices.entry(card.device_id.clone()).or_insert_with(|| Known {
            row: DeviceRow {
                device_id: card.device_id.clone(),
                device_name: None,
                kind: None,
                last_seen_at: now,
            },
            connections: BTreeMap::new(),
            is_saved: false,
        });
        known.connections.insert(connection, outbox);
        known.see(now);
        known.row.device_name = card.device_name.clone().or_else(|| known.row.device_name.take());
        known.row.kind = card.kind.clone().or_else(|| known.row.kind.take());
        Presence { directory: self.clone(), device: card.device_id.clone(), connection }
    }

    /// All devices with the sessions that the list links them to.
    #[must_use]
    pub fn list(&self, sessions: &[Arc<Summary>]) -> Vec<DeviceEntry> {
        let devices = self.devices();
        let entry = |known: &Known| DeviceEntry {
            row: known.row.clone(),
            online: !known.connections.is_empty(),
            sessions: linked_to(&known.row.device_id, sessions),
        };
        devices.values().map(entry).collect()
    }

    /// Whether a device has ever said hello.
    #[must_use]
    pub fn is_known(&self, device: &DeviceId) -> bool {
        self.devices().contains_key(device)
    }

    /// The devices with an open connection, in the order of their ids.
    #[must_use]
    pub fn connected(&self) -> Vec<DeviceId> {
        let devices = self.devices();
        let connected = devices.iter().filter(|(_, known)| !known.connections.is_empty());
        connected.map(|(device, _)| device.clone()).collect()
    }

    /// Gives a notice to all connections of a device; `false`: there is none, or none that reads.
    #[must_use]
    pub fn offer(&self, device: &DeviceId, notice: &Arc<Notice>) -> bool {
        let devices = self.devices();
        let outboxes = devices.get(device).into_iter().flat_map(|known| known.connections.values());
        outboxes.filter(|outbox| outbox.offer(notice.clone(), None)).count() > 0
    }

    /// The same, for who wants to know when the device has it: one for each connection that takes it.
    #[must_use]
    pub fn offer_for_receipt(&self, device: &DeviceId, notice: &Arc<Notice>) -> Vec<Arrival> {
        let devices = self.devices();
        let outboxes = devices.get(device).into_iter().flat_map(|known| known.connections.values());
        outboxes.filter_map(|outbox| outbox.offer_for_receipt(notice.clone())).collect()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.devices().values().map(|known| known.connections.len()).sum()
    }

    /// How many devices have a connection open.
    #[must_use]
    pub fn online(&self) -> usize {
        self.devices().values().filter(|known| !known.connections.is_empty()).count()
    }

    /// What changed since the last call, for the journal.
    #[must_use]
    pub fn take_unsaved(&self) -> Vec<DeviceRow> {
        let mut devices = self.devices();
        let unsaved = devices.values_mut().filter(|known| !known.is_saved);
        unsaved
            .map(|known| {
                known.is_saved = true;
                known.row.clone()
            })
            .collect()
    }

    /// These could not be written: they are taken again with the next.
    pub fn put_back(&self, rows: &[DeviceRow]) {
        let mut devices = self.devices();
        for row in rows {
            if let Some(known) = devices.get_mut(&row.device_id) {
                known.is_saved = false;
            }
        }
    }

    fn devices(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Known>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn linked_to(device: &DeviceId, sessions: &[Arc<Summary>]) -> Vec<SessionId> {
    let linked = sessions.iter().filter(|summary| summary.devices.contains(device));
    linked.map(|summary| summary.session_id).collect()
}

impl Known {
    fn see(&mut self, now: Timestamp) {
        self.row.last_seen_at = now;
        self.is_saved = false;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let now = self.directory.clock.now();
        if let Some(known) = self.directory.devices().get_mut(&self.device) {
            known.connections.remove(&self.connection);
            known.see(now);
        }
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Directory({} devices)", self.devices().len())
    }
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Presence({} of {})", self.connection, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_device_is_online_while_one_of_its_connections_is() {
        let clock = ManualClock::at(Timestamp::from_millis(1_000));
        let directory = Arc::new(Directory::new(Arc::new(clock.clone()), Vec::new()));
        let card =
            DeviceCard { device_id: "phone".parse().unwrap(), device_name: Some("Pixel".into()), kind: None };
        let connect = |card: &DeviceCard| directory.connect(card, ConnectionId::random(), Outbox::default());
        let first = connect(&card);
        let second = connect(&DeviceCard { device_name: None, ..card });
        drop(first);
        assert!(directory.list(&[])[0].online);
        clock.advance(chrono::TimeDelta::seconds(5));
        drop(second);
        let entry = directory.list(&[]).remove(0);
        assert!(!entry.online);
        assert_eq!(entry.row.device_name.as_deref(), Some("Pixel"), "a hello without a name forgets none");
        assert_eq!(entry.row.last_seen_at, Timestamp::from_millis(6_000));
        assert_eq!(directory.take_unsaved().len(), 1);
        assert!(directory.take_unsaved().is_empty());
    }
}
