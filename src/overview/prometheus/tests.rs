use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tandem_actors::metrics::Metrics;
use tandem_actors::session::Status;

use super::*;
use crate::overview::report::tests::{overview, seen};
use crate::traffic::Traffic;

const DOCUMENT: &str = include_str!("../../../docs/operations.md");

fn text() -> String {
    let traffic = Traffic::default();
    traffic.answered(Some("/api/sessions"), 200, std::time::Instant::now());
    let wire = WireReading { routes: traffic.read_routes(), frames_in: 3, ..WireReading::default() };
    let overview = overview(vec![seen(Status::Running, Some(1)), seen(Status::Idle, None)]);
    page(Scrape { overview, metrics: Metrics::default(), wire, agent_version: Some("2.1.328".into()) })
        .unwrap()
}

/// The rows of the document's table, made from the page.
fn table(text: &str) -> String {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let own = rest.split_once('}').unwrap().0.split(',').map(|label| label.split_once('=').unwrap().0);
        labels.entry(name).or_default().extend(own.filter(|label| *label != "le"));
    }
    let mut rows = String::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap().1;
        }
        let Some((family, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let name = match kind {
            "counter" => format!("{family}_total"),
            "info" => format!("{family}_info"),
            _ => family.to_owned(),
        };
        let sample = if kind == "histogram" { format!("{family}_count") } else { name.clone() };
        let own: Vec<String> =
            labels.get(sample.as_str()).into_iter().flatten().map(|label| format!("`{label}`")).collect();
        let kind = if kind == "info" { "gauge" } else { kind };
        writeln!(rows, "| `{name}` | {kind} | {} | {help} |", own.join(", ")).unwrap();
    }
    rows
}

#[test]
fn the_document_lists_every_metric() {
    let rows = table(&text());
    let documented = DOCUMENT.split("<!-- metrics:begin -->\n").nth(1).unwrap();
    let documented = documented.split("<!-- metrics:end -->").next().unwrap();
    let documented: String = documented.lines().skip(2).map(|line| format!("{line}\n")).collect();
    assert_eq!(documented, rows, "docs/operations.md needs these rows:\n{rows}");
}

#[test]
fn names_say_their_unit_and_counters_their_kind() {
    let text = text();
    for line in ["tandem_append_seconds_bucket{le=\"+Inf\"} 0", "tandem_sessions{status=\"running\"} 1"] {
        assert!(text.lines().any(|written| written == line), "{line} in {text}");
    }
    assert!(
        text.contains("tandem_http_requests_total{route=\"/api/sessions\",status=\"200\"} 1\n"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn nothing_that_people_name_becomes_a_label() {
    let overview = overview(vec![seen(Status::Running, Some(1))]);
    let session = overview.sessions[0].summary.session_id.to_string();
    let wire = WireReading::default();
    let text = page(Scrape { overview, metrics: Metrics::default(), wire, agent_version: None }).unwrap();
    assert!(!text.contains(&session) && !text.contains("/home/ada"), "{text}");
}
