//! Who may run an agent: a fixed number of places, given out in the order of asking, taken from who rests longest. Pure.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::ids::SessionId;

/// The places for agents.
#[derive(Debug)]
pub struct Capacity {
    max: usize,
    holders: HashMap<SessionId, Holder>,
    waiting: VecDeque<SessionId>,
    /// Why no place is given out at the moment although there are some.
    pressure: Option<Pressure>,
}

#[derive(Debug, Default)]
struct Holder {
    resting_since: Option<Instant>,
    is_leaving: bool,
}

/// Why starts are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// All agents together take too much memory.
    Memory,
    /// The machine is busy; holds a start back until this moment at the latest.
    Cpu {
        /// When starts go on, whatever the machine does.
        until: Instant,
    },
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// These have a place from now on.
    pub granted: Vec<SessionId>,
    /// This one is to give its place up; it is asked once.
    pub evict: Option<SessionId>,
}

impl Capacity {
    /// So many places, all free. At least one, or nothing would ever run.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max: max.max(1), holders: HashMap::new(), waiting: VecDeque::new(), pressure: None }
    }

    /// A session wants a place. Asking twice changes nothing.
    pub fn ask(&mut self, session: SessionId) {
        if !self.holders.contains_key(&session) && !self.waiting.contains(&session) {
            self.waiting.push_back(session);
        }
    }

    /// A session has a place no longer, or wants none any more.
    pub fn leave(&mut self, session: SessionId) {
        self.holders.remove(&session);
        self.waiting.retain(|waiting| *waiting != session);
    }

    /// Says since when a session's agent has nothing to do; `None`: it works.
    pub fn rest(&mut self, session: SessionId, since: Option<Instant>) {
        if let Some(holder) = self.holders.get_mut(&session) {
            holder.resting_since = since;
            // It was asked to leave and got work in between: it may be asked again when it rests.
            holder.is_leaving &= since.is_some();
        }
    }

    /// Says whether starts must be held back.
    pub fn set_pressure(&mut self, pressure: Option<Pressure>) {
        self.pressure = pressure;
    }

    /// Gives places out, and finds out who should give one up.
    pub fn settle(&mut self, now: Instant) -> Moves {
        let mut moves = Moves::default();
        while self.has_room(now)
            && let Some(next) = self.waiting.pop_front()
        {
            self.holders.insert(next, Holder::default());
            moves.granted.push(next);
        }
        let leaving = self.holders.values().filter(|holder| holder.is_leaving).count();
        if self.waiting.len() > leaving {
            moves.evict = self.longest_resting();
        }
        if let Some(holder) = moves.evict.and_then(|victim| self.holders.get_mut(&victim)) {
            holder.is_leaving = true;
        }
        moves
    }

    /// How many places are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.holders.len()
    }

    /// How many sessions wait for one.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether starts are held back although there are places.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.pressure.is_some() && !self.waiting.is_empty() && self.holders.len() < self.max
    }

    fn has_room(&self, now: Instant) -> bool {
        if self.holders.len() >= self.max {
            return false;
        }
        match self.pressure {
            None => true,
            // One agent always runs: a limit that is too small for any must not stop everything.
            Some(Pressure::Memory) => self.holders.is_empty(),
            Some(Pressure::Cpu { until }) => self.holders.is_empty() || now >= until,
        }
    }

    fn longest_resting(&self) -> Option<SessionId> {
        let resting = self.holders.iter().filter(|(_, holder)| !holder.is_leaving);
        let since = resting.filter_map(|(session, holder)| Some((holder.resting_since?, *session)));
        since.min().map(|(_, session)| session)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sessions<const N: usize>() -> [SessionId; N] {
        std::array::from_fn(|_| SessionId::random())
    }

    #[test]
    fn places_are_given_out_in_the_order_of_asking() {
        let now = Instant::now();
        let [a, b, c] = sessions();
        let mut capacity = Capacity::new(2);
        for session in [a, b, c, a] {
            capacity.ask(session);
        }
        assert_eq!(capacity.settle(now), Moves { granted: vec![a, b], evict: None });
        capacity.leave(a);
        assert_eq!(capacity.settle(now).granted, [c]);
        assert_eq!((capacity.taken(), capacity.waiting()), (2, 0));
    }

    #[test]
    fn who_rests_longest_gives_its_place_up_and_is_asked_once() {
        let now = Instant::now();
        let [a, b, c, d] = sessions();
        let mut capacity = Capacity::new(2);
        capacity.ask(a);
        capacity.ask(b);
        capacity.settle(now);
        capacity.rest(a, Some(now + Duration::from_secs(2)));
        capacity.rest(b, Some(now + Duration::from_secs(1)));
        capacity.ask(c);
        assert_eq!(capacity.settle(now).evict, Some(b));
        assert_eq!(capacity.settle(now).evict, None, "one wants a place and one leaves");
        capacity.ask(d);
        assert_eq!(capacity.settle(now).evict, Some(a));
        capacity.leave(b);
        assert_eq!(capacity.settle(now).granted, [c]);
    }

    #[test]
    fn who_works_is_never_asked_to_leave() {
        let now = Instant::now();
        let [a, b] = sessions();
        let mut capacity = Capacity::new(1);
        capacity.ask(a);
        capacity.settle(now);
        capacity.ask(b);
        assert_eq!(capacity.settle(now), Moves::default());
        capacity.rest(a, Some(now));
        assert_eq!(capacity.settle(now).evict, Some(a));
        capacity.rest(a, None);
        capacity.rest(a, Some(now));
        assert_eq!(capacity.settle(now).evict, Some(a), "it worked in between and is asked again");
    }

    #[test]
    fn pressure_holds_starts_back_but_one_agent_always_runs() {
        let now = Instant::now();
        let [a, b] = sessions();
        let mut capacity = Capacity::new(2);
        capacity.set_pressure(Some(Pressure::Memory));
        capacity.ask(a);
        capacity.ask(b);
        assert_eq!(capacity.settle(now).granted, [a]);
        assert!(capacity.is_held_back());
        let until = now + Duration::from_secs(30);
        capacity.set_pressure(Some(Pressure::Cpu { until }));
        assert!(capacity.settle(now).granted.is_empty());
        assert_eq!(capacity.settle(until).granted, [b]);
    }
}
