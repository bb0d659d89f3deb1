//! The `source` of an `image` or `document` block: bytes in it, or a reference to a blob. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{BlobHash, Kind};

/// What a block carries.
pub(super) enum Source {
    /// Nothing but words.
    None,
    /// The bytes themselves.
    Inline(Bytes),
    /// A blob that was kept before.
    Blob(BlobHash),
}

/// Whether a block of content can have attachments.
pub(super) fn is_attachment(block: &Value) -> bool {
    matches!(block["type"].as_str(), Some("image" | "document"))
}

/// Looks at the shape of a source: a contract for what is kept, so it takes whatever it once took.
pub(crate) fn check_source(source: Option<&Value>) -> Result<(), &'static str> {
    let source = source.ok_or("it has no source")?;
    let has_text =
        |field: &str| source.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    match source.get("type").and_then(Value::as_str) {
        Some("base64" | "text") if has_text("media_type") && has_text("data") => Ok(()),
        Some("base64" | "text") => Err("its source needs media_type and data"),
        Some("blob") if hash_of(source).is_some() => Ok(()),
        Some("blob") => Err("its source needs sha256, 64 hex digits in lower case"),
        Some(_) | None => Err("the type of its source is base64, text or blob"),
    }
}

/// The blob that a block refers to.
pub(crate) fn reference_of(block: &Value) -> Option<BlobHash> {
    let source = block.get("source").filter(|_| is_attachment(block))?;
    (source["type"] == "blob").then(|| hash_of(source))?
}

fn hash_of(source: &Value) -> Option<BlobHash> {
    source.get("sha256")?.as_str()?.parse().ok()
}

/// Takes the source of a block out of it.
pub(super) fn take(block: &mut Value) -> Result<Source, &'static str> {
    if !is_attachment(block) {
        return Ok(Source::None);
    }
    if let Some(hash) = reference_of(block) {
        return Ok(Source::Blob(hash));
    }
    let Value::String(data) = block["source"]["data"].take() else {
        return Err("its source needs media_type and data");
    };
    if block["source"]["type"] == "text" {
        return Ok(Source::Inline(data.into_bytes().into()));
    }
    let bytes = STANDARD.decode(data).map_err(|_| "the data of its source is no base64")?;
    Ok(Source::Inline(bytes.into()))
}

/// Whether bytes of this kind may stand in this block.
pub(super) fn check_kind(block: &Value, kind: Kind) -> Result<(), &'static str> {
    match (block["type"].as_str(), kind.is_picture()) {
        (Some("image"), true) | (Some("document"), false) => Ok(()),
        (Some("image"), false) => Err("an image is a PNG, JPEG, GIF or WebP picture, and this is none"),
        _ => Err("a document is a PDF or text in UTF-8; a picture belongs into an image block"),
    }
}

/// What stands in events and in front of devices.
pub(super) fn reference(hash: BlobHash, kind: Kind, bytes: u64) -> Value {
    json!({ "type": "blob", "media_type": kind.media_type(), "sha256": hash, "bytes": bytes })
}

/// What an agent is given.
pub(super) fn inline(kind: Kind, data: &[u8]) -> Value {
    match std::str::from_utf8(data) {
        Ok(text) if kind == Kind::Text => {
            json!({ "type": "text", "media_type": kind.media_type(), "data": text })
        }
        _ => json!({ "type": "base64", "media_type": kind.media_type(), "data": STANDARD.encode(data) }),
    }
}
