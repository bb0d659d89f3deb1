//! `/api/sessions/{id}/approvals`: what the agent may not do without a person's leave.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use tandem_actors::event::Approval;
use tandem_actors::session::Command;

use super::body::Body;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

/// Written as it is, and never through a `Value`: an input may hold numbers that no `Value` can.
#[derive(Serialize)]
struct Waiting<'a> {
    approvals: &'a [Approval],
}

/// What waits for an answer.
pub(super) async fn list(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let state = service.hub.look(session, caller::by_header(&request)?).await?;
    Ok(HttpResponse::Ok().json(Waiting { approvals: &state.approvals }))
}

/// The answer.
pub(super) async fn answer(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let fields = &body.0;
    let by = caller::by(&request, fields)?;
    let command = Command::Approve { request: params::approval(&request)?, verdict: fields.verdict()? };
    service.hub.ask(session, by, command).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}
