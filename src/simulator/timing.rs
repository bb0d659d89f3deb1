//! What hooks cost: a tool is used again and again, and it is measured how long their answers take.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::engine::Engine;
use super::hooks::Hooked;
use super::turn::Outcome;

/// About as long as a file of a project is.
const FILE_BYTES: usize = 20_000;

impl Engine {
    /// Edits a file so many times, without anybody's leave, and says how long was waited for the hooks.
    pub(super) fn time_hooks(&mut self, path: &Path, count: u64) -> Outcome {
        let rest = "x".repeat(FILE_BYTES);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for number in 0..=count {
            let (old, new) = (number.to_string(), (number + 1).to_string());
            let input =
                json!({"file_path": path, "old_string": old, "new_string": new, "replace_all": false});
            if number == 0 && fs::write(path, format!("{old}\n{rest}")).is_err() {
                return self.say("the file cannot be written");
            }
            let call = self.call("Edit", input);
            let asked = Instant::now();
            let input = match self.hooks_before(&call) {
                Some(Hooked::Passed(input)) => input,
                Some(Hooked::Blocked(reason)) => {
                    self.outcome_of(&call, &reason, true);
                    return self.say(&format!("tool said: {reason}"));
                }
                None => return Outcome::Interrupted("aborted_tools"),
            };
            before.push(asked.elapsed());
            let written = fs::write(path, format!("{new}\n{rest}")).is_ok();
            let told = Instant::now();
            if self.hooks_after(&call, &input, "The file has been updated.").is_none() {
                return Outcome::Interrupted("aborted_tools");
            }
            after.push(told.elapsed());
            self.outcome_of(&call, "The file has been updated.", !written);
        }
        let both = before.iter().zip(&after).map(|(before, after)| *before + *after).collect();
        self.say(&format!(
            "{count} edits, p50 / p99 / max: before {}, after {}, both {}",
            percentiles(before),
            percentiles(after),
            percentiles(both)
        ))
    }
}

/// In milliseconds, without the first one, which finds nothing ready.
fn percentiles(mut spans: Vec<Duration>) -> String {
    spans.drain(..spans.len().min(1));
    spans.sort_unstable();
    let at = |permille: usize| {
        let place = (spans.len() * permille / 1_000).min(spans.len().saturating_sub(1));
        spans.get(place).map_or(0.0, |span| span.as_secs_f64() * 1e3)
    };
    format!("{:.2} / {:.2} / {:.2} ms", at(500), at(990), at(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_does_not_count() {
        let spans = [900, 1, 2, 3].map(Duration::from_millis).to_vec();
        assert_eq!(percentiles(spans), "2.00 / 3.00 / 3.00 ms");
        assert_eq!(percentiles(Vec::new()), "0.00 / 0.00 / 0.00 ms");
    }
}
