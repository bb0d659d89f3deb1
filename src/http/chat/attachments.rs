//! Files that come with a message, as content blocks: pictures, PDF, and text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tandem_actors::blobs::{Kind, MAX_BLOB_BYTES};
use tandem_actors::refusal::{Code, Refusal};

use crate::fields::Fields;

/// Kinds of text that are not called `text/…`.
const TEXT_KINDS: [&str; 6] = [
    "application/json",
    "application/xml",
    "application/yaml",
    "application/toml",
    "application/javascript",
    "application/x-sh",
];

/// The blocks for the field `attachments`: `[{name, mimeType, data (base64)}]`.
///
/// # Errors
/// `bad_request` that names the attachment, or `too_large`.
pub(super) fn blocks(fields: &Fields) -> Result<Vec<Value>, Refusal> {
    let attachments: Option<Vec<Value>> = fields.optional("attachments")?;
    let attachments = attachments.unwrap_or_default();
    attachments.iter().enumerate().map(|(index, attachment)| block(index, attachment)).collect()
}

fn block(index: usize, attachment: &Value) -> Result<Value, Refusal> {
    let field = |name: &str| format!("attachments[{index}].{name}");
    let fields = Fields::parse(attachment.to_string().as_bytes())
        .map_err(|_| {
            let message = "An attachment is an object with name, mimeType and data.";
            Refusal::bad_field(&format!("attachments[{index}]"), message)
        })?
        .with_snake_case_twins();
    let text_of = |name: &str| {
        fields
            .required::<String>(name)
            .map_err(|_| Refusal::bad_field(&field(name), format!("The field {} is missing.", field(name))))
    };
    let mime_type = text_of("mimeType")?;
    let data = text_of("data")?;
    let name: Option<String> = fields.label("name")?;
    let bytes = STANDARD
        .decode(&data)
        .map_err(|_| Refusal::bad_field(&field("data"), "The data of an attachment is base64."))?;
    if bytes.len() > MAX_BLOB_BYTES {
        let message = format!("Attachment {index} is larger than {} MiB.", MAX_BLOB_BYTES >> 20);
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let title = || name.clone().unwrap_or_else(|| format!("attachment {index}"));
    let is_called_text = mime_type.starts_with("text/") || TEXT_KINDS.contains(&mime_type.as_str());
    match Kind::of(&bytes) {
        Some(kind) if kind.is_picture() => Ok(json!({
            "type": "image",
            "source": { "type": "base64", "media_type": kind.media_type(), "data": data },
        })),
        Some(kind @ Kind::Pdf) => Ok(json!({
            "type": "document",
            "title": title(),
            "source": { "type": "base64", "media_type": kind.media_type(), "data": data },
        })),
        // What is called a picture or an archive and is text is not what somebody meant to send.
        Some(kind) if is_called_text => Ok(json!({
            "type": "document",
            "title": title(),
            "source": { "type": "text", "media_type": kind.media_type(), "data": String::from_utf8_lossy(&bytes) },
        })),
        Some(_) | None => {
            let message = "An attachment is a PNG, JPEG, GIF or WebP picture, a PDF, or text in UTF-8.";
            Err(Refusal::bad_field(&field("data"), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks_of(mime_type: &str, bytes: &[u8]) -> Result<Vec<Value>, Refusal> {
        let attachment = json!({"name": "a", "mime_type": mime_type, "data": STANDARD.encode(bytes)});
        let body = json!({"attachments": [attachment]}).to_string();
        blocks(&Fields::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_picture_is_what_its_bytes_say() {
        let png = b"\x89PNG\r\n\x1a\nrest\0";
        let block = blocks_of("image/jpeg", png).unwrap().remove(0);
        assert_eq!(block["type"], "image");
        assert_eq!(block["source"]["media_type"], "image/png");
        assert_eq!(block["source"]["data"], STANDARD.encode(png));
        assert!(blocks_of("image/png", b"not a picture").is_err());
    }

    #[test]
    fn text_is_a_document_with_its_name() {
        let block = blocks_of("text/markdown", b"# Title").unwrap().remove(0);
        assert_eq!(block["type"], "document");
        assert_eq!(block["title"], "a");
        assert_eq!(block["source"]["data"], "# Title");
        assert!(blocks_of("text/plain", &[0xff, 0xfe]).is_err());
        assert!(blocks_of("application/zip", b"PK").is_err());
        assert!(blocks_of("image/gif", b"GIF89a<script>alert(1)</script>").is_err());
    }

    #[test]
    fn a_pdf_is_a_document_whatever_it_is_called() {
        let block = blocks_of("application/octet-stream", b"%PDF-1.7\n%\xe2\xe3").unwrap().remove(0);
        assert_eq!((&block["type"], &block["title"]), (&json!("document"), &json!("a")));
        assert_eq!(block["source"]["media_type"], "application/pdf");
    }

    #[test]
    fn a_refusal_names_the_attachment() {
        let fields = Fields::parse(br#"{"attachments":[{"mimeType":"text/plain","data":"***"}]}"#).unwrap();
        let refusal = blocks(&fields).unwrap_err();
        assert_eq!(refusal.details.unwrap()["field"], "attachments[0].data");
    }

    #[test]
    fn what_is_too_large_says_so() {
        let refusal = blocks_of("text/plain", &vec![b'a'; MAX_BLOB_BYTES + 1]).unwrap_err();
        assert_eq!(refusal.code, Code::TooLarge);
    }
}
