//! Attachments on their way in and out: what a device may send, and what it may see.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::Hub;
use crate::blobs::{BadBlob, BlobHash, BlobRow, Blobs, NewBlob, Reading, Shelf, keep_attachments};
use crate::content::Content;
use crate::event::By;
use crate::files::VERSIONS_DEVICE;
use crate::ids::DeviceId;
use crate::refusal::{Code, Refusal};
use crate::session::{Command, Submit};

impl Hub {
    /// Keeps the attachments of a content and puts references in their places. What was kept before is left as it is.
    ///
    /// # Errors
    /// `bad_request` that names the block, `too_large`, `storage_unavailable`; nothing was submitted.
    pub async fn keep_attachments(&self, by: &By, content: Content) -> Result<Content, Refusal> {
        let may_read = |row: &BlobRow| self.may_read(&by.device_id, row);
        let shelf = Shelf {
            blobs: self.journal.clone(),
            by: &by.device_id,
            at: self.clock.now(),
            may_read: &may_read,
        };
        keep_attachments(&shelf, content).await
    }

    /// The same for a command, whatever it is: no session is ever handed the bytes of an attachment.
    pub(crate) async fn keep_attachments_of(&self, by: &By, command: Command) -> Result<Command, Refusal> {
        Ok(match command {
            Command::Submit(Submit { content, message_id, mode, device_seq }) => {
                let content = self.keep_attachments(by, content).await?;
                Command::Submit(Submit { content, message_id, mode, device_seq })
            }
            Command::Edit { message, content } => {
                Command::Edit { message, content: self.keep_attachments(by, content).await? }
            }
            other => other,
        })
    }

    /// Keeps an attachment that a message will refer to; it lives for a day if none does. Repeating is safe.
    ///
    /// # Errors
    /// `bad_request`, when the bytes are of no kind that is taken or not what `hash` says; `too_large`;
    /// `storage_unavailable`.
    pub async fn upload(&self, by: By, hash: BlobHash, data: Bytes) -> Result<BlobRow, Refusal> {
        let (device, now) = (by.device_id.clone(), self.clock.now());
        let looking = tokio::task::spawn_blocking(move || NewBlob::of(data, device, now));
        let blob = looking.await.map_err(|_gone| Refusal::shutting_down())?.map_err(refuse)?;
        if blob.hash != hash {
            let message =
                format!("The body is another one than its name says: its SHA-256 is {}.", blob.hash);
            return Err(Refusal::bad_field("sha256", message));
        }
        let row = BlobRow {
            kind: blob.kind,
            bytes: blob.data.len() as u64,
            devices: vec![by.device_id],
            sessions: Vec::new(),
        };
        self.journal.keep(blob).await.map_err(|error| Refusal::from(&error))?;
        Ok(row)
    }

    /// Opens an attachment for a device of a session that refers to it, or for the one that brought it.
    ///
    /// # Errors
    /// `not_found` for everybody else, too: nobody learns what there is.
    pub async fn download(&self, by: &By, hash: BlobHash) -> Result<(BlobRow, Reading), Refusal> {
        let found = self.journal.find(hash).await.map_err(|error| Refusal::from(&error))?;
        let row = found.filter(|row| self.may_read(&by.device_id, row)).ok_or_else(no_such_blob)?;
        let blobs: Arc<dyn Blobs> = self.journal.clone();
        let reading = Reading::new(blobs, hash, &row);
        Ok((row, reading))
    }

    fn may_read(&self, device: &DeviceId, row: &BlobRow) -> bool {
        let is_linked =
            |session| self.board.get(session).is_some_and(|summary| summary.devices.contains(device));
        // Versions of files in conflict are for everybody who is to decide.
        let is_version = row.devices.iter().any(|by| by.as_str() == VERSIONS_DEVICE);
        is_version || row.devices.contains(device) || row.sessions.iter().copied().any(is_linked)
    }
}

/// There is no such attachment, or not for whoever asks.
#[must_use]
pub fn no_such_blob() -> Refusal {
    let message = "There is no attachment with this hash in any session of this device.";
    Refusal::new(Code::NotFound, message)
}

fn refuse(bad: BadBlob) -> Refusal {
    let code = match bad {
        BadBlob::TooLarge => Code::TooLarge,
        BadBlob::UnknownKind => Code::BadRequest,
    };
    Refusal::new(code, format!("The attachment cannot be kept: {bad}."))
        .with_details(json!({ "field": "body" }))
}
