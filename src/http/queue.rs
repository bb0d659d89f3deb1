//! `/api/sessions/{id}/queue`: what waits for its turn.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tandem_actors::refusal::Refusal;
use tandem_actors::session::Command;

use super::body::Body;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

/// What waits, first things first.
pub(super) async fn list(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let state = service.hub.look(session, caller::by_header(&request)?).await?;
    Ok(HttpResponse::Ok().json(json!({ "queue": state.queue })))
}

/// Says something else (`content`), or stands elsewhere (`before`), or both.
pub(super) async fn change(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let message = params::message(&request)?;
    let fields = &body.0;
    let by = caller::by(&request, fields)?;
    let mut commands = Vec::new();
    if fields.is_named("content") {
        let content = fields.content("content")?;
        commands.push(Command::Edit { message, content });
    }
    if fields.is_named("before") {
        let before = fields.optional("before")?;
        commands.push(Command::Move { message, before });
    }
    if commands.is_empty() {
        let refusal = Refusal::bad_field("content", "Nothing to change: send content or before.");
        return Err(refusal.into());
    }
    for command in commands {
        service.hub.ask(session, by.clone(), command).await?;
    }
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// Takes it back.
pub(super) async fn cancel(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let message = params::message(&request)?;
    let by = caller::by_header(&request)?;
    service.hub.ask(session, by, Command::Cancel { message }).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}
