//! The table of locks as the server's one authority: it answers at once where it can, wakes who waited, ends what is over.
//!
//! ```text
//! device, agent's guard ──acquire──▶ Table ──▶ granted or refused: at once, without a message to any actor
//!                                      │  └──▶ waits: told when the one in front gives back, or the time is up
//!                                      └─────▶ facts, for the channels of projects
//! ```
//! Leases live in memory only: whoever holds one ends with the server. The fence alone outlives it: numbers are reserved
//! on disk, a block at a time, before they are used.

mod life;
mod numbers;
mod pending;
mod rounds;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::fact::Fact;
use super::{
    Ask, Cycle, Fence, Grant, Holder, Millis, Mode, News, Outcome, Resource, Table, Ticket, Waiting,
};
use crate::clock::{Clock, Timestamp};
use crate::journal::{Journal, JournalError};
use crate::project::Feed;

pub use life::Life;
pub use pending::Pending;

use numbers::FENCE_BLOCK;
use rounds::SHORTEST_KEPT;

/// A request for locks, all or none.
#[derive(Debug, Clone)]
pub struct Request {
    /// For whom.
    pub holder: Holder,
    /// In which project people are told of it; canonical.
    pub project: Arc<str>,
    /// What; not empty.
    pub wants: Vec<(Resource, Mode)>,
    /// For how long it holds without being renewed.
    pub ttl: Duration,
    /// How long it waits if it must; zero for not at all.
    pub wait: Duration,
    /// Whether the server renews it as long as its holder lives (see [`Keeper::begin`]).
    pub is_kept: bool,
}

/// Locks that were had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Under which they are renewed and given back.
    pub ticket: Ticket,
    /// Higher than that of every earlier grant, also before a restart.
    pub fence: Fence,
    /// When they end, unless they are renewed.
    pub until: Timestamp,
}

/// Why locks were not had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Who has them, or is in front; none where nobody is in particular.
    pub holder: Option<Holder>,
    /// Since when that one holds.
    pub since: Option<Timestamp>,
    /// Until when, unless it is renewed.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: Why,
}

/// Why locks were not had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Somebody has them, and the request did not want to wait.
    Busy,
    /// It has waited for as long as it wanted to.
    TimedOut,
    /// Waiting would never end: these wait for each other.
    Deadlock(Cycle),
    /// Too many wait already.
    Full,
    /// The holder has gone meanwhile.
    Gone,
    /// The numbers that were reserved are used up, and the disk gives no more.
    Storage,
}

/// What becomes of a request.
pub type Verdict = Result<Lease, Denied>;

/// The answer to a request.
#[derive(Debug)]
pub enum Answer {
    /// It is decided.
    Now(Verdict),
    /// It waits, and will be decided.
    Later(Waiting, Pending),
}

/// See the module.
pub struct Keeper {
    desk: Mutex<Desk>,
    clock: Arc<dyn Clock>,
    journal: Arc<dyn Journal>,
    facts: Arc<dyn Feed>,
    start: Instant,
    runtime: Handle,
    sooner: Notify,
}

struct Desk {
    table: Table,
    open: HashMap<Ticket, Open>,
    living: BTreeMap<Holder, usize>,
    is_reserving: bool,
    /// When the next round is at the latest; none while there is nothing to look at.
    asleep_until: Option<Instant>,
}

/// What the table does not know of a request.
struct Open {
    project: Arc<str>,
    ttl: Duration,
    is_kept: bool,
    /// Whether another request was given the same lease, so that it does not go with the first.
    is_asked_again: bool,
    waiter: Option<oneshot::Sender<Verdict>>,
}

impl Keeper {
    /// Starts on the runtime that this is called on, with fences above those that were reserved before.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        journal: Arc<dyn Journal>,
        facts: Arc<dyn Feed>,
        fences_reserved: Fence,
    ) -> Arc<Self> {
        Self::with_fences(clock, journal, facts, fences_reserved, fences_reserved)
    }

    /// The same with the first numbers reserved, so that nobody who comes early is refused for the want of them.
    ///
    /// # Errors
    /// The journal could not be read; starting again is safe.
    pub async fn open(
        clock: Arc<dyn Clock>,
        journal: Arc<dyn Journal>,
        facts: Arc<dyn Feed>,
    ) -> Result<Arc<Self>, JournalError> {
        let used = Fence(journal.fences().await?);
        let first = Fence(used.0 + FENCE_BLOCK);
        let reserved = match journal.reserve_fences(first.0).await {
            Ok(()) => first,
            Err(error) => {
                tracing::warn!(%error, "no fencing numbers could be reserved; locks are refused until there are some");
                used
            }
        };
        Ok(Self::with_fences(clock, journal, facts, used, reserved))
    }

    /// Gives out numbers above `used`, up to `reserved`, and sees to it that there are more.
    fn with_fences(
        clock: Arc<dyn Clock>,
        journal: Arc<dyn Journal>,
        facts: Arc<dyn Feed>,
        used: Fence,
        reserved: Fence,
    ) -> Arc<Self> {
        let desk = Desk {
            table: Table::with_fences(used, reserved),
            open: HashMap::new(),
            living: BTreeMap::new(),
            is_reserving: false,
            asleep_until: None,
        };
        let (desk, start, sooner) = (Mutex::new(desk), Instant::now(), Notify::new());
        let keeper =
            Arc::new(Self { desk, clock, journal, facts, start, runtime: Handle::current(), sooner });
        if reserved == used {
            keeper.reserve(&mut keeper.desk());
        }
        keeper
    }

    /// Asks for locks. What the holder has already is renewed and keeps its fence.
    pub fn acquire(self: &Arc<Self>, request: Request) -> Answer {
        self.take_in(request, false)
    }

    /// The same for something that the server does for the holder, under a ticket of its own: what the holder asks for,
    /// renews or gives back meanwhile has nothing to do with it. It ends with [`Keeper::withdraw`], or its time.
    pub fn acquire_apart(self: &Arc<Self>, request: Request) -> Answer {
        self.take_in(request, true)
    }

    fn take_in(self: &Arc<Self>, request: Request, is_apart: bool) -> Answer {
        let Request { holder, project, wants, ttl, wait, is_kept } = request;
        let ttl = if is_kept { ttl.max(SHORTEST_KEPT) } else { ttl };
        let mut desk = self.desk();
        let now = self.now();
        self.see_to_numbers(&mut desk);
        let wait_until = (!wait.is_zero()).then(|| now.saturating_add(millis(wait)));
        let ask = Ask { holder: holder.clone(), wants: wants.clone(), ttl: millis(ttl), wait_until };
        let (outcome, news) =
            if is_apart { desk.table.ask_apart(ask, now) } else { desk.table.ask(ask, now) };
        let resources: Vec<Resource> = wants.iter().map(|(resource, _)| resource.clone()).collect();
        let answer = match outcome {
            Outcome::Granted(grant) => {
                let lease = self.lease(&grant);
                match desk.open.entry(grant.ticket) {
                    Entry::Occupied(mut had) => had.get_mut().ask_again(ttl, is_kept),
                    Entry::Vacant(new) => {
                        self.facts.tell(&project, Fact::acquired(&lease, &holder, &wants).into());
                        new.insert(Open::new(project, ttl, is_kept, None));
                    }
                }
                Answer::Now(Ok(lease))
            }
            Outcome::Waiting(waiting) => {
                let (waiter, decided) = oneshot::channel();
                self.facts.tell(&project, Fact::waiting(&waiting, &holder, &resources).into());
                desk.open.insert(waiting.ticket, Open::new(project, ttl, is_kept, Some(waiter)));
                let pending = Pending::new(self, waiting.ticket, decided);
                Answer::Later(waiting, pending)
            }
            Outcome::Busy(waiting) => {
                let denied = self.denied(&waiting, Why::Busy);
                self.facts.tell(&project, Fact::denied(&denied, &holder, &resources).into());
                Answer::Now(Err(denied))
            }
            Outcome::Deadlock(cycle) => {
                let denied =
                    Denied { holder: cycle.get(1).cloned(), ..Denied::because(Why::Deadlock(cycle)) };
                self.facts.tell(&project, Fact::denied(&denied, &holder, &resources).into());
                Answer::Now(Err(denied))
            }
            Outcome::Full => {
                let denied = Denied::because(Why::Full);
                self.facts.tell(&project, Fact::denied(&denied, &holder, &resources).into());
                Answer::Now(Err(denied))
            }
            Outcome::NoFence => Answer::Now(Err(Denied::because(Why::Storage))),
        };
        self.take(&mut desk, news, now);
        self.see_to_rounds(&mut desk);
        answer
    }

    /// Lets everything hold on under which the holder has this resource; of several the one that it had last.
    pub fn renew(&self, holder: &Holder, resource: &Resource, ttl: Duration) -> Option<Lease> {
        let mut desk = self.desk();
        let now = self.now();
        let mut last: Option<Grant> = None;
        for ticket in desk.table.leases_of(holder, resource) {
            let mut ttl = ttl;
            if let Some(open) = desk.open.get_mut(&ticket) {
                ttl = if open.is_kept { ttl.max(SHORTEST_KEPT) } else { ttl };
                open.ttl = ttl;
            }
            let Some(grant) = desk.table.renew(ticket, millis(ttl), now) else { continue };
            if last.as_ref().is_none_or(|last| last.fence < grant.fence) {
                last = Some(grant);
            }
        }
        last.map(|grant| self.lease(&grant))
    }

    /// Gives back everything under which the holder has this resource; whether it had it.
    pub fn release(self: &Arc<Self>, holder: &Holder, resource: &Resource) -> bool {
        let mut desk = self.desk();
        let leases = desk.table.leases_of(holder, resource);
        for ticket in &leases {
            self.end(&mut desk, *ticket, None);
        }
        !leases.is_empty()
    }

    /// Takes back a request, whether it holds or waits.
    pub fn withdraw(self: &Arc<Self>, ticket: Ticket) {
        let mut desk = self.desk();
        self.end(&mut desk, ticket, None);
    }

    /// Takes back a request of which nobody has heard what became of it.
    fn abandon(self: &Arc<Self>, ticket: Ticket) {
        let mut desk = self.desk();
        if desk.open.get(&ticket).is_some_and(|open| !open.is_asked_again) {
            self.end(&mut desk, ticket, None);
        }
    }

    /// Gives back everything that a holder has or waits for.
    pub fn release_all(self: &Arc<Self>, holder: &Holder) {
        let mut desk = self.desk();
        let tickets: Vec<Ticket> = desk.table.requests_of(holder).collect();
        for ticket in tickets {
            self.end(&mut desk, ticket, None);
        }
    }

    /// A person takes a lock away from whoever has it, with everything under which it has it; whose it was.
    pub fn force(self: &Arc<Self>, resource: &Resource, by: &Holder) -> Option<Holder> {
        let mut desk = self.desk();
        let holder = desk.table.holding(resource).next().map(|entry| entry.holder().clone())?;
        let is_theirs = |entry: &super::Entry<'_>| *entry.holder() == holder;
        let leases: Vec<Ticket> =
            desk.table.holding(resource).filter(is_theirs).map(|entry| entry.ticket).collect();
        for ticket in leases {
            self.end(&mut desk, ticket, Some(by));
        }
        Some(holder)
    }

    /// Who holds a resource, exactly it.
    #[must_use]
    pub fn holder_of(&self, resource: &Resource) -> Option<Holder> {
        self.desk().table.holding(resource).next().map(|entry| entry.holder().clone())
    }

    /// Whether a lease still holds under this fence: what checks it takes no late write.
    #[must_use]
    pub fn is_current(&self, ticket: Ticket, fence: Fence) -> bool {
        self.desk().table.is_current(ticket, fence, self.now())
    }

    /// Everything that is held or waited for, in the order of asking.
    #[must_use]
    pub fn list(&self) -> Vec<Held> {
        let desk = self.desk();
        let entry = |entry: super::Entry<'_>| {
            let project = desk.open.get(&entry.ticket).map(|open| open.project.clone())?;
            let held = entry.held();
            Some(Held {
                project,
                ticket: entry.ticket,
                holder: entry.holder().clone(),
                wants: entry.resources().map(|(resource, mode)| (resource.clone(), mode)).collect(),
                is_apart: entry.is_apart(),
                fence: held.map(|(fence, _, _)| fence),
                since: held.map(|(_, since, _)| self.time_of(since)),
                until: held.map(|(_, _, until)| self.time_of(until)),
            })
        };
        desk.table.entries().filter_map(entry).collect()
    }

    /// How many requests hold, and how many wait.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.desk().table.counts()
    }

    fn end(self: &Arc<Self>, desk: &mut Desk, ticket: Ticket, forced_by: Option<&Holder>) {
        let now = self.now();
        let ended = desk.table.ended(ticket);
        let news = desk.table.release(ticket, now);
        if let (Some(ended), Some(open)) = (ended, desk.open.remove(&ticket)) {
            if ended.fence.is_some() {
                self.facts.tell(&open.project, Fact::released(&ended, forced_by).into());
            } else if let Some(waiter) = open.waiter {
                let denied = Denied::because(Why::Gone);
                self.facts.tell(&open.project, Fact::denied(&denied, &ended.holder, &ended.resources).into());
                let _ = waiter.send(Err(denied));
            }
        }
        self.take(desk, news, now);
    }

    /// Tells those whom it concerns what became of their requests.
    fn take(self: &Arc<Self>, desk: &mut Desk, news: Vec<News>, now: Millis) {
        let mut news: VecDeque<News> = news.into();
        while let Some(one) = news.pop_front() {
            match one {
                News::Granted(grant) => {
                    let Some(open) = desk.open.get_mut(&grant.ticket) else { continue };
                    let (project, waiter) = (open.project.clone(), open.waiter.take());
                    let lease = self.lease(&grant);
                    let is_wanted = waiter.is_none_or(|waiter| waiter.send(Ok(lease.clone())).is_ok());
                    let entry = desk.table.entry(grant.ticket);
                    if let Some(entry) = entry.filter(|_| is_wanted) {
                        let wants: Vec<_> =
                            entry.resources().map(|(resource, mode)| (resource.clone(), mode)).collect();
                        self.facts.tell(&project, Fact::acquired(&lease, entry.holder(), &wants).into());
                    } else {
                        // Whoever waited is leaving in this moment: the next one gets it.
                        desk.open.remove(&grant.ticket);
                        if let Some(ended) = desk.table.ended(grant.ticket) {
                            let denied = Denied::because(Why::Gone);
                            let told = Fact::denied(&denied, &ended.holder, &ended.resources);
                            self.facts.tell(&project, told.into());
                        }
                        news.extend(desk.table.release(grant.ticket, now));
                    }
                }
                News::Expired(ended) => {
                    if let Some(open) = desk.open.remove(&ended.ticket) {
                        self.facts.tell(&open.project, Fact::expired(&ended).into());
                    }
                }
                News::TimedOut(ended) => self.gave_up(desk, &ended, Why::TimedOut),
                News::Deadlocked(ended, cycle) => self.gave_up(desk, &ended, Why::Deadlock(cycle)),
            }
        }
    }

    fn gave_up(&self, desk: &mut Desk, ended: &super::Ended, why: Why) {
        let Some(open) = desk.open.remove(&ended.ticket) else { return };
        let denied = match desk.table.in_front_of(&ended.holder, &ended.resources) {
            Some(waiting) => self.denied(&waiting, why),
            None => Denied::because(why),
        };
        self.facts.tell(&open.project, Fact::denied(&denied, &ended.holder, &ended.resources).into());
        if let Some(waiter) = open.waiter {
            let _ = waiter.send(Err(denied));
        }
    }

    fn lease(&self, grant: &Grant) -> Lease {
        Lease { ticket: grant.ticket, fence: grant.fence, until: self.time_of(grant.until) }
    }

    fn denied(&self, waiting: &Waiting, why: Why) -> Denied {
        let time_of = |millis: Millis| self.time_of(millis);
        let (since, until) = (waiting.since.map(time_of), waiting.until.map(time_of));
        Denied { holder: Some(waiting.holder.clone()), since, until, why }
    }

    fn now(&self) -> Millis {
        millis(self.start.elapsed())
    }

    /// The time of day of a moment of the table.
    fn time_of(&self, moment: Millis) -> Timestamp {
        let (moment, now) =
            (i64::try_from(moment).unwrap_or(i64::MAX), i64::try_from(self.now()).unwrap_or(i64::MAX));
        self.clock.now().plus(chrono::TimeDelta::milliseconds(moment.saturating_sub(now)))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request as the list shows it.
#[derive(Debug, Clone)]
pub struct Held {
    /// In which project.
    pub project: Arc<str>,
    /// Under which it is withdrawn.
    pub ticket: Ticket,
    /// Whose it is.
    pub holder: Holder,
    /// What it is about.
    pub wants: Vec<(Resource, Mode)>,
    /// Whether it is for something that the server does for the holder.
    pub is_apart: bool,
    /// Its fence, if it holds.
    pub fence: Option<Fence>,
    /// Since when it holds.
    pub since: Option<Timestamp>,
    /// Until when, unless it is renewed.
    pub until: Option<Timestamp>,
}

impl Open {
    fn new(
        project: Arc<str>,
        ttl: Duration,
        is_kept: bool,
        waiter: Option<oneshot::Sender<Verdict>>,
    ) -> Self {
        Self { project, ttl, is_kept, is_asked_again: false, waiter }
    }

    /// The holder asks for what it has: it takes nothing from what it was promised before.
    fn ask_again(&mut self, ttl: Duration, is_kept: bool) {
        self.ttl = self.ttl.max(ttl);
        self.is_kept |= is_kept;
        self.is_asked_again = true;
    }
}

impl Denied {
    fn because(why: Why) -> Self {
        Self { holder: None, since: None, until: None, why }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, waiting) = self.counts();
        write!(out, "Keeper({held} held, {waiting} waiting)")
    }
}

fn millis(span: Duration) -> Millis {
    u64::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests;
