//! `/api/projects`: the folders in which conversations work.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use tandem_actors::project::ProjectEntry;
use tandem_actors::refusal::{Code, Refusal};

use super::params::Query;
use crate::error::ApiError;
use crate::service::Service;

/// How many folders of a folder are told. Nobody looks through more of them; whoever knows the name can type it.
const MAX_FOLDERS: usize = 500;

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

/// The folders in a folder below the allowed roots, so that a person can walk to the one that they mean.
pub(super) async fn folders(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let path: Option<String> = Query::of(&request)?.optional("path")?;
    let path = path.ok_or_else(|| Refusal::bad_field("path", "The parameter path is missing."))?;
    let projects = &service.hub.projects;
    let folder = projects.find(&path).await?;
    let is_allowed = |parent: &&Path| projects.allowed_roots().iter().any(|root| parent.starts_with(root));
    let parent = Path::new(&*folder).parent().filter(is_allowed);
    let place = folder.clone();
    let names = web::block(move || folder_names(Path::new(&*place))).await;
    let names = names.map_err(|_stopped| Refusal::shutting_down())?.map_err(|_unreadable| {
        Refusal::new(Code::ProjectNotFound, "The server may not read the folder at this path.")
    })?;
    Ok(HttpResponse::Ok().json(json!({ "path": folder, "parent": parent, "folders": names })))
}

/// The names of the folders in a folder, in their order, without hidden ones and without links, which may lead elsewhere.
fn folder_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with('.') && entry.file_type()?.is_dir() {
            names.push(name);
        }
    }
    names.sort_unstable_by_key(|name| name.to_lowercase());
    names.truncate(MAX_FOLDERS);
    Ok(names)
}
