//! What a session and its connections share: the tail of its events, and who is there.
//!
//! A room outlives the session's actor: when that is built anew, the connections stay where they are.

mod follow;
mod tail;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::ids::{ConnectionId, DeviceId, Seq, SessionId};

pub use follow::Follow;
pub use tail::{Cursor, Encoder, Reach, Signal, Tail};

/// The place where devices and a session meet.
#[derive(Debug)]
pub struct Room {
    session: SessionId,
    tail: Tail,
    present: Mutex<BTreeMap<ConnectionId, Present>>,
}

/// One connection that follows a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Whose connection it is.
    pub device: DeviceId,
    /// What the device says that it does: `viewing`, `typing`, `idle`, `away`.
    pub activity: Arc<str>,
    /// Up to where the device says that it has everything.
    pub acked_seq: Seq,
}

/// The stay of one connection in a room; leaving is dropping it, so that no way out can forget to.
#[derive(Debug)]
pub struct Stay {
    room: Arc<Room>,
    connection: ConnectionId,
}

impl Room {
    /// Makes an empty room; frames are wrapped by `encoder`.
    #[must_use]
    pub fn new(session: SessionId, encoder: Encoder) -> Self {
        Self { session, tail: Tail::new(session, encoder), present: Mutex::default() }
    }

    /// Whose room it is.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The session's newest events and signals.
    #[must_use]
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Lets a connection in; it is there until the returned stay is dropped.
    #[must_use]
    pub fn enter(self: &Arc<Self>, connection: ConnectionId, device: DeviceId) -> Stay {
        self.present().insert(connection, Present { device, activity: "viewing".into(), acked_seq: 0 });
        self.tell_presence();
        Stay { room: self.clone(), connection }
    }

    /// Everybody who is there, one entry a connection.
    #[must_use]
    pub fn everybody(&self) -> Vec<Present> {
        self.present().values().cloned().collect()
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present().is_empty()
    }

    /// What is known of one device: whether it is online, what it does, how far it has everything.
    ///
    /// With several connections the latest activity wins, and the furthest `ack`.
    #[must_use]
    pub fn presence_of(&self, device: &DeviceId) -> Option<Present> {
        let present = self.present();
        present
            .values()
            .filter(|one| one.device == *device)
            .cloned()
            .reduce(|earlier, later| Present { acked_seq: earlier.acked_seq.max(later.acked_seq), ..later })
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Present>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_presence(&self) {
        let mut devices: BTreeMap<DeviceId, Arc<str>> = BTreeMap::new();
        for one in self.present().values() {
            devices.insert(one.device.clone(), one.activity.clone());
        }
        let devices: Vec<_> = devices
            .into_iter()
            .map(|(device, activity)| serde_json::json!({ "deviceId": device, "online": true, "activity": &*activity }))
            .collect();
        self.tail.signal(&Signal::presence(&devices));
    }
}

impl Stay {
    /// The device does something else now; everybody is told.
    pub fn set_activity(&self, activity: &str) {
        let changed = match self.room.present().get_mut(&self.connection) {
            Some(present) if &*present.activity != activity => {
                present.activity = activity.into();
                true
            }
            Some(_) | None => false,
        };
        if changed {
            self.room.tell_presence();
        }
    }

    /// The person is somewhere else on the device now; everybody is told, and nothing is kept.
    pub fn set_cursor(&self, cursor: &Value) {
        let device = self.room.present().get(&self.connection).map(|present| present.device.clone());
        if let Some(device) = device {
            self.room.tail.signal(&Signal::cursor(&device, cursor));
        }
    }

    /// The device has everything up to `seq`; a lower number than before changes nothing.
    pub fn ack(&self, seq: Seq) {
        if let Some(present) = self.room.present().get_mut(&self.connection) {
            present.acked_seq = present.acked_seq.max(seq);
        }
    }

    /// The room that it is a stay in.
    #[must_use]
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.room.present().remove(&self.connection);
        self.room.tell_presence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Arc<Room> {
        Arc::new(Room::new(SessionId::random(), |payload, out| out.extend_from_slice(payload)))
    }

    #[test]
    fn a_device_is_there_until_its_last_connection_leaves() {
        let room = room();
        let phone: DeviceId = "phone".parse().unwrap();
        let first = room.enter(ConnectionId::random(), phone.clone());
        let second = room.enter(ConnectionId::random(), phone.clone());
        drop(first);
        assert!(room.presence_of(&phone).is_some());
        drop(second);
        assert!(room.presence_of(&phone).is_none());
        assert!(room.is_empty());
    }

    #[test]
    fn acks_never_go_back() {
        let room = room();
        let phone: DeviceId = "phone".parse().unwrap();
        let stay = room.enter(ConnectionId::random(), phone.clone());
        stay.ack(7);
        stay.ack(3);
        assert_eq!(room.presence_of(&phone).unwrap().acked_seq, 7);
    }
}
