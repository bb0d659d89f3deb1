//! All integration tests, as one program.

mod agent_process;
mod conformance;
mod support;
