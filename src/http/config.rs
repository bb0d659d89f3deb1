//! `/api/config`: the settings as they are in force, as `tandem config` shows them.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::service::Service;

/// All of them, in the order of the README.
pub(super) async fn list(service: web::Data<Service>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "settings": service.settings.config }))
}
