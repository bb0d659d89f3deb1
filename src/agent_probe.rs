//! Finds out whether there is an agent on this machine, and which version: for `doctor`, the banner and `/health`.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The value of `agent.command` that stands for the built-in agent.
pub const SIMULATOR: &str = "simulator";

/// How long an agent may take to tell its version. The real one takes 0.1 s; a cold disk or a wrapper takes longer.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// How much an agent may say about its version. The real one says 22 bytes.
const MAX_VERSION_BYTES: u64 = 4096;

/// What is known about the agent that `agent.command` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentProbe {
    /// The built-in one was asked for.
    Simulator,
    /// It is there and works.
    Found {
        /// The program, absolute.
        path: PathBuf,
        /// What it calls itself.
        version: AgentVersion,
    },
    /// A program is there, but it does not tell its version.
    Broken {
        /// The program, absolute.
        path: PathBuf,
        /// What went wrong, as a clause.
        problem: String,
    },
    /// There is no such program.
    Missing {
        /// As it was configured.
        command: String,
    },
}

/// The version of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl AgentVersion {
    /// Older ones may lack what the server asks for.
    pub const OLDEST_SUPPORTED: Self = Self { major: 2, minor: 1, patch: 0 };

    /// Takes the first word of what `--version` prints, such as `2.1.328 (Claude Code)`; a suffix (`-beta.1`) is dropped.
    #[must_use]
    pub fn parse(output: &str) -> Option<Self> {
        let word = output.split_whitespace().next()?;
        let numbers = word.split(['-', '+']).next()?;
        let mut parts = numbers.trim_start_matches('v').split('.').map(str::parse::<u32>);
        let version =
            Self { major: parts.next()?.ok()?, minor: parts.next()?.ok()?, patch: parts.next()?.ok()? };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for AgentVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl AgentProbe {
    /// Looks for a command as it is configured, a name or a path, and asks it for its version.
    ///
    /// Takes at most 10 s. A program that does not answer is ended.
    pub async fn find(command: &str) -> Self {
        Self::find_in(command, env::var_os("PATH").as_deref()).await
    }

    /// The same with a given `PATH`.
    pub async fn find_in(command: &str, search_path: Option<&OsStr>) -> Self {
        if command == SIMULATOR {
            return Self::Simulator;
        }
        let Some(path) = resolve(command, search_path) else {
            return Self::Missing { command: command.to_owned() };
        };
        match ask_version(&path).await {
            Ok(version) => Self::Found { path, version },
            Err(problem) => Self::Broken { path, problem },
        }
    }

    /// Whether conversations can run on the agent that was configured.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Simulator | Self::Found { .. })
    }
}

/// Finds the program that a shell would run: a path as it is, a name in the folders of `search_path`.
#[must_use]
pub fn resolve(command: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    if command.contains(std::path::MAIN_SEPARATOR) {
        return absolute(Path::new(command)).filter(|path| is_program(path));
    }
    env::split_paths(search_path?)
        .filter(|folder| !folder.as_os_str().is_empty() && !command.is_empty())
        .filter_map(|folder| absolute(&folder.join(command)))
        .find(|candidate| is_program(candidate))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

async fn ask_version(path: &Path) -> Result<AgentVersion, String> {
    let output = timeout(VERSION_DEADLINE, run_version(path))
        .await
        .map_err(|_| format!("`--version` gave no answer within {} s", VERSION_DEADLINE.as_secs()))?
        .map_err(|error| format!("`--version` could not be run: {error}"))?;
    AgentVersion::parse(&output).ok_or_else(|| "`--version` did not print a version".to_owned())
}

async fn run_version(path: &Path) -> io::Result<String> {
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_VERSION_BYTES).read_to_end(&mut output).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(io::Error::other(status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A folder with one program in it, to be used as `PATH`.
    ///
    /// A child process writes it: were it open for writing here, another test's child could inherit it, and it would
    /// not run (ETXTBSY).
    fn folder_with(name: &str, script: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(folder.path().join(name))
            .arg(script)
            .status();
        assert!(status.unwrap().success());
        folder
    }

    async fn probe(folder: &TempDir, command: &str) -> AgentProbe {
        AgentProbe::find_in(command, Some(folder.path().as_os_str())).await
    }

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        let version = |text| AgentVersion::parse(text);
        assert_eq!(version("2.1.328 (Claude Code)\n").unwrap().to_string(), "2.1.328");
        assert_eq!(version("v2.2.0-beta.1").unwrap().to_string(), "2.2.0");
        assert!(version("2.10.0").unwrap() > version("2.9.9").unwrap());
        assert!(version("2.0.99").unwrap() < AgentVersion::OLDEST_SUPPORTED);
        for bad in ["", "claude", "2.1", "2.1.3.4", "2.x.1", "-1.0.0"] {
            assert_eq!(version(bad), None, "{bad:?}");
        }
    }

    #[actix_web::test]
    async fn an_agent_on_the_path_is_found_with_its_version() {
        let folder = folder_with("claude", "echo '2.1.328 (Claude Code)'");
        let path = folder.path().join("claude");
        let version = AgentVersion { major: 2, minor: 1, patch: 328 };
        let found = AgentProbe::Found { path: path.clone(), version };
        assert_eq!(probe(&folder, "claude").await, found);
        assert_eq!(probe(&folder, path.to_str().unwrap()).await, found);
        assert!(found.is_usable());
    }

    #[actix_web::test]
    async fn a_missing_agent_is_missing() {
        let folder = folder_with("other", "echo 1.2.3");
        let missing = AgentProbe::Missing { command: "claude".into() };
        assert_eq!(probe(&folder, "claude").await, missing);
        assert_eq!(AgentProbe::find_in("claude", None).await, missing);
        assert!(!missing.is_usable());
        assert!(matches!(probe(&folder, "/nowhere/claude").await, AgentProbe::Missing { .. }));
        assert!(matches!(probe(&folder, "").await, AgentProbe::Missing { .. }));
    }

    #[actix_web::test]
    async fn folders_and_plain_files_are_not_programs() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("claude")).unwrap();
        fs::write(folder.path().join("text"), "2.1.328").unwrap();
        assert!(matches!(probe(&folder, "claude").await, AgentProbe::Missing { .. }));
        assert!(matches!(probe(&folder, "text").await, AgentProbe::Missing { .. }));
    }

    #[actix_web::test]
    async fn an_agent_that_fails_or_babbles_is_broken() {
        for (script, problem) in [
            ("exit 3", "exit status: 3"),
            ("echo hello", "did not print a version"),
            ("yes 2.1", "could not be run"),
        ] {
            let folder = folder_with("claude", script);
            let AgentProbe::Broken { problem: found, .. } = probe(&folder, "claude").await else {
                panic!("{script}: not broken");
            };
            assert!(found.contains(problem), "{script}: {found}");
        }
    }

    #[actix_web::test]
    async fn the_simulator_is_not_looked_for() {
        assert_eq!(AgentProbe::find_in(SIMULATOR, None).await, AgentProbe::Simulator);
    }
}
