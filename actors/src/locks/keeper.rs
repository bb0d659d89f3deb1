//! The table of locks as the server's one authority: it answers at once where it can, wakes who waited, ends what is over.
//!
//! ```text
//! device, agent's guard ──acquire──▶ Table ──▶ granted or refused: at once, without a message to any actor
//!                                      │  └──▶ waits: told when the one in front gives back, or the time is up
//!                                      └─────▶ facts, for the channels of projects
//! ```
//! Leases live in memory only: whoever holds one ends with the server. The fence alone outlives it: numbers are reserved
//! on disk, a block at a time, before they are used.

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

/// While anybody holds or waits, leases of the living are renewed, and rings looked for, so often.
const ROUND: Duration = Duration::from_secs(1);

/// Fences that are reserved at a time: at 20,000 grants a second enough for a minute, so that a disk that is slow for a
/// while stops nobody.
const FENCE_BLOCK: u64 = 1_000_000;

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
    /// It waits, and will be decided. Dropping the receiver takes the request back when its turn comes.
    Later(Waiting, oneshot::Receiver<Verdict>),
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
    reserved: Fence,
    is_reserving: bool,
    /// When the next round is at the latest; none while there is nothing to look at.
    asleep_until: Option<Instant>,
}

/// What the table does not know of a request.
struct Open {
    project: Arc<str>,
    ttl: Duration,
    is_kept: bool,
    waiter: Option<oneshot::Sender<Verdict>>,
}

/// A holder that lives; dropping the last one gives back what it took with `is_kept`, and what of that it waits for.
pub struct Life {
    keeper: Arc<Keeper>,
    holder: Holder,
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
            table: Table::new(used),
            open: HashMap::new(),
            living: BTreeMap::new(),
            reserved,
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

    /// Says that a holder lives: what it takes with `is_kept` is renewed until the last life of it ends.
    #[must_use]
    pub fn begin(self: &Arc<Self>, holder: Holder) -> Life {
        *self.desk().living.entry(holder.clone()).or_default() += 1;
        Life { keeper: self.clone(), holder }
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
        let mut desk = self.desk();
        let now = self.now();
        if desk.table.last_fence() >= desk.reserved {
            self.reserve(&mut desk);
            return Answer::Now(Err(Denied::because(Why::Storage)));
        }
        if desk.reserved.0 - desk.table.last_fence().0 < FENCE_BLOCK / 2 {
            self.reserve(&mut desk);
        }
        let wait_until = (!wait.is_zero()).then(|| now.saturating_add(millis(wait)));
        let ask = Ask { holder: holder.clone(), wants: wants.clone(), ttl: millis(ttl), wait_until };
        let (outcome, news) =
            if is_apart { desk.table.ask_apart(ask, now) } else { desk.table.ask(ask, now) };
        let resources: Vec<Resource> = wants.iter().map(|(resource, _)| resource.clone()).collect();
        let answer = match outcome {
            Outcome::Granted(grant) => {
                let is_new = desk
                    .open
                    .insert(grant.ticket, Open { project: project.clone(), ttl, is_kept, waiter: None });
                let lease = self.lease(&grant);
                if is_new.is_none() {
                    self.facts.tell(&project, Fact::acquired(&lease, &holder, &wants).into());
                }
                Answer::Now(Ok(lease))
            }
            Outcome::Waiting(waiting) => {
                let (waiter, decided) = oneshot::channel();
                self.facts.tell(&project, Fact::waiting(&waiting, &holder, &resources).into());
                desk.open.insert(waiting.ticket, Open { project, ttl, is_kept, waiter: Some(waiter) });
                Answer::Later(waiting, decided)
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
            let Some(grant) = desk.table.renew(ticket, millis(ttl), now) else { continue };
            if let Some(open) = desk.open.get_mut(&ticket) {
                open.ttl = ttl;
            }
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

    /// Gives back everything that a holder has or waits for.
    pub fn release_all(self: &Arc<Self>, holder: &Holder) {
        let mut desk = self.desk();
        let tickets: Vec<Ticket> = desk.table.requests_of(holder).collect();
        for ticket in tickets {
            self.end(&mut desk, ticket, None);
        }
    }

    /// One life less; with the last one goes what was kept for it, and nothing else.
    ///
    /// In one go: who begins to live in between would lose what it has just been given.
    fn end_life(self: &Arc<Self>, holder: &Holder) {
        let mut desk = self.desk();
        if let Some(lives @ 2..) = desk.living.get_mut(holder) {
            *lives -= 1;
            return;
        }
        desk.living.remove(holder);
        let is_kept = |ticket: &Ticket| desk.open.get(ticket).is_some_and(|open| open.is_kept);
        let kept: Vec<Ticket> = desk.table.requests_of(holder).filter(is_kept).collect();
        for ticket in kept {
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
                        // Whoever waited has left: the next one gets it.
                        desk.open.remove(&grant.ticket);
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

    /// Renews what living holders have, ends what is over. Returns when to look again, if there is anything to look at.
    fn round(self: &Arc<Self>) -> Option<Instant> {
        let mut desk = self.desk();
        let now = self.now();
        let kept: Vec<(Ticket, Duration)> = desk
            .table
            .entries()
            .filter(|entry| entry.held().is_some() && desk.living.contains_key(entry.holder()))
            .filter_map(|entry| desk.open.get(&entry.ticket).map(|open| (entry.ticket, open)))
            .filter(|(_, open)| open.is_kept)
            .map(|(ticket, open)| (ticket, open.ttl))
            .collect();
        for (ticket, ttl) in kept {
            desk.table.renew(ticket, millis(ttl), now);
        }
        let news = desk.table.advance(now);
        self.take(&mut desk, news, now);
        desk.asleep_until = self.next_round(&desk.table);
        desk.asleep_until
    }

    fn next_round(&self, table: &Table) -> Option<Instant> {
        let due = self.start + Duration::from_millis(table.next_deadline()?);
        Some(due.min(Instant::now() + ROUND))
    }

    /// Makes sure that somebody is awake while anything is held or waited for.
    fn see_to_rounds(self: &Arc<Self>, desk: &mut Desk) {
        let Some(next) = self.next_round(&desk.table) else { return };
        match desk.asleep_until {
            // A round looks at everything that is held: one for each grant would cost more than the grant.
            Some(until) if until <= next => return,
            Some(_) => {
                desk.asleep_until = Some(next);
                self.sooner.notify_one();
                return;
            }
            None => desk.asleep_until = Some(next),
        }
        let keeper = Arc::downgrade(self);
        drop(self.runtime.spawn(async move {
            while let Some(keeper) = keeper.upgrade() {
                let Some(next) = keeper.round() else { return };
                tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    () = keeper.sooner.notified() => {}
                }
            }
        }));
    }

    /// Reserves the next numbers on disk; those that are left go on meanwhile.
    fn reserve(self: &Arc<Self>, desk: &mut Desk) {
        if std::mem::replace(&mut desk.is_reserving, true) {
            return;
        }
        let up_to = Fence(desk.reserved.0.max(desk.table.last_fence().0) + FENCE_BLOCK);
        let reserving = self.journal.reserve_fences(up_to.0);
        let keeper = Arc::downgrade(self);
        drop(self.runtime.spawn(async move {
            let outcome = reserving.await;
            let Some(keeper) = keeper.upgrade() else { return };
            let mut desk = keeper.desk();
            desk.is_reserving = false;
            match outcome {
                Ok(()) => desk.reserved = up_to,
                Err(error) => tracing::warn!(%error, "no fencing numbers could be reserved; locks are refused when they are used up"),
            }
        }));
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

impl Denied {
    fn because(why: Why) -> Self {
        Self { holder: None, since: None, until: None, why }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.keeper.end_life(&self.holder);
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Life({})", self.holder)
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
