//! `/api/notify`: a word to other devices.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::body::Body;
use super::caller;
use crate::error::ApiError;
use crate::service::Service;

/// Delivers it, or keeps it for a device that is away; then it is durable when this answers.
pub(super) async fn notify(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let by = caller::by(&request, &body.0)?;
    let notify = body.0.notify()?;
    let delivery = service.hub.notices.notify(&by, &notify).await?;
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "delivered": delivery.delivered,
        "waiting": delivery.waiting,
    })))
}
