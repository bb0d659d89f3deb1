//! What cannot be in a project.

use serde_json::Value;
use tandem_actors::ids::Seq;

/// What is wrong, for a person to look for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each says in its words what its fields are")]
pub enum Wrong {
    #[error("event {seq}: {holder} holds what {other} holds")]
    BothHold { seq: Seq, holder: Value, other: Value },
    #[error("event {seq}: the number {fence} after {highest}")]
    FenceFell { seq: Seq, fence: u64, highest: u64 },
    #[error("event {seq}: {holder} gives back what it does not hold")]
    NotHeld { seq: Seq, holder: Value },
    #[error("{file}: {by} wrote under the number {fence}, which was over at event {seq}")]
    LateWrite { file: String, by: Value, fence: u64, seq: Seq },

    #[error("event {seq}: conflict {conflict} is settled, and was not open")]
    SettledTwice { seq: Seq, conflict: String },
    #[error("conflict {conflict} was answered, and is on no record")]
    ConflictLost { conflict: String },

    #[error(
        "event {seq}: {file} is written over {lost}, which its writer had not seen and no conflict names"
    )]
    Overwritten { seq: Seq, file: String, lost: String },
    #[error("event {seq}: {file} is not what {by} wanted to write, and no conflict says why")]
    Altered { seq: Seq, file: String, by: Value },
    #[error("event {seq}: {file} is written by {by}, who asked for no such thing")]
    StrangeWrite { seq: Seq, file: String, by: Value },
    #[error("{file}: what {by} has written, {hash}, is nowhere")]
    WriteLost { file: String, by: Value, hash: String },
    #[error("{file} ends as {last:?}, and was last told to be {told:?}")]
    EndsElsewhere { file: String, last: Option<String>, told: Option<String> },
}
