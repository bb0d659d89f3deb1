//! Who may come in: the checks that stand in front of the API and of the WebSocket.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web;
use tandem_actors::refusal::{Code, Refusal};

use crate::auth::bearer_token;
use crate::error::ApiError;
use crate::service::Service;

/// Who may come in.
#[derive(Clone)]
pub struct Access {
    /// Whether a bearer token is right.
    pub is_token_valid: TokenCheck,
    /// Whether a browser's request may come from there.
    pub is_origin_allowed: OriginCheck,
}

/// Given a token.
pub type TokenCheck = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Given the headers `Origin` and `Host`.
pub type OriginCheck = Arc<dyn Fn(Option<&str>, Option<&str>) -> bool + Send + Sync>;

impl std::fmt::Debug for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Access")
    }
}

/// Lets a request to the API through, or answers 403 or 401.
pub(crate) async fn check<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if let Some(service) = request.app_data::<web::Data<Service>>() {
        check_origin(request.request(), &service.access)?;
        check_token(bearer(request.request()), &service.access)?;
    }
    next.call(request).await
}

/// Refuses what a foreign page makes a browser send.
///
/// # Errors
/// `origin_not_allowed`.
pub(crate) fn check_origin(request: &HttpRequest, access: &Access) -> Result<(), ApiError> {
    // Of several, we and a proxy in front of us might look at different ones.
    let is_single = |name| request.headers().get_all(name).count() <= 1;
    let text_of = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("null"));
    if is_single(header::ORIGIN)
        && is_single(header::HOST)
        && (access.is_origin_allowed)(text_of(header::ORIGIN), text_of(header::HOST))
    {
        return Ok(());
    }
    let refusal = Refusal::new(
        Code::OriginNotAllowed,
        "Requests from this page are not allowed. Add its origin to server.allowedOrigins.",
    );
    Err(refusal.into())
}

/// Refuses who has no token, or a wrong one.
///
/// # Errors
/// `unauthorized`.
pub(crate) fn check_token(token: Option<&str>, access: &Access) -> Result<(), ApiError> {
    if token.is_some_and(|token| (access.is_token_valid)(token)) {
        return Ok(());
    }
    let refusal = Refusal::new(
        Code::Unauthorized,
        "The token is missing or wrong. Send it as Authorization: Bearer TOKEN; the server's owner finds it with: tandem token.",
    );
    Err(refusal.into())
}

/// The token of the one `Authorization` header.
pub(crate) fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    match (headers.next(), headers.next()) {
        (Some(only), None) => bearer_token(only.to_str().ok()?),
        _ => None,
    }
}
