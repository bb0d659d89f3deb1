//! The actor system as a program meets it that has no HTTP, no SQL and no `claude`: a journal in memory and agents
//! that the test plays itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent_life;
mod approvals;
mod attachments;
mod clock;
mod creation;
mod devices;
mod files;
mod framework;
mod guarding;
mod lifetimes;
mod messages;
mod notices;
mod presence;
mod primary;
mod projects;
mod recovery;
mod storage;
mod support;
mod unread;
