//! The WebSocket: the way in, the frames, and what keeps a bad or slow peer from harming anybody else.
//!
//! ```text
//!  peer ──bytes──▶ Guard ──▶ codec ──▶ Socket ──Request──▶ Device
//!                    ▲ brake                                  │ Outbox
//!                    └───────────── Line ◀────────────────────┘
//!  peer ◀──bytes── Body ◀── answers (Outbox), events (Follow, one a session), list (Board), pings (pump ◀ Socket)
//! ```
//! Everything of one connection lives on the thread that accepted it.

pub mod frame;

mod body;
mod farewell;
mod guard;
mod line;
mod protocol;
mod pump;
mod socket;
mod upgrade;

pub(crate) use upgrade::upgrade;
