//! What came out: counts, percentiles, and whether everything was as it must be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::device::Outcome;
use crate::process::Usage;

/// Prints what all devices saw together. Returns whether nothing was lost, doubled or out of order.
pub fn print(outcomes: &mut [Outcome], usage: Option<(Usage, Usage)>) -> bool {
    let mistakes = mistakes(outcomes);
    let begun = outcomes.iter().map(|outcome| outcome.begun).min();
    let ended = outcomes.iter().map(|outcome| outcome.ended).max();
    let first = outcomes.iter().filter_map(|outcome| outcome.first).min();
    let (Some(begun), Some(ended)) = (begun, ended) else { return false };
    let elapsed = ended - begun;
    let since_first = first.map_or(elapsed, |first| ended - first);
    let deliveries: usize = outcomes.iter().map(|outcome| outcome.delays.len()).sum();
    let accepted: usize = outcomes.iter().map(|outcome| outcome.accepted.len()).sum();
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();

    println!("devices                    {}", outcomes.len());
    println!("messages accepted          {accepted}");
    println!("events delivered           {deliveries}");
    println!("lost                       {}", sum(|outcome| outcome.stream.lost() as u64));
    println!("doubled                    {}", sum(|outcome| outcome.stream.doubled));
    println!("out of order               {}", sum(|outcome| outcome.stream.out_of_order));
    let mut took: Vec<u32> =
        outcomes.iter().flat_map(|outcome| &outcome.accepted).map(|one| micros(one.2)).collect();
    println!("submit → accepted          {}", percentiles(&mut took));
    let mut delays: Vec<u32> =
        outcomes.iter_mut().flat_map(|outcome| std::mem::take(&mut outcome.delays)).collect();
    println!("event written → received   {}  (the event's time is cut to 1 ms)", percentiles(&mut delays));
    println!("from start to all          {:.3} s, {}", elapsed.as_secs_f64(), rate(deliveries, elapsed));
    println!(
        "from first event to all    {:.3} s, {}",
        since_first.as_secs_f64(),
        rate(deliveries, since_first)
    );
    if let Some((before, after)) = usage {
        let cpu = after.cpu_seconds - before.cpu_seconds;
        let per_million = cpu / (deliveries.max(1) as f64 / 1e6);
        println!("server's processor time    {cpu:.2} s, {per_million:.3} s per million deliveries");
        println!(
            "server's memory            {} KiB before, {} KiB after",
            before.resident_kib, after.resident_kib
        );
    }
    for mistake in &mistakes {
        println!("WRONG: {mistake}");
    }
    mistakes.is_empty()
}

/// Everything that must not be: holes, repeats, different histories, messages that are not there exactly once.
fn mistakes(outcomes: &[Outcome]) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut sessions: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        sessions.entry(&outcome.session).or_default().push(outcome);
        if let Some(trouble) = &outcome.trouble {
            mistakes.push(format!("{}: {trouble}; it stands at event {}", outcome.name, outcome.stream.last));
        }
        if !outcome.stream.is_whole() {
            mistakes.push(format!("{}: its stream has holes or repeats", outcome.name));
        }
    }
    for (session, devices) in sessions {
        let ends: BTreeSet<_> =
            devices.iter().map(|device| (device.stream.last, device.stream.last_hash)).collect();
        if ends.len() > 1 {
            mistakes
                .push(format!("session {session}: its devices end with {} different histories", ends.len()));
        }
        let accepted: BTreeMap<&str, u64> = devices
            .iter()
            .flat_map(|device| device.accepted.iter().map(|(id, seq, _)| (id.as_str(), *seq)))
            .collect();
        for device in &devices {
            let seen = &device.stream.accepted;
            let is_once = |(id, seq): (&&str, &u64)| seen.get(*id).is_some_and(|seqs| seqs[..] == [*seq]);
            let wrong = accepted.iter().filter(|one| !is_once(*one)).count();
            if wrong > 0 {
                mistakes
                    .push(format!("{}: {wrong} accepted messages are not there exactly once", device.name));
            }
        }
    }
    mistakes
}

fn percentiles(micros: &mut [u32]) -> String {
    micros.sort_unstable();
    let at = |per_mille: usize| {
        let place = (micros.len() * per_mille / 1000).min(micros.len().saturating_sub(1));
        f64::from(micros.get(place).copied().unwrap_or_default()) / 1000.0
    };
    format!("p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(500), at(990), at(1000))
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn rate(count: usize, elapsed: Duration) -> String {
    format!("{:.0} deliveries/s", count as f64 / elapsed.as_secs_f64().max(1e-9))
}
