//! Tandem: one Claude Code conversation, every device. The service around the actor system of `tandem-actors`.

pub mod access;
pub mod doors;
pub mod error;
pub mod http;
pub mod server;
pub mod service;
pub mod ws;

mod fields;
