//! All integration tests in one program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent_faults;
mod agent_process;
mod approvals;
mod attachments;
mod banner;
mod client;
mod command_line;
mod conformance;
mod conversation;
mod disk;
mod disk_full;
mod git_crashes;
mod git_http;
mod git_in_turn;
mod git_join;
mod git_refusals;
mod guard;
mod hostile_devices;
mod http_api;
mod http_conversation;
mod in_sync;
mod javascript;
mod layering;
mod many_sessions;
mod meddled_wire;
mod observing;
mod people;
mod project_files;
mod projects;
mod recovery;
mod rolling;
mod soak;
mod support;
mod terminal;
mod websocket;
