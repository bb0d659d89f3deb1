//! The journal on disk: SQLite in one folder, one thread that writes, a few that read.
//!
//! What is acknowledged was synced (WAL, `synchronous=FULL`). A commit that failed in a way that leaves it open whether
//! it is on disk ends all writing until the next start; `writer.rs` says why.

mod backup;
mod ballast;
mod blobs;
mod check;
mod checkpoint;
mod database;
mod faults;
mod folder;
mod health;
mod lost_tail;
mod open_error;
mod people;
mod queries;
mod queue;
mod reader;
mod request;
mod rows;
mod space;
mod writer;
mod writer_thread;

#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use tandem_actors::event::Record;
use tandem_actors::ids::{DeviceId, Epoch, Seq, SessionId};
use tandem_actors::journal::{
    Append, ChannelRow, Claim, CursorRow, DeviceRow, Journal, NoticeRow, OldEvents, Pending, SessionRow,
    TranscriptLine,
};

use blobs::NextKey;
use checkpoint::Wal;
use folder::Folder;
use health::Health;
use reader::Readers;
use request::Request;
use space::Space;
use writer::Writer;
use writer_thread::WriterThread;

pub use backup::{Contents, CopyError, Restored, back_up, restore};
pub use check::{Findings, Problem, check};
pub use faults::{Failure, Faults, Moment};
pub use open_error::OpenError;
pub use request::TokenRow;

/// The journal of one data folder, held by this process alone.
///
/// A write is queued by the call itself if there is room, else by its future; from then on it happens whether the future
/// is awaited or dropped. Dropping the journal finishes what is queued, leaves an empty log behind, ends the threads and
/// only then lets the folder go: some milliseconds in which the dropping thread stands still.
#[derive(Debug)]
pub struct SqliteJournal {
    epoch: Epoch,
    health: Health,
    next_blob: NextKey,
    // Dropped in this order: the last connection to close removes the log, and only the writer's can; the folder is let
    // go when nobody works in it.
    readers: Readers,
    writer: WriterThread,
    _folder: Folder,
}

impl SqliteJournal {
    /// Opens the journal of a data folder, and makes both if they are not there.
    ///
    /// *Crash:* at any moment leaves a folder that opens. What a crash left in the log is read back first.
    ///
    /// # Errors
    /// [`OpenError`], whose text is for the operator. [`OpenError::InUse`] goes away when the other server ends.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::open_with_faults(folder, Faults::default())
    }

    /// Opens a journal that fails on order.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn open_with_faults(folder: &Path, faults: Faults) -> Result<Self, OpenError> {
        let folder = Folder::hold(folder)?;
        let health = Health::default();
        let space = Space::of(&folder, faults.clone(), health.clone());
        let (connection, epoch) = database::open_writer(&folder)?;
        let next_blob = blobs::remove_unfinished(&connection)
            .map_err(database::failed("remove unfinished attachments", folder.path()))?;
        folder.note_used()?;
        let readers = Readers::start(&folder)?;
        let writer = Writer::new(connection, Wal::of(&folder), space, faults, health.clone());
        let (next_blob, writer) = (NextKey::from(next_blob), WriterThread::start(writer)?);
        Ok(Self { epoch, health, next_blob, readers, writer, _folder: folder })
    }

    /// Writes what is queued, leaves an empty log behind and ends the threads, whoever holds the journal still; it refuses
    /// everything from then on. The calling thread waits for that, some milliseconds.
    ///
    /// For the end of a process: a thread that is on its way out may hold the journal for a moment longer, and what is not
    /// dropped by then would leave its log for the next start to read.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
    }

    /// Resolves, with the reason, when a commit may have happened or not, or the writer has ended: nothing will be written
    /// until the next start, and this process should end. What waited for an answer has it by then.
    pub fn in_doubt(&self) -> impl Future<Output = String> + use<> {
        self.health.lost()
    }

    /// All tokens that open the server, in no order.
    #[must_use]
    pub fn token_hashes(&self) -> Pending<Vec<TokenRow>> {
        self.readers.ask("read the tokens", queries::tokens)
    }

    /// Remembers a token by its hash.
    ///
    /// # Errors
    /// As [`Journal::append`], without `Fenced`.
    #[must_use]
    pub fn add_token(&self, token: TokenRow) -> Pending<()> {
        self.writer.ask(|answer| Request::AddToken(token, answer))
    }
}

impl Journal for SqliteJournal {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn sessions(&self) -> Pending<Vec<SessionRow>> {
        self.readers.ask("list the sessions", queries::sessions)
    }

    fn claim(&self, session: SessionId) -> Pending<Claim> {
        self.writer.ask(|answer| Request::Claim(session, answer))
    }

    fn claim_channel(&self, project: Arc<str>) -> Pending<Claim> {
        self.writer.ask(|answer| Request::ClaimChannel(project, answer))
    }

    fn channels(&self) -> Pending<Vec<ChannelRow>> {
        self.readers.ask("list the channels of projects", queries::channels)
    }

    fn append(&self, append: Append) -> Pending<()> {
        self.writer.ask(|answer| Request::Append(append, answer))
    }

    fn forget(&self, old: OldEvents) -> Pending<Seq> {
        self.writer.ask(|answer| Request::Forget(old, answer))
    }

    fn read(&self, session: SessionId, after: Seq, limit: usize, max_bytes: usize) -> Pending<Vec<Record>> {
        self.readers
            .ask("read events", move |connection| queries::read(connection, session, after, limit, max_bytes))
    }

    fn transcript(&self, session: SessionId) -> Pending<Vec<TranscriptLine>> {
        self.readers.ask("read a transcript", move |connection| queries::transcript(connection, session))
    }

    fn save_devices(&self, devices: Vec<DeviceRow>) -> Pending<()> {
        self.writer.ask(|answer| Request::SaveDevices(devices, answer))
    }

    fn devices(&self) -> Pending<Vec<DeviceRow>> {
        self.readers.ask("read the devices", queries::devices)
    }

    fn reserve_fences(&self, up_to: u64) -> Pending<()> {
        self.writer.ask(|answer| Request::ReserveFences(up_to, answer))
    }

    fn fences(&self) -> Pending<u64> {
        self.readers.ask("read the fencing numbers", queries::fences)
    }

    fn save_cursors(&self, cursors: Vec<CursorRow>) -> Pending<()> {
        self.writer.ask(|answer| Request::SaveCursors(cursors, answer))
    }

    fn cursors(&self) -> Pending<Vec<CursorRow>> {
        self.readers.ask("read the cursors of devices", people::cursors)
    }

    fn keep_notice(&self, notice: NoticeRow) -> Pending<()> {
        self.writer.ask(|answer| Request::KeepNotice(notice, answer))
    }

    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Pending<()> {
        self.writer.ask(|answer| Request::ForgetNotices(device, up_to, answer))
    }

    fn notices(&self) -> Pending<Vec<NoticeRow>> {
        self.readers.ask("read the notices", people::notices)
    }

    fn trouble(&self) -> Option<String> {
        self.health.trouble()
    }

    fn warning(&self) -> Option<String> {
        self.health.warning()
    }
}
