//! What is counted of what is told.

use super::{Happening, ProjectEvent};
use crate::locks::Fact;
use crate::metrics::Metrics;

/// Counts one event.
pub(super) fn count(metrics: &Metrics, event: &ProjectEvent) {
    match event {
        ProjectEvent::Lock(fact) => match fact {
            Fact::LockAcquired { .. } => metrics.locks_acquired.add(1),
            Fact::LockWaiting { .. } => metrics.locks_waited_for.add(1),
            Fact::LockDenied { reason, .. } => metrics.locks_denied.add(*reason),
            Fact::LockReleased { forced_by, .. } => {
                metrics.locks_forced.add(u64::from(forced_by.is_some()));
            }
            Fact::LockExpired { .. } => metrics.locks_expired.add(1),
        },
        ProjectEvent::Other(Happening::ConflictDetected(conflict)) => {
            metrics.conflicts_found.add(conflict.kind);
            if let Some(resolution) = conflict.resolution {
                metrics.conflicts_settled.add(resolution);
            }
        }
        ProjectEvent::Other(Happening::ConflictResolved { resolution, .. }) => {
            metrics.conflicts_settled.add(*resolution);
        }
        ProjectEvent::Other(_) => {}
    }
}
