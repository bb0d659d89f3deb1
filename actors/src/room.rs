//! What a session and its connections share: the tail of its events, and who is there.
//!
//! A room outlives the session's actor: when that is built anew, the connections stay where they are.

mod follow;
mod parting;
mod people;
mod stay;
mod tail;
mod tidings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::event::Subject;
use crate::ids::{ConnectionId, DeviceId, Seq, SessionId, UserId};
use crate::registry::{Board, Cursors};
use crate::session::DeviceCard;

pub use follow::Follow;
pub use parting::{Ending, Parting};
pub use people::{Activity, PRESENCE_GRACE, Present};
pub use stay::Stay;
pub use tail::{Cursor, Encoder, Reach, Signal, Tail};

use people::{Change, People, Visitor};
use tidings::Tidings;

/// The place where devices and a session meet.
#[derive(Debug)]
pub struct Room {
    session: SessionId,
    tail: Tail,
    hall: Mutex<Hall>,
    /// Rises with every change of who is online.
    changes: watch::Sender<u64>,
    cursors: Arc<Cursors>,
    /// Where it is said who is online.
    board: Option<Arc<Board>>,
    /// Where what happens by itself happens: on the thread that made the room, which outlives all connections.
    runtime: Option<Handle>,
    /// Tells the task that sees to it that something is due earlier.
    sooner: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Hall {
    people: People,
    tidings: Tidings,
    /// Where the things stand that a person wants to know of.
    notable: Vec<Seq>,
    /// Until when the task sleeps that does what is due; none while there is no such task.
    asleep_until: Option<Instant>,
}

impl Room {
    /// Makes an empty room; frames are wrapped by `encoder`.
    ///
    /// What happens by itself (graces that end, typing that stops) happens on the runtime that this is called on; without
    /// one it waits for whoever comes or goes next.
    #[must_use]
    pub fn new(session: SessionId, encoder: Encoder) -> Self {
        Self::of(Subject::Session(session), encoder)
    }

    /// The same for the channel of a project; its people are those of a session's room.
    #[must_use]
    pub fn of(subject: Subject, encoder: Encoder) -> Self {
        Self {
            session: subject.id(),
            tail: Tail::new(subject, encoder),
            hall: Mutex::default(),
            changes: watch::Sender::new(0),
            cursors: Arc::default(),
            board: None,
            runtime: Handle::try_current().ok(),
            sooner: Arc::default(),
        }
    }

    /// Lets the list of sessions say who is online here, and the server's cursors hold how far everybody has read.
    #[must_use]
    pub fn listed(mut self, board: Arc<Board>, cursors: Arc<Cursors>) -> Self {
        self.board = Some(board);
        self.cursors = cursors;
        self
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

    /// Lets a connection in; it is there until the returned stay is dropped. How it goes then is read from `parting`.
    #[must_use]
    pub fn enter(self: &Arc<Self>, connection: ConnectionId, card: &DeviceCard, parting: Parting) -> Stay {
        let visitor = Visitor { connection, card, user: UserId::owner() };
        self.change(|people, now| people.enter(visitor, now));
        Stay::new(self.clone(), connection, card.device_id.clone(), parting)
    }

    /// Everybody who is there, and who has left lately, in the order of their ids; one entry a device.
    ///
    /// A device that is not in it is offline: the room has forgotten it, or has not seen it since the session was loaded.
    #[must_use]
    pub fn roster(&self) -> Vec<Present> {
        self.hall().people.roster()
    }

    /// A number that rises whenever somebody has come online or gone offline; a lost device goes when its grace is over.
    ///
    /// Read [`Room::roster`] after each rise: changes that come close together may be one.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What is known of one device.
    #[must_use]
    pub fn presence_of(&self, device: &DeviceId) -> Option<Present> {
        self.hall().people.of(device)
    }

    /// Whether nobody is there, and nobody is expected back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hall().people.is_empty()
    }

    /// The person at a device has done something.
    pub fn touch(&self, device: &DeviceId) {
        self.hall().people.touch(device, Instant::now());
    }

    /// Up to where a device has acknowledged, whether it is here or not.
    #[must_use]
    pub fn acked_seq(&self, device: &DeviceId) -> Seq {
        self.cursors.acked(self.session, device)
    }

    /// Takes over where the things stand that a person wants to know of, oldest first: all of them, every time.
    ///
    /// Before the events are visible, so that nobody acknowledges what is not counted.
    pub(crate) fn note_notable(&self, all: &[Seq]) {
        let notable = &mut self.hall().notable;
        notable.truncate(all.len());
        notable.extend_from_slice(&all[notable.len()..]);
    }

    /// A device has everything up to `seq`, as far as there is anything.
    fn ack(&self, device: &DeviceId, seq: Seq) {
        let seq = seq.min(self.tail.head());
        let notable = self.hall().notable.partition_point(|one| *one <= seq);
        self.cursors.ack(self.session, device, seq, notable as u64);
    }

    /// Changes who is there or what they do, and tells those whom it concerns.
    fn change(self: &Arc<Self>, act: impl FnOnce(&mut People, Instant) -> Change) {
        let now = Instant::now();
        let mut hall = self.hall();
        let change = act(&mut hall.people, now);
        self.tell(&mut hall, change, now);
        self.see_to_deadlines(&mut hall);
    }

    /// Tells what has changed: at once, or together with what changes in the next moments.
    ///
    /// With the lock held, so that what is told last is how it is.
    fn tell(&self, hall: &mut Hall, change: Change, now: Instant) {
        if change.is_of_online {
            self.changes.send_modify(|changes| *changes += 1);
        }
        if hall.tidings.are_due(change, hall.people.len(), now) {
            self.tail.signal(&tidings::presence(&hall.people.roster()));
            if let Some(board) = &self.board {
                board.set_online(self.session, hall.people.online());
            }
        }
    }

    /// Does what is due, and says when something is due next.
    fn advance(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut hall = self.hall();
        let change = hall.people.advance(now);
        self.tell(&mut hall, change, now);
        hall.asleep_until = hall.next_deadline();
        hall.asleep_until
    }

    /// Makes sure that somebody is awake when the next thing is due.
    fn see_to_deadlines(self: &Arc<Self>, hall: &mut Hall) {
        let (Some(runtime), Some(deadline)) = (&self.runtime, hall.next_deadline()) else { return };
        match hall.asleep_until {
            Some(until) if until <= deadline => return,
            Some(_) => self.sooner.notify_one(),
            None => {
                let (room, sooner) = (Arc::downgrade(self), self.sooner.clone());
                drop(runtime.spawn(async move {
                    // The room is not kept for it: when everybody has forgotten it, there is nobody to tell.
                    while let Some(until) = room.upgrade().and_then(|room| room.advance()) {
                        tokio::select! {
                            () = tokio::time::sleep_until(until) => {}
                            () = sooner.notified() => {}
                        }
                    }
                }));
            }
        }
        hall.asleep_until = Some(deadline);
    }

    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hall {
    fn next_deadline(&self) -> Option<Instant> {
        [self.people.next_deadline(), self.tidings.due_at()].into_iter().flatten().min()
    }
}

impl Drop for Room {
    /// Whoever is still expected back comes into another room.
    fn drop(&mut self) {
        if let Some(board) = &self.board {
            board.set_online(self.session, Vec::new());
        }
    }
}

#[cfg(test)]
mod tests;
