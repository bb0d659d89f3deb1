//! What was told in a project, what clients asked to write and were told, and whether that can have happened. Pure.
//!
//! ```text
//! the channel ─────────▶ locks      nobody held what another had; the numbers of grants rise
//!                        conflicts  what is settled was found, and is settled once
//! who wrote, from what ▶ versions   every write that was accepted stands on what was there before it, or is merged with it,
//!   and was told                    or what it went over is named in a conflict; none is nowhere, none is from nowhere
//! ```
//! Whether a device was given the whole channel in order is for [`super::check`] to say: it is a stream like any other.

mod conflicts;
mod locks;
#[cfg(test)]
mod tests;
mod versions;
mod wrong;

use std::collections::BTreeMap;

use serde_json::Value;
use tandem_actors::clock::Timestamp;
use tandem_actors::ids::Seq;

use super::op::Moment;

pub use wrong::Wrong;

/// All that is known of a run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The project's folder.
    pub project: String,
    /// The whole channel, in its order.
    pub events: Vec<Told>,
    /// Behind which events a server was killed.
    pub ends: Vec<Seq>,
    /// Everything that anybody wanted to write, in the order in which each began it.
    pub writes: Vec<Write>,
    /// The files that were written, within the project, and what was in them.
    pub files: BTreeMap<String, Kept>,
}

/// An event of a project's channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its place.
    pub seq: Seq,
    /// When the server wrote it.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// The fields of that kind.
    pub data: Value,
}

/// What was in a file before anybody wrote, and after everybody has: hashes; none for no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Before.
    pub first: Option<String>,
    /// After.
    pub last: Option<String>,
}

/// Somebody wants to write a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Who, as the wire names a holder.
    pub by: Value,
    /// Within the project.
    pub file: String,
    /// The hash of what they had read.
    pub base: Option<String>,
    /// The hash of what they want there.
    pub proposed: String,
    /// Under which number they hold the lock, if they said so.
    pub fence: Option<u64>,
    /// When they began.
    pub begun: Moment,
    /// What they were told.
    pub outcome: Outcome,
}

/// What somebody was told of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is written; with the hash of what is there then, if that was said.
    Written(Option<String>),
    /// It is not.
    Refused,
    /// It is not, and this conflict is on record.
    Conflict(String),
    /// Nobody knows.
    Unknown,
}

impl Told {
    /// Reads a frame `project_event`; none for any other frame.
    #[must_use]
    pub fn of(frame: &Value) -> Option<Self> {
        let is_event = frame["type"] == "project_event";
        let told = || {
            Some(Self {
                seq: frame["seq"].as_u64()?,
                at: serde_json::from_value(frame["at"].clone()).ok()?,
                kind: frame["kind"].as_str()?.to_owned(),
                data: frame["data"].clone(),
            })
        };
        is_event.then(told).flatten()
    }
}

/// Everything in a run that cannot be; nothing if all of it can have happened.
#[must_use]
pub fn check(run: &Run) -> Vec<Wrong> {
    let (mut wrong, over) = locks::check(run);
    wrong.extend(conflicts::check(run));
    wrong.extend(versions::check(run, &over));
    wrong
}
