//! What the server costs, as the kernel counts it. Linux only.

use std::fs;

use anyhow::{Context as _, Result};

/// The kernel reports processor time in hundredths of a second to programs, whatever its own clock is (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// A look at a process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time so far, of this process without its children.
    pub cpu_seconds: f64,
    /// Memory that is in use now.
    pub resident_kib: u64,
}

/// Looks at a process.
pub fn usage(pid: u32) -> Result<Usage> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    // The name stands in parentheses and may hold anything; behind it come plain fields, utime and stime as 12th and 13th.
    let fields = stat.rsplit_once(')').context("an odd /proc/PID/stat")?.1;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (ticks.next().context("no utime")??, ticks.next().context("no stime")??);
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let resident_kib = resident.trim().trim_end_matches(" kB").parse()?;
    Ok(Usage { cpu_seconds: (user + system) / TICKS_PER_SECOND, resident_kib })
}

/// The processes that a process has started and that live.
pub fn children(pid: u32) -> Vec<u32> {
    let parent = pid.to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |child: &u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)) == Some(&*parent)
    };
    numbers.filter(is_child).collect()
}
