//! `/api/projects`: the folders in which conversations work.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use tandem_actors::project::ProjectEntry;

use crate::service::Service;

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    entry: ProjectEntry,
    /// How many are held.
    locks: usize,
}

/// All of them, in the order of their paths, and where others may lie.
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
    let roots = service.hub.projects.allowed_roots();
    HttpResponse::Ok().json(json!({ "projects": projects, "allowedRoots": roots }))
}
