//! One device's stream of events, checked as it comes: every seq once, in order, and which history it was.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// An event frame begins like this (docs/protocol.md): everything up to `kind` stands at a fixed place, but for the
/// digits of `seq`. That is checked, not trusted.
const BEFORE_SESSION: &[u8] = b"{\"type\":\"event\",\"sessionId\":\"";
const SESSION_LENGTH: usize = 36;
const BEFORE_SEQ: &[u8] = b"\",\"seq\":";
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const HASH_LENGTH: usize = 16;
const BEFORE_AT: &[u8] = b"\",\"at\":\"";
const AT_LENGTH: usize = "2026-01-01T12:00:00.000Z".len();
const BEFORE_KIND: &[u8] = b"\",\"kind\":\"";

/// What a load generator looks at in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    pub seq: u64,
    pub hash: [u8; HASH_LENGTH],
    /// RFC 3339, milliseconds.
    pub at: &'a [u8],
    /// The rest of the frame, from the first letter of its kind on.
    pub kind_and_data: &'a [u8],
}

/// What was wrong with a stream, and where it ended.
#[derive(Debug, Default)]
pub struct Stream {
    pub events: u64,
    pub last: u64,
    pub last_hash: [u8; HASH_LENGTH],
    pub doubled: u64,
    pub out_of_order: u64,
    /// Left out, and not come since.
    missing: BTreeSet<u64>,
    /// How often each message was accepted, and where.
    pub accepted: BTreeMap<String, Vec<u64>>,
    clock: SecondClock,
}

/// Reads moments; those of one second cost no more than a comparison.
#[derive(Debug, Default)]
struct SecondClock {
    second: [u8; 19],
    millis: i64,
}

/// Reads an event frame; none for frames of other types.
pub fn scan(payload: &[u8]) -> Option<Seen<'_>> {
    let rest = payload.strip_prefix(BEFORE_SESSION)?.get(SESSION_LENGTH..)?.strip_prefix(BEFORE_SEQ)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seq = rest[..digits].iter().fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
    let rest = rest[digits..].strip_prefix(BEFORE_HASH)?;
    let (hash, rest) = rest.split_first_chunk::<HASH_LENGTH>()?;
    let rest = rest.strip_prefix(BEFORE_AT)?;
    let (at, rest) = rest.split_at_checked(AT_LENGTH)?;
    let kind_and_data = rest.strip_prefix(BEFORE_KIND)?;
    Some(Seen { seq, hash: *hash, at, kind_and_data })
}

impl Seen<'_> {
    pub fn is_kind(&self, kind: &str) -> bool {
        let rest = self.kind_and_data.strip_prefix(kind.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b'"'))
    }
}

impl Stream {
    pub fn lost(&self) -> usize {
        self.missing.len()
    }

    /// Counts an event; returns when it was written, in milliseconds since 1970.
    pub fn count(&mut self, seen: Seen<'_>) -> Result<i64> {
        let at = self.clock.read(seen.at).context("an event's time cannot be read")?;
        self.events += 1;
        if seen.seq == self.last + 1 {
            self.last = seen.seq;
            self.last_hash = seen.hash;
        } else if seen.seq > self.last {
            self.missing.extend(self.last + 1..seen.seq);
            self.last = seen.seq;
            self.last_hash = seen.hash;
        } else if self.missing.remove(&seen.seq) {
            self.out_of_order += 1;
        } else {
            self.doubled += 1;
        }
        Ok(at)
    }

    /// Notes a `message_accepted`.
    pub fn note_accepted(&mut self, seq: u64, data: &Value) {
        let id = data["messageId"].as_str().unwrap_or_default();
        self.accepted.entry(id.to_owned()).or_default().push(seq);
    }

    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.doubled == 0 && self.out_of_order == 0
    }
}

impl SecondClock {
    fn read(&mut self, at: &[u8]) -> Option<i64> {
        let second = at.first_chunk::<19>()?;
        if *second != self.second {
            let text = std::str::from_utf8(at).ok()?;
            let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            self.millis = moment.timestamp() * 1000;
            self.second = *second;
        }
        let millis = at.get(20..23)?.iter().fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
        Some(self.millis + millis)
    }
}

#[cfg(test)]
mod tests {
    use tandem_actors::clock::Timestamp;
    use tandem_actors::event::{ChainHash, Event, Record};
    use tandem_actors::ids::{SessionId, Term};

    use super::*;

    fn seen(seq: u64) -> Seen<'static> {
        Seen { seq, hash: [b'0'; HASH_LENGTH], at: b"2026-01-01T12:00:00.007Z", kind_and_data: b"x\"" }
    }

    fn stream_of(seqs: &[u64]) -> Stream {
        let mut stream = Stream::default();
        for seq in seqs {
            stream.count(seen(*seq)).unwrap();
        }
        stream
    }

    #[test]
    fn a_frame_of_the_server_is_scanned() {
        let session = SessionId::random();
        let event = Event::DeviceUnlinked { device_id: "p".parse().unwrap(), reason: "left".into() };
        let at = Timestamp::from_millis(1_790_000_000_007);
        let record = Record::new((41, ChainHash::start(session)), Term(1), at, &event).unwrap();
        let mut frame = Vec::new();
        record.write_frame(session, &mut frame);
        let seen = scan(&frame).unwrap();
        assert_eq!((seen.seq, &seen.hash[..]), (42, record.hash.short().as_bytes()));
        assert!(seen.is_kind("device_unlinked") && !seen.is_kind("device"));
        assert_eq!(Stream::default().count(seen).unwrap(), at.millis());
        assert!(scan(b"{\"type\":\"signal\"}").is_none());
    }

    #[test]
    fn planted_faults_are_found() {
        assert!(stream_of(&[1, 2, 3]).is_whole());
        let dropped = stream_of(&[1, 3]);
        assert_eq!((dropped.lost(), dropped.is_whole()), (1, false));
        let doubled = stream_of(&[1, 2, 2]);
        assert_eq!((doubled.doubled, doubled.is_whole()), (1, false));
        let swapped = stream_of(&[1, 3, 2]);
        assert_eq!((swapped.out_of_order, swapped.lost(), swapped.is_whole()), (1, 0, false));
    }
}
