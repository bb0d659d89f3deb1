//! What the fault suite has measured: printed, and kept for `tests/run`, which prints it again at its end.

use std::fs;
use std::path::Path;

#[path = "../../examples/load/process.rs"]
mod process;

use super::server::TestServer;

/// Tells what a test has found; the last word of each test counts.
pub(crate) fn figure(test: &str, text: &str) {
    println!("figure: {test}: {text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/figures");
    fs::create_dir_all(&folder).expect("a folder can be made below target");
    let file = folder.join(format!("{}.txt", test.replace(' ', "-")));
    fs::write(file, format!("figure: {test}: {text}\n")).expect("a figure can be kept");
}

/// How much memory a server has now, in KiB.
pub(crate) fn memory_kib(server: &TestServer) -> u64 {
    process::usage(server.pid()).expect("the server runs").resident_kib
}

/// How much processor time it has taken so far.
pub(crate) fn processor_seconds(server: &TestServer) -> f64 {
    process::usage(server.pid()).expect("the server runs").cpu_seconds
}

/// The most that it ever had.
pub(crate) fn most_memory_kib(server: &TestServer) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    most.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// How many files, sockets and pipes it has open.
pub(crate) fn open_files(server: &TestServer) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the server runs").count()
}

/// The processes that live and carry the marker of an agent of this server.
pub(crate) fn agents(server: &TestServer) -> usize {
    // Between fork and exec it has the server's environment, and a zombie has none.
    let is_agent = |pid: &u32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| has_marker(&environment))
    };
    process::children(server.pid()).iter().filter(|pid| is_agent(pid)).count()
}

fn has_marker(environment: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|one| one.starts_with(b"TANDEM_SESSION="))
}
