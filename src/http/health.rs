//! `/health`: for people and for whoever restarts the server. Needs no token, so it names no path and quotes no error.

use std::borrow::Cow;
use std::path::Path;

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::overview::{Overview, Troubles};
use crate::service::Service;

/// How the server is.
pub(super) async fn health(service: web::Data<Service>) -> HttpResponse {
    let overview = Overview::of(&service).await;
    let (slots, troubles, agent) = (overview.slots, &overview.troubles, &service.settings.agent);
    let reasons = troubles.reasons();
    HttpResponse::Ok().json(json!({
        "service": "tandem",
        "status": if reasons.is_empty() { "ok" } else { "degraded" },
        "reasons": reasons,
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": overview.uptime.as_secs(),
        "agent": {
            "command": file_name(&agent.command),
            "found": agent.is_found,
            "version": agent.version,
            "ok": troubles.agent.is_none(),
            "trouble": troubles.agent,
        },
        "storage": {
            "ok": troubles.storage.is_none(),
            "trouble": troubles.storage,
            "warning": service.hub.journal.warning(),
        },
        "slots": { "used": slots.taken, "max": slots.max, "waiting": slots.waiting },
        "memory": {
            "serverBytes": overview.server_memory_bytes,
            "agentBytes": overview.agent_memory_bytes(),
            "limitBytes": service.settings.max_memory_bytes,
        },
        "sessions": overview.sessions.len(),
        "connections": overview.connections,
    }))
}

/// Whether it runs.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether it takes work: it is not stopping, its disk takes writes, and agents can be started.
pub(super) async fn ready(service: web::Data<Service>) -> HttpResponse {
    let reasons = Troubles::of(&service).reasons();
    if reasons.is_empty() {
        return HttpResponse::Ok().json(json!({ "status": "ok" }));
    }
    let reason = reasons.join("; ");
    HttpResponse::ServiceUnavailable().json(json!({ "status": "unavailable", "reason": reason }))
}

fn file_name(command: &str) -> Cow<'_, str> {
    Path::new(command).file_name().unwrap_or_default().to_string_lossy()
}
