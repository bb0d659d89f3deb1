//! Numbers as a person reads them, in few characters. Pure.

use tandem_actors::clock::Timestamp;
use tandem_actors::session::Status;

/// `0 B` to `999 GB`, three digits at most.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 999.5 {
            let decimals = usize::from(value < 9.95 && unit != "B");
            return format!("{value:.decimals$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.0} TB")
}

/// A length of time in its largest unit: `42 s`, `3 min`, `5 h`, `2 d`.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A length of time in its two largest units: `2 h 3 min`.
pub(super) fn long_span(seconds: u64) -> String {
    let rest = match seconds {
        0..3_600 => 0,
        3_600..172_800 => seconds % 3_600,
        _ => seconds % 86_400,
    };
    let large = span(seconds);
    if rest < 60 { large } else { format!("{large} {}", span(rest)) }
}

/// How long ago.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.millis_since(then) / 1000 {
        0 => "now".to_owned(),
        seconds => span(seconds),
    }
}

/// How long until; a moment that is over is a dash.
pub(super) fn until(then: Timestamp, now: Timestamp) -> String {
    match then.millis_since(now) / 1000 {
        0 => "–".to_owned(),
        seconds => span(seconds),
    }
}

/// `0.4 ms`, `12 ms`, `1.5 s`.
pub(super) fn latency(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

/// Dollars; a dash for what cost nothing.
pub(super) fn cost(dollars: f64) -> String {
    if dollars > 0.0 { format!("${dollars:.2}") } else { "–".to_owned() }
}

/// A count; a dash for none, so that the eye finds what is there.
pub(super) fn count(count: u64) -> String {
    if count == 0 { "–".to_owned() } else { count.to_string() }
}

/// What a session does, in a word.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::WaitingForApproval => "approval",
        Status::WaitingForSlot => "slot wait",
        other => other.word(),
    }
}

/// The last part of a path.
pub(super) fn project(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
}

/// At most so many characters, and none that moves the cursor.
pub(super) fn fit(text: &str, max_chars: usize) -> String {
    let clean = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    if text.chars().count() <= max_chars {
        return clean.collect();
    }
    let kept: String = clean.take(max_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let sizes = [0, 999, 1_024, 5 << 20, 312 << 20, 2 << 30].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 KB", "5.0 MB", "312 MB", "2.0 GB"]);
        assert_eq!([5, 60, 7_200, 200_000].map(span), ["5 s", "1 min", "2 h", "2 d"]);
        assert_eq!([5, 3_600, 7_380, 180_000].map(long_span), ["5 s", "1 h", "2 h 3 min", "2 d 2 h"]);
        let latencies = [None, Some(0.000_42), Some(0.012), Some(1.5)].map(latency);
        assert_eq!(latencies, ["–", "0.4 ms", "12 ms", "1.5 s"]);
    }

    #[test]
    fn moments_are_told_from_now() {
        let [now, then] = [100_000, 40_000].map(Timestamp::from_millis);
        assert_eq!((ago(then, now), ago(now, now)), ("1 min".into(), "now".into()));
        assert_eq!((until(now, then), until(then, now)), ("1 min".into(), "–".into()));
    }

    #[test]
    fn names_fit_and_cannot_move_the_cursor() {
        assert_eq!(fit("a\u{1b}[2Jb", 10), "a [2Jb");
        assert_eq!(fit("one two three", 5), "one…");
        assert_eq!([project("/home/ada/tandem/"), project("/")], ["tandem", "/"]);
    }
}
