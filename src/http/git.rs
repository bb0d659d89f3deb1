//! `/api/projects/git`: git in turn.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::body::Body;
use super::caller;
use crate::error::ApiError;
use crate::git::Done;
use crate::service::Service;

#[derive(Serialize)]
struct Answer {
    success: bool,
    #[serde(flatten)]
    done: Done,
}

/// Does it when its turn comes, and answers when it is done. A client that hangs up does not stop it.
pub(super) async fn run(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let by = caller::by(&request, &body.0)?;
    let operation = body.0.git_operation()?;
    let project = body.0.required("projectPath")?;
    let done = service.git.run(project, by.device_id, operation).await?;
    Ok(HttpResponse::Ok().json(Answer { success: true, done }))
}
