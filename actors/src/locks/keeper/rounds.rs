//! The rounds of the keeper: what living holders have is renewed, what is over ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Desk, Keeper, millis};
use crate::locks::{Table, Ticket};

/// While anybody holds or waits, leases of the living are renewed, and rings looked for, so often.
const ROUND: Duration = Duration::from_secs(1);

/// The shortest time that a lease has which the server renews: three rounds, so that no late round ends it.
pub(super) const SHORTEST_KEPT: Duration = Duration::from_secs(3);

impl Keeper {
    /// Renews what living holders have, ends what is over. Returns when to look again, if there is anything to look at.
    fn round(self: &Arc<Self>) -> Option<Instant> {
        let mut desk = self.desk();
        let now = self.now();
        self.see_to_numbers(&mut desk);
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
    pub(super) fn see_to_rounds(self: &Arc<Self>, desk: &mut Desk) {
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
}
