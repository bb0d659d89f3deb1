//! What came with a message, so that a test can see that it was the very bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// One line for each picture and document of a content: `image image/png 1234 <sha256>`.
pub(super) fn list(content: &Value) -> Vec<String> {
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().filter(|block| block.get("source").is_some()).map(line).collect()
}

fn line(block: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let source = &block["source"];
    let data = match source["type"].as_str() {
        Some("base64") => STANDARD.decode(word(&source["data"])).ok(),
        Some("text") => Some(word(&source["data"]).into_bytes()),
        _ => None,
    };
    let (kind, media_type) = (word(&block["type"]), word(&source["media_type"]));
    match data {
        Some(data) => {
            let hash: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{kind} {media_type} {} {hash}", data.len())
        }
        None => format!("{kind} {media_type} unreadable"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_counted_and_hashed() {
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let content = json!([
            {"type": "text", "text": "/attachments"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}},
            {"type": "image", "source": {"type": "blob", "sha256": "…"}},
        ]);
        let expected = [
            format!("image image/png 5 {hello}"),
            format!("document text/plain 5 {hello}"),
            "image ? unreadable".to_owned(),
        ];
        assert_eq!(list(&content), expected);
        assert!(list(&json!("words")).is_empty());
    }
}
