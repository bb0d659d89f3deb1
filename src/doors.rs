//! The open connections of the server: how many there may be, and how all of them are told to leave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Message, Recipient};
use tandem_actors::ids::ConnectionId;
use tokio::sync::watch;

/// Every open connection goes through here; clones are the same doors.
#[derive(Debug, Clone)]
pub struct Doors {
    house: Arc<House>,
}

#[derive(Debug)]
struct House {
    max_connections: usize,
    inside: Mutex<Inside>,
    closed_for: watch::Sender<Option<Leave>>,
    open_sockets: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inside {
    connections: usize,
    sockets: HashMap<ConnectionId, Recipient<Leave>>,
}

/// Tells a socket to say goodbye and end, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Leave {
    /// The server stops in good order: close code 1001, at once.
    Stopping,
    /// The journal is in doubt: close code 4011, behind the answers to what was asked.
    StorageInDoubt,
}

/// A place for one connection; dropping it gives the place free.
#[derive(Debug)]
pub struct Place {
    house: Arc<House>,
}

/// A socket that can be told to leave; dropping it means that it has left.
#[derive(Debug)]
pub struct Door {
    house: Arc<House>,
    connection: ConnectionId,
}

impl Doors {
    /// Opens them for so many connections at a time.
    #[must_use]
    pub fn new(max_connections: usize) -> Self {
        let house = House {
            max_connections,
            inside: Mutex::default(),
            closed_for: watch::Sender::new(None),
            open_sockets: watch::Sender::new(0),
        };
        Self { house: Arc::new(house) }
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn take_place(&self) -> Option<Place> {
        let mut inside = self.house.inside();
        if inside.connections >= self.house.max_connections {
            return None;
        }
        inside.connections += 1;
        Some(Place { house: self.house.clone() })
    }

    /// How many places are taken.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.house.inside().connections
    }

    /// A socket comes in; when the doors are closing, it is told to leave at once.
    #[must_use]
    pub fn enter(&self, connection: ConnectionId, socket: Recipient<Leave>) -> Door {
        let mut inside = self.house.inside();
        let closed_for = *self.house.closed_for.borrow();
        if let Some(why) = closed_for {
            tell(&socket, why);
        }
        inside.sockets.insert(connection, socket);
        self.house.open_sockets.send_replace(inside.sockets.len());
        drop(inside);
        Door { house: self.house.clone(), connection }
    }

    /// Whether nobody new is let in.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.house.closed_for.borrow().is_some()
    }

    /// Resolves when the doors close; what waits for something else gives up then.
    pub async fn closing(&self) {
        let mut closed_for = self.house.closed_for.subscribe();
        // The sender lives in `self`, so the wait ends only by the closing.
        let _ = closed_for.wait_for(Option::is_some).await;
    }

    /// Lets nobody in any more, tells all sockets to leave, and waits for that, but not longer than `limit`.
    pub async fn close(&self, why: Leave, limit: Duration) {
        {
            let inside = self.house.inside();
            self.house.closed_for.send_replace(Some(why));
            inside.sockets.values().for_each(|socket| tell(socket, why));
        }
        let mut open_sockets = self.house.open_sockets.subscribe();
        let all_left = open_sockets.wait_for(|open| *open == 0);
        if tokio::time::timeout(limit, all_left).await.is_err() {
            tracing::warn!(left = self.house.inside().sockets.len(), "sockets did not close in time");
        }
    }
}

fn tell(socket: &Recipient<Leave>, why: Leave) {
    // Full: it has been told before. Closed: it is leaving already.
    let _ = socket.try_send(why);
}

impl House {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.house.inside();
        inside.connections = inside.connections.saturating_sub(1);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let mut inside = self.house.inside();
        inside.sockets.remove(&self.connection);
        self.house.open_sockets.send_replace(inside.sockets.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let doors = Doors::new(2);
        let first = doors.take_place();
        let _second = doors.take_place();
        assert!(first.is_some());
        assert!(doors.take_place().is_none());
        drop(first);
        assert!(doors.take_place().is_some());
    }

    #[actix::test]
    async fn closing_without_sockets_takes_no_time() {
        let doors = Doors::new(1);
        doors.close(Leave::Stopping, Duration::from_hours(1)).await;
        doors.closing().await;
        assert!(doors.is_closing());
    }
}
