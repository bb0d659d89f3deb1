//! Taking attachments out of content before anybody decides on it: the bytes are kept, a reference goes on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::source::{self, Source};
use super::{BadBlob, BlobHash, BlobRow, Blobs, Kind, MAX_BLOB_BYTES, NewBlob};
use crate::clock::Timestamp;
use crate::content::Content;
use crate::ids::DeviceId;
use crate::journal::JournalError;
use crate::refusal::{Code, Refusal};

/// What all attachments of one message may have together: the model takes requests of 32 MB, and base64 makes 4 bytes
/// of 3. It bounds what is held in memory when the agent is given them, too.
const MAX_MESSAGE_BYTES: u64 = 24 << 20;

/// How many attachments one message may have: each costs at least one sync of the disk, and the agent's input a look
/// into the database. Nobody picks more than 64 by hand.
const MAX_MESSAGE_BLOBS: usize = 64;

/// Where attachments go, and whom they are from.
pub struct Shelf<'a> {
    /// Keeps them.
    pub blobs: Arc<dyn Blobs>,
    /// Who sends them.
    pub by: &'a DeviceId,
    /// When.
    pub at: Timestamp,
    /// Whether the sender may read a blob, and so refer to it.
    pub may_read: &'a (dyn Fn(&BlobRow) -> bool + Send + Sync),
}

/// A block taken apart.
struct Piece {
    block: Value,
    found: Found,
}

enum Found {
    Words,
    New(NewBlob),
    Known(BlobHash),
}

/// Keeps every attachment of a content, and returns the content with references in their places. What has none, or was
/// here before, comes back as it is.
///
/// # Errors
/// `bad_request` that names the block, `too_large`, or what the disk said. Blobs that were kept until then stay for a day.
pub async fn keep_attachments(shelf: &Shelf<'_>, content: Content) -> Result<Content, Refusal> {
    if !content.needs_keeping() {
        return Ok(content);
    }
    let (by, at) = (shelf.by.clone(), shelf.at);
    let taking_apart = tokio::task::spawn_blocking(move || take_apart(content.into_blocks(), &by, at));
    let pieces = taking_apart.await.map_err(|_gone| Refusal::shutting_down())??;
    let mut total = 0;
    let mut blocks = Vec::with_capacity(pieces.len());
    for (index, Piece { mut block, found }) in pieces.into_iter().enumerate() {
        let (hash, kind, bytes) = match found {
            Found::Words => {
                blocks.push(block);
                continue;
            }
            Found::New(blob) => {
                let known = (blob.hash, blob.kind, blob.data.len() as u64);
                check_total(&mut total, known.2)?;
                shelf.blobs.keep(blob).await.map_err(|error| not_kept(&error))?;
                known
            }
            Found::Known(hash) => {
                let (kind, bytes) = look_up(shelf, index, &block, hash).await?;
                check_total(&mut total, bytes)?;
                (hash, kind, bytes)
            }
        };
        block["source"] = source::reference(hash, kind, bytes);
        blocks.push(block);
    }
    Ok(Content::settled(blocks))
}

fn take_apart(blocks: Vec<Value>, by: &DeviceId, at: Timestamp) -> Result<Vec<Piece>, Refusal> {
    check_count(&blocks)?;
    let mut pieces = Vec::with_capacity(blocks.len());
    for (index, mut block) in blocks.into_iter().enumerate() {
        let found = match source::take(&mut block).map_err(|reason| bad_block(index, reason))? {
            Source::None => Found::Words,
            Source::Blob(hash) => Found::Known(hash),
            Source::Inline(data) => {
                let blob = NewBlob::of(data, by.clone(), at).map_err(|bad| refuse(index, bad))?;
                source::check_kind(&block, blob.kind).map_err(|reason| bad_block(index, reason))?;
                Found::New(blob)
            }
        };
        pieces.push(Piece { block, found });
    }
    Ok(pieces)
}

/// A reference counts for who may read what it names; for everybody else there is no such blob.
async fn look_up(
    shelf: &Shelf<'_>,
    index: usize,
    block: &Value,
    hash: BlobHash,
) -> Result<(Kind, u64), Refusal> {
    let found = shelf.blobs.find(hash).await.map_err(|error| Refusal::from(&error))?;
    let unknown =
        || bad_block(index, "its sha256 is unknown here; upload it first, with PUT /api/blobs/{sha256}");
    let row = found.filter(|row| (shelf.may_read)(row)).ok_or_else(unknown)?;
    source::check_kind(block, row.kind).map_err(|reason| bad_block(index, reason))?;
    let is_there = shelf.blobs.touch(hash, shelf.at).await;
    if !is_there.map_err(|error| not_kept(&error))? {
        return Err(unknown());
    }
    Ok((row.kind, row.bytes))
}

fn check_count(blocks: &[Value]) -> Result<(), Refusal> {
    let count = blocks.iter().filter(|block| source::is_attachment(block)).count();
    if count <= MAX_MESSAGE_BLOBS {
        return Ok(());
    }
    let message = format!(
        "This message has {count} attachments, and may have {MAX_MESSAGE_BLOBS}; send some of them with another one."
    );
    let details = json!({ "field": "content", "max": MAX_MESSAGE_BLOBS });
    Err(Refusal::new(Code::TooLarge, message).with_details(details))
}

fn check_total(total: &mut u64, bytes: u64) -> Result<(), Refusal> {
    *total += bytes;
    if *total <= MAX_MESSAGE_BYTES {
        return Ok(());
    }
    let message = format!(
        "The attachments of this message are larger than {} MiB together; send some of them with another one.",
        MAX_MESSAGE_BYTES >> 20
    );
    Err(Refusal::new(Code::TooLarge, message))
}

fn refuse(index: usize, bad: BadBlob) -> Refusal {
    match bad {
        BadBlob::TooLarge => {
            let message = format!(
                "Content block {index} cannot be sent: its attachment is larger than {} MiB.",
                MAX_BLOB_BYTES >> 20
            );
            Refusal::new(Code::TooLarge, message).with_details(json!({ "field": "content", "block": index }))
        }
        BadBlob::UnknownKind => {
            bad_block(index, "it holds no PNG, JPEG, GIF or WebP picture, no PDF, and no text in UTF-8")
        }
    }
}

fn bad_block(index: usize, reason: &str) -> Refusal {
    let message = format!("The message cannot be sent: content block {index} cannot be sent: {reason}.");
    Refusal::new(Code::BadRequest, message).with_details(json!({ "field": "content", "block": index }))
}

/// Nothing was submitted yet, whatever became of the blob: the same may be sent again.
fn not_kept(error: &JournalError) -> Refusal {
    let unwritten = JournalError::NotWritten { reason: error.to_string() };
    Refusal::from(&unwritten)
}
