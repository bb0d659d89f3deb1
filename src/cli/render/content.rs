//! A message as text: its words, and one word for everything that came with it.

use serde_json::Value;

use super::word;

/// All text of a content: a string, or blocks.
pub(super) fn plain_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().map(block).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn block(block: &Value) -> String {
    if let Some(text) = block["text"].as_str() {
        return text.to_owned();
    }
    let name = match word(&block["type"]) {
        "image" => "picture",
        other => other,
    };
    let title = block["title"].as_str().map_or_else(String::new, |title| format!(" {title}"));
    let size =
        block["source"]["bytes"].as_u64().map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
    format!("[{name}{title}{size}]")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_with_a_message_is_named_with_its_size() {
        let source =
            |bytes: u64| json!({"type": "blob", "media_type": "image/png", "sha256": "…", "bytes": bytes});
        let content = json!([
            {"type": "text", "text": "look"},
            {"type": "image", "source": source(12_345)},
            {"type": "document", "title": "notes.md", "source": source(999)},
            {"type": "document", "source": source(9_960_000)},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ]);
        let expected = "look [picture, 12 kB] [document notes.md, 999 B] [document, 9.9 MB] [picture]";
        assert_eq!(plain_text(&content), expected);
    }
}
