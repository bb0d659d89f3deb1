//! `/api/sessions/{id}/state`: what devices share beside the conversation.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tandem_actors::refusal::Refusal;
use tandem_actors::session::{Answer, Command};

use super::body::Body;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

/// All keys, as of the event `head`.
pub(super) async fn look(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let state = service.hub.look(session, caller::by_header(&request)?).await?;
    let (shared, primary) = (&state.shared, &state.primary_device_id);
    Ok(HttpResponse::Ok().json(json!({ "shared": shared, "primaryDeviceId": primary, "head": state.head })))
}

/// Writes keys.
pub(super) async fn change(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let by = caller::by(&request, &body.0)?;
    let (patch, at) = body.0.shared_patch()?;
    match service.hub.ask(session, by, Command::SetState { patch, at }).await? {
        Answer::StateSet { seq, at } => {
            Ok(HttpResponse::Ok().json(json!({ "success": true, "seq": seq, "at": at })))
        }
        Answer::Accepted { .. } | Answer::Done | Answer::Extended { .. } | Answer::View(_) => {
            Err(Refusal::session_restarted().into())
        }
    }
}
