//! What a person sees when the server has started: where it is, who may come in, what it runs on.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::agent::Agent;
use crate::agent_probe::AgentProbe;
use crate::config::Config;

/// The text, several lines.
pub(super) fn banner(address: SocketAddr, agent: &Agent, config: &Config) -> String {
    let mut text = format!("Tandem {} is running.\n\n", env!("CARGO_PKG_VERSION"));
    let mut row = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    row("address", &format!("http://{}", reachable(address)));
    row("token", "`tandem token` prints it; every device needs it");
    row("data", &config.data.dir.display().to_string());
    row("agent", &describe(agent));
    text.push_str("\n  Stop it with Ctrl-C; conversations are kept.\n\n");
    text
}

/// The address that a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from(([127, 0, 0, 1], address.port()));
    }
    address
}

fn describe(agent: &Agent) -> String {
    match &agent.probe {
        AgentProbe::Found { path, version } => format!("Claude Code {version} ({})", path.display()),
        AgentProbe::Simulator => "the built-in simulator, as configured".to_owned(),
        AgentProbe::Broken { path, problem } => {
            format!("{} is there but {problem}; `tandem doctor` helps to find out why", path.display())
        }
        AgentProbe::Missing { command } => format!(
            "there is no `{command}` on the PATH, so conversations run on the built-in simulator, which only echoes.\n            \
             Install Claude Code with: npm install -g @anthropic-ai/claude-code"
        ),
    }
}
