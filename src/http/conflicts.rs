//! `/api/conflicts`: who got in whose way, and how it ends.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tandem_actors::project::ConflictId;
use tandem_actors::refusal::{Code, Refusal};

use super::body::Body;
use super::params::Query;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

/// Those that are open, the oldest first, and those that were settled last; of one project, or of all.
pub(super) async fn list(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request)?;
    let wants_open = match query.optional::<String>("status")?.as_deref() {
        None => None,
        Some("open") => Some(true),
        Some("resolved") => Some(false),
        Some(_) => {
            let message = "The parameter status is one of open, resolved.";
            return Err(Refusal::bad_field("status", message).into());
        }
    };
    let projects = &service.hub.projects;
    let wanted = match query.optional::<String>("project")? {
        Some(path) => vec![projects.find(&path).await?],
        None => projects.with_channel(),
    };
    let mut conflicts = Vec::new();
    for project in wanted {
        conflicts.extend(projects.conflicts(&project).await?);
    }
    conflicts.retain(|conflict| wants_open.is_none_or(|open| conflict.resolution.is_none() == open));
    Ok(HttpResponse::Ok().json(json!({ "conflicts": conflicts })))
}

/// Settles one; it is carried out and on disk when this answers.
pub(super) async fn resolve(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let conflict: ConflictId = params::conflict(&request).ok_or_else(|| {
        Refusal::new(Code::ConflictNotFound, "There is no conflict with this id: it is no UUID.")
    })?;
    let by = caller::by(&request, &body.0)?;
    let (resolution, content) = body.0.resolution()?;
    service.hub.projects.resolve(conflict, resolution, content, by).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}
