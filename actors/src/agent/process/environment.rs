//! What an agent inherits: an allow-list, so that a server's secrets stay with the server.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Variables that are inherited by their whole name.
const NAMES: [&str; 21] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// Variables that are inherited by how their name begins.
const PREFIXES: [&str; 7] = ["LC_", "XDG_", "ANTHROPIC_", "CLAUDE_", "AWS_", "GOOGLE_", "AZURE_"];

/// Variables by which a CLI tells its children that they run inside of it. An agent is nobody's child.
const NESTED_RUN: [&str; 8] = [
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_SESSION_ACCESS_TOKEN",
    "CLAUDE_CODE_MESSAGING_SOCKET",
];

/// The environment of agents, complete: nothing else is inherited.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Takes from this process what an agent may have, and the variables named in `also`.
    #[must_use]
    pub fn inherited(also: &[String]) -> Self {
        Self::filtered(std::env::vars_os(), also)
    }

    /// Takes from `variables` what an agent may have, and the variables named in `also`.
    #[must_use]
    pub fn filtered(variables: impl IntoIterator<Item = (OsString, OsString)>, also: &[String]) -> Self {
        let may_have = |name: &OsStr| {
            name.to_str().is_some_and(|name| is_inherited(name) || also.iter().any(|other| other == name))
        };
        Self(variables.into_iter().filter(|(name, _)| may_have(name)).collect())
    }

    /// Adds a variable, or gives it another value.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// All variables, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// Where the CLI keeps its transcripts with this environment; none without a home.
    pub(super) fn transcripts(&self) -> Option<PathBuf> {
        let value = |name: &str| self.0.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let config = match value("CLAUDE_CONFIG_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(value("HOME")?).join(".claude"),
        };
        Some(config.join("projects"))
    }
}

impl std::fmt::Debug for Environment {
    /// Shows names and no values: some are secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

fn is_inherited(name: &str) -> bool {
    let is_allowed = NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    is_allowed && !NESTED_RUN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_inherits_what_it_needs_and_no_secret_of_the_server() {
        for name in
            ["HOME", "PATH", "LC_ALL", "https_proxy", "ANTHROPIC_API_KEY", "CLAUDE_CONFIG_DIR", "AWS_REGION"]
        {
            assert!(is_inherited(name), "{name}");
        }
        for name in [
            "TANDEM_TOKEN",
            "LD_PRELOAD",
            "NODE_OPTIONS",
            "DATABASE_URL",
            "CLAUDECODE",
            "CLAUDE_CODE_SSE_PORT",
        ] {
            assert!(!is_inherited(name), "{name}");
        }
    }

    #[test]
    fn further_variables_are_inherited_by_name_and_values_are_not_shown() {
        let variables = [("HOME", "/h"), ("MINE", "secret"), ("OTHER", "x")];
        let environment = Environment::filtered(
            variables.map(|(name, value)| (name.into(), value.into())),
            &["MINE".to_owned()],
        );
        assert_eq!(format!("{environment:?}"), r#"{"HOME", "MINE"}"#);
        assert_eq!(environment.transcripts(), Some("/h/.claude/projects".into()));
        let moved = environment.with("CLAUDE_CONFIG_DIR", "/c");
        assert_eq!(moved.transcripts(), Some("/c/projects".into()));
        assert_eq!(Environment::default().transcripts(), None);
    }
}
