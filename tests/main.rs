//! All integration tests, as one binary.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests end the test at the place where it cannot go on"
)]

mod support;

mod http_api;
mod websocket;
