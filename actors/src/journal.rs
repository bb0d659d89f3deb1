//! Where the truth is kept: the trait, and what its answers promise. `journal/memory.rs` is the one without a disk.

mod memory;

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blobs::{BlobHash, Blobs};
use crate::clock::Timestamp;
use crate::event::{By, ChainHash, Record};
use crate::ids::{DeviceId, Epoch, NoticeId, Seq, SessionId, Term};

pub use memory::MemoryJournal;

/// How many events one [`Journal::forget`] removes: some milliseconds of the thread that writes, and more than one append
/// holds, so that removing keeps up with writing.
pub const MAX_FORGOTTEN: usize = 4_096;

/// What every call of a journal returns: it may be awaited anywhere and borrows nothing.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send>>;

/// Ordered, durable, fenced storage for all sessions of a server, and for their attachments.
pub trait Journal: Blobs {
    /// The identity of this history. A restored backup has another.
    fn epoch(&self) -> Epoch;

    /// All sessions that have an event, in no order; channels of projects are none.
    fn sessions(&self) -> Pending<Vec<SessionRow>>;

    /// Takes ownership of a session: its term rises by one, and every older owner's appends are refused from now on.
    ///
    /// An unknown session is made, empty. *Crash:* a claim without an append leaves nothing that is listed.
    fn claim(&self, session: SessionId) -> Pending<Claim>;

    /// Takes ownership of the channel of a project, as [`Journal::claim`] does of a session; `project` is canonical.
    ///
    /// From then on it is read and written under [`SessionId::of_channel`], and is no session to anybody.
    fn claim_channel(&self, project: Arc<str>) -> Pending<Claim>;

    /// All channels of projects that have an event, in no order.
    fn channels(&self) -> Pending<Vec<ChannelRow>>;

    /// Appends to one session and returns when everything is on disk.
    ///
    /// `records` are in `seq` order without gaps, behind the head; they may be empty when there is transcript to keep.
    /// All is written or nothing.
    ///
    /// # Errors
    /// - [`JournalError::NotWritten`]: nothing is stored; a retry is safe.
    /// - [`JournalError::Unknown`]: all of it may be stored or nothing; drop the session and load it again.
    /// - [`JournalError::Fenced`]: a newer owner exists, or the records do not follow the head; stop.
    fn append(&self, append: Append) -> Pending<()>;

    /// Removes old events of the channel of a project, at most [`MAX_FORGOTTEN`] at a time, and returns where to go on:
    /// `before` when nothing is left to be removed. Of a conversation nothing is ever removed.
    ///
    /// *Crash:* some of them are gone, and asking again removes the others.
    ///
    /// # Errors
    /// As [`Journal::append`], without `Fenced`.
    fn forget(&self, old: OldEvents) -> Pending<Seq>;

    /// Reads events behind `after`, oldest first: at most `limit` of them, at most about `max_bytes` of data (but one in any case).
    fn read(&self, session: SessionId, after: Seq, limit: usize, max_bytes: usize) -> Pending<Vec<Record>>;

    /// Reads what the agent wrote to its transcript, oldest first.
    fn transcript(&self, session: SessionId) -> Pending<Vec<TranscriptLine>>;

    /// Remembers devices; the newest write of a device wins.
    fn save_devices(&self, devices: Vec<DeviceRow>) -> Pending<()>;

    /// All devices that were ever remembered, in no order.
    fn devices(&self) -> Pending<Vec<DeviceRow>>;

    /// Remembers that fencing numbers up to this one may be used; a lower number than before changes nothing.
    ///
    /// *Crash:* none of them is given out again.
    fn reserve_fences(&self, up_to: u64) -> Pending<()>;

    /// The highest fencing number that was reserved; 0 at first.
    fn fences(&self) -> Pending<u64>;

    /// Remembers how far devices have read; the newest write of a device and session wins.
    fn save_cursors(&self, cursors: Vec<CursorRow>) -> Pending<()>;

    /// All cursors that were ever remembered, in no order.
    fn cursors(&self) -> Pending<Vec<CursorRow>>;

    /// Keeps a notice until its device can be handed it, and returns when it is on disk.
    ///
    /// Its number is above those of all notices that were kept before.
    ///
    /// # Errors
    /// As [`Journal::append`], without `Fenced`.
    fn keep_notice(&self, notice: NoticeRow) -> Pending<()>;

    /// Forgets the notices of one device up to a number. *Crash* before it: they are handed over once more.
    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Pending<()>;

    /// All notices that wait, in the order of their numbers.
    fn notices(&self) -> Pending<Vec<NoticeRow>>;

    /// Whether writes are taken at the moment: `None`, or a sentence that says why not.
    fn trouble(&self) -> Option<String>;

    /// What will become trouble if nobody does anything, in a sentence that says what to do.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// One session as the list knows it, without loading it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Which.
    pub session: SessionId,
    /// Its last event.
    pub head: Seq,
    /// What the owner said of it at its last append.
    pub summary: Arc<str>,
}

/// The channel of a project, without loading it.
#[derive(Debug, Clone)]
pub struct ChannelRow {
    /// Of which project; canonical.
    pub project: Arc<str>,
    /// What the owner said of it at its last append.
    pub summary: Arc<str>,
}

/// Ownership, and where the history stands.
#[derive(Debug, Clone)]
pub struct Claim {
    /// To be named in every append.
    pub term: Term,
    /// The last event; 0 for a new session.
    pub head: Seq,
    /// The chain at `head`.
    pub hash: ChainHash,
}

/// One append: all of it or nothing.
#[derive(Debug, Clone)]
pub struct Append {
    /// To which session.
    pub session: SessionId,
    /// Under which ownership.
    pub term: Term,
    /// The events.
    pub records: Vec<Record>,
    /// Lines of the agent's transcript, kept beside the events and sent to no device.
    pub transcript: Vec<TranscriptLine>,
    /// The blobs that the events refer to: from now on the session's devices may read them, and they stay.
    pub blobs: Vec<BlobHash>,
    /// The session in the list from now on, as JSON text.
    pub summary: Arc<str>,
}

/// Events of a project's channel that nobody will ask for.
#[derive(Debug, Clone)]
pub struct OldEvents {
    /// Of which channel.
    pub channel: SessionId,
    /// The first of them.
    pub from: Seq,
    /// The first that stays.
    pub before: Seq,
    /// Those between that stay too; in their order.
    pub kept: Vec<Seq>,
}

impl OldEvents {
    /// The stretches of events that go, in their order, as the first of each and the one behind its last.
    pub fn stretches(&self) -> impl Iterator<Item = (Seq, Seq)> {
        let mut first = self.from;
        let ends = self.kept.iter().copied().filter(|kept| (self.from..self.before).contains(kept));
        let stretches =
            ends.chain([self.before]).map(move |end| (std::mem::replace(&mut first, end + 1), end));
        stretches.filter(|(first, end)| first < end)
    }
}

/// One line of the file in which the agent keeps its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptLine {
    /// The file, as the agent named it.
    pub file: Arc<str>,
    /// The line, without its newline.
    pub line: Arc<str>,
}

/// What is remembered of a device when it is not connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRow {
    /// Which.
    pub device_id: DeviceId,
    /// What its owner calls it.
    pub device_name: Option<String>,
    /// `phone`, `laptop`, `browser`, `terminal`, `script`, …
    pub kind: Option<String>,
    /// When a connection of it was last open.
    pub last_seen_at: Timestamp,
}

/// How far one device has read in one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorRow {
    /// In which session.
    pub session: SessionId,
    /// Which device.
    pub device: DeviceId,
    /// The last event that it has acknowledged.
    pub seq: Seq,
    /// How many things for a person there were up to then.
    pub notable: u64,
}

/// A notice that waits for its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its place in the order: rises over all devices.
    pub number: u64,
    /// By which a client knows it.
    pub id: NoticeId,
    /// For which device.
    pub to: DeviceId,
    /// Who sent it.
    pub from: By,
    /// What it says.
    pub message: Arc<str>,
    /// When it was sent.
    pub at: Timestamp,
}

/// Why the journal did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Nothing was stored.
    #[error("nothing was written: {reason}")]
    NotWritten {
        /// For the log; holds no contents.
        reason: String,
    },
    /// It may be stored or not; only a new start can tell.
    #[error("whether it was written is unknown: {reason}")]
    Unknown {
        /// For the log; holds no contents.
        reason: String,
    },
    /// Somebody else owns the session, or the records do not follow the head.
    #[error("another owner writes session {session} (term {term:?} is over)")]
    Fenced {
        /// Which session.
        session: SessionId,
        /// The term that was named.
        term: Term,
    },
    /// A read failed; the history itself is untouched.
    #[error("the journal could not be read: {reason}")]
    Unreadable {
        /// For the log; holds no contents.
        reason: String,
    },
}
