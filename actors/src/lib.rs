//! The actor system of Tandem.
pub mod agent;
pub mod blobs;
pub mod clock;
pub mod content;
pub mod device;
pub mod down;
pub mod event;
pub mod hub;
pub mod ids;
pub mod journal;
pub mod metrics;
pub mod nesting;
pub mod refusal;
pub mod registry;
pub mod room;
pub mod session;
pub mod system;
