//! Who would wait for ever: rings of holders that wait for each other. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Request, Table};
use crate::locks::tree::{ListId, Visit};
use crate::locks::{Cycle, Fence, Holder, News, Ticket};

/// How many steps the search for a deadlock takes. 64 waiters that all wait for each other are 4,096.
const MAX_STEPS: usize = 10_000;

impl Table {
    /// A request that will wait for ever, if there is one: the youngest of those that close a ring.
    pub(super) fn stuck(&self) -> Option<Ticket> {
        // A ring needs somebody who waits and has something else in the table.
        let is_suspect = |request: &Request| !request.is_held() && self.by_holder[&request.holder].len() > 1;
        if !self.requests.values().any(is_suspect) {
            return None;
        }
        let left = self.played_out().requests;
        let mut waiting =
            left.iter().rev().filter(|(_, request)| !request.is_held()).map(|(ticket, _)| *ticket);
        let youngest = waiting.next()?;
        // Others wait for those of the ring: they need not give up.
        let closes_ring = |ticket: &Ticket| self.may_close_a_ring(*ticket);
        Some(std::iter::once(youngest).chain(waiting).find(closes_ring).unwrap_or(youngest))
    }

    /// The table when whoever waits for nothing has given back what it held, and so on: only rings are left, and who waits
    /// for them.
    ///
    /// A ring of holders alone does not prove a deadlock: one holder may wait twice, and be let in for the second as soon
    /// as it has the first. So it is tried out, on a copy, and only when there may be a ring.
    pub(super) fn played_out(&self) -> Self {
        let mut trial = self.busy_part();
        if self.is_out_of_fences() {
            // Who waits for a number alone is in no ring.
            trial.let_in_of(trial.waiting(), 0);
        }
        let waits =
            |trial: &Self, holder: &Holder| trial.requests_of(holder).any(|own| trial.is_waiting(own));
        let mut free: Vec<Holder> =
            self.by_holder.keys().filter(|holder| !waits(&trial, holder)).cloned().collect();
        while let Some(holder) = free.pop() {
            for news in trial.release_all(&holder, 0) {
                let News::Granted(grant) = news else { continue };
                let granted = trial.requests.get(&grant.ticket).map(|request| request.holder.clone());
                free.extend(granted.filter(|holder| !waits(&trial, holder)));
            }
        }
        trial
    }

    /// A copy without the places at which nothing is marked.
    fn busy_part(&self) -> Self {
        let mut copy = Self::new(Fence(self.last_fence));
        for (ticket, request) in &self.requests {
            let mut request = request.clone();
            for want in &mut request.wants {
                want.node = copy.tree.node(&want.resource);
            }
            copy.enter(*ticket, request);
        }
        copy
    }

    /// Whether somebody for whom a request waits, directly or not, waits for its holder: false is certain.
    ///
    /// Every list of marks is gone through once, so it takes as long as there are marks and no longer. For that, who may pass
    /// whom is left out of account; [`Table::played_out`] decides.
    pub(super) fn may_close_a_ring(&self, ticket: Ticket) -> bool {
        let Some(Request { holder: start, .. }) = self.requests.get(&ticket) else { return false };
        if self.by_holder[start].len() == 1 && self.requests.keys().next_back() == Some(&ticket) {
            // Nobody waits for who has nothing else and came last.
            return false;
        }
        let waiting_of = |holder| self.requests_of(holder).filter(|own| self.is_waiting(*own));
        let mut open: Vec<Ticket> = waiting_of(start).collect();
        let mut seen: HashSet<&Holder> = HashSet::from([start]);
        let mut passed: HashMap<ListId, Ticket> = HashMap::new();
        let mut is_ring = false;
        while let Some(at) = open.pop() {
            let request = &self.requests[&at];
            let is_own = request.holder == *start;
            for want in &request.wants {
                self.tree.visit_lists(want.node, want.mode, |list, tickets| {
                    let before = passed.get(&list).copied();
                    if !is_own && before.is_none_or(|before| before < at) {
                        passed.insert(list, at);
                    }
                    let place = |end: Ticket| tickets.partition_point(|ticket| *ticket < end);
                    let fresh = before.map_or(0..tickets.len(), |before| place(before)..place(at));
                    for ticket in tickets.get(fresh).unwrap_or_default() {
                        let other = &self.requests[ticket];
                        if (other.is_held() || *ticket < at) && other.holder != request.holder {
                            is_ring |= other.holder == *start;
                            if seen.insert(&other.holder) {
                                open.extend(waiting_of(&other.holder));
                            }
                        }
                    }
                    if is_ring { Visit::Enough } else { Visit::GoOn }
                });
            }
            if is_ring {
                return true;
            }
        }
        false
    }

    /// The ring that a request closes by waiting, from its holder back to it.
    pub(super) fn cycle_through(&self, ticket: Ticket) -> Option<Cycle> {
        let start = &self.requests.get(&ticket)?.holder;
        let mut steps = 0;
        let mut seen: BTreeSet<&Holder> = BTreeSet::new();
        let mut ways: Vec<Vec<&Holder>> = vec![vec![start]];
        while let Some(way) = ways.pop() {
            let at = way[way.len() - 1];
            let waiting = self.by_holder.get(at).into_iter().flatten().filter(|own| self.is_waiting(**own));
            for own in waiting {
                let request = &self.requests[own];
                for blocker in self.blockers(*own, &request.holder, &request.wants) {
                    steps += 1;
                    let next = &self.requests[&blocker].holder;
                    if next == start {
                        return Some(way.iter().map(|holder| (*holder).clone()).collect::<Vec<_>>().into());
                    }
                    if steps < MAX_STEPS && seen.insert(next) {
                        ways.push(way.iter().copied().chain([next]).collect());
                    }
                }
            }
        }
        None
    }
}
