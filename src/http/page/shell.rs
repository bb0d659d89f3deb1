//! `/shell.js`: what the page consists of, for its service worker. It is made of the files themselves, so a change of any of
//! them is a new version, which browsers notice by comparing this script.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::packed::{Packed, short};
use super::{SERVICE_WORKER, Web, kind_of};

/// Its name among the assets.
pub(super) const NAME: &str = "shell.js";

/// Ends of names: what the worker asks for by itself, and what no page does.
const LEFT_OUT: &[&str] = &[SERVICE_WORKER, "package.json", "LICENSE"];

/// The script: `self.SHELL = {version, files: {name: hash}}`.
pub(super) fn script() -> Packed {
    let files: BTreeMap<String, String> = Web::iter()
        .filter(|name| kind_of(name).is_some() && !LEFT_OUT.iter().any(|end| name.ends_with(end)))
        .filter_map(|name| Some((name.to_string(), short(&Web::get(&name)?.metadata.sha256_hash()))))
        .collect();
    let files = serde_json::json!(files).to_string();
    let version = short(&Sha256::digest(&files).into());
    Packed::new(format!("self.SHELL = {{\"version\":\"{version}\",\"files\":{files}}};\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_has_every_file_of_the_page_under_its_hash() {
        let script = script();
        let text = std::str::from_utf8(&script.bytes).unwrap();
        let json = text.strip_prefix("self.SHELL = ").and_then(|text| text.strip_suffix(";\n")).unwrap();
        let shell: serde_json::Value = serde_json::from_str(json).unwrap();
        for name in ["index.html", "client.js", "client/outbox.js", "icon.svg"] {
            let hash = short(&Web::get(name).unwrap().metadata.sha256_hash());
            assert_eq!(shell["files"][name], *hash, "{name}");
        }
        assert!(shell["files"].get("package.json").is_none());
        assert_eq!(shell["version"].as_str().unwrap().len(), 16);
    }
}
