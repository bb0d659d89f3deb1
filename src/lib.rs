//! Tandem: one Claude Code conversation, every device. This is the service around [`tandem_actors`].

pub mod access;
pub mod agent_probe;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod doors;
pub mod error;
mod fields;
pub mod git;
pub mod history;
pub mod http;
pub mod overview;
pub mod server;
pub mod service;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod traffic;
pub mod ws;
