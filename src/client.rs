//! A client of a Tandem server that keeps its word: what it was given to say is said once, and what it hears is whole.
//!
//! It speaks docs/protocol.md over one WebSocket, from any tokio runtime:
//! - a message has an id of its own and is sent again until the server has it on disk or refuses it;
//! - of each session it hears every event once, in order: duplicates are dropped, gaps closed by asking again;
//! - a lost connection is got back with growing, random pauses, and every stream goes on where it was.
//!
//! ```text
//! Client ──asks──▶ driver ──▶ wire ──▶ server        link: cursors and outbox, pure
//! IncomingStream ◀─ backlog ◀─┘ └─▶ link             driver: the only task
//! ```

mod backoff;
mod cursor;
mod driver;
mod error;
mod frame;
mod http;
mod incoming;
mod link;
mod notices;
mod outbox;
mod standing;
#[cfg(test)]
mod tests;
mod upload;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tandem_actors::clock::Timestamp;
use tandem_actors::content::Content;
use tandem_actors::event::SubmitMode;
use tandem_actors::ids::{DeviceId, MessageId, RequestId, Seq, SessionId};
use tandem_actors::session::{Summary, Verdict};
use tokio::sync::{mpsc, oneshot};

use driver::{Ask, Driver};
use frame::{Answer, Done, Request};
use wire::Wire;

pub use backoff::BackoffPolicy;
pub use cursor::StartFrom;
pub use error::{ClientError, RejectedEffect, Rejection};
pub use frame::{Accepted, NoticeTo, Notified, StateSet, Subscribed};
pub use http::NewSession;
pub use incoming::{Incoming, SessionEvent};
pub use tandem_actors::room::Activity;
pub use upload::Attachment;

/// How long a server may take to answer; it answers when its disk has synced, which is milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How many calls wait for the task; it takes them as fast as they come.
const MAX_ASKS: usize = 64;

/// How much the program may be behind before the driver keeps it in its own backlog.
const MAX_INCOMING: usize = 256;

/// How to reach a server, and as whom.
#[derive(Clone)]
pub struct ClientConfig {
    /// `http://host:port`.
    pub url: String,
    /// The server's token.
    pub token: String,
    /// This device, chosen by itself and kept.
    pub device_id: DeviceId,
    /// What its owner calls it.
    pub device_name: Option<String>,
    /// `phone`, `browser`, `terminal`, `script`, …
    pub kind: Option<String>,
    /// How long a command may be without an answer.
    pub answer_within: Duration,
    /// Pauses between tries to connect.
    pub backoff: BackoffPolicy,
}

/// A message to be sent. Its id makes it repeatable: sent twice, it is said once.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What it says.
    pub content: Content,
    /// Its id.
    pub message_id: MessageId,
    /// Whether it waits for its turn or goes first.
    pub mode: SubmitMode,
}

/// A handle on a connection; clones share it. When the last one is dropped, the connection is closed.
#[derive(Debug, Clone)]
pub struct Client {
    config: ClientConfig,
    asks: mpsc::Sender<Ask>,
}

/// What a client hears. Not reading it stops the socket being read, apart from answers; dropping it is allowed.
#[derive(Debug)]
pub struct IncomingStream {
    incoming: mpsc::Receiver<Incoming>,
}

impl ClientConfig {
    /// The usual.
    #[must_use]
    pub fn new(url: impl Into<String>, token: impl Into<String>, device_id: DeviceId) -> Self {
        Self {
            url: url.into(),
            token: token.into(),
            device_id,
            device_name: None,
            kind: None,
            answer_within: ANSWER_WITHIN,
            backoff: BackoffPolicy::default(),
        }
    }
}

impl std::fmt::Debug for ClientConfig {
    /// Shows everything but the token.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ClientConfig")
            .field("url", &self.url)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

impl Submission {
    /// A message with a new id that waits for its turn.
    #[must_use]
    pub fn new(content: Content) -> Self {
        Self { content, message_id: MessageId::random(), mode: SubmitMode::Queue }
    }
}

impl Client {
    /// Connects. From then on the connection is kept; only this first try can fail.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`], [`ClientError::Unreachable`], [`ClientError::Unauthorized`], [`ClientError::Refused`],
    /// [`ClientError::Closed`] when the server speaks another protocol.
    pub async fn connect(config: ClientConfig) -> Result<(Self, IncomingStream), ClientError> {
        let wire = Wire::open(&config).await?;
        let (asks, asked) = mpsc::channel(MAX_ASKS);
        let (hear, incoming) = mpsc::channel(MAX_INCOMING);
        tokio::spawn(Driver::new(config.clone(), asked, hear).run(wire));
        Ok((Self { config, asks }, IncomingStream { incoming }))
    }

    /// As which device it speaks.
    #[must_use]
    pub const fn device(&self) -> &DeviceId {
        &self.config.device_id
    }

    /// Begins a session and answers with its id. Goes over HTTP; it is not repeated.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with `project_not_found` or `project_not_allowed`, or as for [`Client::connect`].
    pub async fn create_session(&self, session: &NewSession) -> Result<SessionId, ClientError> {
        http::create_session(&self.config, session).await
    }

    /// Brings an attachment of at most 10 MiB to the server; a message refers to it with [`Attachment::block`]. Goes over
    /// HTTP; repeating is safe.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with `bad_request` for what is neither picture, PDF nor text, with `too_large`, or as for
    /// [`Client::connect`].
    pub async fn upload(&self, data: impl Into<bytes::Bytes>) -> Result<Attachment, ClientError> {
        upload::upload(&self.config, data.into()).await
    }

    /// Follows a session: its events come as [`Incoming::Event`], over all reconnects, until [`Client::unsubscribe`].
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with `session_not_found`, or [`ClientError::Closed`].
    pub async fn subscribe(&self, session: SessionId, start: StartFrom) -> Result<Subscribed, ClientError> {
        let (reply, outcome) = oneshot::channel();
        self.hand(Ask::Follow { session, start, reply: Some(reply) }).await?;
        match answer(outcome).await? {
            Answer::Subscribed(subscribed) => Ok(subscribed),
            other => Err(unexpected(&other)),
        }
    }

    /// Follows a session no more; the device stays linked to it.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn unsubscribe(&self, session: SessionId) -> Result<(), ClientError> {
        self.done(Request::Unsubscribe { session_id: session }).await
    }

    /// Follows the list of sessions: answers with it, changes come as [`Incoming::Summary`].
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn watch(&self) -> Result<Vec<Summary>, ClientError> {
        match self.ask(Request::Watch {}).await? {
            Answer::SessionList(sessions) => Ok(sessions),
            other => Err(unexpected(&other)),
        }
    }

    /// Says something. Waits, over all reconnects, until the server has it on disk or refuses it.
    ///
    /// Giving up the wait does not take the message back; `cancel` does, while it is queued.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] (nothing was done), [`ClientError::TooLarge`], [`ClientError::Closed`].
    pub async fn submit(&self, session: SessionId, submission: Submission) -> Result<Accepted, ClientError> {
        let Submission { content, message_id, mode } = submission;
        match self.ask(Request::Submit { session_id: session, content, message_id, mode }).await? {
            Answer::Accepted(accepted) => Ok(accepted),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the running turn, and with `cancel_queued` takes back everything that waits.
    ///
    /// # Errors
    /// Those of every command that is not repeated: [`ClientError::Rejected`], [`ClientError::Lost`] and
    /// [`ClientError::NoAnswer`] (it may have been done), [`ClientError::Closed`].
    pub async fn interrupt(&self, session: SessionId, cancel_queued: bool) -> Result<(), ClientError> {
        self.done(Request::Interrupt { session_id: session, cancel_queued }).await
    }

    /// Answers the agent's question.
    ///
    /// # Errors
    /// As for [`Client::interrupt`]; `already_resolved` when somebody was faster.
    pub async fn approve(
        &self,
        session: SessionId,
        request: RequestId,
        verdict: Verdict,
    ) -> Result<(), ClientError> {
        let answer = verdict.into();
        self.done(Request::Approve { session_id: session, request_id: request, answer }).await
    }

    /// Takes a queued message back.
    ///
    /// # Errors
    /// As for [`Client::interrupt`]; `not_queued` when its turn has begun.
    pub async fn cancel(&self, session: SessionId, message: MessageId) -> Result<(), ClientError> {
        self.done(Request::Cancel { session_id: session, message_id: message }).await
    }

    /// Lets a queued message say something else.
    ///
    /// # Errors
    /// As for [`Client::cancel`].
    pub async fn edit(
        &self,
        session: SessionId,
        message: MessageId,
        content: Content,
    ) -> Result<(), ClientError> {
        self.done(Request::Edit { session_id: session, message_id: message, content }).await
    }

    /// Puts a queued message in front of another, or last.
    ///
    /// # Errors
    /// As for [`Client::cancel`].
    pub async fn move_(
        &self,
        session: SessionId,
        message: MessageId,
        before: Option<MessageId>,
    ) -> Result<(), ClientError> {
        self.done(Request::Move { session_id: session, message_id: message, before }).await
    }

    /// Writes into the session's shared state: keys with values, null takes a key away. Waits as [`Client::submit`] does.
    ///
    /// It is stamped with a time later than everything that this client has heard of the session's state.
    ///
    /// # Errors
    /// As for [`Client::submit`].
    pub async fn set_state(
        &self,
        session: SessionId,
        patch: BTreeMap<String, Value>,
    ) -> Result<StateSet, ClientError> {
        let (reply, outcome) = oneshot::channel();
        self.hand(Ask::SetState { session, patch, reply: Some(reply) }).await?;
        match answer(outcome).await? {
            Answer::Ok(Done { seq: Some(seq), at: Some(at), .. }) => Ok(StateSet { seq, at }),
            other => Err(unexpected(&other)),
        }
    }

    /// Hands the lead over to a device that is linked to the session, and with it the draft.
    ///
    /// # Errors
    /// As for [`Client::interrupt`]; `device_not_found`.
    pub async fn handoff(&self, session: SessionId, to: DeviceId) -> Result<(), ClientError> {
        self.done(Request::Handoff { session_id: session, to_device_id: to }).await
    }

    /// Sends a short word to devices, beside all conversations; those of `exclude` are not meant.
    ///
    /// # Errors
    /// As for [`Client::interrupt`].
    pub async fn notify(
        &self,
        to: NoticeTo,
        exclude: Vec<DeviceId>,
        message: impl Into<String>,
    ) -> Result<Notified, ClientError> {
        match self.ask(Request::Notify { to, exclude, message: message.into() }).await? {
            Answer::Ok(Done { delivered: Some(delivered), waiting, .. }) => {
                Ok(Notified { delivered, waiting: waiting.unwrap_or(0) })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the link of a device to a session; of this one where none is named.
    ///
    /// # Errors
    /// As for [`Client::interrupt`].
    pub async fn unlink(&self, session: SessionId, device: Option<DeviceId>) -> Result<(), ClientError> {
        self.done(Request::Unlink { session_id: session, device_id: device }).await
    }

    /// Says what the person does here, and where their cursor is, in a session that is followed. There is no answer; it is
    /// said again after a reconnect, without the cursor.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn activity(
        &self,
        session: SessionId,
        activity: Activity,
        cursor: Option<Value>,
    ) -> Result<(), ClientError> {
        self.hand(Ask::Do { session, activity, cursor }).await
    }

    /// Says that everything up to an event was shown. There is no answer; it goes out in batches, over all reconnects.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn ack(&self, session: SessionId, seq: Seq) -> Result<(), ClientError> {
        self.hand(Ask::Read { session, seq }).await
    }

    /// Lets a session live on; answers until when.
    ///
    /// # Errors
    /// As for [`Client::interrupt`].
    pub async fn keep_alive(&self, session: SessionId) -> Result<Option<Timestamp>, ClientError> {
        match self.ask(Request::KeepAlive { session_id: session }).await? {
            Answer::Ok(Done { expires_at, .. }) => Ok(expires_at),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks for a sign of life; answers with the server's time.
    ///
    /// # Errors
    /// As for [`Client::interrupt`].
    pub async fn ping(&self) -> Result<Timestamp, ClientError> {
        match self.ask(Request::Ping {}).await? {
            Answer::Pong { server_time } => Ok(server_time),
            other => Err(unexpected(&other)),
        }
    }

    /// Says goodbye to the server. Returns when the connection is closed.
    pub async fn close(self) {
        // Closed already is what is wanted.
        let _ = self.asks.send(Ask::Close).await;
        self.asks.closed().await;
    }

    async fn done(&self, request: Request) -> Result<(), ClientError> {
        match self.ask(request).await? {
            Answer::Ok(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, ClientError> {
        let (reply, outcome) = oneshot::channel();
        self.hand(Ask::Request { request, reply: Some(reply) }).await?;
        answer(outcome).await
    }

    async fn hand(&self, ask: Ask) -> Result<(), ClientError> {
        self.asks.send(ask).await.map_err(|_| gone())
    }
}

impl IncomingStream {
    /// Waits for the next thing; none after [`Incoming::Closed`]. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.incoming.recv().await
    }
}

async fn answer(outcome: oneshot::Receiver<Result<Answer, ClientError>>) -> Result<Answer, ClientError> {
    outcome.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> ClientError {
    ClientError::Closed { reason: "it was closed before".into() }
}

fn unexpected(answer: &Answer) -> ClientError {
    let what = match answer {
        Answer::Subscribed(_) => "subscribed",
        Answer::SessionList(_) => "session_list",
        Answer::Accepted(_) => "accepted",
        Answer::Ok(_) => "ok",
        Answer::Pong { .. } => "pong",
    };
    ClientError::Protocol { reason: format!("{what} is no answer to this") }
}
