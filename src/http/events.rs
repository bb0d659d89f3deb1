//! `/api/sessions/{id}/events`: the history, page by page.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tandem_actors::event::Record;
use tandem_actors::ids::Seq;
use tandem_actors::refusal::Refusal;

use super::params;
use super::params::Query;
use crate::error::ApiError;
use crate::service::Service;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// A page is at most about this long, so that events of many megabytes do not add up in memory.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Written as it is, and never through a `Value`: what the agent said stays as it said it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    events: Vec<Record>,
    head: Seq,
    next_after: Seq,
}

/// Events behind `after`, oldest first.
pub(super) async fn list(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let query = Query::of(&request)?;
    let after: Seq = query.optional("after")?.unwrap_or(0);
    let limit = query.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let summary = service.hub.board.get(session);
    let summary = summary.ok_or_else(Refusal::session_not_found)?;
    let page = service.hub.journal.read(session, after, limit, MAX_PAGE_BYTES);
    let events = page.await.map_err(|error| Refusal::from(&error))?;
    let next_after = events.last().map_or(after, |last| last.seq);
    // The list may be a moment older than the page.
    let head = events.last().map_or(0, |last| last.seq).max(summary.head);
    Ok(HttpResponse::Ok().json(Page { events, head, next_after }))
}
