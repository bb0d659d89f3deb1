//! `GET /ws`: who may open a WebSocket. Everything is refused before the upgrade.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use tandem_actors::refusal::{Code, Refusal};

use super::socket;
use crate::access;
use crate::error::ApiError;
use crate::service::Service;

/// How a browser hands its token over, because it cannot set headers: as a sub-protocol beside `tandem.v1`.
const TOKEN_PREFIX: &str = "bearer.";

/// Opens a WebSocket.
pub(crate) async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    access::check_origin(&request, &service.access)?;
    let token = access::bearer(&request).or_else(|| token_of_sub_protocol(&request));
    access::check_token(token, &service.access)?;
    if service.doors.is_closing() {
        return Err(Refusal::shutting_down().into());
    }
    let place = service.doors.take_place().ok_or_else(|| ApiError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        refusal: Refusal::new(
            Code::RateLimited,
            "This server has as many connections as it takes. Close one, or raise WS_MAX_CONNECTIONS.",
        )
        .with_retry_after(5),
    })?;
    socket::open(&request, payload, service.into_inner(), place).map_err(|error| {
        let refusal = Refusal::new(Code::BadRequest, format!("This path speaks WebSocket: {error}."));
        let status =
            if socket::is_upgrade(&error) { StatusCode::BAD_REQUEST } else { StatusCode::UPGRADE_REQUIRED };
        ApiError { refusal, status }
    })
}

fn token_of_sub_protocol(request: &HttpRequest) -> Option<&str> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PREFIX))
}
