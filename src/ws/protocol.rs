//! The frames of docs/protocol.md §2 as types. Pure: text in, text out.

mod client;
mod server;

pub(super) use client::{Frame, Hello};
pub(super) use server::{Goodbye, ServerFrame, Welcome};

/// The one version that there is.
pub(super) const VERSION: u32 = 1;
