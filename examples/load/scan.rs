//! An event frame, looked at in its fixed places: nothing is parsed that only has to be compared.

use anyhow::{Context as _, Result};
use tandem::history::Seen;
use tandem_actors::clock::Timestamp;

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
const BEFORE_DATA: &[u8] = b"\",\"data\":";

/// Reads event frames of one device.
#[derive(Debug, Default)]
pub struct Scanner {
    clock: SecondClock,
}

/// Reads moments; those of one second cost no more than a comparison.
#[derive(Debug, Default)]
struct SecondClock {
    second: [u8; 19],
    millis: i64,
}

impl Scanner {
    /// Reads an event frame; none for frames of other types.
    pub fn scan<'a>(&mut self, payload: &'a [u8]) -> Result<Option<Seen<'a>>> {
        let Some(Parts { seq, hash, at, kind, data }) = parts(payload) else { return Ok(None) };
        let at = self.clock.read(at).context("an event's time cannot be read")?;
        Ok(Some(Seen { seq, hash, at: Timestamp::from_millis(at), kind, data }))
    }
}

struct Parts<'a> {
    seq: u64,
    hash: &'a [u8],
    at: &'a [u8],
    kind: &'a [u8],
    data: &'a [u8],
}

fn parts(payload: &[u8]) -> Option<Parts<'_>> {
    let rest = payload.strip_prefix(BEFORE_SESSION)?.get(SESSION_LENGTH..)?.strip_prefix(BEFORE_SEQ)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seq = rest[..digits].iter().fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
    let rest = rest[digits..].strip_prefix(BEFORE_HASH)?;
    let (hash, rest) = rest.split_at_checked(HASH_LENGTH)?;
    let (at, rest) = rest.strip_prefix(BEFORE_AT)?.split_at_checked(AT_LENGTH)?;
    let rest = rest.strip_prefix(BEFORE_KIND)?;
    let (kind, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'"')?)?;
    let data = rest.strip_prefix(BEFORE_DATA)?.strip_suffix(b"}")?;
    Some(Parts { seq, hash, at, kind, data })
}

/// Whether the data of an event is about this message, which nearly all events name first.
pub fn is_about(data: &[u8], message: &str) -> bool {
    match data.strip_prefix(b"{\"messageId\":\"") {
        Some(rest) => rest.starts_with(message.as_bytes()),
        None => {
            serde_json::from_slice(data).is_ok_and(|data: serde_json::Value| data["messageId"] == message)
        }
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

    #[test]
    fn a_frame_of_the_server_is_scanned() {
        let session = SessionId::random();
        let event = Event::DeviceUnlinked { device_id: "p".parse().unwrap(), reason: "left".into() };
        let at = Timestamp::from_millis(1_790_000_000_007);
        let record = Record::new((41, ChainHash::start(session)), Term(1), at, &event).unwrap();
        let mut frame = Vec::new();
        record.write_frame(session, &mut frame);
        let mut scanner = Scanner::default();
        let seen = scanner.scan(&frame).unwrap().unwrap();
        assert_eq!((seen.seq, seen.hash, seen.at), (42, record.hash.short().as_bytes(), at));
        assert_eq!((seen.kind, seen.data), (&b"device_unlinked"[..], record.data.as_bytes()));
        assert!(scanner.scan(b"{\"type\":\"signal\"}").unwrap().is_none());
    }

    #[test]
    fn an_event_is_about_the_message_that_it_names_wherever_it_names_it() {
        for data in [r#"{"messageId":"abc","turn":1}"#, r#"{"turn":1,"messageId":"abc"}"#] {
            assert!(is_about(data.as_bytes(), "abc"));
            assert!(!is_about(data.as_bytes(), "abd"));
        }
    }
}
