//! The newest events of a session, each encoded once and read by every connection at its own cursor.
//!
//! ```text
//!  session ──append──▶ [ chunk 41–57 ][ chunk 58 ][ chunk 59–120 ]     bounded: the oldest chunks go
//!                            ▲             ▲                 ▲
//!                     phone's cursor   laptop's          up to date: its waker waits here
//! ```
//! A cursor in front of the oldest chunk reads from the journal until it is inside again.

mod chunk;
mod signal;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use tokio::time::Instant;

use crate::event::{Record, Subject};
use crate::ids::Seq;

use chunk::Chunk;

pub use signal::Signal;

/// Wraps one JSON text into what goes over the wire, for instance a WebSocket frame; appends to `out`.
pub type Encoder = fn(payload: &[u8], out: &mut Vec<u8>);

/// How much one session keeps ready for its connections. 4 MiB are some ten thousand ordinary events:
/// more than a phone misses in a tunnel, and 10 busy sessions stay far below an agent's own memory.
const MAX_TAIL_BYTES: usize = 4 * 1024 * 1024;

/// How many passing hints are kept for connections that are a little late; older ones are dropped.
const MAX_SIGNALS: usize = 128;

/// Where a connection stands.
#[derive(Debug)]
pub struct Cursor {
    next: Seq,
    next_signal: u64,
    key: u64,
    /// It had everything at some time, and was never behind the tail since.
    is_live: bool,
    visible_since: Option<Instant>,
}

/// What a cursor finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Reach {
    /// Encoded frames, in order; the cursor stands behind them now.
    Frames(Bytes),
    /// The event after this one is no longer here: read it from the journal, then [`Cursor::advance_to`].
    Behind {
        /// The last event that the connection has.
        after: Seq,
    },
    /// Nothing more; the waker is called when there is.
    UpToDate,
}

/// The shared end of a session's history.
pub struct Tail {
    subject: Subject,
    encoder: Encoder,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    head: Seq,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    signals: VecDeque<Sent>,
    /// The number of the oldest signal that is kept.
    first_signal: u64,
    waiting: HashMap<u64, Waker>,
    next_key: u64,
}

struct Sent {
    /// The head when it was sent.
    after: Seq,
    is_overtaken_by_events: bool,
    is_roster: bool,
    /// Empty when a newer one has taken its place.
    frame: Bytes,
}

impl Tail {
    /// Makes an empty one; cursors find everything in the journal until something is appended.
    #[must_use]
    pub fn new(subject: Subject, encoder: Encoder) -> Self {
        Self { subject, encoder, inner: Mutex::default() }
    }

    /// The last durable event.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.inner().head
    }

    /// Makes durable events visible. They must follow the head; call only after the journal has them on disk.
    pub fn append(&self, records: &[Record]) {
        let Some(first) = records.first() else { return };
        let mut bytes = Vec::with_capacity(records.iter().map(|record| record.data.len() + 256).sum());
        let mut ends = Vec::with_capacity(records.len());
        let mut payload = Vec::new();
        for record in records {
            payload.clear();
            record.write_frame_of(&self.subject, &mut payload);
            (self.encoder)(&payload, &mut bytes);
            ends.push(bytes.len());
        }
        let chunk = Chunk { first: first.seq, ends, bytes: bytes.into(), appended: Instant::now() };
        let mut inner = self.inner();
        if first.seq != inner.head + 1 {
            // Somebody else went on while this owner did not know: what is kept here is of no use any more.
            inner.forget();
        }
        inner.head = chunk.last();
        inner.bytes += chunk.bytes.len();
        inner.chunks.push_back(chunk);
        while inner.bytes > MAX_TAIL_BYTES
            && inner.chunks.len() > 1
            && let Some(oldest) = inner.chunks.pop_front()
        {
            inner.bytes -= oldest.bytes.len();
        }
        inner.wake_all();
    }

    /// Says where the history stands when a session has been loaded; what lies before is in the journal.
    pub fn continue_at(&self, head: Seq) {
        let mut inner = self.inner();
        if inner.head != head {
            inner.forget();
            inner.head = head;
            inner.wake_all();
        }
    }

    /// Gives a passing hint to everybody who is up to date.
    pub fn signal(&self, signal: &Signal) {
        let Signal { kind, ref data, .. } = *signal;
        let payload = format!(r#"{{"type":"signal",{},"kind":"{kind}","data":{data}}}"#, self.subject);
        let mut frame = Vec::new();
        (self.encoder)(payload.as_bytes(), &mut frame);
        let mut inner = self.inner();
        let after = inner.head;
        let Signal { is_overtaken_by_events, is_roster, .. } = *signal;
        if is_roster {
            // Each is whole and may be large: who is late needs the last one only.
            for sent in inner.signals.iter_mut().filter(|sent| sent.is_roster) {
                sent.frame.clear();
            }
        }
        inner.signals.push_back(Sent { after, is_overtaken_by_events, is_roster, frame: frame.into() });
        if inner.signals.len() > MAX_SIGNALS {
            inner.signals.pop_front();
            inner.first_signal += 1;
        }
        inner.wake_all();
    }

    /// Starts to read behind event `after`; signals from now on.
    #[must_use]
    pub fn cursor(&self, after: Seq) -> Cursor {
        let mut inner = self.inner();
        inner.next_key += 1;
        let next_signal = inner.first_signal + inner.signals.len() as u64;
        Cursor { next: after + 1, next_signal, key: inner.next_key, is_live: false, visible_since: None }
    }

    /// Whether there is something for this cursor.
    #[must_use]
    pub fn has_more(&self, cursor: &Cursor) -> bool {
        self.inner().head >= cursor.next
    }

    /// Takes what lies behind the cursor, events and signals in the order in which they happened.
    pub fn reach(&self, cursor: &mut Cursor, waker: &Waker) -> Reach {
        cursor.visible_since = None;
        let mut inner = self.inner();
        if let Some(frame) = inner.due_signal(cursor) {
            return Reach::Frames(frame);
        }
        if cursor.next > inner.head {
            cursor.is_live = true;
            inner.waiting.insert(cursor.key, waker.clone());
            return Reach::UpToDate;
        }
        let place = inner.chunks.partition_point(|chunk| chunk.last() < cursor.next);
        let Some(chunk) = inner.chunks.get(place).filter(|chunk| chunk.first <= cursor.next) else {
            cursor.is_live = false;
            return Reach::Behind { after: cursor.next - 1 };
        };
        cursor.visible_since = cursor.is_live.then_some(chunk.appended);
        let (frames, last) = chunk.part_from(cursor.next, inner.next_signal_position(cursor));
        cursor.next = last + 1;
        Reach::Frames(frames)
    }

    /// Encodes events that were read from the journal, as [`Tail::append`] does.
    #[must_use]
    pub fn encode(&self, records: &[Record]) -> Bytes {
        let mut bytes = Vec::new();
        let mut payload = Vec::new();
        for record in records {
            payload.clear();
            record.write_frame_of(&self.subject, &mut payload);
            (self.encoder)(&payload, &mut bytes);
        }
        bytes.into()
    }

    /// Forgets the waker of a cursor that will not be used again.
    pub fn leave(&self, cursor: &Cursor) {
        self.inner().waiting.remove(&cursor.key);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }

    fn wake_all(&mut self) {
        for (_, waker) in self.waiting.drain() {
            waker.wake();
        }
    }

    /// The next signal whose moment has come for this cursor; overtaken deltas are dropped on the way.
    fn due_signal(&self, cursor: &mut Cursor) -> Option<Bytes> {
        cursor.next_signal = cursor.next_signal.max(self.first_signal);
        while let Some(sent) = self.signal_at(cursor.next_signal) {
            if sent.after >= cursor.next {
                return None;
            }
            cursor.next_signal += 1;
            let is_stale = sent.after + 1 < cursor.next && sent.is_overtaken_by_events;
            if !is_stale && !sent.frame.is_empty() {
                return Some(sent.frame.clone());
            }
        }
        None
    }

    fn signal_at(&self, number: u64) -> Option<&Sent> {
        let place = usize::try_from(number.checked_sub(self.first_signal)?).ok()?;
        self.signals.get(place)
    }

    /// Up to which event a cursor may go before the next signal is due.
    fn next_signal_position(&self, cursor: &Cursor) -> Seq {
        self.signal_at(cursor.next_signal).map_or(Seq::MAX, |sent| sent.after)
    }
}

impl Cursor {
    /// Moves behind an event that was read from the journal.
    pub fn advance_to(&mut self, last: Seq) {
        self.next = self.next.max(last + 1);
    }

    /// Since when the events that were taken last could be taken; none for what was not, and for a cursor that came to
    /// them later.
    #[must_use]
    pub fn visible_since(&self) -> Option<Instant> {
        self.visible_since
    }

    /// The last event that was taken.
    #[must_use]
    pub fn position(&self) -> Seq {
        self.next - 1
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Tail({} at {})", self.subject.id(), self.head())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use serde_json::Value;

    use super::chunk::MAX_REACH_BYTES;
    use super::*;
    use crate::clock::Timestamp;
    use crate::event::{ChainHash, Event};
    use crate::ids::{MessageId, SessionId, Term};

    fn line(payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(payload);
        out.push(b'\n');
    }

    /// `count` events behind `after`, each about `bytes` long.
    fn events(after: Seq, count: usize, bytes: usize) -> Vec<Record> {
        let mut previous = (after, ChainHash::from_bytes([0; 32]));
        let event = Event::DeviceUnlinked { device_id: "p".parse().unwrap(), reason: "x".repeat(bytes) };
        let mut records = Vec::new();
        for _ in 0..count {
            let record = Record::new(previous, Term(1), Timestamp::from_millis(0), &event).unwrap();
            previous = (record.seq, record.hash);
            records.push(record);
        }
        records
    }

    fn tail() -> Tail {
        Tail::new(Subject::Session(SessionId::random()), line)
    }

    /// Takes everything there is: seqs of events, kinds of signals, in order.
    fn take_all(tail: &Tail, cursor: &mut Cursor) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            match tail.reach(cursor, Waker::noop()) {
                Reach::Frames(frames) => {
                    for text in frames.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
                        let frame: Value = serde_json::from_slice(text).unwrap();
                        taken.push(
                            frame["seq"]
                                .as_u64()
                                .map_or_else(|| frame["kind"].to_string(), |seq| seq.to_string()),
                        );
                    }
                }
                Reach::Behind { after } => {
                    taken.push(format!("behind {after}"));
                    return taken;
                }
                Reach::UpToDate => return taken,
            }
        }
    }

    #[test]
    fn every_cursor_gets_every_event_once_and_in_order() {
        let tail = tail();
        let mut early = tail.cursor(0);
        tail.append(&events(0, 3, 1));
        let mut late = tail.cursor(2);
        tail.append(&events(3, 2, 1));
        assert_eq!(take_all(&tail, &mut early), ["1", "2", "3", "4", "5"]);
        assert_eq!(take_all(&tail, &mut late), ["3", "4", "5"]);
        assert!(take_all(&tail, &mut late).is_empty());
    }

    #[test]
    fn what_is_no_longer_kept_is_read_from_the_journal() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        for batch in 0..6 {
            tail.append(&events(batch * 10, 10, 100_000));
        }
        assert_eq!(take_all(&tail, &mut cursor), ["behind 0"]);
        cursor.advance_to(25);
        assert_eq!(take_all(&tail, &mut cursor).first().unwrap(), "26");
    }

    #[test]
    fn a_large_chunk_comes_in_parts() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        tail.append(&events(0, 100, 10_000));
        let Reach::Frames(first) = tail.reach(&mut cursor, Waker::noop()) else { panic!("nothing there") };
        assert!(first.len() <= MAX_REACH_BYTES);
        assert_eq!(take_all(&tail, &mut cursor).last().unwrap(), "100");
    }

    #[test]
    fn one_event_larger_than_a_part_still_comes() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        tail.append(&events(0, 1, MAX_REACH_BYTES * 2));
        assert_eq!(take_all(&tail, &mut cursor), ["1"]);
    }

    #[test]
    fn signals_keep_their_place_among_events() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        tail.append(&events(0, 2, 1));
        tail.signal(&Signal::presence(&[]));
        tail.append(&events(2, 2, 1));
        assert_eq!(take_all(&tail, &mut cursor), ["1", "2", "\"presence\"", "3", "4"]);
    }

    #[test]
    fn a_late_cursor_gets_the_last_roster_only() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        tail.append(&events(0, 1, 1));
        for _ in 0..3 {
            tail.signal(&Signal::presence(&[]));
        }
        assert_eq!(take_all(&tail, &mut cursor), ["1", "\"presence\""]);
        tail.signal(&Signal::presence(&[]));
        assert_eq!(take_all(&tail, &mut cursor), ["\"presence\""]);
    }

    #[test]
    fn a_late_cursor_gets_no_stale_deltas() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        tail.append(&events(0, 1, 1));
        tail.signal(&Signal::delta(MessageId::random(), 0, 0, "old"));
        tail.append(&events(1, 1, 1));
        cursor.advance_to(2);
        assert!(take_all(&tail, &mut cursor).is_empty());
    }

    #[test]
    fn a_cursor_that_is_up_to_date_is_woken_by_the_next_event() {
        struct Counter(AtomicUsize);
        impl Wake for Counter {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let tail = tail();
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        let waker = Waker::from(counter.clone());
        let mut cursor = tail.cursor(0);
        assert_eq!(tail.reach(&mut cursor, &waker), Reach::UpToDate);
        tail.append(&events(0, 1, 1));
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        tail.append(&events(1, 1, 1));
        assert_eq!(counter.0.load(Ordering::SeqCst), 1, "a waker is called once");
    }

    #[test]
    fn a_tail_that_continues_elsewhere_sends_cursors_to_the_journal() {
        let tail = tail();
        let mut cursor = tail.cursor(0);
        tail.append(&events(0, 2, 1));
        tail.continue_at(5);
        assert_eq!(take_all(&tail, &mut cursor), ["behind 0"]);
        cursor.advance_to(5);
        assert!(take_all(&tail, &mut cursor).is_empty());
    }
}
