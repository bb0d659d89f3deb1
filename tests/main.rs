//! All integration tests in one program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent_faults;
mod agent_process;
mod client;
mod command_line;
mod conformance;
mod conversation;
mod hostile_devices;
mod http_api;
mod layering;
mod many_sessions;
mod rolling;
mod soak;
mod support;
mod terminal;
mod websocket;
