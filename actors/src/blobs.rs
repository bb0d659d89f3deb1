//! Attachments as they are kept: each once, under the SHA-256 of its bytes, in parts that no other write waits long for.
//!
//! ```text
//! submit, edit ──▶ intake: checked by content, kept; what goes on is a reference ──▶ session, events, devices
//!                                                      agent's stdin ◀── handout: the bytes again ◀──┘
//! ```

mod handout;
mod hash;
mod intake;
mod kind;
mod reading;
mod source;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::event::Event;
use crate::ids::{DeviceId, SessionId};
use crate::journal::Pending;

pub use handout::hand_out;
pub use hash::{BadHash, BlobHash};
pub use intake::{Shelf, keep_attachments};
pub use kind::Kind;
pub use reading::{Reading, Unusable, fetch};
pub(crate) use source::{check_source, reference_of};

/// One attachment, decoded: what docs/protocol.md promises, and twice what the model takes of a picture.
pub const MAX_BLOB_BYTES: usize = 10 << 20;

/// What is written and read at once. A disk takes 256 KiB in milliseconds, so that is what somebody else's append waits.
pub const PART_BYTES: usize = 256 << 10;

/// Keeps attachments. A journal does both, so that a message and its claim on an attachment are one write.
pub trait Blobs: Send + Sync + 'static {
    /// Keeps a blob and returns when all of it is on disk. One that is there already gets a second owner and no second copy.
    ///
    /// *Crash:* before the end, there is no such blob, and what was written of it is removed at the next start.
    ///
    /// # Errors
    /// As for [`crate::journal::Journal::append`], without `Fenced`; repeating is safe after each of them.
    fn keep(&self, blob: NewBlob) -> Pending<()>;

    /// Says that somebody is about to refer to a blob, so that it is not forgotten meanwhile. `false`: there is none.
    fn touch(&self, hash: BlobHash, at: Timestamp) -> Pending<bool>;

    /// What is known of a blob, without its bytes.
    fn find(&self, hash: BlobHash) -> Pending<Option<BlobRow>>;

    /// The part with this number, from 0: [`PART_BYTES`] of it, or what is left at its end. Unchecked: see [`Reading`].
    fn part(&self, hash: BlobHash, number: u64) -> Pending<Option<Bytes>>;

    /// Removes the blobs that no session refers to and that nobody has touched since; says how many.
    fn forget_unused(&self, before: Timestamp) -> Pending<u64>;
}

/// A blob to be kept, looked at already.
#[derive(Debug, Clone)]
pub struct NewBlob {
    /// The SHA-256 of `data`.
    pub hash: BlobHash,
    /// What `data` is.
    pub kind: Kind,
    /// The bytes; not empty, at most [`MAX_BLOB_BYTES`].
    pub data: Bytes,
    /// The device that brings it; it may read it from then on.
    pub by: DeviceId,
    /// When.
    pub at: Timestamp,
}

/// What is known of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// What it is.
    pub kind: Kind,
    /// How large, in bytes.
    pub bytes: u64,
    /// The devices that brought it.
    pub devices: Vec<DeviceId>,
    /// The sessions that refer to it.
    pub sessions: Vec<SessionId>,
}

/// Why bytes are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBlob {
    /// More than [`MAX_BLOB_BYTES`].
    #[error("it is larger than {} MiB", MAX_BLOB_BYTES >> 20)]
    TooLarge,
    /// No kind that an agent takes.
    #[error("it is no PNG, JPEG, GIF or WebP picture, no PDF, and no text in UTF-8")]
    UnknownKind,
}

impl NewBlob {
    /// Looks at bytes: how many, which kind, which hash. Up to some 20 ms of work.
    ///
    /// # Errors
    /// [`BadBlob`]: sending the same again is refused again.
    pub fn of(data: Bytes, by: DeviceId, at: Timestamp) -> Result<Self, BadBlob> {
        if data.len() > MAX_BLOB_BYTES {
            return Err(BadBlob::TooLarge);
        }
        let kind = Kind::of(&data).ok_or(BadBlob::UnknownKind)?;
        Ok(Self { hash: BlobHash::of(&data), kind, data, by, at })
    }
}

/// The blobs that an event refers to, for the write that carries it.
#[must_use]
pub fn referred_by(event: &Event) -> Vec<BlobHash> {
    match event {
        Event::MessageAccepted { content, .. } | Event::MessageEdited { content, .. } => content.blobs(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
