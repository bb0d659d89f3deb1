//! Is the agent there, does it run, and is it new enough?

use crate::agent_probe::{AgentProbe, AgentVersion};

use super::Check;

const NAME: &str = "agent";

const INSTALL: &str = "install it with `npm install -g @anthropic-ai/claude-code`, or name it with --agent or TANDEM_AGENT; \
                       `--agent simulator` tries Tandem without it";

pub(super) async fn check(command: &str) -> Check {
    judge(&AgentProbe::find(command).await)
}

fn judge(probe: &AgentProbe) -> Check {
    match probe {
        AgentProbe::Simulator => Check::ok(NAME, "the built-in simulator; it answers, but it is not Claude"),
        AgentProbe::Found { path, version } if *version < AgentVersion::OLDEST_SUPPORTED => Check::warn(
            NAME,
            format!("{} is version {version}", path.display()),
            format!("update it to {} or later: older ones were not tried", AgentVersion::OLDEST_SUPPORTED),
        ),
        AgentProbe::Found { path, version } => {
            Check::ok(NAME, format!("version {version}, {}", path.display()))
        }
        AgentProbe::Broken { path, problem } => Check::fail(
            NAME,
            format!("{} does not work: {problem}", path.display()),
            format!("run `{} --version` and see what it says, or install it again", path.display()),
        ),
        AgentProbe::Missing { command } => Check::fail(NAME, format!("there is no `{command}`"), INSTALL),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn found(patch: u32, minor: u32) -> AgentProbe {
        AgentProbe::Found { path: "/bin/claude".into(), version: AgentVersion { major: 2, minor, patch } }
    }

    #[test]
    fn only_an_agent_that_is_new_enough_is_ok() {
        assert_eq!(judge(&found(0, 1)).status, Status::Ok);
        assert_eq!(judge(&found(99, 0)).status, Status::Warn);
        assert_eq!(judge(&AgentProbe::Simulator).status, Status::Ok);
        let broken = AgentProbe::Broken { path: "/bin/claude".into(), problem: "exit status: 1".into() };
        assert_eq!(judge(&broken).status, Status::Fail);
    }

    #[test]
    fn a_missing_agent_says_how_to_get_one() {
        let check = judge(&AgentProbe::Missing { command: "claude".into() });
        assert_eq!(check.status, Status::Fail);
        assert!(check.remedy.unwrap().contains("npm install"));
    }
}
