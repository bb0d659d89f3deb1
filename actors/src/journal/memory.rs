//! A journal without a disk, for examples and for tests of actors; it forgets everything when it is dropped.

mod blobs;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{
    Append, ChannelRow, Claim, CursorRow, DeviceRow, Journal, JournalError, MAX_FORGOTTEN, NoticeRow,
    OldEvents, Pending, SessionRow, TranscriptLine,
};
use crate::blobs::BlobHash;
use crate::event::{ChainHash, Record};
use crate::ids::{DeviceId, Epoch, Seq, SessionId, Term};

/// Keeps everything in memory; clones share it. It can be told to fail, so that tests see what then happens.
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    epoch: Epoch,
    shelf: Arc<Mutex<Shelf>>,
    is_held: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Clone, Default)]
struct Shelf {
    sessions: HashMap<SessionId, Kept>,
    devices: HashMap<DeviceId, DeviceRow>,
    cursors: HashMap<(SessionId, DeviceId), CursorRow>,
    notices: BTreeMap<u64, NoticeRow>,
    blobs: HashMap<BlobHash, blobs::Kept>,
    next_failure: Option<JournalError>,
    trouble: Option<String>,
    next_transcript_fails: bool,
    channels_fail: bool,
    failed_channels: usize,
    fences: u64,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    term: u64,
    /// The project whose channel it is.
    project: Option<Arc<str>>,
    records: Vec<Record>,
    transcript: Vec<TranscriptLine>,
    summary: Arc<str>,
}

impl MemoryJournal {
    /// Makes an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: Epoch::random(), shelf: Arc::default(), is_held: Arc::new(watch::Sender::new(false)) }
    }

    /// Fails the next append with this, once. `Unknown` stores the records and says that it does not know.
    pub fn fail_next_append(&self, failure: JournalError) {
        self.shelf().next_failure = Some(failure);
    }

    /// Refuses every append, and what is saved of people, with `NotWritten` until it is told `None`.
    pub fn refuse_appends(&self, reason: Option<&str>) {
        self.shelf().trouble = reason.map(str::to_owned);
    }

    /// Lets appends wait, as behind a slow disk, until it is told otherwise; they are stored in the order of asking.
    pub fn hold_appends(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }

    /// Fails the next reading of a transcript, once.
    pub fn fail_next_transcript(&self) {
        self.shelf().next_transcript_fails = true;
    }

    /// Fails whoever claims a channel, until it is told otherwise. Returns how often that was done until now.
    pub fn fail_channels(&self, do_fail: bool) -> usize {
        let mut shelf = self.shelf();
        shelf.channels_fail = do_fail;
        shelf.failed_channels
    }

    /// A journal as a crash right after event `seq` would have left it: a copy that knows nothing later.
    #[must_use]
    pub fn cut_after(&self, session: SessionId, seq: Seq) -> Self {
        let shelf = self.shelf();
        let mut cut = Shelf { blobs: shelf.blobs.clone(), ..Shelf::default() };
        if let Some(kept) = shelf.sessions.get(&session) {
            let records = kept.records.iter().filter(|record| record.seq <= seq).cloned().collect();
            let transcript = kept.transcript.clone();
            let summary = kept.summary.clone();
            let kept = Kept { term: kept.term, project: None, records, transcript, summary };
            cut.sessions.insert(session, kept);
        }
        Self {
            epoch: self.epoch.clone(),
            shelf: Arc::new(Mutex::new(cut)),
            is_held: Arc::new(watch::Sender::new(false)),
        }
    }

    /// A journal as a crash at this moment would have left it: a copy that earlier owners do not reach.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            epoch: self.epoch.clone(),
            shelf: Arc::new(Mutex::new(self.shelf().clone())),
            is_held: Arc::new(watch::Sender::new(false)),
        }
    }

    /// All events of a session, at once.
    #[must_use]
    pub fn records(&self, session: SessionId) -> Vec<Record> {
        self.shelf().sessions.get(&session).map(|kept| kept.records.clone()).unwrap_or_default()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(&self, append: Append) -> Result<(), JournalError> {
        let Append { session, term, records, transcript, blobs, summary } = append;
        let mut shelf = self.shelf();
        shelf.check()?;
        // A test that plants a failure means the session that it looks at.
        let is_channel = shelf.sessions.get(&session).is_some_and(|kept| kept.project.is_some());
        let failure = if is_channel { None } else { shelf.next_failure.take() };
        if let Some(failure @ (JournalError::NotWritten { .. } | JournalError::Fenced { .. })) = failure {
            return Err(failure);
        }
        let kept = shelf.sessions.entry(session).or_default();
        let head = kept.records.last().map_or(0, |record| record.seq);
        let follows = records.first().is_none_or(|first| first.seq == head + 1);
        if kept.term != term.0 || !follows {
            return Err(JournalError::Fenced { session, term });
        }
        kept.records.extend(records);
        kept.transcript.extend(transcript);
        kept.summary = summary;
        for hash in blobs {
            shelf.refer(hash, session);
        }
        failure.map_or(Ok(()), Err)
    }
}

impl Shelf {
    fn check(&self) -> Result<(), JournalError> {
        self.trouble.clone().map_or(Ok(()), |reason| Err(JournalError::NotWritten { reason }))
    }
}

impl Kept {
    fn claim(&mut self, session: SessionId) -> Claim {
        self.term += 1;
        let last = self.records.last();
        Claim {
            term: Term(self.term),
            head: last.map_or(0, |record| record.seq),
            hash: last.map_or_else(|| ChainHash::start(session), |record| record.hash),
        }
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

fn ready<T: Send + 'static>(result: Result<T, JournalError>) -> Pending<T> {
    Box::pin(std::future::ready(result))
}

impl Journal for MemoryJournal {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn sessions(&self) -> Pending<Vec<SessionRow>> {
        let shelf = self.shelf();
        let conversations = shelf.sessions.iter().filter(|(_, kept)| kept.project.is_none());
        let rows = conversations.filter_map(|(session, kept)| {
            let head = kept.records.last()?.seq;
            Some(SessionRow { session: *session, head, summary: kept.summary.clone() })
        });
        ready(Ok(rows.collect()))
    }

    fn claim(&self, session: SessionId) -> Pending<Claim> {
        ready(Ok(self.shelf().sessions.entry(session).or_default().claim(session)))
    }

    fn claim_channel(&self, project: Arc<str>) -> Pending<Claim> {
        let channel = SessionId::of_channel(&project);
        let mut shelf = self.shelf();
        if shelf.channels_fail {
            shelf.failed_channels += 1;
            return ready(Err(JournalError::Unreadable { reason: "damaged".into() }));
        }
        let kept = shelf.sessions.entry(channel).or_default();
        kept.project = Some(project);
        ready(Ok(kept.claim(channel)))
    }

    fn channels(&self) -> Pending<Vec<ChannelRow>> {
        let shelf = self.shelf();
        let written = shelf.sessions.values().filter(|kept| !kept.records.is_empty());
        let row = |kept: &Kept| {
            let project = kept.project.clone()?;
            Some(ChannelRow { project, summary: kept.summary.clone() })
        };
        ready(Ok(written.filter_map(row).collect()))
    }

    fn append(&self, append: Append) -> Pending<()> {
        let (journal, mut is_held) = (self.clone(), self.is_held.subscribe());
        Box::pin(async move {
            // The sender lives in `journal`, so the wait ends only by being told.
            let _ = is_held.wait_for(|is_held| !is_held).await;
            journal.append_now(append)
        })
    }

    fn forget(&self, old: OldEvents) -> Pending<Seq> {
        let mut shelf = self.shelf();
        if let Err(error) = shelf.check() {
            return ready(Err(error));
        }
        let channel = shelf.sessions.get_mut(&old.channel).filter(|kept| kept.project.is_some());
        let Some(Kept { records, .. }) = channel else { return ready(Ok(old.before)) };
        let mut left = MAX_FORGOTTEN;
        for (first, end) in old.stretches() {
            let place = |seq: Seq| records.partition_point(|record| record.seq < seq);
            let (first, end) = (place(first), place(end));
            let last = end.min(first + left);
            left -= last - first;
            let next = records.get(last).map_or(old.before, |record| record.seq);
            records.drain(first..last);
            if last < end {
                return ready(Ok(next));
            }
        }
        ready(Ok(old.before))
    }

    fn read(&self, session: SessionId, after: Seq, limit: usize, max_bytes: usize) -> Pending<Vec<Record>> {
        let shelf = self.shelf();
        let records = shelf.sessions.get(&session).map(|kept| kept.records.as_slice()).unwrap_or_default();
        let start = records.partition_point(|record| record.seq <= after);
        let mut bytes = 0;
        let page = records[start..].iter().take(limit).take_while(|record| {
            let is_first = bytes == 0;
            bytes += record.data.len() + 1;
            is_first || bytes <= max_bytes
        });
        ready(Ok(page.cloned().collect()))
    }

    fn transcript(&self, session: SessionId) -> Pending<Vec<TranscriptLine>> {
        let mut shelf = self.shelf();
        if std::mem::take(&mut shelf.next_transcript_fails) {
            return ready(Err(JournalError::Unreadable { reason: "as the test wants it".to_owned() }));
        }
        ready(Ok(shelf.sessions.get(&session).map(|kept| kept.transcript.clone()).unwrap_or_default()))
    }

    fn save_devices(&self, devices: Vec<DeviceRow>) -> Pending<()> {
        let mut shelf = self.shelf();
        ready(shelf.check().map(|()| {
            shelf.devices.extend(devices.into_iter().map(|device| (device.device_id.clone(), device)));
        }))
    }

    fn devices(&self) -> Pending<Vec<DeviceRow>> {
        ready(Ok(self.shelf().devices.values().cloned().collect()))
    }

    fn reserve_fences(&self, up_to: u64) -> Pending<()> {
        let mut shelf = self.shelf();
        if let Some(reason) = shelf.trouble.clone() {
            return ready(Err(JournalError::NotWritten { reason }));
        }
        shelf.fences = shelf.fences.max(up_to);
        ready(Ok(()))
    }

    fn fences(&self) -> Pending<u64> {
        ready(Ok(self.shelf().fences))
    }

    fn save_cursors(&self, cursors: Vec<CursorRow>) -> Pending<()> {
        let mut shelf = self.shelf();
        ready(shelf.check().map(|()| {
            let keyed = cursors.into_iter().map(|cursor| ((cursor.session, cursor.device.clone()), cursor));
            shelf.cursors.extend(keyed);
        }))
    }

    fn cursors(&self) -> Pending<Vec<CursorRow>> {
        ready(Ok(self.shelf().cursors.values().cloned().collect()))
    }

    fn keep_notice(&self, notice: NoticeRow) -> Pending<()> {
        let (journal, mut is_held) = (self.clone(), self.is_held.subscribe());
        Box::pin(async move {
            // The sender lives in `journal`, so the wait ends only by being told.
            let _ = is_held.wait_for(|is_held| !is_held).await;
            let mut shelf = journal.shelf();
            shelf.check()?;
            shelf.notices.insert(notice.number, notice);
            Ok(())
        })
    }

    fn forget_notices(&self, device: DeviceId, up_to: u64) -> Pending<()> {
        self.shelf().notices.retain(|number, notice| notice.to != device || *number > up_to);
        ready(Ok(()))
    }

    fn notices(&self) -> Pending<Vec<NoticeRow>> {
        ready(Ok(self.shelf().notices.values().cloned().collect()))
    }

    fn trouble(&self) -> Option<String> {
        self.shelf().trouble.clone()
    }
}
