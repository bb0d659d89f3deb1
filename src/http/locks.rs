//! `/api/locks`: what is held, and to have it, give it back or take it away.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use tandem_actors::locks::Holder;
use tandem_actors::project::{LockAct, LockAnswer, LockAsk, LockOutcome, Wait};
use tandem_actors::refusal::Refusal;

use super::body::Body;
use super::caller;
use super::params::Query;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::service::Service;

/// How long a request waits at most: proxies and clients give up on an answer that takes longer than a minute.
const MAX_WAIT_SECONDS: u64 = 30;

/// What is held and waited for, in one project or in all.
pub(super) async fn list(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let project = match Query::of(&request)?.optional::<String>("project")? {
        Some(path) => Some(service.hub.projects.find(&path).await?),
        None => None,
    };
    let locks = service.hub.locks.list(project.as_ref());
    Ok(HttpResponse::Ok().json(json!({ "locks": locks })))
}

/// Has a lock for as long as its time lasts: nobody renews it but by asking again.
pub(super) async fn acquire(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let act = match body.0.lock_request()? {
        LockAct::Request { mode, ttl_seconds, wait: Some(wait) } => {
            let seconds = match wait {
                Wait::Configured => MAX_WAIT_SECONDS,
                Wait::Seconds(seconds) => seconds.min(MAX_WAIT_SECONDS),
            };
            LockAct::Request { mode, ttl_seconds, wait: Some(Wait::Seconds(seconds)) }
        }
        act => act,
    };
    let ask = ask(&request, &body.0, &service, act).await?;
    let answer = match service.hub.locks.ask(ask).await {
        LockOutcome::Now(answer) => answer,
        LockOutcome::Later(waiter) => tokio::select! {
            answer = waiter.decided() => answer,
            () = service.doors.closing() => Err(Refusal::shutting_down()),
        },
    }?;
    let is_had = !matches!(answer, LockAnswer::LockDenied { .. });
    let status = if is_had { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok(HttpResponse::build(status).json(with_success(&answer, is_had)))
}

/// Gives a lock back; with `force`, takes it away from whoever has it.
pub(super) async fn release(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let ask = ask(&request, &body.0, &service, LockAct::Release).await?;
    if body.0.optional("force")?.unwrap_or(false) {
        let holder = service.hub.locks.force(&ask).await?;
        return Ok(HttpResponse::Ok().json(json!({ "success": true, "holder": holder })));
    }
    match service.hub.locks.ask(ask).await {
        LockOutcome::Now(answer) => answer?,
        LockOutcome::Later(waiter) => waiter.decided().await?,
    };
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

async fn ask(
    request: &HttpRequest,
    fields: &Fields,
    service: &Service,
    act: LockAct,
) -> Result<LockAsk, Refusal> {
    let by = caller::named(request, fields)?;
    let name = fields.lock_name()?;
    let path: String = fields.required("projectPath")?;
    let project = service.hub.projects.find(&path).await?;
    let also = match act {
        LockAct::Request { .. } => fields.locks_with_it()?,
        LockAct::Release | LockAct::Renew { .. } => Vec::new(),
    };
    Ok(LockAsk { holder: Holder::DeviceId(by.device_id), project, name, also, act, is_kept: false })
}

fn with_success(answer: &LockAnswer, is_had: bool) -> Value {
    // Every answer is an object.
    let mut answer = serde_json::to_value(answer).unwrap_or_default();
    answer["success"] = json!(is_had);
    answer
}
