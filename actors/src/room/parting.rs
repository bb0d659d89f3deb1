//! How a connection ended: told by whoever carries it, read when its device leaves the rooms that it was in.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

/// The end of a connection, as far as the people on the other devices are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The device said that it goes: it is offline at once.
    Clean,
    /// The connection broke: the device may be back in a moment.
    Lost {
        /// When it last gave a sign of life.
        since: Instant,
    },
}

/// Where the end of one connection is noted; clones are the same note.
#[derive(Debug, Clone, Default)]
pub struct Parting(Arc<OnceLock<Ending>>);

impl Parting {
    /// Notes how it ended; the first note counts.
    pub fn note(&self, ending: Ending) {
        let _ = self.0.set(ending);
    }

    /// How it ended. Without a note it was lost just now.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.0.get().copied().unwrap_or_else(|| Ending::Lost { since: Instant::now() })
    }
}
