//! What a person says: plain text, or content blocks of the kinds that the agent takes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::blobs::{BlobHash, check_source, reference_of};
use crate::ids::{DeviceId, SessionId};
use crate::nesting::{MAX_NESTING, is_too_deep};

/// The body of a message: text, or a list of blocks (`text`, `image`, `document`).
///
/// Never empty. Cheap to clone. The keys of blocks are sorted, so that equal contents are equal bytes.
#[derive(Clone)]
pub struct Content(Arc<Kept>);

struct Kept {
    body: Body,
    /// Its attachments are where they belong: `crate::blobs` has looked at it. Never said of what a client sends.
    is_settled: bool,
    /// Computed when it is first asked for: content may have megabytes, and is compared often.
    digest: OnceLock<[u8; 32]>,
}

#[derive(PartialEq)]
enum Body {
    Text(String),
    Blocks(Vec<Value>),
}

/// Why a value cannot be the content of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadContent {
    /// Neither a string nor an array.
    #[error("content is a string or an array of content blocks")]
    WrongType,
    /// Nothing in it.
    #[error("content is empty: write something, or send at least one block")]
    Empty,
    /// Arrays and objects within each other, without end.
    #[error("content is nested deeper than {MAX_NESTING} levels")]
    TooDeep,
    /// A block without a known `type` or without the fields of its type.
    #[error("content block {index} cannot be sent: {reason}")]
    BadBlock {
        /// Which block, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Content {
    /// Takes plain text.
    ///
    /// # Errors
    /// [`BadContent::Empty`] when there is nothing but white space.
    pub fn text(text: impl Into<String>) -> Result<Self, BadContent> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(BadContent::Empty);
        }
        Ok(Self::of(Body::Text(text)))
    }

    /// Takes a JSON value as clients send it.
    ///
    /// # Errors
    /// See [`BadContent`]; nothing was done, the sender must send something else.
    pub fn from_value(value: Value) -> Result<Self, BadContent> {
        if is_too_deep(&value) {
            return Err(BadContent::TooDeep);
        }
        Self::of_any_depth(value)
    }

    fn of_any_depth(value: Value) -> Result<Self, BadContent> {
        match value {
            Value::String(text) => Self::text(text),
            Value::Array(blocks) => {
                if blocks.is_empty() {
                    return Err(BadContent::Empty);
                }
                for (index, block) in blocks.iter().enumerate() {
                    check_block(block).map_err(|reason| BadContent::BadBlock { index, reason })?;
                }
                Ok(Self::of(Body::Blocks(blocks)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(BadContent::WrongType),
        }
    }

    fn of(body: Body) -> Self {
        Self(Arc::new(Kept { body, is_settled: false, digest: OnceLock::new() }))
    }

    /// Takes blocks whose attachments were looked after.
    pub(crate) fn settled(blocks: Vec<Value>) -> Self {
        Self(Arc::new(Kept { body: Body::Blocks(blocks), is_settled: true, digest: OnceLock::new() }))
    }

    /// Whether it has attachments, as bytes or by reference, that nobody has looked after yet.
    #[must_use]
    pub fn needs_keeping(&self) -> bool {
        !self.0.is_settled && self.blocks().iter().any(|block| block.get("source").is_some())
    }

    /// The blobs that it refers to, in the order of its blocks.
    #[must_use]
    pub fn blobs(&self) -> Vec<BlobHash> {
        self.blocks().iter().filter_map(reference_of).collect()
    }

    fn blocks(&self) -> &[Value] {
        match &self.0.body {
            Body::Text(_) => &[],
            Body::Blocks(blocks) => blocks,
        }
    }

    /// Its blocks, without a copy when nobody else holds it; none of a plain text.
    pub(crate) fn into_blocks(self) -> Vec<Value> {
        let body = match Arc::try_unwrap(self.0) {
            Ok(kept) => kept.body,
            Err(shared) => return Self(shared).blocks().to_vec(),
        };
        match body {
            Body::Text(_) => Vec::new(),
            Body::Blocks(blocks) => blocks,
        }
    }

    /// All text in it, blocks joined by a newline.
    #[must_use]
    pub fn plain_text(&self) -> String {
        match &self.0.body {
            Body::Text(text) => text.clone(),
            Body::Blocks(blocks) => {
                let texts: Vec<&str> =
                    blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
                texts.join("\n")
            }
        }
    }

    /// SHA-256 of (session, device, content): the guard against a message that was sent twice without an id.
    #[must_use]
    pub fn fingerprint(&self, session: SessionId, device: &DeviceId) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(session.uuid().as_bytes());
        hasher.update([0]);
        hasher.update(device.as_str());
        hasher.update([0]);
        hasher.update(self.digest());
        hasher.finalize().into()
    }

    /// SHA-256 of the content alone; two contents are the same message iff these are equal.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        *self.0.digest.get_or_init(|| self.compute_digest())
    }

    fn compute_digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        match &self.0.body {
            Body::Text(text) => {
                hasher.update(b"text:");
                hasher.update(text);
            }
            Body::Blocks(blocks) => {
                hasher.update(b"blocks:");
                for block in blocks {
                    hasher.update(block.to_string());
                    hasher.update(b"\n");
                }
            }
        }
        hasher.finalize().into()
    }
}

/// Blocks of other kinds are refused here, because the model's API refuses them for good:
/// once in the transcript, one would fail every later turn too.
fn check_block(block: &Value) -> Result<(), &'static str> {
    let kind = block.get("type").and_then(Value::as_str).ok_or("it has no type")?;
    match kind {
        "text" => match block.get("text").and_then(Value::as_str) {
            Some(text) if !text.trim().is_empty() => Ok(()),
            Some(_) => Err("its text is empty"),
            None => Err("a text block needs a text"),
        },
        "image" | "document" => check_source(block.get("source")),
        _ => Err("its type is not one of text, image, document"),
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.body == other.0.body
    }
}

impl fmt::Debug for Content {
    /// Shows the size and not the words: contents do not belong into logs.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.body {
            Body::Text(text) => write!(out, "Content({} bytes of text)", text.len()),
            Body::Blocks(blocks) => write!(out, "Content({} blocks)", blocks.len()),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.body {
            Body::Text(text) => serializer.serialize_str(text),
            Body::Blocks(blocks) => blocks.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What was kept once must be readable for ever: the depth is looked at where content comes in.
        let value = Value::deserialize(deserializer)?;
        Self::of_any_depth(value).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;
    use crate::event::{ChainHash, Event, Record};
    use crate::ids::Term;

    /// JSON as anybody may send it, with one place that is nested up to 130 levels deep.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        });
        (value, 0..=130_usize, any::<bool>()).prop_map(|(value, levels, as_object)| {
            (0..levels)
                .fold(value, |value, _| if as_object { json!({ "in": value }) } else { json!([value]) })
        })
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_can_be_read_back_from_the_journal(more in any_value()) {
            let blocks = json!([{ "type": "text", "text": "hi", "more": more }]);
            let Ok(content) = Content::from_value(blocks) else { return Ok(()) };
            let message_id = crate::ids::MessageId::random();
            let by = crate::event::By { device_id: "phone".parse().unwrap(), user_id: crate::ids::UserId::owner() };
            let event = Event::MessageEdited { message_id, by, content: content.clone() };
            let start = (0, ChainHash::start(SessionId::random()));
            let record = Record::new(start, Term(1), Timestamp::from_millis(0), &event).unwrap();
            let Event::MessageEdited { content: read, .. } = record.event().unwrap() else {
                panic!("another kind")
            };
            prop_assert_eq!(read.digest(), content.digest());
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |value, _| json!([value]));
        let block = |levels: usize| json!([{ "type": "text", "text": "hi", "more": nested(levels) }]);
        assert!(Content::from_value(block(62)).is_ok());
        assert_eq!(Content::from_value(block(63)), Err(BadContent::TooDeep));
    }

    #[test]
    fn text_and_blocks_survive_a_round_trip() {
        for value in [
            json!("hello"),
            json!([{"type": "text", "text": "hi"}]),
            json!([{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]),
            json!([{"type":"image","source":{"type":"blob","sha256":"0".repeat(64)}}]),
        ] {
            let content = Content::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&content).unwrap(), value);
        }
    }

    #[test]
    fn what_the_agent_cannot_take_is_refused() {
        for bad in [
            json!(7),
            json!(null),
            json!({}),
            json!(""),
            json!("  \n"),
            json!([]),
            json!(["text"]),
            json!([{"type": "hologram"}]),
            json!([{"type": "text"}]),
            json!([{"type": "text", "text": ""}]),
            json!([{"type": "image"}]),
            json!([{"type": "image", "source": {"type": "url", "url": "http://x"}}]),
            json!([{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]),
            json!([{"type": "image", "source": {"type": "blob", "sha256": "../token"}}]),
            json!([{"type": "image", "source": {"type": "blob", "sha256": "A".repeat(64)}}]),
        ] {
            assert!(Content::from_value(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn key_order_does_not_make_a_different_message() {
        let one: Content = serde_json::from_str(r#"[{"type":"text","text":"a"}]"#).unwrap();
        let two: Content = serde_json::from_str(r#"[{"text":"a","type":"text"}]"#).unwrap();
        assert_eq!(one.digest(), two.digest());
    }

    #[test]
    fn the_same_words_from_another_device_are_another_message() {
        let content = Content::text("go").unwrap();
        let session = SessionId::random();
        let phone = "phone".parse().unwrap();
        let laptop = "laptop".parse().unwrap();
        assert_ne!(content.fingerprint(session, &phone), content.fingerprint(session, &laptop));
        assert_ne!(content.fingerprint(session, &phone), content.fingerprint(SessionId::random(), &phone));
    }
}
