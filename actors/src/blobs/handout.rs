//! Giving an agent the bytes again, where a message holds references.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::source;
use super::{Blobs, Kind, Unusable, fetch, reference_of};
use crate::content::Content;
use crate::ids::SessionId;

/// The content with every reference resolved. A blob that cannot be read is replaced by a text that says so, to the
/// agent and to whoever reads its answer: the turn goes on.
///
/// Holds all attachments of the message at once, some 32 MiB of base64 at most.
pub async fn hand_out(blobs: &Arc<dyn Blobs>, session: SessionId, content: Content) -> Content {
    let hashes = content.blobs();
    if hashes.is_empty() {
        return content;
    }
    let mut fetched = Vec::with_capacity(hashes.len());
    for hash in hashes {
        let blob = fetch(blobs, hash).await;
        if let Err(error) = &blob {
            tracing::error!(%session, %hash, %error, "an attachment cannot be given to the agent");
        }
        fetched.push(blob);
    }
    let fallback = content.clone();
    let resolving = tokio::task::spawn_blocking(move || resolve(content.into_blocks(), fetched));
    resolving.await.map_or(fallback, Content::settled)
}

fn resolve(mut blocks: Vec<Value>, fetched: Vec<Result<(Kind, Bytes), Unusable>>) -> Vec<Value> {
    let referring = blocks.iter_mut().filter(|block| reference_of(block).is_some());
    for (block, blob) in referring.zip(fetched) {
        match blob {
            Ok((kind, data)) => block["source"] = source::inline(kind, &data),
            Err(error) => *block = stand_in(block, &error),
        }
    }
    blocks
}

fn stand_in(block: &Value, error: &Unusable) -> Value {
    let media_type = block["source"]["media_type"].as_str().unwrap_or("of an unknown kind");
    let bytes = block["source"]["bytes"].as_u64().unwrap_or_default();
    let title = block["title"].as_str().map_or_else(String::new, |title| format!(" {title:?}"));
    let text = format!("[The attachment{title} ({media_type}, {bytes} bytes) is left out: {error}.]");
    json!({ "type": "text", "text": text })
}
