//! Reads the text of `/metrics` strictly, as a scraper does, and refuses what is not well-formed.

use std::collections::{BTreeMap, BTreeSet};

/// All samples of a page.
pub(crate) struct Samples(BTreeMap<String, f64>);

impl Samples {
    /// Panics on the first line that is wrong.
    pub(crate) fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("the page ends with EOF");
        let mut families: BTreeMap<&str, &str> = BTreeMap::new();
        let mut described = BTreeSet::new();
        let mut samples = BTreeMap::new();
        let mut current = "";
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (keyword, name) = (words.next().unwrap(), words.next().expect(line));
                check_name(name);
                assert!(!words.next().expect(line).is_empty(), "{line}");
                match keyword {
                    "HELP" => assert!(described.insert(name), "described twice: {line}"),
                    "TYPE" => assert!(
                        families.insert(name, comment.rsplit(' ').next().unwrap()).is_none(),
                        "{line}"
                    ),
                    "UNIT" => assert!(name.ends_with(comment.rsplit(' ').next().unwrap()), "{line}"),
                    _ => panic!("no comment of the format: {line}"),
                }
                current = name;
                continue;
            }
            let (key, value) = line.rsplit_once(' ').expect(line);
            let name = key.split('{').next().unwrap();
            check_name(name);
            check_labels(&key[name.len()..]);
            let suffixes: &[&str] = match families[current] {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_sum", "_count", "_bucket"],
                "info" => &["_info"],
                kind => panic!("unknown type {kind}"),
            };
            let suffix = name.strip_prefix(current).expect("a sample stands below its own family");
            assert!(suffixes.contains(&suffix), "{line}");
            let value: f64 = value.parse().expect(line);
            assert!(samples.insert(key.to_owned(), value).is_none(), "twice: {line}");
        }
        Self(samples)
    }

    /// The value of a sample, for instance `tandem_turns_total{outcome="completed"}`.
    pub(crate) fn get(&self, key: &str) -> f64 {
        *self.0.get(key).unwrap_or_else(|| panic!("no {key} in {:#?}", self.0.keys()))
    }
}

fn check_name(name: &str) {
    assert!(name.starts_with("tandem_"), "{name}");
    assert!(name.chars().all(|character| character.is_ascii_lowercase() || character == '_'), "{name}");
}

fn check_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let inside = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix("\"}")).expect(labels);
    for pair in inside.split("\",") {
        let (name, value) = pair.split_once("=\"").expect(labels);
        assert!(name.chars().all(|character| character.is_ascii_lowercase() || character == '_'), "{labels}");
        assert!(!value.contains(['"', '\\', '\n']), "{labels}");
    }
}
