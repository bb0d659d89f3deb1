//! What a person sees when the server has started: where it is, who may come in, what it runs on.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::agent::Agent;
use crate::agent_probe::AgentProbe;
use crate::cli::link::{self, Links, seen_from_here};
use crate::config::Config;

/// The text, several lines. `links` are for the eyes of the person who started it, so they are `None` where nobody looks:
/// what a service prints is kept in journals and files, and the token must not lie there.
pub(super) fn banner(address: SocketAddr, agent: &Agent, config: &Config, links: Option<&Links>) -> String {
    let mut text = format!("Tandem {} is running.\n\n", env!("CARGO_PKG_VERSION"));
    let mut row = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {name:<9} {value}");
    };
    row("address", &format!("http://{}", seen_from_here(address)));
    match links {
        Some(links) => row("open", &links.here),
        None => row("open", "`tandem link` prints the link, which holds the token"),
    }
    if let Some(link) = links.and_then(Links::apart) {
        row("network", link);
    }
    row("token", "`tandem token` prints it; every device needs it");
    row("data", &config.data.dir.display().to_string());
    row("agent", &describe(agent));
    text.push_str(&links.map(link::code).unwrap_or_default());
    text.push_str("\n  Stop it with Ctrl-C; conversations are kept.\n\n");
    text
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
