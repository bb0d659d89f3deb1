//! What a command asks the server over HTTP, and how it says what went wrong.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::connection::{Role, ServerArgs, device_of, whereabouts};
use super::render::clean;
use crate::config::Loaded;

/// A server that does not answer within this time is busy with something worse.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The server, as one command sees it.
#[derive(Debug)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
    device: String,
}

/// A folder as the server must be told it, wherever the command runs.
///
/// # Errors
/// The path is no text, or there is no current folder.
pub fn folder(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    path.into_os_string()
        .into_string()
        .map_err(|_| anyhow::anyhow!("The path of the project is no valid UTF-8."))
}

impl Api {
    /// Finds address and token in the settings, where the arguments do not name them.
    ///
    /// # Errors
    /// There is no token, or no address that can be connected to.
    pub fn new(loaded: &Loaded, server: &ServerArgs, role: Role) -> anyhow::Result<Self> {
        let (url, token) = whereabouts(loaded, server)?;
        let url = url.trim_end_matches('/').to_owned();
        // A proxy of the environment is for the internet, and not for a server of one's own.
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
        Ok(Self { client, url, token, device: device_of(role)?.to_string() })
    }

    /// Asks, and returns the JSON of a good answer.
    ///
    /// # Errors
    /// A sentence that says what to do, or the server's own.
    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url))?;
        url.query_pairs_mut().extend_pairs(query);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        request = request.header("X-Tandem-Device", &self.device);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|_unreachable| {
            anyhow::anyhow!(
                "No server answers at {}. Start it with `tandem serve`, or say with --url where it is.",
                self.url
            )
        })?;
        let status = response.status();
        if status == reqwest::StatusCode::UNAUTHORIZED {
            anyhow::bail!(
                "The server at {} does not take this token. `tandem token` on its machine prints the right one; hand it over with --token-file.",
                self.url
            );
        }
        let answer: Value = response.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        match answer["error"]["message"].as_str() {
            Some(sentence) => anyhow::bail!("{}", clean(sentence)),
            None => anyhow::bail!("The server at {} answers {status}; its log says why.", self.url),
        }
    }
}
