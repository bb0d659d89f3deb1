//! What a request says in its path and its query.

use std::collections::BTreeMap;
use std::str::FromStr;

use actix_web::{HttpRequest, web};
use tandem_actors::blobs::BlobHash;
use tandem_actors::ids::{DeviceId, MessageId, RequestId, SessionId};
use tandem_actors::project::ConflictId;
use tandem_actors::refusal::{Code, Refusal};

/// The query, read one parameter at a time.
#[derive(Debug)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Takes the query of a request; of a parameter that is there twice, the last counts.
    ///
    /// # Errors
    /// `bad_request` when it is not a query.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map(|pairs| Self(pairs.into_inner().into_iter().collect()))
            .map_err(|error| Refusal::new(Code::BadRequest, format!("The query is wrong: {error}.")))
    }

    /// A parameter that may be left out.
    ///
    /// # Errors
    /// `bad_request` that names it.
    pub(super) fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| Refusal::bad_field(name, format!("The parameter {name} is wrong.")))
    }

    /// How many entries to list: 1 up to `most`.
    ///
    /// # Errors
    /// `bad_request` that names it.
    pub(super) fn limit(&self, absent: usize, most: usize) -> Result<usize, Refusal> {
        let limit = self.optional("limit")?.unwrap_or(absent);
        if !(1..=most).contains(&limit) {
            let message = format!("The parameter limit is 1 to {most}.");
            return Err(Refusal::bad_field("limit", message));
        }
        Ok(limit)
    }
}

/// The session of the path.
///
/// # Errors
/// `session_not_found` when it is not even an id.
pub(super) fn session(request: &HttpRequest) -> Result<SessionId, Refusal> {
    part(request, "session").ok_or_else(Refusal::session_not_found)
}

/// The message of the path.
///
/// # Errors
/// `message_not_found` when it is not even an id.
pub(super) fn message(request: &HttpRequest) -> Result<MessageId, Refusal> {
    part(request, "message")
        .ok_or_else(|| Refusal::new(Code::MessageNotFound, "There is no message with this id in the queue."))
}

/// The approval of the path.
///
/// # Errors
/// `approval_not_found` when the path names none.
pub(super) fn approval(request: &HttpRequest) -> Result<RequestId, Refusal> {
    part(request, "request")
        .ok_or_else(|| Refusal::new(Code::ApprovalNotFound, "There is no approval with this id."))
}

/// The device of the path.
///
/// # Errors
/// `bad_request` when it is no device id.
pub(super) fn device(request: &HttpRequest) -> Result<DeviceId, Refusal> {
    part(request, "device").ok_or_else(|| {
        let message = "A device id has 1 to 64 characters of A-Z a-z 0-9 . _ : -.";
        Refusal::bad_field("deviceId", message)
    })
}

/// The attachment of the path, when it is the hash of any.
pub(super) fn blob(request: &HttpRequest) -> Option<BlobHash> {
    part(request, "hash")
}

/// The conflict of the path, when it is an id.
pub(super) fn conflict(request: &HttpRequest) -> Option<ConflictId> {
    part(request, "conflict")
}

fn part<T: FromStr>(request: &HttpRequest, name: &str) -> Option<T> {
    request.match_info().get(name)?.parse().ok()
}
