//! `GET /ws`: who may open a WebSocket. Everything is refused before the upgrade.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use tandem_actors::refusal::{Code, Refusal};

use super::socket;
use crate::access;
use crate::auth::SubProtocols;
use crate::error::ApiError;
use crate::service::Service;

/// Opens a WebSocket.
pub(crate) async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    access::check_origin(&request, &service.access)?;
    // A browser cannot set headers: it hands its token over as a sub-protocol beside `tandem.v1`.
    let offered = offered_protocols(&request);
    let offers = SubProtocols::parse(&offered);
    access::check_token(access::bearer(&request).or(offers.token), &service.access)?;
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
    socket::open(&request, payload, service.into_inner(), place, offers.has_tandem).map_err(|error| {
        let refusal = Refusal::new(Code::BadRequest, format!("This path speaks WebSocket: {error}."));
        let status =
            if socket::is_upgrade(&error) { StatusCode::BAD_REQUEST } else { StatusCode::UPGRADE_REQUIRED };
        ApiError { refusal, status }
    })
}

/// Several headers are one list (RFC 6455 §11.3.4); what is no text offers nothing.
fn offered_protocols(request: &HttpRequest) -> String {
    let headers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    headers.map(|value| value.to_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
}
