//! How a command gets to the server: where it is, with which token, as which device, and what to do when that fails.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tandem_actors::ids::DeviceId;

use crate::auth::read_token;
use crate::cli::link::seen_from_here;
use crate::client::{Client, ClientConfig, ClientError, IncomingStream};
use crate::config::Loaded;

/// A device id has at most 64 characters; the role before the machine's name is one of ours and short.
const MAX_MACHINE_NAME_CHARS: usize = 48;

/// Which server, when it is not the one that the settings describe.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Where the server is; by default on this machine, at the port of the settings
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,

    /// A file that holds the server's token; by default the one in the data folder
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// As which device to come, for instance `desk`; by default as the terminals of this machine together
    #[arg(long, global = true, value_name = "NAME")]
    pub device: Option<DeviceId>,
}

/// As what a command shows itself to other devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A person types.
    Terminal,
    /// A program runs.
    Script,
}

/// Connects.
///
/// # Errors
/// A sentence that says what to do.
pub async fn open(
    loaded: &Loaded,
    server: &ServerArgs,
    role: Role,
) -> anyhow::Result<(Client, IncomingStream)> {
    let (url, token) = whereabouts(loaded, server)?;
    let machine = machine_name();
    let (device_id, device_name) = match &server.device {
        Some(device) => (device.clone(), device.to_string()),
        None => (device_id(role, &machine)?, format!("{} on {machine}", role.word())),
    };
    let config = ClientConfig {
        device_name: Some(device_name),
        kind: Some(role.word().to_owned()),
        ..ClientConfig::new(url, token, device_id)
    };
    Client::connect(config).await.map_err(explain)
}

/// The server's URL and its token.
///
/// # Errors
/// A sentence that says what to do.
pub fn whereabouts(loaded: &Loaded, server: &ServerArgs) -> anyhow::Result<(String, String)> {
    let url = match &server.url {
        Some(url) => url.clone(),
        None => url_of(loaded.config.server.address())?,
    };
    Ok((url, token(loaded, server)?))
}

/// Adds what to do to an error of the client.
#[must_use]
pub fn explain(error: ClientError) -> anyhow::Error {
    let remedy = match &error {
        ClientError::Unreachable { .. } => {
            "Start the server with `tandem serve`, or say with --url where it is."
        }
        ClientError::Unauthorized { .. } => {
            "`tandem token` on the server's machine prints the right one; hand it over with --token-file."
        }
        ClientError::Rejected(rejection) if rejection.code == "session_not_found" => {
            "`tandem sessions` lists the conversations there are."
        }
        ClientError::BadUrl { .. } => "An address looks like http://127.0.0.1:4870.",
        _ => return error.into(),
    };
    let message = error.to_string();
    anyhow::anyhow!("{}. {remedy}", message.trim_end_matches('.'))
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Script => "script",
        }
    }
}

/// The URL as seen from this machine.
fn url_of(address: SocketAddr) -> anyhow::Result<String> {
    if address.port() == 0 {
        anyhow::bail!(
            "The settings leave the port to the system (port 0); say with --url where the server is."
        );
    }
    Ok(format!("http://{}", seen_from_here(address)))
}

fn token(loaded: &Loaded, server: &ServerArgs) -> anyhow::Result<String> {
    let Some(path) = &server.token_file else {
        return Ok(read_token(&loaded.config.data.dir)?.as_str().to_owned());
    };
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read the token in {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The device that a command of this machine is.
///
/// # Errors
/// None that can come up: every machine has a name that a device may have.
pub fn device_of(role: Role) -> anyhow::Result<DeviceId> {
    device_id(role, &machine_name())
}

fn device_id(role: Role, machine: &str) -> anyhow::Result<DeviceId> {
    Ok(format!("{}-{machine}", role.word()).parse()?)
}

/// What this machine is called, in characters that a device id may have.
fn machine_name() -> String {
    let told = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| env::var("HOSTNAME").ok()).or_else(|| env::var("COMPUTERNAME").ok());
    plain(told.as_deref().unwrap_or_default())
}

fn plain(name: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let name: String =
        name.trim().chars().filter(|character| allowed(*character)).take(MAX_MACHINE_NAME_CHARS).collect();
    if name.is_empty() { "local".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_everywhere_is_reached_here() {
        for (bind, url) in [
            ("0.0.0.0:4870", "http://127.0.0.1:4870"),
            ("[::]:1", "http://[::1]:1"),
            ("192.168.0.7:80", "http://192.168.0.7:80"),
        ] {
            assert_eq!(url_of(bind.parse().unwrap()).unwrap(), url);
        }
        assert!(url_of("127.0.0.1:0".parse().unwrap()).unwrap_err().to_string().contains("--url"));
    }

    #[test]
    fn any_machine_has_a_name_that_a_device_may_have() {
        for name in ["laptop\n", "", "büro pc", &"x".repeat(300)] {
            assert!(device_id(Role::Terminal, &plain(name)).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let unreachable = ClientError::Unreachable { url: "http://x".into(), reason: "refused".into() };
        let text = explain(unreachable).to_string();
        assert!(text.contains("http://x: refused. Start the server with `tandem serve`"), "{text}");
        let unauthorized = ClientError::Unauthorized { url: "http://x".into() };
        assert!(explain(unauthorized).to_string().contains("tandem token"));
    }
}
