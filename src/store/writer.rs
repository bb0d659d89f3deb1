//! The thread that owns the only connection that writes: group commit across sessions, fencing, doubt.
//!
//! ```text
//! requests ──▶ take one, and what else is there ──▶ BEGIN ─ write each ─ COMMIT (one sync) ──▶ answer all
//!                                                             │ a stale term: this one is refused, the rest go on
//! ```
//! There is no added delay: while one group is synced, the next one gathers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tandem_actors::ids::{SessionId, Term};
use tandem_actors::journal::{Append, Claim, JournalError, MAX_FORGOTTEN, NoticeRow};

use super::blobs::{self, BlobWrite};
use super::checkpoint::Wal;
use super::database;
use super::faults::{Faults, Moment};
use super::health::Health;
use super::people;
use super::queue::{Receiver, Taken};
use super::request::Request;
use super::rows::{self, Standing};
use super::space::Space;

/// Room for writes that wait. A session has one append in flight, and 32 MiB is what a slow disk syncs in about a
/// second: whoever comes later waits in its own future and not in memory that nobody counts.
pub(super) const QUEUE_KIB: u32 = 32 << 10;

/// Requests that one commit takes. At 512 a sync is spread so thin that more gains nothing, and p99 stays low.
const MAX_GROUP_REQUESTS: usize = 512;

/// Bytes after which a group takes no further request: 1 MiB costs a slow disk about as long as the sync itself.
const MAX_GROUP_BYTES: usize = 1 << 20;

/// How long nothing is written before the log is cut: long enough not to fall between two turns of a conversation.
/// Looked for as often as for space.
const IDLE: Duration = Duration::from_secs(5);

/// The writer's state. Driven by [`Writer::run`] on its own thread, or group by group in tests.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    wal: Wal,
    space: Space,
    faults: Faults,
    health: Health,
    /// When the last group was written, or the log looked after since.
    last_work: Instant,
    /// Rows as they are on disk, or in the open transaction; emptied whenever one is rolled back.
    standings: HashMap<SessionId, Standing>,
    /// Set when a commit failed and may have happened: what went wrong. Nothing is written from then on.
    doubt: Option<String>,
}

/// A group that did not get through.
enum Failed {
    BeforeCommit(rusqlite::Error),
    AtCommit(rusqlite::Error),
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        wal: Wal,
        space: Space,
        faults: Faults,
        health: Health,
    ) -> Self {
        let (last_work, standings) = (Instant::now(), HashMap::new());
        Self { connection, wal, space, faults, health, last_work, standings, doubt: None }
    }

    /// Writes until the queue is closed and empty, then leaves an empty log behind.
    pub(super) fn run(mut self, mut requests: Receiver<Request>) {
        while let Some(group) = self.next_group(&mut requests) {
            self.write(group);
        }
        if self.doubt.is_none() {
            self.cut_log();
        }
    }

    fn next_group(&mut self, requests: &mut Receiver<Request>) -> Option<Vec<Request>> {
        let first = loop {
            let at_most = self.doubt.is_none().then(|| self.space.until_next_look());
            match requests.take(at_most) {
                Taken::Item(request) => break request,
                Taken::Nothing => self.use_idle_moment(),
                Taken::Closed => return None,
            }
        };
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while group.len() < MAX_GROUP_REQUESTS
            && bytes < MAX_GROUP_BYTES
            && let Some(request) = requests.take_if_there()
        {
            bytes += request.bytes();
            group.push(request);
        }
        Some(group)
    }

    fn use_idle_moment(&mut self) {
        self.look_at_space();
        if self.last_work.elapsed() >= IDLE && self.wal.may_hold_pages() {
            self.cut_log();
        }
    }

    /// Commits a group and answers everyone in it.
    fn write(&mut self, mut group: Vec<Request>) {
        let commit = match &self.doubt {
            Some(reason) => Err(unknown(reason)),
            None => match self.commit(&mut group) {
                Ok(()) => Ok(()),
                Err(failed) => Err(self.give_up(failed)),
            },
        };
        let is_committed = commit.is_ok();
        if is_committed {
            self.look_at_space_after_commit();
        }
        for request in group {
            request.release(commit.clone());
        }
        self.last_work = Instant::now();
        // Nobody waits for a checkpoint but the next group.
        if is_committed && let Err(error) = self.wal.committed(&self.connection) {
            self.doubt(format!("the log could not be copied into the database: {error}"));
        }
        // Only now: whoever ends the server for it finds these answers given.
        if let Some(reason) = &self.doubt {
            self.health.lose(&lost(reason));
        }
    }

    /// A group got through: what was in the way is not any more, unless the disk is still short.
    fn look_at_space_after_commit(&mut self) {
        if self.space.trouble().is_some() || self.space.until_next_look().is_zero() {
            self.space.look();
        }
        self.health.set(self.space.trouble());
    }

    fn look_at_space(&mut self) {
        let was_full = self.space.trouble().is_some();
        self.space.look();
        if was_full {
            self.health.set(self.space.trouble());
        }
    }

    fn cut_log(&mut self) {
        if let Err(error) = self.wal.cut(&self.connection) {
            let reason = format!("the log could not be copied into the database: {error}");
            self.health.lose(&lost(&reason));
            self.doubt(reason);
        }
    }

    fn commit(&mut self, group: &mut [Request]) -> Result<(), Failed> {
        self.write_rows(group).map_err(Failed::BeforeCommit)?;
        self.faults
            .strike(Moment::InsteadOfCommit)
            .and_then(|()| self.execute("COMMIT"))
            .and_then(|()| self.faults.strike(Moment::AfterCommit))
            .map_err(Failed::AtCommit)
    }

    fn write_rows(&mut self, group: &mut [Request]) -> rusqlite::Result<()> {
        self.execute("BEGIN IMMEDIATE")?;
        for request in group {
            match request {
                Request::Claim(session, answer) => answer.hold(Ok(self.claim(*session, None)?)),
                Request::ClaimChannel(project, answer) => {
                    let channel = SessionId::of_channel(project);
                    answer.hold(Ok(self.claim(channel, Some(project))?));
                }
                Request::Append(append, answer) => answer.hold(self.append(append)?),
                Request::Forget(old, answer) => {
                    answer.hold(Ok(rows::delete_events(&self.connection, old, MAX_FORGOTTEN)?));
                }
                Request::SaveDevices(devices, answer) => {
                    for device in devices {
                        rows::save_device(&self.connection, device)?;
                    }
                    answer.hold(Ok(()));
                }
                Request::SaveCursors(cursors, answer) => {
                    for cursor in cursors {
                        people::save_cursor(&self.connection, cursor)?;
                    }
                    answer.hold(Ok(()));
                }
                Request::KeepNotice(notice, answer) => answer.hold(self.keep_notice(notice)?),
                Request::ForgetNotices(device, up_to, answer) => {
                    people::delete_notices(&self.connection, device, *up_to)?;
                    answer.hold(Ok(()));
                }
                Request::AddToken(token, answer) => {
                    rows::save_token(&self.connection, token)?;
                    answer.hold(Ok(()));
                }
                Request::Blob(write, answer) => answer.hold(self.write_blob(write)?),
                Request::ReserveFences(up_to, answer) => {
                    rows::reserve_fences(&self.connection, *up_to)?;
                    answer.hold(Ok(()));
                }
            }
        }
        self.faults.strike(Moment::BeforeCommit)
    }

    fn claim(&mut self, session: SessionId, project: Option<&str>) -> rusqlite::Result<Claim> {
        let mut standing = match self.standing(session)? {
            Some(standing) => standing,
            None => rows::insert_session(&self.connection, session, project)?,
        };
        standing.term = Term(standing.term.0 + 1);
        rows::update_term(&self.connection, &standing)?;
        let claim = Claim { term: standing.term, head: standing.head, hash: standing.hash };
        self.standings.insert(session, standing);
        Ok(claim)
    }

    /// Writes one append, or refuses it alone and writes nothing of it.
    fn append(&mut self, append: &Append) -> rusqlite::Result<Result<(), JournalError>> {
        let session = append.session;
        if self.space.refuses(&append.records) {
            let reason = "the disk is full, and this begins something new".to_owned();
            return Ok(Err(JournalError::NotWritten { reason }));
        }
        let fenced = JournalError::Fenced { session, term: append.term };
        let Some(mut standing) = self.standing(session)? else {
            return Ok(Err(fenced));
        };
        let mut follows = (standing.head + 1..).zip(&append.records);
        if standing.term != append.term || !follows.all(|(seq, record)| record.seq == seq) {
            return Ok(Err(fenced));
        }
        for record in &append.records {
            rows::insert_event(&self.connection, standing.key, record)?;
            standing.head = record.seq;
            standing.hash = record.hash;
        }
        for line in &append.transcript {
            standing.lines += 1;
            rows::insert_line(&self.connection, standing.key, standing.lines, line)?;
        }
        for hash in &append.blobs {
            blobs::refer(&self.connection, *hash, standing.key)?;
        }
        rows::update_head(&self.connection, &standing, &append.summary)?;
        self.standings.insert(session, standing);
        Ok(Ok(()))
    }

    /// Writes a notice, unless the last of the space is for what is under way.
    fn keep_notice(&self, notice: &NoticeRow) -> rusqlite::Result<Result<(), JournalError>> {
        if self.space.trouble().is_some() {
            return Ok(Err(JournalError::NotWritten { reason: "the disk is full".to_owned() }));
        }
        people::insert_notice(&self.connection, notice).map(Ok)
    }

    fn write_blob(&mut self, write: &BlobWrite) -> rusqlite::Result<Result<bool, JournalError>> {
        if write.begins_something() && self.space.refuses_new() {
            let reason = "the disk is full, and this is a new attachment".to_owned();
            return Ok(Err(JournalError::NotWritten { reason }));
        }
        write.apply(&self.connection).map(Ok)
    }

    fn standing(&self, session: SessionId) -> rusqlite::Result<Option<Standing>> {
        match self.standings.get(&session) {
            Some(standing) => Ok(Some(standing.clone())),
            None => rows::find(&self.connection, session),
        }
    }

    /// Takes back what can be taken back, and says how certain that is.
    ///
    /// Before COMMIT nothing counts. In COMMIT a full disk is certain too: the page that makes the others count is the
    /// last one written, and it did not fit. After any other error of COMMIT (a failed sync above all) this connection
    /// shows the old state while a restart may show the new one, so nothing may be built on either.
    fn give_up(&mut self, failed: Failed) -> JournalError {
        let rolled_back = self.roll_back();
        let (error, is_certain) = match failed {
            Failed::BeforeCommit(error) => (error, true),
            Failed::AtCommit(error) => {
                let is_certain = is_disk_full(&error) && rolled_back.is_ok();
                (error, is_certain)
            }
        };
        if !is_certain {
            return self.doubt(format!("the commit failed: {error}"));
        }
        let reason = error.to_string();
        tracing::warn!(%error, "a write was taken back");
        match rolled_back {
            Ok(()) if is_disk_full(&error) => self.make_room(),
            Ok(()) => {
                self.health.set(Some(format!("the last write failed ({error}); the next one is tried")));
            }
            Err(rollback_error) => {
                self.doubt(format!("a write could not be taken back: {rollback_error}"));
            }
        }
        JournalError::NotWritten { reason }
    }

    /// The disk is full: gives up the ballast, and moves the log into the database, which lets go of the log's blocks.
    fn make_room(&mut self) {
        self.space.ran_out();
        self.cut_log();
        if self.doubt.is_none() {
            self.health.set(self.space.trouble());
        }
    }

    fn roll_back(&mut self) -> rusqlite::Result<()> {
        self.standings.clear();
        // SQLite may have rolled back by itself; "no transaction is open" is the state to be verified.
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK")
    }

    /// Writes nothing from here on: only a new start can tell what is on disk.
    fn doubt(&mut self, reason: String) -> JournalError {
        tracing::error!(reason, "the journal writes nothing any more");
        // The log is left for the next start to read, as it is.
        if let Err(error) = database::keep_log_at_close(&self.connection, true) {
            tracing::warn!(%error, "the log may be cut at the end");
        }
        self.health.set(Some(lost(&reason)));
        let answer = unknown(&reason);
        self.doubt = Some(reason);
        answer
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.lose("the journal's writer has ended; restart the server");
        }
    }
}

fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn lost(reason: &str) -> String {
    format!("{reason}; whether it was written is unknown, restart the server to find out")
}

fn unknown(reason: &str) -> JournalError {
    JournalError::Unknown { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
