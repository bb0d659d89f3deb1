//! Refusals as HTTP answers: the one place that knows which status a code has.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::json;
use tandem_actors::refusal::{Code, Refusal};

/// What a handler returns when it does not do what was asked: `{"error": {…}}` with the status of the code.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{refusal}")]
pub struct ApiError {
    /// What is said.
    pub refusal: Refusal,
    /// With which status.
    pub status: StatusCode,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = status_of(refusal.code);
        Self { refusal, status }
    }
}

impl ApiError {
    /// A path of the API that does not exist.
    #[must_use]
    pub fn no_such_path() -> Self {
        Refusal::new(Code::NotFound, "There is nothing here. See docs/protocol.md for what there is.").into()
    }

    /// A path that exists, but not for this method.
    #[must_use]
    pub fn wrong_method() -> Self {
        let refusal =
            Refusal::new(Code::BadRequest, "This path does not take this method. See docs/protocol.md.");
        Self { refusal, status: StatusCode::METHOD_NOT_ALLOWED }
    }
}

/// The table of docs/protocol.md, errors.
#[must_use]
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::BadRequest => StatusCode::BAD_REQUEST,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::OriginNotAllowed | Code::ProjectNotAllowed => StatusCode::FORBIDDEN,
        Code::SessionNotFound
        | Code::MessageNotFound
        | Code::ApprovalNotFound
        | Code::DeviceNotFound
        | Code::ProjectNotFound
        | Code::LockNotFound
        | Code::ConflictNotFound
        | Code::NotFound => StatusCode::NOT_FOUND,
        Code::MessageIdReused
        | Code::OutOfOrder
        | Code::AlreadyResolved
        | Code::NotQueued
        | Code::LockNotHeld
        | Code::SessionClosed
        | Code::NotARepository
        | Code::GitFailed
        | Code::Conflict
        | Code::LockDenied => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::QueueFull | Code::LockQueueFull | Code::TooManySessions | Code::RateLimited => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Code::AgentFailed => StatusCode::BAD_GATEWAY,
        Code::StorageUnavailable | Code::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        if let Some(seconds) = self.refusal.retry_after_seconds {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            response.insert_header((header::UPGRADE, "websocket"));
            response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
        }
        response.json(json!({ "error": self.refusal }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_with_a_wait_says_so_in_the_header() {
        let error = ApiError::from(Refusal::new(Code::QueueFull, "Wait.").with_retry_after(5));
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "5");
    }
}
