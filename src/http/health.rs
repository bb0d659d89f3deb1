//! `/health`: for people and for whoever restarts the server. Needs no token.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::service::Service;

/// How the server is.
pub(super) async fn health(service: web::Data<Service>) -> HttpResponse {
    let (sessions, _) = service.hub.board.all();
    let slots = service.hub.slots.usage();
    let journal = &service.hub.journal;
    let (storage_trouble, storage_warning) = (journal.trouble(), journal.warning());
    let agent = &service.settings.agent;
    HttpResponse::Ok().json(json!({
        "service": "tandem",
        "status": if storage_trouble.is_none() { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": service.started.elapsed().as_secs(),
        "agent": { "command": agent.command, "found": agent.is_found, "version": agent.version },
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
    let reason = if service.doors.is_closing() {
        Some("the server is stopping".to_owned())
    } else {
        service.hub.journal.trouble()
    };
    match reason {
        None => HttpResponse::Ok().json(json!({ "status": "ok" })),
        Some(reason) => {
            HttpResponse::ServiceUnavailable().json(json!({ "status": "unavailable", "reason": reason }))
        }
    }
}
