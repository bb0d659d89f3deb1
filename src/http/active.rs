//! The sessions that are alive: neither closed nor expired. `…/active`, `…/keep-alive`, `…/interactive/{id}/status`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use tandem_actors::clock::Timestamp;
use tandem_actors::refusal::Refusal;
use tandem_actors::session::{Answer, Command, Status, Summary};

use super::body::Body;
use super::{caller, params, recap};
use crate::error::ApiError;
use crate::overview::memory_of_agents;
use crate::service::Service;

/// All of them, and how much room there is for more.
pub(super) async fn list(service: web::Data<Service>) -> HttpResponse {
    let (all, _) = service.hub.board.all();
    let alive: Vec<_> =
        all.into_iter().filter(|summary| !is_expired(summary, service.hub.clock.now())).collect();
    let entries = with_memory(&service, alive).await;
    let with_agent = entries.iter().filter(|(summary, _)| summary.pid.is_some()).count();
    let memory_usage: u64 = entries.iter().filter_map(|(_, memory)| *memory).sum();
    let settings = &service.settings;
    let sessions: Vec<Value> = entries.iter().map(|(summary, memory)| entry(summary, *memory)).collect();
    HttpResponse::Ok().json(json!({
        "success": true,
        "sessions": sessions,
        "stats": {
            "totalSessions": sessions.len(),
            "maxSessions": settings.max_agents,
            "availableSlots": settings.max_agents.saturating_sub(with_agent),
            "memoryUsage": memory_usage,
            "memoryLimit": settings.max_memory_bytes,
        },
    }))
}

/// One of them, with how long it has.
pub(super) async fn status(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let summary = service.hub.board.get(session);
    let summary = summary.ok_or_else(Refusal::session_not_found)?;
    let now = service.hub.clock.now();
    let remaining_seconds = summary.expires_at.millis_since(now) / 1000;
    let is_expired = is_expired(&summary, now);
    let needs_warning = !is_expired && remaining_seconds <= service.settings.warn_before.as_secs();
    let mut entries = with_memory(&service, vec![summary]).await;
    let Some((summary, memory)) = entries.pop() else {
        return Err(Refusal::session_not_found().into());
    };
    let mut answer = entry(&summary, memory);
    answer["success"] = json!(true);
    answer["timeRemaining"] = json!(remaining_seconds);
    answer["isExpired"] = json!(is_expired);
    answer["needsWarning"] = json!(needs_warning);
    Ok(HttpResponse::Ok().json(answer))
}

/// Lets a session live on.
pub(super) async fn keep_alive(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let fields = &body.0;
    let session = fields.required("sessionId")?;
    let wants_recap = fields.word("action", &[("extend", false), ("recap", true)], false)?;
    let by = caller::by(&request, fields)?;
    let before = service.hub.look(session, by.clone()).await?.head;
    let command = if wants_recap { Command::Recap } else { Command::KeepAlive };
    let expires_at = match service.hub.ask(session, by, command).await? {
        Answer::Extended { expires_at } => Some(expires_at),
        Answer::Accepted { .. } | Answer::Done | Answer::StateSet { .. } | Answer::View(_) => None,
    };
    let mut answer = json!({
        "success": true,
        "sessionId": session,
        "extended": true,
        "expiresAt": expires_at,
    });
    if wants_recap {
        let handle = service.hub.find(session).await?;
        let told = recap::wait(service.hub.follow(&handle, before));
        tokio::select! {
            told = told => answer["recap"] = json!(told),
            () = service.doors.closing() => return Err(Refusal::shutting_down().into()),
        }
    }
    Ok(HttpResponse::Ok().json(answer))
}

fn is_expired(summary: &Summary, now: Timestamp) -> bool {
    matches!(summary.status, Status::Expired | Status::Closed) || summary.expires_at <= now
}

fn entry(summary: &Summary, memory_bytes: Option<u64>) -> Value {
    json!({
        "sessionId": summary.session_id,
        "projectPath": summary.project_path,
        "createdAt": summary.created_at,
        "lastActivity": summary.last_activity_at,
        "messageCount": summary.messages,
        "expiresAt": summary.expires_at,
        "pid": summary.pid,
        "memoryBytes": memory_bytes,
        "status": summary.status,
        "devices": summary.devices,
    })
}

/// Adds what each agent and everything that it started use at the moment.
async fn with_memory(service: &Service, summaries: Vec<Arc<Summary>>) -> Vec<(Arc<Summary>, Option<u64>)> {
    let memory = memory_of_agents(service, &summaries).await;
    let bytes_of = |summary: &Arc<Summary>| memory.get(&summary.session_id).copied();
    summaries.into_iter().map(|summary| (summary.clone(), bytes_of(&summary))).collect()
}
