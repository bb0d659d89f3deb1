//! The guard of agents: what stands between a tool call and the files, and holds the agent to the locks.
//!
//! ```text
//! agent ──hook before──▶ session ──▶ Ward ──▶ touches (what is it about?) ──▶ Keeper (whose is it?)
//!   ▲                                  │           known (is it still what was read?) ──▶ Collisions
//!   └──── pass, instead, or deny ◀─────┘
//! agent ──hook after───▶ session ──▶ Ward ──▶ known, and the project is told
//! ```
//! What it does not see: files that a command writes, aliases of the shell, what scripts run. That is found afterwards,
//! by whoever watches the disk; and what is written over it meanwhile is found here, by its hash.

mod answer;
mod collisions;
mod git;
mod known;
mod places;
mod plan;
mod shell;
mod touches;
mod ward;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::ids::SessionId;
use crate::locks::Keeper;
use crate::project::{Enforcement, Enforcements, Feed, ProjectEvent};
use crate::registry::Board;

pub use collisions::{Attempt, Collisions, Diverged, Late, ReadAgain, Ruling, UntilDone, Writing};
pub use git::GitUse;
pub use known::{Known, Standing};
pub use touches::{Touch, touch};
pub use ward::Ward;

/// What the guard of a server goes by.
#[derive(Clone)]
pub struct Rules {
    /// How agents are held to the locks of projects for which nobody has chosen.
    pub enforcement: Enforcement,
    /// What becomes of a write over content that was not seen; none: it is merged, or kept as a conflict for a person.
    pub collisions: Option<Arc<dyn Collisions>>,
    /// Where it is told what happens in projects.
    pub feed: Arc<dyn Feed>,
    /// How long a lock holds if its server stops renewing it.
    pub ttl: Duration,
    /// How long an agent waits for a lock that another holds.
    pub wait: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::On,
            collisions: None,
            feed: Arc::new(Unheard),
            ttl: Duration::from_secs(300),
            wait: Duration::from_secs(20),
        }
    }
}

/// A project that nobody follows.
#[derive(Debug, Clone, Copy)]
struct Unheard;

impl Feed for Unheard {
    fn tell(&self, _project: &Arc<str>, _event: ProjectEvent) {}
}

/// See the module. One for all sessions.
pub struct Guard {
    pub(crate) keeper: Arc<Keeper>,
    rules: Rules,
    enforcements: Arc<Enforcements>,
    collisions: Arc<dyn Collisions>,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
}

impl Guard {
    /// Sets one up; `enforcements` says what is in force, `board` has the titles of those who are in the way. Without rules
    /// for collisions, files are to be read again.
    #[must_use]
    pub fn new(
        keeper: Arc<Keeper>,
        rules: Rules,
        enforcements: Arc<Enforcements>,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let collisions = rules.collisions.clone().unwrap_or_else(|| Arc::new(ReadAgain));
        Self { keeper, rules, enforcements, collisions, board, clock }
    }

    /// Begins to look after a session that works in a project; its canonical path.
    #[must_use]
    pub fn ward(self: &Arc<Self>, session: SessionId, project: Arc<str>) -> Arc<Ward> {
        Arc::new(Ward::new(self.clone(), session, project))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Guard")
    }
}
