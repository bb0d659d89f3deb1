//! Devices: `/api/devices`, and those of one session.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tandem_actors::session::{Command, DeviceCard};

use super::body::Body;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

/// Every device that was ever seen.
pub(super) async fn all(service: web::Data<Service>) -> HttpResponse {
    let (sessions, _) = service.hub.board.all();
    let devices = service.hub.directory.list(&sessions);
    HttpResponse::Ok().json(json!({ "devices": devices }))
}

/// Those that are linked to a session.
pub(super) async fn of_session(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let state = service.hub.look(session, caller::by_header(&request)?).await?;
    Ok(HttpResponse::Ok().json(json!({ "devices": state.devices })))
}

/// Links one that need not be connected.
pub(super) async fn link(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let fields = &body.0;
    let card = DeviceCard {
        device_id: params::device(&request)?,
        device_name: fields.label("deviceName")?,
        kind: fields.label("kind")?,
    };
    let by = caller::by_header(&request)?;
    service.hub.ask(session, by, Command::Link(card)).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// Unlinks one.
pub(super) async fn unlink(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let device = params::device(&request)?;
    let by = caller::by_header(&request)?;
    service.hub.ask(session, by, Command::Unlink { device }).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}
