//! What tests are written with.

pub(crate) mod raw_ws;
pub(crate) mod wire;
