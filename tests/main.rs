//! All integration tests in one program.

// The attribute is always true here; it tells clippy that helpers may unwrap as tests do.
#[cfg(test)]
mod command_line;
