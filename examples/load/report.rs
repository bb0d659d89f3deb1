//! What came out: counts, percentiles, and whether everything was as it must be.

use std::time::{Duration, Instant};

use tandem::history::{Fault, Wrong};

use crate::device::{Figures, Outcome};
use crate::process::Usage;

/// So many faults are printed; the first ones say enough.
const MAX_PRINTED: usize = 20;

/// What the whole run cost, as the kernel counts it.
#[derive(Debug)]
pub struct Costs {
    pub server: Option<(Usage, Usage)>,
    /// How many agents the server has at the end, and their memory together.
    pub agents: (usize, u64),
    /// Processor time of the generator itself, until everything had come.
    pub generator_seconds: f64,
}

/// Prints what all devices did and saw together.
pub fn print(outcomes: &[Outcome], figures: Figures, costs: &Costs) {
    let begun = outcomes.iter().map(|outcome| outcome.begun).min();
    let ended = outcomes.iter().map(|outcome| outcome.ended).max();
    let first = outcomes.iter().filter_map(|outcome| outcome.first).min();
    let (Some(begun), Some(ended)) = (begun, ended) else { return };
    let elapsed = ended - begun;
    let since_first = first.map_or(elapsed, |first| ended.saturating_duration_since(first));
    let Figures { messages, patches, events, accepted, patched, delays, catch_ups, caught_up, drops } =
        figures;
    println!("devices                    {}", outcomes.len());
    println!("messages, state patches    {messages}, {patches}");
    println!("events delivered           {events}, {} of them live", delays.len());
    println!("submit → accepted          {}", percentiles(accepted));
    if !patched.is_empty() {
        println!("state → ok                 {}", percentiles(patched));
    }
    println!("event written → received   {}  (the event's time is cut to 1 ms)", percentiles(delays));
    if drops > 0 {
        println!("connections dropped        {drops}, {caught_up} events caught up on");
        println!("back → caught up           {}", percentiles(catch_ups));
    }
    println!("from start to all          {:.3} s, {}", elapsed.as_secs_f64(), rate(events, elapsed));
    println!("from first event to all    {:.3} s, {}", since_first.as_secs_f64(), rate(events, since_first));
    print_costs(costs, events);
}

fn print_costs(costs: &Costs, events: u64) {
    let Costs { server, agents, generator_seconds } = costs;
    println!("generator's processor time {generator_seconds:.2} s");
    let Some((before, after)) = server else { return };
    let cpu = after.cpu_seconds - before.cpu_seconds;
    let per_million = cpu / (events.max(1) as f64 / 1e6);
    println!("server's processor time    {cpu:.2} s, {per_million:.3} s per million deliveries");
    println!(
        "server's memory            {} KiB before, {} KiB after",
        before.resident_kib, after.resident_kib
    );
    let (count, kib) = *agents;
    let each = kib / (count as u64).max(1);
    println!("agents                     {count} processes, {kib} KiB together, {each} KiB each");
}

/// Prints what is wrong. Returns whether nothing is.
pub fn print_faults(outcomes: &[Outcome], faults: &[Fault], checked_since: Instant) -> bool {
    let count = |is_it: fn(&Wrong) -> bool| faults.iter().filter(|fault| is_it(&fault.what)).count();
    println!("lost                       {}", count(|wrong| matches!(wrong, Wrong::Lost { .. })));
    println!("doubled                    {}", count(|wrong| matches!(wrong, Wrong::Doubled { .. })));
    println!("out of order               {}", count(|wrong| matches!(wrong, Wrong::OutOfOrder { .. })));
    println!(
        "faults of the history      {}, checked in {:.2} s",
        faults.len(),
        checked_since.elapsed().as_secs_f64()
    );
    let troubled = outcomes.iter().filter_map(|outcome| Some((&outcome.name, outcome.trouble.as_ref()?)));
    for (name, trouble) in troubled.clone().take(MAX_PRINTED) {
        println!("TROUBLE: {name}: {trouble}");
    }
    for fault in faults.iter().take(MAX_PRINTED) {
        println!("WRONG: {fault}");
    }
    faults.is_empty() && troubled.count() == 0
}

/// Everything that was measured, together.
pub fn sum(outcomes: &mut [Outcome]) -> Figures {
    let mut sum = Figures::default();
    for outcome in outcomes {
        let one = std::mem::take(&mut outcome.figures);
        sum.messages += one.messages;
        sum.patches += one.patches;
        sum.events += one.events;
        sum.accepted.extend(one.accepted);
        sum.patched.extend(one.patched);
        sum.delays.extend(one.delays);
        sum.catch_ups.extend(one.catch_ups);
        sum.caught_up += one.caught_up;
        sum.drops += one.drops;
    }
    sum
}

fn percentiles(mut micros: Vec<u32>) -> String {
    micros.sort_unstable();
    let at = |per_mille: usize| {
        let place = (micros.len() * per_mille / 1000).min(micros.len().saturating_sub(1));
        f64::from(micros.get(place).copied().unwrap_or_default()) / 1000.0
    };
    format!("p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(500), at(990), at(1000))
}

fn rate(count: u64, elapsed: Duration) -> String {
    format!("{:.0} deliveries/s", count as f64 / elapsed.as_secs_f64().max(1e-9))
}
