//! The stay of one connection in a room.

use std::sync::Arc;

use serde_json::Value;

use super::{Activity, Ending, Parting, Room, Signal};
use crate::ids::{ConnectionId, DeviceId, Seq};

/// Leaving is dropping it, so that no way out can forget to.
#[derive(Debug)]
pub struct Stay {
    room: Arc<Room>,
    connection: ConnectionId,
    device: DeviceId,
    parting: Parting,
    leaves_cleanly: bool,
}

impl Stay {
    pub(super) fn new(room: Arc<Room>, connection: ConnectionId, device: DeviceId, parting: Parting) -> Self {
        Self { room, connection, device, parting, leaves_cleanly: false }
    }

    /// The person does something else now; everybody is told.
    pub fn set_activity(&self, activity: Activity) {
        self.room.change(|people, now| people.set_activity(&self.device, self.connection, activity, now));
    }

    /// The person is somewhere else on the device now; everybody is told at once, and the last place is kept.
    pub fn set_cursor(&self, cursor: Value) {
        let signal = Signal::cursor(&self.device, &cursor);
        self.room.hall().people.set_cursor(&self.device, &Arc::new(cursor));
        self.room.tail.signal(&signal);
    }

    /// The device has everything up to `seq`; a lower number than before changes nothing.
    pub fn ack(&self, seq: Seq) {
        self.room.ack(&self.device, seq);
    }

    /// The device follows the session no more, by its own wish: it is not waited for.
    pub fn leave(mut self) {
        self.leaves_cleanly = true;
    }

    /// The room that it is a stay in.
    #[must_use]
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let ending = if self.leaves_cleanly { Ending::Clean } else { self.parting.ending() };
        self.room.change(|people, now| people.leave(&self.device, self.connection, ending, now));
    }
}
