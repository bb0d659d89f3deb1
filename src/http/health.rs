//! `/health`: for people and for whoever restarts the server. Needs no token, so it names no path and quotes no error.

use std::borrow::Cow;
use std::path::Path;

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::service::Service;

/// What strangers are told when the disk takes no writes; what exactly is wrong is in the log.
const STORAGE_TROUBLE: &str = "the server cannot write: its disk is full or fails; its log says more";

/// How the server is.
pub(super) async fn health(service: web::Data<Service>) -> HttpResponse {
    let (sessions, _) = service.hub.board.all();
    let slots = service.hub.slots.usage();
    let journal = &service.hub.journal;
    let (storage_trouble, storage_warning) = (trouble(&service), journal.warning());
    let agent = &service.settings.agent;
    HttpResponse::Ok().json(json!({
        "service": "tandem",
        "status": if storage_trouble.is_none() { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": service.started.elapsed().as_secs(),
        "agent": { "command": file_name(&agent.command), "found": agent.is_found, "version": agent.version },
        "storage": { "ok": storage_trouble.is_none(), "trouble": storage_trouble, "warning": storage_warning },
        "slots": { "used": slots.taken, "max": slots.max, "waiting": slots.waiting },
        "memory": { "limitBytes": service.settings.max_memory_bytes },
        "sessions": sessions.len(),
        "connections": service.doors.connections(),
    }))
}

/// Whether it runs.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether it takes work: it is not stopping, and its disk takes writes.
pub(super) async fn ready(service: web::Data<Service>) -> HttpResponse {
    let reason = if service.doors.is_closing() { Some("the server is stopping") } else { trouble(&service) };
    match reason {
        None => HttpResponse::Ok().json(json!({ "status": "ok" })),
        Some(reason) => {
            HttpResponse::ServiceUnavailable().json(json!({ "status": "unavailable", "reason": reason }))
        }
    }
}

fn trouble(service: &Service) -> Option<&'static str> {
    service.hub.journal.trouble().map(|_logged| STORAGE_TROUBLE)
}

fn file_name(command: &str) -> Cow<'_, str> {
    Path::new(command).file_name().unwrap_or_default().to_string_lossy()
}
