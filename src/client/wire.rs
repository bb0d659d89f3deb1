//! One connection: the handshake, and frames in both directions. Knows nothing of what they mean after `welcome`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink as _, Stream as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::ClientConfig;
use super::error::ClientError;
use super::frame::{self, Hello, ServerFrame, Welcome};
use super::http::{Address, sentence_of};

/// How long connecting may take, up to `welcome`.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long a server may take to say goodbye to us.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// A connection that was silent for so many heartbeats is taken for dead (docs/protocol.md).
const SILENT_HEARTBEATS: u32 = 3;

/// An agent's line has at most 64 MiB, and an event is little more than that.
const MAX_FRAME_BYTES: usize = 72 * 1024 * 1024;

/// Close codes with which the server says: do not come back until a person acts.
const TERMINAL_CODES: std::ops::RangeInclusive<u16> = 4500..=4999;

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WireEnd {
    /// Connecting again makes sense.
    Lost(String),
    /// It does not.
    Terminal(String),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wire {
    socket: WebSocketStream<TcpStream>,
    queue: VecDeque<Message>,
    patience: Duration,
    last_heard: Instant,
    goodbye: Option<String>,
    welcome: Welcome,
}

impl Wire {
    /// Connects and says hello.
    ///
    /// # Errors
    /// [`ClientError::is_terminal`] tells whether another try makes sense.
    pub(super) async fn open(config: &ClientConfig) -> Result<Self, ClientError> {
        let address = Address::parse(&config.url)?;
        let too_late = || ClientError::Unreachable {
            url: config.url.clone(),
            reason: format!("nothing came for {CONNECT_WITHIN:?}"),
        };
        timeout(CONNECT_WITHIN, Self::connect(config, &address)).await.unwrap_or_else(|_| Err(too_late()))
    }

    pub(super) fn max_message_bytes(&self) -> usize {
        self.welcome.max_message_bytes
    }

    /// Writes a frame when there is room for it, in the course of [`Wire::next`].
    pub(super) fn write(&mut self, text: String) {
        self.queue.push_back(Message::text(text));
    }

    /// Writes what is queued and waits for the next frame; with `may_read` false it only writes.
    ///
    /// May be dropped and called again without losing anything.
    pub(super) async fn next(&mut self, may_read: bool) -> Result<Utf8Bytes, WireEnd> {
        if !may_read {
            // Who does not listen cannot say that the other is silent.
            self.last_heard = Instant::now();
        }
        let deadline = self.last_heard + self.patience;
        let heard = timeout_at(deadline, std::future::poll_fn(|cx| self.poll_next(cx, may_read))).await;
        heard.unwrap_or_else(|_| Err(WireEnd::Lost(format!("it was silent for {:?}", self.patience))))
    }

    /// Says goodbye, and waits a moment for the answer: it shows that everything before has arrived.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        self.queue.push_back(Message::Close(Some(frame)));
        let said = async { while self.next(true).await.is_ok() {} };
        // A server that does not answer in time has had its chance; the socket is closed in any case.
        let _ = timeout(CLOSE_WITHIN, said).await;
    }

    async fn connect(config: &ClientConfig, address: &Address) -> Result<Self, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable { url: config.url.clone(), reason };
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let uri: http::Uri =
            address.socket_url().parse().map_err(|_| unreachable("the address is none".into()))?;
        let request =
            ClientRequestBuilder::new(uri).with_header("Authorization", format!("Bearer {}", config.token));
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let upgraded = client_async_with_config(request, stream, Some(limits)).await;
        let (socket, _) = upgraded.map_err(|error| refused(&config.url, &error))?;
        let mut wire = Self {
            socket,
            queue: VecDeque::new(),
            patience: CONNECT_WITHIN,
            last_heard: Instant::now(),
            goodbye: None,
            welcome: Welcome { heartbeat_seconds: 30, max_message_bytes: usize::MAX },
        };
        wire.introduce(config).await?;
        Ok(wire)
    }

    async fn introduce(&mut self, config: &ClientConfig) -> Result<(), ClientError> {
        let hello = Hello {
            protocol: frame::PROTOCOL,
            device_id: &config.device_id,
            device_name: config.device_name.as_deref(),
            kind: config.kind.as_deref(),
        };
        let protocol = |error: serde_json::Error| ClientError::Protocol { reason: error.to_string() };
        self.write(serde_json::to_string(&hello).map_err(protocol)?);
        loop {
            let text = self.next(true).await.map_err(|end| match end {
                WireEnd::Lost(reason) => ClientError::Unreachable { url: config.url.clone(), reason },
                WireEnd::Terminal(reason) => ClientError::Closed { reason },
            })?;
            match frame::decode(&text).map_err(protocol)? {
                ServerFrame::Welcome(welcome) => {
                    let heartbeat = Duration::from_secs(welcome.heartbeat_seconds.max(1));
                    self.patience = heartbeat.saturating_mul(SILENT_HEARTBEATS);
                    self.welcome = welcome;
                    return Ok(());
                }
                ServerFrame::Goodbye { reason } => self.goodbye = Some(reason),
                ServerFrame::Error(rejection) => return Err(rejection.into()),
                _ => {}
            }
        }
    }

    /// Keeps the server's last words for the end that follows them.
    pub(super) fn note_goodbye(&mut self, reason: String) {
        self.goodbye = Some(reason);
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, may_read: bool) -> Poll<Result<Utf8Bytes, WireEnd>> {
        // A failed write says less than the close frame that may still be read, so reading goes on where it may.
        if let Poll::Ready(Err(error)) = self.poll_write(cx)
            && !may_read
        {
            return Poll::Ready(Err(self.end_of(&error)));
        }
        if !may_read {
            return Poll::Pending;
        }
        loop {
            let message = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Poll::Ready(Err(self.end_of(&error))),
                None => return Poll::Ready(Err(WireEnd::Lost(self.last_words("it was closed")))),
            };
            self.last_heard = Instant::now();
            match message {
                Message::Text(text) => return Poll::Ready(Ok(text)),
                Message::Close(frame) => return Poll::Ready(Err(self.closed_with(frame))),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.queue.is_empty() {
            ready!(socket.as_mut().poll_ready(cx))?;
            if let Some(message) = self.queue.pop_front() {
                socket.as_mut().start_send(message)?;
            }
        }
        socket.poll_flush(cx)
    }

    fn end_of(&mut self, error: &tungstenite::Error) -> WireEnd {
        WireEnd::Lost(self.last_words(&error.to_string()))
    }

    fn closed_with(&mut self, frame: Option<CloseFrame>) -> WireEnd {
        let Some(CloseFrame { code, reason }) = frame else {
            return WireEnd::Lost(self.last_words("the server closed it"));
        };
        let code = u16::from(code);
        let reason = if reason.is_empty() { format!("close code {code}") } else { reason.to_string() };
        let reason = self.last_words(&reason);
        if TERMINAL_CODES.contains(&code) { WireEnd::Terminal(reason) } else { WireEnd::Lost(reason) }
    }

    fn last_words(&mut self, otherwise: &str) -> String {
        self.goodbye.take().unwrap_or_else(|| otherwise.to_owned())
    }
}

/// What a failed upgrade means.
fn refused(url: &str, error: &tungstenite::Error) -> ClientError {
    let tungstenite::Error::Http(response) = error else {
        return ClientError::Unreachable { url: url.to_owned(), reason: error.to_string() };
    };
    if response.status() == http::StatusCode::UNAUTHORIZED {
        return ClientError::Unauthorized { url: url.to_owned() };
    }
    let message = sentence_of(response.body().as_deref().unwrap_or_default());
    ClientError::Refused { url: url.to_owned(), status: response.status().as_u16(), message }
}
