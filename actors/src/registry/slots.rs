//! The places for agents, shared by all sessions: a session asks for one, holds it, and gives it back by dropping it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Recipient;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::capacity::{Capacity, Pressure};
use crate::ids::SessionId;
use crate::session::Hibernate;

/// Clones are the same places.
#[derive(Debug, Clone)]
pub struct Slots {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    max: usize,
    capacity: Capacity,
    askers: HashMap<SessionId, oneshot::Sender<Slot>>,
    holders: HashMap<SessionId, Recipient<Hibernate>>,
    counts: Counts,
}

/// How places were used since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Places that were given out.
    pub granted: u64,
    /// Agents that had to give theirs up.
    pub evicted: u64,
}

/// How places are used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// All of them.
    pub max: usize,
    /// Those taken.
    pub taken: usize,
    /// Sessions that wait for one.
    pub waiting: usize,
    /// Since the start.
    pub counts: Counts,
}

/// A place for one agent. Dropping it gives it to the next; so a session that panics gives its place back too.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    session: SessionId,
}

impl Slots {
    /// So many places.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let inner = Inner {
            max: max.max(1),
            capacity: Capacity::new(max),
            askers: HashMap::new(),
            holders: HashMap::new(),
            counts: Counts::default(),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Asks for a place; it comes through the receiver, in the order of asking. `evict` is told when the place is
    /// wanted by somebody else while its agent rests.
    #[must_use]
    pub fn ask(&self, session: SessionId, evict: Recipient<Hibernate>) -> oneshot::Receiver<Slot> {
        let (asker, place) = oneshot::channel();
        {
            let mut inner = self.inner();
            inner.capacity.leave(session);
            inner.capacity.ask(session);
            inner.askers.insert(session, asker);
            inner.holders.insert(session, evict);
        }
        self.settle();
        place
    }

    /// Says whether starts must be held back.
    pub fn set_pressure(&self, pressure: Option<Pressure>) {
        self.inner().capacity.set_pressure(pressure);
        self.settle();
    }

    /// Whether starts are held back although there are places.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.inner().capacity.is_held_back()
    }

    /// How places are used now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let inner = self.inner();
        let (taken, waiting) = (inner.capacity.taken(), inner.capacity.waiting());
        Usage { max: inner.max, taken, waiting, counts: inner.counts }
    }

    /// Hands out what is free. A place whose asker has gone falls back at once, so this goes on until all are placed.
    fn settle(&self) {
        loop {
            let mut refused = Vec::new();
            {
                let mut inner = self.inner();
                let moves = inner.capacity.settle(Instant::now());
                for session in moves.granted {
                    inner.counts.granted += 1;
                    let slot = Slot { slots: self.clone(), session };
                    match inner.askers.remove(&session).map(|asker| asker.send(slot)) {
                        Some(Ok(())) => {}
                        Some(Err(slot)) => refused.push(slot),
                        None => inner.capacity.leave(session),
                    }
                }
                if let Some(victim) = moves.evict.and_then(|victim| inner.holders.get(&victim).cloned()) {
                    inner.counts.evicted += 1;
                    // Full: it has much to do and does not rest. Closed: it leaves anyway.
                    let _ = victim.try_send(Hibernate);
                }
            }
            if refused.is_empty() {
                return;
            }
            // Dropped only here, because giving a place back takes the lock.
            drop(refused);
        }
    }

    fn leave(&self, session: SessionId) {
        {
            let mut inner = self.inner();
            inner.capacity.leave(session);
            inner.holders.remove(&session);
        }
        self.settle();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Says since when the agent has nothing to do; `None`: it works.
    pub fn rest(&self, since: Option<Instant>) {
        self.slots.inner().capacity.rest(self.session, since);
        self.slots.settle();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.leave(self.session);
    }
}
