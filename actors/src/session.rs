//! The Session actor: one conversation, one writer. It alone numbers events and talks to the agent.
//!
//! ```text
//!  Ask, Heard ──▶ inbox ──▶ stage (decide, apply) ──▶ append ──▶ durable: tail, answers, effects
//!                   ▲                                   │
//!                   └── what comes in meanwhile waits ──┘   the next append takes all of it
//! ```
//! Handlers only put into the inbox. Everything that is decided is in plain modules: `decide` (commands),
//! `react` (the agent), `salvage` (what a crash has left), `state`, `shared_state` and `ledger` (the fold), `live` (what passes), `core` (a batch of it all).

mod actor;
mod approvals;
mod backoff;
mod core;
mod decide;
mod fact;
mod holdback;
mod ladder;
mod ledger;
mod lifetime;
mod live;
mod load;
mod messages;
mod primary;
mod react;
mod salvage;
mod shared_state;
mod state;
mod submit;
mod view;

pub use actor::{Origin, Session, Surroundings};
pub use decide::{Policy, check_settings};
pub use holdback::{HOLD_FOR, MAX_HELD};
pub use ladder::RUNG;
pub use ledger::Ledger;
pub use messages::{
    Answer, Ask, Command, DeviceCard, Hibernate, Measured, Reply, Rest, Retire, Submit, Verdict,
};
pub use shared_state::{MAX_KEY_CHARS, MAX_SHARED_BYTES, MAX_VALUE_BYTES, SharedValue};
pub use state::State;
pub use submit::MAX_QUEUED;
pub use view::{AgentState, AgentView, DeviceView, QueuedView, Status, Summary, TurnView, View};
