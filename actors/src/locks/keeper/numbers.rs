//! Fencing numbers: reserved on disk before they are given out.

use std::sync::Arc;

use super::{Desk, Keeper};
use crate::locks::Fence;

/// Fences that are reserved at a time: at 20,000 grants a second enough for a minute, so that a disk that is slow for a
/// while stops nobody.
pub(super) const FENCE_BLOCK: u64 = 1_000_000;

impl Keeper {
    /// Makes sure that there are numbers to give out.
    pub(super) fn see_to_numbers(self: &Arc<Self>, desk: &mut Desk) {
        let left = desk.table.fences_reserved().0.saturating_sub(desk.table.last_fence().0);
        if left < FENCE_BLOCK / 2 {
            self.reserve(desk);
        }
    }

    /// Reserves the next numbers on disk; those that are left go on meanwhile.
    pub(super) fn reserve(self: &Arc<Self>, desk: &mut Desk) {
        if std::mem::replace(&mut desk.is_reserving, true) {
            return;
        }
        let up_to = Fence(desk.table.fences_reserved().0 + FENCE_BLOCK);
        let reserving = self.journal.reserve_fences(up_to.0);
        let keeper = Arc::downgrade(self);
        drop(self.runtime.spawn(async move {
            let outcome = reserving.await;
            let Some(keeper) = keeper.upgrade() else { return };
            let mut desk = keeper.desk();
            desk.is_reserving = false;
            match outcome {
                Ok(()) => {
                    let now = keeper.now();
                    let news = desk.table.reserve_fences(up_to, now);
                    keeper.take(&mut desk, news, now);
                }
                Err(error) => tracing::warn!(%error, "no fencing numbers could be reserved; locks are refused when they are used up"),
            }
        }));
    }
}
