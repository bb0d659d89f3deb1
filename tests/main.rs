//! All integration tests in one program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent_process;
mod client;
mod command_line;
mod conformance;
mod conversation;
mod disk;
mod disk_full;
mod http_api;
mod http_conversation;
mod layering;
mod observing;
mod recovery;
mod support;
mod terminal;
mod websocket;
