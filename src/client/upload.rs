//! Bringing an attachment to the server before a message refers to it.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tandem_actors::blobs::BlobHash;

use super::ClientConfig;
use super::error::ClientError;
use super::http;

/// An attachment that the server has. Any message of this device may refer to it within a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Its name there.
    pub sha256: String,
    /// What it is by its content.
    pub media_type: String,
    /// How large.
    pub bytes: u64,
}

impl Attachment {
    /// The content block by which a message refers to it; a picture has no title.
    #[must_use]
    pub fn block(&self, title: &str) -> Value {
        let source = json!({ "type": "blob", "sha256": self.sha256 });
        if self.media_type.starts_with("image/") {
            json!({ "type": "image", "source": source })
        } else {
            json!({ "type": "document", "title": title, "source": source })
        }
    }
}

/// Uploads bytes; the same ones again are no second copy.
pub(super) async fn upload(config: &ClientConfig, data: Bytes) -> Result<Attachment, ClientError> {
    let url = http::Address::parse(&config.url)?.blob_url(BlobHash::of(&data));
    let request = http::client(config)?.put(url).header("X-Tandem-Device", config.device_id.as_str());
    let answer = http::send(config, request.body(data)).await?;
    serde_json::from_slice(&answer).map_err(|error| ClientError::Protocol { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_what_the_content_says() {
        let of =
            |media_type: &str| Attachment { sha256: "ab".into(), media_type: media_type.into(), bytes: 1 };
        assert_eq!(of("image/png").block("a.png")["type"], "image");
        let document = of("text/plain").block("notes.md");
        assert_eq!((&document["type"], &document["title"]), (&json!("document"), &json!("notes.md")));
        assert_eq!(document["source"], json!({"type": "blob", "sha256": "ab"}));
    }
}
