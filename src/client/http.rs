//! What a client asks over HTTP: where the server is, and a new session.

use bytes::Bytes;
use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use tandem_actors::blobs::BlobHash;
use tandem_actors::ids::{DeviceId, SessionId};
use tokio_tungstenite::tungstenite::http;

use super::ClientConfig;
use super::error::{ClientError, Rejection};

/// Where a server is, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// `host:port` as it stands in a URL.
    authority: String,
    /// What stands before `/ws` and `/api`, without a slash at its end; mostly nothing.
    prefix: String,
}

/// What a new session is to be.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSession {
    /// The folder on the server's machine in which the agent works; absolute.
    pub project_path: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The agent's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the agent may do without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(flatten)]
    session: &'a NewSession,
    device_id: &'a DeviceId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    session_id: SessionId,
}

#[derive(Deserialize)]
struct Failed {
    error: Rejection,
}

impl Address {
    /// Reads `http://host:port` (or `ws://…`), with a path where a proxy needs one.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`]; TLS is left to what stands in front of the server.
    pub(super) fn parse(url: &str) -> Result<Self, ClientError> {
        let bad = |reason| ClientError::BadUrl { url: url.to_owned(), reason };
        let uri: http::Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        match uri.scheme_str() {
            Some("http" | "ws") => {}
            Some("https" | "wss") => return Err(bad("this client speaks http, not https")),
            _ => return Err(bad("it must begin with http://")),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: format!("{host}:{port}"),
            prefix: uri.path().trim_end_matches('/').trim_end_matches("/ws").to_owned(),
        })
    }

    pub(super) fn socket_url(&self) -> String {
        format!("ws://{}{}/ws", self.authority, self.prefix)
    }

    /// Where an attachment is, or will be.
    pub(super) fn blob_url(&self, hash: BlobHash) -> String {
        format!("http://{}{}/api/blobs/{hash}", self.authority, self.prefix)
    }

    fn sessions_url(&self) -> String {
        format!("http://{}{}/api/sessions", self.authority, self.prefix)
    }
}

/// Begins a session; it is durable when this returns.
pub(super) async fn create_session(
    config: &ClientConfig,
    session: &NewSession,
) -> Result<SessionId, ClientError> {
    let url = Address::parse(&config.url)?.sessions_url();
    let body = Body { session, device_id: &config.device_id };
    let answer = send(config, client(config)?.post(url).json(&body)).await?;
    let created = serde_json::from_slice::<Created>(&answer);
    Ok(created.map_err(|error| ClientError::Protocol { reason: error.to_string() })?.session_id)
}

/// What requests are made with.
pub(super) fn client(config: &ClientConfig) -> Result<reqwest::Client, ClientError> {
    // A proxy of the environment is for the internet, and not for a server of one's own.
    let http = reqwest::Client::builder().no_proxy().timeout(config.answer_within).build();
    http.map_err(|error| unreachable(config, &error))
}

/// Sends a request with the token and returns the body of a good answer.
pub(super) async fn send(config: &ClientConfig, request: RequestBuilder) -> Result<Bytes, ClientError> {
    let unreachable = |error: reqwest::Error| unreachable(config, &error);
    let response = request.bearer_auth(&config.token).send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(unreachable)?;
    if status == 401 {
        return Err(ClientError::Unauthorized { url: config.url.clone() });
    }
    if (200..300).contains(&status) {
        return Ok(bytes);
    }
    match serde_json::from_slice::<Failed>(&bytes) {
        Ok(failed) => Err(failed.error.into()),
        Err(_) => Err(ClientError::Refused { url: config.url.clone(), status, message: sentence_of(&bytes) }),
    }
}

fn unreachable(config: &ClientConfig, error: &reqwest::Error) -> ClientError {
    ClientError::Unreachable { url: config.url.clone(), reason: error.to_string() }
}

/// The sentence for a person in an error's body; the body itself where it has none.
pub(super) fn sentence_of(body: &[u8]) -> String {
    match serde_json::from_slice::<Failed>(body) {
        Ok(failed) => failed.error.message,
        Err(_) => String::from_utf8_lossy(body).chars().take(200).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::parse("http://127.0.0.1:4870").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("127.0.0.1", 4870));
        assert_eq!(address.socket_url(), "ws://127.0.0.1:4870/ws");
        let behind_proxy = Address::parse("http://[::1]/tandem/").unwrap();
        assert_eq!((behind_proxy.host.as_str(), behind_proxy.port), ("::1", 80));
        assert_eq!(behind_proxy.socket_url(), "ws://[::1]:80/tandem/ws");
        assert_eq!(Address::parse("ws://h:1/ws").unwrap().sessions_url(), "http://h:1/api/sessions");
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (url, reason) in [("", "no URL"), ("localhost", "http://"), ("https://x", "not https")] {
            assert!(Address::parse(url).unwrap_err().to_string().contains(reason), "{url}");
        }
    }

    #[test]
    fn the_servers_sentence_is_found() {
        let body = br#"{"error":{"code":"forbidden","message":"No.","effect":"none"}}"#;
        assert_eq!(sentence_of(body), "No.");
        assert_eq!(sentence_of(b"Bad Gateway"), "Bad Gateway");
    }
}
