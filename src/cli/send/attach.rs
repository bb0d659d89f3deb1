//! The files that `tandem send --attach` takes along.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use tandem_actors::blobs::MAX_BLOB_BYTES;
use tandem_actors::content::Content;

use crate::cli::connection::explain;
use crate::client::Client;

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attached {
    name: String,
    data: Vec<u8>,
}

/// Reads all files, before anything is sent anywhere.
///
/// # Errors
/// When one cannot be read, is empty or too large; the error names it.
pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Attached>> {
    files.iter().map(|file| read_one(file)).collect()
}

fn read_one(file: &Path) -> anyhow::Result<Attached> {
    let shown = file.display();
    anyhow::ensure!(
        !fs::metadata(file).is_ok_and(|found| found.is_dir()),
        "{shown} is a folder; attach files"
    );
    let opened = File::open(file).with_context(|| format!("could not read {shown}"))?;
    let mut data = Vec::new();
    // One byte more than it may have, so that a file that never ends does.
    let limit = MAX_BLOB_BYTES as u64 + 1;
    opened.take(limit).read_to_end(&mut data).with_context(|| format!("could not read {shown}"))?;
    anyhow::ensure!(data.len() <= MAX_BLOB_BYTES, "{shown} is larger than {} MiB", MAX_BLOB_BYTES >> 20);
    anyhow::ensure!(!data.is_empty(), "{shown} is empty");
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Attached { name, data })
}

/// Uploads the files and makes the content that refers to them.
///
/// # Errors
/// When the server does not take one; the error names it.
pub(super) async fn content(client: &Client, text: String, files: Vec<Attached>) -> anyhow::Result<Content> {
    if files.is_empty() {
        return Ok(Content::text(text)?);
    }
    let mut blocks: Vec<Value> = Vec::with_capacity(files.len() + 1);
    if !text.trim().is_empty() {
        blocks.push(json!({ "type": "text", "text": text }));
    }
    for Attached { name, data } in files {
        let attachment =
            client.upload(data).await.map_err(explain).with_context(|| format!("{name} is not sent"))?;
        blocks.push(attachment.block(&name));
    }
    Ok(Content::from_value(Value::Array(blocks))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_go_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        fs::write(path("notes.md"), "# Title").unwrap();
        fs::write(path("empty"), "").unwrap();
        fs::write(path("large"), vec![b'a'; MAX_BLOB_BYTES + 1]).unwrap();
        let read_files = read(&[path("notes.md")]).unwrap();
        assert_eq!(read_files, [Attached { name: "notes.md".into(), data: b"# Title".to_vec() }]);
        for (name, why) in
            [("empty", "empty"), ("large", "10 MiB"), ("none", "could not read"), ("", "folder")]
        {
            let error = read(&[path("notes.md"), path(name)]).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(name), "{error}");
        }
    }
}
