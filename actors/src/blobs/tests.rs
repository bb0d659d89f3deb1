//! Attachments on their way through: taken out, referred to, given back.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::content::Content;
use crate::journal::MemoryJournal;
use crate::refusal::{Code, Refusal};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const PNG_BASE64: &str = "iVBORw0KGgoAAAANSUhEUg==";

fn phone() -> DeviceId {
    "phone".parse().unwrap()
}

async fn kept_on(journal: &MemoryJournal, blocks: Value) -> Result<Value, Refusal> {
    let content = Content::from_value(blocks).unwrap();
    let by = phone();
    let may_read = |row: &BlobRow| row.devices.contains(&by);
    let at = Timestamp::from_millis(7);
    let shelf = Shelf { blobs: Arc::new(journal.clone()), by: &by, at, may_read: &may_read };
    keep_attachments(&shelf, content).await.map(|content| serde_json::to_value(content).unwrap())
}

async fn kept(blocks: Value) -> Result<Value, Refusal> {
    kept_on(&MemoryJournal::new(), blocks).await
}

fn base64(kind: &str, media_type: &str, data: &str) -> Value {
    json!({"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}})
}

#[tokio::test]
async fn a_reference_takes_the_place_of_the_bytes_and_the_rest_stays() {
    let mut picture = base64("image", "image/gif", PNG_BASE64);
    picture["cache_control"] = json!({"type": "ephemeral"});
    let text = json!({"type": "document", "title": "a.md", "source": {"type": "text", "media_type": "text/html", "data": "<b>"}});
    let content = kept(json!([{"type": "text", "text": "look"}, picture, text])).await.unwrap();
    let source = |media_type: &str, data: &[u8]| json!({"type": "blob", "media_type": media_type, "sha256": BlobHash::of(data), "bytes": data.len()});
    let expected = json!([
        {"type": "text", "text": "look"},
        {"type": "image", "source": source("image/png", PNG), "cache_control": {"type": "ephemeral"}},
        {"type": "document", "title": "a.md", "source": source("text/plain", b"<b>")},
    ]);
    assert_eq!(content, expected);
}

#[tokio::test]
async fn a_block_that_lies_is_named() {
    // "<html>", "PK\x03\x04\0", and a GIF's first bytes before HTML.
    for (block, reason) in [
        (base64("image", "image/png", "PGh0bWw+"), "this is none"),
        (base64("image", "image/gif", "R0lGODlhPHNjcmlwdD4="), "this is none"),
        (base64("document", "application/pdf", PNG_BASE64), "an image block"),
        (base64("document", "text/plain", "UEsDBAA="), "no text in UTF-8"),
        (base64("image", "image/png", "not base64!"), "no base64"),
    ] {
        let refusal = kept(json!([{"type": "text", "text": "look"}, block])).await.unwrap_err();
        assert_eq!(refusal.code, Code::BadRequest, "{block}");
        assert!(refusal.message.contains("block 1") && refusal.message.contains(reason), "{refusal}");
        assert_eq!(refusal.details.unwrap()["block"], 1);
    }
}

#[tokio::test]
async fn attachments_have_a_largest_size_alone_and_together() {
    let text = |bytes: usize, letter: &str| json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": letter.repeat(bytes)}});
    assert!(kept(json!([text(MAX_BLOB_BYTES, "a")])).await.is_ok());
    let refusal = kept(json!([text(MAX_BLOB_BYTES + 1, "a")])).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooLarge);
    let three = json!([text(MAX_BLOB_BYTES, "a"), text(MAX_BLOB_BYTES, "b"), text(5 << 20, "c")]);
    let refusal = kept(three).await.unwrap_err();
    assert_eq!((refusal.code, refusal.message.contains("together")), (Code::TooLarge, true));
}

#[tokio::test]
async fn a_message_has_at_most_64_attachments() {
    let blocks = |count: usize| {
        let text = |number: usize| json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": number.to_string()}});
        let words = json!({"type": "text", "text": "look"});
        Value::from_iter(std::iter::once(words).chain((0..count).map(text)))
    };
    let journal = MemoryJournal::new();
    let refusal = kept_on(&journal, blocks(65)).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooLarge);
    assert!(refusal.message.contains("65 attachments, and may have 64"), "{refusal}");
    assert!(journal.find(BlobHash::of(b"0")).await.unwrap().is_none(), "none of them is kept");
    assert!(kept_on(&journal, blocks(64)).await.is_ok());
}

#[tokio::test]
async fn only_what_was_uploaded_can_be_referred_to() {
    let journal = MemoryJournal::new();
    let reference = |kind: &str| json!([{"type": kind, "source": {"type": "blob", "sha256": BlobHash::of(PNG), "bytes": 1}}]);
    let refusal = kept_on(&journal, reference("image")).await.unwrap_err();
    assert!(refusal.message.contains("upload it first"), "{refusal}");
    let blob = |by: &str| {
        NewBlob::of(Bytes::from_static(PNG), by.parse().unwrap(), Timestamp::from_millis(0)).unwrap()
    };
    journal.keep(blob("laptop")).await.unwrap();
    assert_eq!(
        kept_on(&journal, reference("image")).await.unwrap_err(),
        refusal,
        "another's upload is unknown"
    );
    journal.keep(blob("phone")).await.unwrap();
    let content = kept_on(&journal, reference("image")).await.unwrap();
    assert_eq!(content[0]["source"]["media_type"], "image/png");
    assert_eq!(content[0]["source"]["bytes"], PNG.len());
    assert!(kept_on(&journal, reference("document")).await.is_err(), "a picture is no document");
}

#[tokio::test]
async fn the_agent_gets_the_bytes_again() {
    let journal = MemoryJournal::new();
    let text = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "gr\u{fc}n"}});
    let sent = json!([{"type": "text", "text": "look"}, base64("image", "image/png", PNG_BASE64), text]);
    let content = Content::from_value(kept_on(&journal, sent.clone()).await.unwrap()).unwrap();
    let blobs: Arc<dyn Blobs> = Arc::new(journal);
    let given = hand_out(&blobs, SessionId::random(), content).await;
    assert_eq!(serde_json::to_value(given).unwrap(), sent);
}

#[tokio::test]
async fn a_blob_that_is_gone_or_damaged_is_replaced_by_words() {
    let sent = json!([base64("image", "image/png", PNG_BASE64), {"type": "text", "text": "look"}]);
    for (damage, words) in
        [(None, "there is no such attachment"), (Some(&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDX"[..]), "damaged")]
    {
        let journal = MemoryJournal::new();
        let content = Content::from_value(kept_on(&journal, sent.clone()).await.unwrap()).unwrap();
        journal.damage_blob(BlobHash::of(PNG), damage);
        let blobs: Arc<dyn Blobs> = Arc::new(journal);
        let given = serde_json::to_value(hand_out(&blobs, SessionId::random(), content).await).unwrap();
        assert_eq!(given[0]["type"], "text");
        let text = given[0]["text"].as_str().unwrap();
        assert!(text.contains(words) && text.contains("image/png, 16 bytes"), "{text}");
        assert_eq!(given[1], sent[1]);
    }
}

#[tokio::test]
async fn the_end_of_a_damaged_blob_is_never_handed_out() {
    let journal = MemoryJournal::new();
    let data: Bytes = vec![b'a'; 3 * PART_BYTES].into();
    let blob = NewBlob::of(data, phone(), Timestamp::from_millis(0)).unwrap();
    let hash = blob.hash;
    journal.keep(blob).await.unwrap();
    let row = journal.find(hash).await.unwrap().unwrap();
    journal.damage_blob(hash, Some(&[b'a'; 2 * PART_BYTES + 1]));
    let mut reading = Reading::new(Arc::new(journal), hash, &row);
    assert_eq!(reading.next().await.unwrap().unwrap().len(), PART_BYTES);
    assert_eq!(reading.next().await.unwrap().unwrap().len(), PART_BYTES);
    assert!(matches!(reading.next().await, Err(Unusable::Damaged)));
}
