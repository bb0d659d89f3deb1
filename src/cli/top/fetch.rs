//! Asks the server over its public API, as everybody else does.

use std::time::Duration;

use anyhow::Context as _;

use crate::cli::connection::{ServerArgs, whereabouts};
use crate::config::Loaded;
use crate::overview::report::Report;

/// A server that takes longer to count its sessions is in trouble, and the person should see that.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// As many as the server lists at a time; nobody reads more lines.
const MAX_SESSIONS: usize = 1_000;

/// Where reports come from.
#[derive(Debug)]
pub(super) struct Source {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Source {
    /// Finds address and token in the settings, where the arguments do not name them.
    ///
    /// # Errors
    /// There is no token, or no address that can be connected to.
    pub(super) fn new(loaded: &Loaded, server: &ServerArgs) -> anyhow::Result<Self> {
        let (url, token) = whereabouts(loaded, server)?;
        let url = url.trim_end_matches('/').to_owned();
        // A proxy of the environment is for the internet, and not for a server of one's own.
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
        Ok(Self { client, url, token })
    }

    /// Asks once.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(super) async fn fetch(&self) -> anyhow::Result<Report> {
        let url = format!("{}/api/metrics/sessions?limit={MAX_SESSIONS}", self.url);
        let response = self.client.get(url).bearer_auth(&self.token).send().await;
        let response = response.map_err(|_unreachable| {
            anyhow::anyhow!(
                "No server answers at {}. Start it with `tandem serve`, or say with --url where it is.",
                self.url
            )
        })?;
        match response.status().as_u16() {
            200 => {
                response.json().await.context("the server's answer is not that of a Tandem of this version")
            }
            401 => anyhow::bail!(
                "The server at {} does not take this token. `tandem token` on its machine prints the right one; hand it over with --token-file.",
                self.url
            ),
            status => anyhow::bail!("The server at {} answers {status}; its log says why.", self.url),
        }
    }
}
