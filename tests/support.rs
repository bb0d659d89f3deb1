//! What tests stand on.

pub(crate) mod agent;
pub(crate) mod chance;
pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod figures;
pub(crate) mod follower;
pub(crate) mod meddler;
pub(crate) mod model;
pub(crate) mod node;
pub(crate) mod openmetrics;
pub(crate) mod raw_ws;
pub(crate) mod recorded;
pub(crate) mod repository;
pub(crate) mod server;
pub(crate) mod wire;

use std::time::Duration;

/// Sends a signal by its name.
pub(crate) fn signal(name: &str, pid: u32) {
    assert!(try_signal(name, pid), "there is no process {pid}");
}

/// Sends a signal by its name to a process that may be gone; `false`: it is.
pub(crate) fn try_signal(name: &str, pid: u32) -> bool {
    let kill = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).output();
    kill.expect("kill can be run").status.success()
}

/// Whether a process lives; a zombie does not.
pub(crate) fn is_running(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" Z"))
}

/// Waits until something is true; panics with `what` when it never is.
pub(crate) async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let mut look_again = tokio::time::interval(Duration::from_millis(5));
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !is_true() {
        assert!(tokio::time::Instant::now() < patience, "never true: {what}");
        look_again.tick().await;
    }
}
