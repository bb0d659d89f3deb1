//! The actor system of Tandem.
pub mod agent;
pub mod clock;
pub mod content;
pub mod event;
pub mod ids;
pub mod journal;
