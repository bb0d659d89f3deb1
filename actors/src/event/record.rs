//! The journal's form of an event: numbered, stamped, chained, encoded once.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Event;
use crate::clock::Timestamp;
use crate::ids::{Seq, SessionId, Term};
use crate::project::ProjectEvent;

/// One entry of a session's journal. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place: the one before plus 1.
    pub seq: Seq,
    /// Under whose ownership it was written.
    pub term: Term,
    /// When it was decided, by the server's wall clock; order is by `seq` and never by this.
    pub at: Timestamp,
    /// The chain over all events up to this one.
    pub hash: ChainHash,
    /// The event's `kind`.
    pub kind: Arc<str>,
    /// The event's `data` as JSON text, as it stands in the journal and in every frame.
    pub data: Arc<str>,
}

/// A stored event that cannot be read back: damaged, or written by a newer version.
#[derive(Debug, thiserror::Error)]
#[error("event {seq} of kind {kind} cannot be read; it may come from a newer version of Tandem")]
pub struct CannotDecode {
    /// Which event.
    pub seq: Seq,
    /// Its kind.
    pub kind: Arc<str>,
    /// What the parser said.
    #[source]
    pub cause: serde_json::Error,
}

/// The two halves of an adjacently tagged event, the data left as text.
#[derive(Deserialize)]
struct Parts {
    kind: Arc<str>,
    data: Box<RawValue>,
}

impl Record {
    /// Numbers, stamps, encodes and chains an event behind `previous`.
    ///
    /// # Errors
    /// When the event cannot be written as JSON (a map with keys that are no strings); no event here has one.
    pub fn new(
        previous: (Seq, ChainHash),
        term: Term,
        at: Timestamp,
        event: &Event,
    ) -> Result<Self, serde_json::Error> {
        Self::of(previous, term, at, event)
    }

    /// The same for what is told in a project.
    ///
    /// # Errors
    /// As for [`Record::new`].
    pub fn of_project(
        previous: (Seq, ChainHash),
        term: Term,
        at: Timestamp,
        event: &ProjectEvent,
    ) -> Result<Self, serde_json::Error> {
        Self::of(previous, term, at, event)
    }

    fn of(
        previous: (Seq, ChainHash),
        term: Term,
        at: Timestamp,
        event: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let (previous_seq, previous_hash) = previous;
        let Parts { kind, data } = serde_json::from_str(&serde_json::to_string(event)?)?;
        let data: Arc<str> = Box::<str>::from(data).into();
        let seq = previous_seq + 1;
        let hash = previous_hash.next(seq, at, &kind, &data);
        Ok(Self { seq, term, at, hash, kind, data })
    }

    /// Reads the event back.
    ///
    /// # Errors
    /// [`CannotDecode`]: reading again gives the same answer.
    pub fn event(&self) -> Result<Event, CannotDecode> {
        self.decode()
    }

    /// The same for what was told in a project.
    ///
    /// # Errors
    /// As for [`Record::event`].
    pub fn project_event(&self) -> Result<ProjectEvent, CannotDecode> {
        self.decode()
    }

    fn decode<E: DeserializeOwned>(&self) -> Result<E, CannotDecode> {
        let text = format!(r#"{{"kind":"{}","data":{}}}"#, self.kind, self.data);
        serde_json::from_str(&text).map_err(|cause| CannotDecode {
            seq: self.seq,
            kind: self.kind.clone(),
            cause,
        })
    }

    /// Whether the hash is what the chain says it must be behind `previous`.
    #[must_use]
    pub fn is_chained_to(&self, previous: ChainHash) -> bool {
        self.hash == previous.next(self.seq, self.at, &self.kind, &self.data)
    }

    /// Writes the frame that devices get, without its envelope of bytes (docs/protocol.md, `event`).
    pub fn write_frame(&self, session: SessionId, out: &mut Vec<u8>) {
        self.write_frame_of(&Subject::Session(session), out);
    }

    /// The same for whatever it is an entry of.
    pub fn write_frame_of(&self, subject: &Subject, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let kind_of_frame = match subject {
            Subject::Session(_) => "event",
            Subject::Project { .. } => "project_event",
        };
        // Writing into memory cannot fail, and none of the values but `data` needs escaping.
        let _ = write!(
            out,
            r#"{{"type":"{kind_of_frame}",{subject},"seq":{},"hash":"{}","at":"{}","kind":"{}","data":{}}}"#,
            self.seq,
            self.hash.short(),
            self.at,
            self.kind,
            self.data,
        );
    }
}

/// What a journal is of: a conversation, or a project. Shown, it is the field by which frames name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A conversation.
    Session(SessionId),
    /// The channel of a project.
    Project {
        /// Under which it is journalled.
        channel: SessionId,
        /// The project's canonical path as a JSON string.
        path: Arc<str>,
    },
}

impl Subject {
    /// The channel of a project.
    #[must_use]
    pub fn project(path: &str) -> Self {
        let quoted = serde_json::Value::from(path).to_string();
        Self::Project { channel: SessionId::of_channel(path), path: quoted.into() }
    }

    /// Under which id it is journalled.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        match self {
            Self::Session(id) | Self::Project { channel: id, .. } => *id,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => write!(out, r#""sessionId":"{session}""#),
            Self::Project { path, .. } => write!(out, r#""projectPath":{path}"#),
        }
    }
}

/// SHA-256 chained over all events of a session up to one of them.
///
/// `hash(n) = SHA-256(hash(n-1) ‖ seq ‖ at ‖ kind ‖ 0 ‖ data)`, numbers big-endian; `hash(0) = SHA-256(session id)`.
/// Two histories with equal numbers cannot be taken for one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// The start of a session's chain.
    #[must_use]
    pub fn start(session: SessionId) -> Self {
        Self(Sha256::digest(session.uuid().as_bytes()).into())
    }

    /// Takes the bytes that the journal stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// All 32 bytes, for the journal.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 hex digits: what devices see.
    #[must_use]
    pub fn short(&self) -> String {
        self.0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn next(self, seq: Seq, at: Timestamp, kind: &str, data: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(seq.to_be_bytes());
        hasher.update(at.millis().to_be_bytes());
        hasher.update(kind);
        hasher.update([0]);
        hasher.update(data);
        Self(hasher.finalize().into())
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.short())
    }
}

impl Serialize for Record {
    /// The same object as in a frame, without `type` and `sessionId`: what `GET …/events` lists.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let data: &RawValue = serde_json::from_str(&self.data).map_err(S::Error::custom)?;
        let mut object = serializer.serialize_struct("Record", 5)?;
        object.serialize_field("seq", &self.seq)?;
        object.serialize_field("hash", &self.hash.short())?;
        object.serialize_field("at", &self.at)?;
        object.serialize_field("kind", &*self.kind)?;
        object.serialize_field("data", data)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent_line(line: &str) -> Event {
        Event::AgentMessage { message: RawValue::from_string(line.to_owned()).unwrap().into() }
    }

    fn record_of(event: &Event) -> Record {
        let session = SessionId::from(uuid::Uuid::nil());
        Record::new((0, ChainHash::start(session)), Term(1), Timestamp::from_millis(0), event).unwrap()
    }

    #[test]
    fn an_agents_line_is_kept_to_the_letter() {
        let line = r#"{"type":"assistant","n":1.00,"big":123456789012345678901234567890,"odd" : "\u2028"}"#;
        let record = record_of(&agent_line(line));
        assert_eq!(&*record.data, format!(r#"{{"message":{line}}}"#));
        let Event::AgentMessage { message } = record.event().unwrap() else { panic!("another kind") };
        assert_eq!(message.get(), line);
    }

    #[test]
    fn the_frame_is_what_the_protocol_says() {
        let record =
            record_of(&Event::DeviceUnlinked { device_id: "p".parse().unwrap(), reason: "left".into() });
        let mut frame = Vec::new();
        record.write_frame(SessionId::from(uuid::Uuid::nil()), &mut frame);
        let hash = record.hash.short();
        assert_eq!(
            String::from_utf8(frame).unwrap(),
            format!(
                r#"{{"type":"event","sessionId":"00000000-0000-0000-0000-000000000000","seq":1,"hash":"{hash}","at":"1970-01-01T00:00:00.000Z","kind":"device_unlinked","data":{{"deviceId":"p","reason":"left"}}}}"#
            )
        );
        assert_eq!(hash.len(), 16);
    }

    #[test]
    fn the_frame_of_a_project_names_its_path() {
        let record =
            record_of(&Event::DeviceUnlinked { device_id: "p".parse().unwrap(), reason: "left".into() });
        let mut frame = Vec::new();
        record.write_frame_of(&Subject::project("/srv/a \"b\""), &mut frame);
        let frame: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(frame["type"], "project_event");
        assert_eq!(frame["projectPath"], "/srv/a \"b\"");
        assert_eq!(frame["seq"], 1);
        assert!(frame.get("sessionId").is_none());
    }

    #[test]
    fn a_changed_event_breaks_the_chain() {
        let session = SessionId::from(uuid::Uuid::nil());
        let record = record_of(&agent_line("{}"));
        assert!(record.is_chained_to(ChainHash::start(session)));
        let forged = Record { data: r#"{"message":[]}"#.into(), ..record };
        assert!(!forged.is_chained_to(ChainHash::start(session)));
    }

    #[test]
    fn an_unknown_kind_is_an_error_that_names_it() {
        let record = Record { kind: "from_the_future".into(), ..record_of(&agent_line("{}")) };
        assert!(record.event().unwrap_err().to_string().contains("from_the_future"));
    }
}
