//! All integration tests in one program.

// The attribute is always true here; it tells clippy that helpers may unwrap as tests do.
#[cfg(test)]
mod agent_process;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod support;
