//! Holders that live: what is kept for them is renewed, and ends with them.

use std::fmt;
use std::sync::Arc;

use super::Keeper;
use crate::locks::{Holder, Ticket};

/// A holder that lives; dropping the last one gives back what it took with `is_kept`, and what of that it waits for.
pub struct Life {
    keeper: Arc<Keeper>,
    holder: Holder,
}

impl Keeper {
    /// Says that a holder lives: what it takes with `is_kept` is renewed until the last life of it ends.
    #[must_use]
    pub fn begin(self: &Arc<Self>, holder: Holder) -> Life {
        *self.desk().living.entry(holder.clone()).or_default() += 1;
        Life { keeper: self.clone(), holder }
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
