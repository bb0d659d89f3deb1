//! Files of tests/web, run with Node's own test runner.

use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::chance::Chance;
use super::server::{Home, PATIENCE, TestServer};

/// The first version with everything that the tests use; its WebSocket needs a flag that later versions still take.
const OLDEST_NODE: u32 = 20;

/// A command of Node that is asked what it tests, and ended with the test.
pub(crate) fn node(file: &str) -> Command {
    static IS_KNOWN: OnceLock<()> = OnceLock::new();
    IS_KNOWN.get_or_init(|| {
        let version = std::process::Command::new("node").arg("--version").output();
        let version = version.expect("`node` is installed; the tests of the JavaScript client need it");
        let version = String::from_utf8(version.stdout).unwrap();
        let major =
            version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        assert!(major >= Some(OLDEST_NODE), "node must be {OLDEST_NODE} or newer, and is {version}");
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web").join(file);
    assert!(file.is_file(), "there is {}", file.display());
    let mut command = Command::new("node");
    command.args(["--experimental-websocket", "--no-warnings", "--test", "--test-reporter=tap"]).arg(file);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a file of tests; all of them must have been run, and must hold.
pub(crate) async fn holds(command: Command) {
    holds_within(3 * PATIENCE, command).await;
}

/// The same, for what may take longer.
pub(crate) async fn holds_within(patience: Duration, mut command: Command) {
    // A file, and no pipe: where Node does not end, what it has said so far is the only trace.
    let told = tempfile::NamedTempFile::new().unwrap();
    let out = told.reopen().unwrap();
    let mut child = command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
    let ended = timeout(patience, child.wait()).await;
    let report = std::fs::read_to_string(told.path()).unwrap();
    let status = ended.unwrap_or_else(|_| panic!("node does not end\n{report}")).unwrap();
    let count = |what: &str| {
        let line =
            report.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(what)?.strip_prefix(' '));
        line.and_then(|count| count.parse::<u32>().ok())
    };
    let is_good = status.success() && count("pass") >= Some(1);
    let is_whole = ["fail", "cancelled", "skipped", "todo"].iter().all(|what| count(what) == Some(0));
    assert!(is_good && is_whole, "{status}\n{report}");
}

/// The same against this server and one of its conversations.
pub(crate) fn live(file: &str, server: &TestServer, home: &Home, session: &str) -> Command {
    let mut command = node(file);
    let token = std::fs::read_to_string(home.data().join("token")).unwrap();
    command.env("TANDEM_URL", server.url("")).env("TANDEM_TOKEN", token.trim());
    command.env("TANDEM_SESSION", session).env("TANDEM_PROJECT", home.project());
    command.env("TANDEM_SERVER_PID", server.pid().to_string());
    command.env("TANDEM_FAULT_SEED", (Chance::told(file).seed % u64::from(u32::MAX)).to_string());
    command
}
