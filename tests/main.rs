//! All integration tests in one program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent_process;
mod command_line;
mod conformance;
mod conversation;
mod http_api;
mod observing;
mod support;
mod websocket;
