//! Tandem: one Claude Code conversation, every device. The service around the actor system of `tandem-actors`.

pub mod error;

mod fields;
