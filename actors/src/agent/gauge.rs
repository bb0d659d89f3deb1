//! How much agents and the machine are loaded: measured on `/proc`, or played by a test.

use std::collections::HashMap;

use crate::ids::SessionId;

/// Measures. Reads files, so it is called on a thread for blocking work.
pub trait Gauge: Send + Sync + 'static {
    /// Measures the tree of each agent, given its process, and the machine.
    fn measure(&self, agents: &[(SessionId, u32)]) -> Load;

    /// Measures the trees alone. Unlike [`Gauge::measure`] it may be called at any time: what is busy is not compared with
    /// the measurement before.
    fn memory(&self, agents: &[(SessionId, u32)]) -> HashMap<SessionId, u64> {
        self.measure(agents).memory
    }
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// What each agent and everything that it started take, resident, in bytes.
    pub memory: HashMap<SessionId, u64>,
    /// How busy the machine was since the measurement before, 0 to 100; none the first time.
    pub cpu_percent: Option<f64>,
}

/// Measures nothing: no limit is ever reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGauge;

impl Gauge for NoGauge {
    fn measure(&self, _agents: &[(SessionId, u32)]) -> Load {
        Load::default()
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use std::collections::HashMap;
    use std::fs;
    use std::sync::{Mutex, PoisonError};

    use super::{Gauge, Load};
    use crate::ids::SessionId;

    /// Measures on Linux.
    #[derive(Debug, Default)]
    pub struct ProcGauge {
        cpu_before: Mutex<Option<CpuTimes>>,
    }

    #[derive(Debug, Clone, Copy)]
    struct CpuTimes {
        busy: u64,
        all: u64,
    }

    impl Gauge for ProcGauge {
        fn measure(&self, agents: &[(SessionId, u32)]) -> Load {
            Load { memory: self.memory(agents), cpu_percent: self.cpu_percent() }
        }

        fn memory(&self, agents: &[(SessionId, u32)]) -> HashMap<SessionId, u64> {
            if agents.is_empty() {
                return HashMap::new();
            }
            let processes = processes();
            agents.iter().map(|(session, root)| (*session, tree_bytes(&processes, *root))).collect()
        }
    }

    impl ProcGauge {
        fn cpu_percent(&self) -> Option<f64> {
            let now = cpu_times(&fs::read_to_string("/proc/stat").ok()?)?;
            let before = self.cpu_before.lock().unwrap_or_else(PoisonError::into_inner).replace(now)?;
            let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
            let busy = now.busy.saturating_sub(before.busy);
            #[expect(clippy::cast_precision_loss, reason = "a share of ticks needs no more than 52 bits")]
            Some(busy as f64 * 100.0 / all as f64)
        }
    }

    /// The first line of `/proc/stat` (proc(5)): user nice system idle iowait irq softirq steal, in ticks.
    fn cpu_times(stat: &str) -> Option<CpuTimes> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|tick| tick.parse().ok()).collect();
        let all = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Some(CpuTimes { busy: u64::checked_sub(all, idle)?, all })
    }

    /// Parent and resident bytes of every process.
    fn processes() -> HashMap<u32, (u32, u64)> {
        let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter_map(|pid| Some((pid, read_process(pid)?))).collect()
    }

    fn read_process(pid: u32) -> Option<(u32, u64)> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let parent = field("PPid:")?.trim().parse().ok()?;
        // Kernel threads and zombies have no memory.
        let resident =
            field("VmRSS:").and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        Some((parent, resident.unwrap_or(0) * 1024))
    }

    fn tree_bytes(processes: &HashMap<u32, (u32, u64)>, root: u32) -> u64 {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (pid, (parent, _)) in processes {
            children.entry(*parent).or_default().push(*pid);
        }
        let mut sum = 0;
        let mut open = vec![root];
        while let Some(pid) = open.pop() {
            sum += processes.get(&pid).map_or(0, |(_, bytes)| *bytes);
            open.extend(children.remove(&pid).unwrap_or_default());
        }
        sum
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_tree_of_this_process_takes_memory() {
            let session = SessionId::random();
            let gauge = ProcGauge::default();
            let load = gauge.measure(&[(session, std::process::id())]);
            assert!(load.memory[&session] > 100_000);
            assert_eq!(load.cpu_percent, None, "nothing to compare with");
        }

        #[test]
        fn busy_is_what_is_not_idle() {
            let times = cpu_times("cpu  10 5 5 70 10 0 0 0 0 0\ncpu0 1").unwrap();
            assert_eq!((times.busy, times.all), (20, 100));
        }
    }
}

#[cfg(target_os = "linux")]
pub use proc::ProcGauge;
