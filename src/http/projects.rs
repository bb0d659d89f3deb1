//! `/api/projects`: the folders in which conversations work.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use tandem_actors::project::ProjectEntry;

use super::body::Body;
use super::caller;
use crate::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    entry: ProjectEntry,
    /// How many are held.
    locks: usize,
}

/// All of them, in the order of their paths.
pub(super) async fn list(service: web::Data<Service>) -> HttpResponse {
    let mut held: BTreeMap<_, usize> = BTreeMap::new();
    for lock in service.hub.locks.list(None).into_iter().filter(|lock| !lock.is_waiting) {
        *held.entry(lock.project_path).or_default() += 1;
    }
    let listed = |entry: ProjectEntry| {
        let locks = held.get(&entry.project_path).copied().unwrap_or(0);
        Listed { entry, locks }
    };
    let projects: Vec<_> = service.hub.projects.list().into_iter().map(listed).collect();
    HttpResponse::Ok().json(json!({ "projects": projects }))
}

/// Chooses how agents are held to the locks of a project; it is on disk, and in force, when this answers.
pub(super) async fn change(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let by = caller::by(&request, &body.0)?;
    let enforcement = body.0.enforcement()?;
    let path: String = body.0.required("projectPath")?;
    let projects = &service.hub.projects;
    let project = projects.find(&path).await?;
    projects.enforce(&project, enforcement, by).await?;
    Ok(HttpResponse::Ok()
        .json(json!({ "success": true, "projectPath": project, "enforcement": enforcement })))
}
