//! `/api/sessions` and `/api/sessions/{id}`.

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tandem_actors::clock::Timestamp;
use tandem_actors::ids::SessionId;
use tandem_actors::refusal::Refusal;
use tandem_actors::registry::Create;
use tandem_actors::session::{Command, Status, Summary};

use super::body::Body;
use super::params::Query;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// The list, the newest activity first.
pub(super) async fn list(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request)?;
    let limit = query.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let status = query.optional::<String>("status")?.map(|word| status(&word));
    let status = status.transpose()?;
    let project: Option<String> = query.optional("project")?;
    let behind = query.optional::<String>("cursor")?.map(|text| read_cursor(&text));
    let behind = behind.transpose()?;

    let device = caller::by_header(&request)?.device_id;
    let (all, _) = service.hub.board.all();
    let is_wanted = |summary: &&Arc<Summary>| {
        status.is_none_or(|status| summary.status == status)
            && project.as_ref().is_none_or(|project| is_same_folder(project, &summary.project_path))
            && behind.is_none_or(|behind| place(summary) < behind)
    };
    let mut page: Vec<_> = all.iter().filter(is_wanted).take(limit + 1).collect();
    let has_more = page.len() > limit;
    page.truncate(limit);
    let next_cursor = page.last().filter(|_| has_more).map(|last| cursor(last));
    let listed = page.into_iter().map(|summary| service.hub.cursors.listed(summary.clone(), &device));
    let page: Vec<_> = listed.collect();
    Ok(HttpResponse::Ok().json(json!({ "sessions": page, "nextCursor": next_cursor })))
}

/// Begins a conversation.
pub(super) async fn create(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let fields = &body.0;
    let project_path: String = fields.required("projectPath")?;
    let by = caller::by(&request, fields)?;
    let create = Create {
        by: by.clone(),
        project_path: PathBuf::from(project_path),
        title: fields.optional("title")?,
        model: fields.optional("model")?,
        permission_mode: fields.optional("permissionMode")?,
        first_message: None,
    };
    let session = service.hub.create(create).await?.session;
    let state = service.hub.look(session, by).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/sessions/{session}")))
        .json(&*state))
}

/// The state of one.
pub(super) async fn look(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let state = service.hub.look(session, caller::by_header(&request)?).await?;
    Ok(HttpResponse::Ok().json(&*state))
}

/// Title, model, permission mode.
pub(super) async fn change(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let fields = &body.0;
    let by = caller::by(&request, fields)?;
    let title: Option<String> = fields.optional("title")?;
    let model: Option<String> = fields.optional("model")?;
    let permission_mode: Option<String> = fields.optional("permissionMode")?;
    if title.is_none() && model.is_none() && permission_mode.is_none() {
        let message = "Nothing to change: send title, model or permissionMode.";
        return Err(Refusal::bad_field("title", message).into());
    }
    let command = Command::Change { title, model, permission_mode };
    service.hub.ask(session, by.clone(), command).await?;
    let state = service.hub.look(session, by).await?;
    Ok(HttpResponse::Ok().json(&*state))
}

/// Closes it and stops its agent; the history stays.
pub(super) async fn close(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let session = params::session(&request)?;
    let by = caller::by_header(&request)?;
    service.hub.ask(session, by, Command::Close).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true, "sessionId": session })))
}

fn status(word: &str) -> Result<Status, Refusal> {
    serde_json::from_value(json!(word)).map_err(|_| {
        let message = "The parameter status is one of idle, running, waiting_for_approval, waiting_for_slot, expired, closed.";
        Refusal::bad_field("status", message)
    })
}

fn is_same_folder(one: &str, other: &str) -> bool {
    let without_end = |path: &str| path.trim_end_matches('/').len();
    one[..without_end(one)] == other[..without_end(other)]
}

/// Where a session stands in the list; the larger, the further in front.
fn place(summary: &Summary) -> (Timestamp, SessionId) {
    (summary.last_activity_at, summary.session_id)
}

/// Opaque to clients: the place of the last session of a page.
fn cursor(summary: &Summary) -> String {
    format!("{}.{}", summary.last_activity_at.millis(), summary.session_id)
}

fn read_cursor(text: &str) -> Result<(Timestamp, SessionId), Refusal> {
    let read = || {
        let (millis, session) = text.split_once('.')?;
        let at = Timestamp::from_millis(millis.parse().ok()?);
        Some((at, session.parse().ok()?))
    };
    read().ok_or_else(|| Refusal::bad_field("cursor", "The cursor is not one that this list gave out."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let session = SessionId::random();
        let at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(read_cursor(&format!("{}.{session}", at.millis())), Ok((at, session)));
        assert!(read_cursor("nonsense").is_err());
    }

    #[test]
    fn a_folder_is_the_same_with_a_slash_behind_it() {
        assert!(is_same_folder("/a/b/", "/a/b"));
        assert!(!is_same_folder("/a/b", "/a/bc"));
    }
}
