//! The table of leases: who holds what until when, who waits for it, in which order. Pure.
//!
//! A request is granted as a whole or not at all. It waits behind whatever it conflicts with that is held, or was asked for
//! before; so nobody is overtaken, and a request that conflicts with nothing never waits. Whoever holds something is let
//! through to more of it, past those who wait for what it holds: otherwise it would wait for itself.

mod rings;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::resource::Resource;
use super::tree::{NodeId, Tree, Visit};
use super::{Cycle, Fence, Holder, Millis, Mode, Ticket};

/// How many requests may wait for one resource: more than the conversations of any project; the next one should try later.
pub(super) const MAX_WAITERS: usize = 64;

/// How many requests of one holder may wait at once: as many as one connection may have unanswered.
pub(super) const MAX_WAITS: usize = 64;

/// A request for one or several resources, all or none.
#[derive(Debug, Clone)]
pub struct Ask {
    /// For whom.
    pub holder: Holder,
    /// What; not empty.
    pub wants: Vec<(Resource, Mode)>,
    /// For how long it holds without being renewed.
    pub ttl: Millis,
    /// Until when it waits if it must; none for not at all.
    pub wait_until: Option<Millis>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Granted(Grant),
    /// It waits.
    Waiting(Waiting),
    /// Others hold it, and it does not wait.
    Busy(Waiting),
    /// Waiting would never end: these wait for each other, the asker first.
    Deadlock(Cycle),
    /// Too many wait already.
    Full,
    /// It could hold, but the numbers that were reserved are used up.
    NoFence,
}

/// Locks that are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Under which it is renewed and given back.
    pub ticket: Ticket,
    /// Higher than that of every earlier grant.
    pub fence: Fence,
    /// When it ends, unless it is renewed.
    pub until: Millis,
}

/// Who is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Under which it waits; it has ended when the request does not wait.
    pub ticket: Ticket,
    /// How many requests are in front of it, those that hold included.
    pub position: usize,
    /// The first of them.
    pub holder: Holder,
    /// Since when that one holds; none when it waits itself.
    pub since: Option<Millis>,
    /// Until when that one holds, unless it is renewed; none when it waits itself.
    pub until: Option<Millis>,
}

/// What happened to somebody else's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// One that waited holds now.
    Granted(Grant),
    /// One that held was not renewed in time.
    Expired(Ended),
    /// One has waited for as long as it wanted to.
    TimedOut(Ended),
    /// One would have waited for ever, because others have given up in between: these wait for each other.
    Deadlocked(Ended, Cycle),
}

/// A request that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub ticket: Ticket,
    /// Whose.
    pub holder: Holder,
    /// What it was about.
    pub resources: Vec<Resource>,
    /// Under which number it held; none when it did not.
    pub fence: Option<Fence>,
}

/// See the module. Memory grows with what is held and waited for; of other names it knows a bounded number.
#[derive(Debug, Clone)]
pub struct Table {
    tree: Tree,
    requests: BTreeMap<Ticket, Request>,
    by_holder: HashMap<Holder, BTreeSet<Ticket>>,
    deadlines: BTreeSet<(Millis, Ticket)>,
    last_ticket: u64,
    last_fence: u64,
    /// The highest fence that may be given out.
    fences_reserved: u64,
}

#[derive(Debug, Clone)]
struct Request {
    holder: Holder,
    wants: Vec<Want>,
    ttl: Millis,
    is_apart: bool,
    stand: Stand,
}

#[derive(Debug, Clone)]
struct Want {
    resource: Resource,
    node: NodeId,
    mode: Mode,
}

#[derive(Debug, Clone, Copy)]
enum Stand {
    Held { fence: Fence, since: Millis, until: Millis },
    Waits { until: Millis },
}

/// The table as one request sees it.
struct View<'a> {
    table: &'a Table,
    ticket: Ticket,
    holder: &'a Holder,
    /// Whom it need not wait for, because they wait for what its holder has; looked up once, and only if it matters.
    passed: OnceCell<HashSet<Ticket>>,
}

impl Table {
    /// An empty table whose first grant has a fence above `fences_used`.
    #[must_use]
    pub fn new(fences_used: Fence) -> Self {
        Self {
            tree: Tree::new(),
            requests: BTreeMap::new(),
            by_holder: HashMap::new(),
            deadlines: BTreeSet::new(),
            last_ticket: 0,
            last_fence: fences_used.0,
            fences_reserved: u64::MAX,
        }
    }

    /// The same; no fence is given out above `reserved`, until [`Table::reserve_fences`] allows it.
    #[must_use]
    pub fn with_fences(used: Fence, reserved: Fence) -> Self {
        Self { fences_reserved: reserved.0, ..Self::new(used) }
    }

    /// Allows fences up to this one. Says who holds now that had waited for nothing else.
    pub fn reserve_fences(&mut self, up_to: Fence, now: Millis) -> Vec<News> {
        let were_used_up = self.is_out_of_fences();
        self.fences_reserved = up_to.0;
        if were_used_up { self.let_in_of(self.waiting(), now) } else { Vec::new() }
    }

    /// Takes a request in. What the holder has already is renewed and keeps its fence.
    ///
    /// A grant may let in another request of the same holder: those that it waited behind now wait for it.
    pub fn ask(&mut self, ask: Ask, now: Millis) -> (Outcome, Vec<News>) {
        self.take_in(ask, false, now)
    }

    /// The same for something that the server does for the holder: under a ticket of its own, which no other request of
    /// the holder is given, renews or gives back.
    pub fn ask_apart(&mut self, ask: Ask, now: Millis) -> (Outcome, Vec<News>) {
        self.take_in(ask, true, now)
    }

    fn take_in(&mut self, ask: Ask, is_apart: bool, now: Millis) -> (Outcome, Vec<News>) {
        let outcome = self.decide(ask, is_apart, now);
        let news = match &outcome {
            Outcome::Granted(grant) => self.let_in_more_of(grant.ticket, now),
            _ => Vec::new(),
        };
        (outcome, news)
    }

    fn decide(&mut self, ask: Ask, is_apart: bool, now: Millis) -> Outcome {
        let Ask { holder, wants, ttl, wait_until } = ask;
        self.tree.tidy();
        let wants: Vec<Want> = wants
            .into_iter()
            .map(|(resource, mode)| Want { node: self.tree.node(&resource), resource, mode })
            .collect();
        if !is_apart
            && let Some(held) = self.held_already(&holder, &wants)
            && let Some(grant) = self.hold_on(held, ttl, now)
        {
            return Outcome::Granted(grant);
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let blockers = self.blockers(ticket, &holder, &wants);
        let Some(first) = blockers.first().copied() else {
            if self.is_out_of_fences() {
                return Outcome::NoFence;
            }
            self.enter(ticket, Request { holder, wants, ttl, is_apart, stand: Stand::Waits { until: now } });
            return Outcome::Granted(self.grant(ticket, now));
        };
        let waiting = self.describe(ticket, &blockers, first);
        let Some(until) = wait_until.filter(|until| *until > now) else { return Outcome::Busy(waiting) };
        if self.is_full(&holder, &wants) {
            return Outcome::Full;
        }
        self.enter(ticket, Request { holder, wants, ttl, is_apart, stand: Stand::Waits { until } });
        if self.may_close_a_ring(ticket) && self.played_out().is_waiting(ticket) {
            let cycle = self.cycle_through(ticket).unwrap_or_else(|| Cycle::from([]));
            self.leave(ticket);
            return Outcome::Deadlock(cycle);
        }
        Outcome::Waiting(waiting)
    }

    /// Lets a lease hold on; none when it is not held any more.
    pub fn renew(&mut self, ticket: Ticket, ttl: Millis, now: Millis) -> Option<Grant> {
        let request = self.requests.get_mut(&ticket)?;
        let Stand::Held { fence, since, until } = request.stand else { return None };
        if until <= now {
            return None;
        }
        request.ttl = ttl;
        let later = now.saturating_add(ttl);
        request.stand = Stand::Held { fence, since, until: later };
        self.deadlines.remove(&(until, ticket));
        self.deadlines.insert((later, ticket));
        Some(Grant { ticket, fence, until: later })
    }

    /// The same, but takes no time from it.
    fn hold_on(&mut self, ticket: Ticket, ttl: Millis, now: Millis) -> Option<Grant> {
        let (_, _, until) = self.entry(ticket)?.held()?;
        self.renew(ticket, ttl.max(until.saturating_sub(now)), now)
    }

    /// Gives back what is held, or stops waiting; says who holds now that waited for it.
    pub fn release(&mut self, ticket: Ticket, now: Millis) -> Vec<News> {
        match self.leave(ticket) {
            Some(wants) => self.let_in(&wants, now),
            None => Vec::new(),
        }
    }

    /// The holder is gone: everything of it is given back.
    pub fn release_all(&mut self, holder: &Holder, now: Millis) -> Vec<News> {
        let tickets: Vec<Ticket> = self.by_holder.get(holder).into_iter().flatten().copied().collect();
        let wants: Vec<Want> =
            tickets.into_iter().filter_map(|ticket| self.leave(ticket)).flatten().collect();
        self.let_in(&wants, now)
    }

    /// Ends what is over: leases that were not renewed, waits that were long enough. Then lets in who waited, and ends a
    /// wait that has become endless. To be called at [`Table::next_deadline`], and every second while anybody waits.
    pub fn advance(&mut self, now: Millis) -> Vec<News> {
        let mut news = Vec::new();
        let mut freed = Vec::new();
        while let Some((_, ticket)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
            let Some(ended) = self.ended(ticket) else { break };
            news.push(if ended.fence.is_some() { News::Expired(ended) } else { News::TimedOut(ended) });
            freed.extend(self.leave(ticket).into_iter().flatten());
        }
        news.extend(self.let_in(&freed, now));
        while let Some(victim) = self.stuck() {
            let cycle = self.cycle_through(victim).unwrap_or_else(|| Cycle::from([]));
            news.extend(self.ended(victim).map(|ended| News::Deadlocked(ended, cycle)));
            let freed = self.leave(victim).unwrap_or_default();
            news.extend(self.let_in(&freed, now));
        }
        news
    }

    /// When [`Table::advance`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// The leases under which a holder has exactly this resource: several when it shared it before it had it alone, or
    /// asked twice while it waited.
    #[must_use]
    pub fn leases_of(&self, holder: &Holder, resource: &Resource) -> Vec<Ticket> {
        self.leases_on(holder, resource).collect()
    }

    /// Who holds exactly this resource.
    pub fn holding(&self, resource: &Resource) -> impl Iterator<Item = Entry<'_>> {
        let marks = self.tree.marks_of(resource).filter_map(|ticket| self.entry(ticket));
        marks.filter(|entry| entry.request.is_held() && entry.request.names(resource))
    }

    /// Everything that a holder has or waits for, in the order of asking.
    pub fn requests_of(&self, holder: &Holder) -> impl Iterator<Item = Ticket> {
        self.by_holder.get(holder).into_iter().flatten().copied()
    }

    /// Whether a lease still holds under this number: what is written by somebody who was late is refused by it.
    #[must_use]
    pub fn is_current(&self, ticket: Ticket, fence: Fence, now: Millis) -> bool {
        let request = self.requests.get(&ticket);
        request.is_some_and(|request| {
            matches!(request.stand, Stand::Held { fence: held, until, .. } if held == fence && until > now)
        })
    }

    /// Everybody who holds or waits, in the order of asking.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.requests.iter().map(|(ticket, request)| Entry { ticket: *ticket, request })
    }

    /// One of them.
    #[must_use]
    pub fn entry(&self, ticket: Ticket) -> Option<Entry<'_>> {
        self.requests.get(&ticket).map(|request| Entry { ticket, request })
    }

    /// The highest fence that was given out.
    #[must_use]
    pub fn last_fence(&self) -> Fence {
        Fence(self.last_fence)
    }

    /// The highest fence that may be given out.
    #[must_use]
    pub fn fences_reserved(&self) -> Fence {
        Fence(self.fences_reserved)
    }

    fn is_out_of_fences(&self) -> bool {
        self.last_fence >= self.fences_reserved
    }

    /// Who would be in front of a holder that asked for all of this alone.
    #[must_use]
    pub fn in_front_of(&mut self, holder: &Holder, resources: &[Resource]) -> Option<Waiting> {
        self.tree.tidy();
        let wants: Vec<Want> = resources
            .iter()
            .map(|resource| Want {
                node: self.tree.node(resource),
                resource: resource.clone(),
                mode: Mode::Exclusive,
            })
            .collect();
        let ticket = Ticket(self.last_ticket + 1);
        let blockers = self.blockers(ticket, holder, &wants);
        blockers.first().map(|first| self.describe(ticket, &blockers, *first))
    }

    /// How many hold, and how many wait.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let held = self.requests.values().filter(|request| request.is_held()).count();
        (held, self.requests.len() - held)
    }

    /// A request as it will be remembered.
    pub(super) fn ended(&self, ticket: Ticket) -> Option<Ended> {
        let request = self.requests.get(&ticket)?;
        let resources = request.wants.iter().map(|want| want.resource.clone()).collect();
        let fence = match request.stand {
            Stand::Held { fence, .. } => Some(fence),
            Stand::Waits { .. } => None,
        };
        Some(Ended { ticket, holder: request.holder.clone(), resources, fence })
    }

    fn enter(&mut self, ticket: Ticket, request: Request) {
        for want in &request.wants {
            self.tree.mark(want.node, want.mode, ticket);
        }
        if let Stand::Waits { until } = request.stand {
            self.deadlines.insert((until, ticket));
        }
        self.by_holder.entry(request.holder.clone()).or_default().insert(ticket);
        self.requests.insert(ticket, request);
    }

    fn leave(&mut self, ticket: Ticket) -> Option<Vec<Want>> {
        let request = self.requests.remove(&ticket)?;
        for want in &request.wants {
            self.tree.unmark(want.node, want.mode, ticket);
        }
        self.deadlines.remove(&(request.deadline(), ticket));
        if let Some(own) = self.by_holder.get_mut(&request.holder) {
            own.remove(&ticket);
            if own.is_empty() {
                self.by_holder.remove(&request.holder);
            }
        }
        Some(request.wants)
    }

    /// Turns a request that is entered into one that holds.
    fn grant(&mut self, ticket: Ticket, now: Millis) -> Grant {
        self.last_fence += 1;
        let fence = Fence(self.last_fence);
        let mut until = now;
        if let Some(request) = self.requests.get_mut(&ticket) {
            self.deadlines.remove(&(request.deadline(), ticket));
            until = now.saturating_add(request.ttl);
            request.stand = Stand::Held { fence, since: now, until };
            self.deadlines.insert((until, ticket));
        }
        Grant { ticket, fence, until }
    }

    /// Grants whoever waited for any of these and is in nobody's way any more, in the order of asking.
    fn let_in(&mut self, freed: &[Want], now: Millis) -> Vec<News> {
        let mut candidates = BTreeSet::new();
        for want in freed {
            self.tree.visit_related(want.node, want.mode, |ticket| {
                if self.is_waiting(ticket) {
                    candidates.insert(ticket);
                }
                Visit::GoOn
            });
        }
        self.let_in_of(candidates, now)
    }

    fn let_in_more_of(&mut self, granted: Ticket, now: Millis) -> Vec<News> {
        let waiting = self.other_requests_of(granted);
        if waiting.is_empty() { Vec::new() } else { self.let_in_of(waiting, now) }
    }

    fn let_in_of(&mut self, mut candidates: BTreeSet<Ticket>, now: Millis) -> Vec<News> {
        let mut news = Vec::new();
        while let Some(ticket) = candidates.pop_first() {
            if !self.is_out_of_fences() && self.may_enter(ticket) {
                news.push(News::Granted(self.grant(ticket, now)));
                candidates.extend(self.other_requests_of(ticket));
            }
        }
        news
    }

    /// What else the holder of this request waits for.
    fn other_requests_of(&self, ticket: Ticket) -> BTreeSet<Ticket> {
        let holder = self.requests.get(&ticket).map(|request| &request.holder);
        let own = holder.and_then(|holder| self.by_holder.get(holder));
        own.into_iter().flatten().copied().filter(|own| self.is_waiting(*own)).collect()
    }

    fn may_enter(&self, ticket: Ticket) -> bool {
        let Some(request) = self.requests.get(&ticket) else { return false };
        let view = View::of(self, ticket, &request.holder);
        request.wants.iter().all(|want| {
            let mut is_free = true;
            self.tree.visit_related(want.node, want.mode, |other| {
                is_free = !view.is_in_the_way(other);
                if is_free { Visit::GoOn } else { Visit::Enough }
            });
            is_free
        })
    }

    /// Whatever a request must wait for, in the order of asking.
    fn blockers(&self, ticket: Ticket, holder: &Holder, wants: &[Want]) -> BTreeSet<Ticket> {
        let view = View::of(self, ticket, holder);
        let mut blockers = BTreeSet::new();
        for want in wants {
            self.tree.visit_related(want.node, want.mode, |other| {
                if view.is_in_the_way(other) {
                    blockers.insert(other);
                }
                Visit::GoOn
            });
        }
        blockers
    }

    /// The requests that wait for something that this holder holds.
    fn waiting_for(&self, holder: &Holder) -> HashSet<Ticket> {
        let mut waiting = HashSet::new();
        let held = self.requests_of(holder).map(|own| &self.requests[&own]).filter(|own| own.is_held());
        for want in held.flat_map(|own| &own.wants) {
            self.tree.visit_related(want.node, want.mode, |other| {
                if self.is_waiting(other) {
                    waiting.insert(other);
                }
                Visit::GoOn
            });
        }
        waiting
    }

    /// Whether as many wait as may, for one of these or of this holder.
    fn is_full(&self, holder: &Holder, wants: &[Want]) -> bool {
        let is_waiting = |ticket: &Ticket| self.is_waiting(*ticket);
        let waiters = |want: &Want| self.tree.marks_at(want.node).filter(is_waiting).count();
        self.requests_of(holder).filter(is_waiting).count() >= MAX_WAITS
            || wants.iter().any(|want| waiters(want) >= MAX_WAITERS)
    }

    fn waiting(&self) -> BTreeSet<Ticket> {
        let waiting = self.requests.iter().filter(|(_, request)| !request.is_held());
        waiting.map(|(ticket, _)| *ticket).collect()
    }

    fn is_waiting(&self, ticket: Ticket) -> bool {
        self.requests.get(&ticket).is_some_and(|request| !request.is_held())
    }

    /// The one request under which the holder has all of this already, at least in these modes.
    fn held_already(&self, holder: &Holder, wants: &[Want]) -> Option<Ticket> {
        let first = wants.first()?;
        let covers = |ticket: &Ticket| {
            let request = &self.requests[ticket];
            let has = |want: &Want| {
                request.wants.iter().any(|held| {
                    held.resource == want.resource && (held.mode == want.mode || held.mode == Mode::Exclusive)
                })
            };
            wants.iter().all(has)
        };
        self.leases_on(holder, &first.resource).filter(covers).min()
    }

    /// The leases of the holder's own under which it has exactly this resource.
    fn leases_on(&self, holder: &Holder, resource: &Resource) -> impl Iterator<Item = Ticket> {
        self.tree.marks_of(resource).filter(|ticket| {
            let request = &self.requests[ticket];
            request.is_held() && !request.is_apart && request.holder == *holder && request.names(resource)
        })
    }

    fn describe(&self, ticket: Ticket, blockers: &BTreeSet<Ticket>, first: Ticket) -> Waiting {
        let held = blockers.iter().find(|blocker| !self.is_waiting(**blocker)).copied().unwrap_or(first);
        let request = &self.requests[&held];
        let (since, until) = match request.stand {
            Stand::Held { since, until, .. } => (Some(since), Some(until)),
            Stand::Waits { .. } => (None, None),
        };
        Waiting { ticket, position: blockers.len(), holder: request.holder.clone(), since, until }
    }
}

/// A request that holds or waits.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Under which.
    pub ticket: Ticket,
    request: &'a Request,
}

impl Entry<'_> {
    /// Whose it is.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.request.holder
    }

    /// What it is about.
    pub fn resources(&self) -> impl Iterator<Item = (&Resource, Mode)> {
        self.request.wants.iter().map(|want| (&want.resource, want.mode))
    }

    /// Whether it is something that the server does for the holder.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.request.is_apart
    }

    /// The fence, since when, and until when, if it holds.
    #[must_use]
    pub fn held(&self) -> Option<(Fence, Millis, Millis)> {
        match self.request.stand {
            Stand::Held { fence, since, until } => Some((fence, since, until)),
            Stand::Waits { .. } => None,
        }
    }
}

impl<'a> View<'a> {
    fn of(table: &'a Table, ticket: Ticket, holder: &'a Holder) -> Self {
        Self { table, ticket, holder, passed: OnceCell::new() }
    }

    fn is_in_the_way(&self, other: Ticket) -> bool {
        let Some(request) = self.table.requests.get(&other).filter(|_| other != self.ticket) else {
            return false;
        };
        if request.holder == *self.holder {
            return false;
        }
        let passed = || self.passed.get_or_init(|| self.table.waiting_for(self.holder));
        request.is_held() || (other < self.ticket && !passed().contains(&other))
    }
}

impl Request {
    fn names(&self, resource: &Resource) -> bool {
        self.wants.iter().any(|want| want.resource == *resource)
    }

    fn is_held(&self) -> bool {
        matches!(self.stand, Stand::Held { .. })
    }

    fn deadline(&self) -> Millis {
        match self.stand {
            Stand::Held { until, .. } | Stand::Waits { until } => until,
        }
    }
}

#[cfg(test)]
mod tests;
