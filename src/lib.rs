//! Tandem: one Claude Code conversation, every device. This is the service around [`tandem_actors`].

pub mod agent_probe;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod store;
pub mod telemetry;
