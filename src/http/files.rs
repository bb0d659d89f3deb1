//! `/api/projects/file`: a file of a project, read and written by a device.

use std::path::Path;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tandem_actors::blobs::BlobHash;
use tandem_actors::files::Put;
use tandem_actors::locks::Fence;
use tandem_actors::refusal::Refusal;

use super::body::Body;
use super::caller;
use super::params::Query;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::service::Service;

/// The content and its hash, from which a change can begin.
pub(super) async fn read(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request)?;
    let project: String = required(&query, "project")?;
    let path: String = required(&query, "path")?;
    let (place, content, hash) = service.hub.files.read(Path::new(&project), Path::new(&path)).await?;
    let (content, encoding) = match std::str::from_utf8(&content) {
        Ok(text) => (text.to_owned(), "utf8"),
        Err(_) => (STANDARD.encode(&content), "base64"),
    };
    let answer = json!({
        "projectPath": place.project(),
        "filePath": place.within(),
        "content": content,
        "encoding": encoding,
        "hash": hash,
    });
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Writes all of a file: whole, merged, or not at all.
pub(super) async fn write(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let fields = &body.0;
    let base: Option<String> = fields.optional("baseHash")?;
    let base = base.map(|text| text.parse::<BlobHash>()).transpose();
    let fence = fields.optional::<Fence>("fence")?;
    // Whoever holds a lock of its own has a name.
    let by = if fence.is_some() { caller::named(&request, fields) } else { caller::by(&request, fields) }?;
    let put = Put {
        by: by.device_id,
        project: fields.required::<String>("projectPath")?.into(),
        file: fields.required::<String>("filePath")?.into(),
        content: content(fields)?.into(),
        base: base
            .map_err(|bad| Refusal::bad_field("baseHash", format!("The field baseHash is wrong: {bad}.")))?,
        fence,
    };
    let written = service.hub.files.put(put).await?;
    let answer = json!({ "filePath": written.file, "hash": written.hash, "merged": written.is_merged });
    Ok(HttpResponse::Ok().json(answer))
}

fn content(fields: &Fields) -> Result<Vec<u8>, Refusal> {
    let text: String = fields.required("content")?;
    let is_base64 = fields.word("encoding", &[("utf8", false), ("base64", true)], false)?;
    if !is_base64 {
        return Ok(text.into_bytes());
    }
    STANDARD.decode(text).map_err(|_| Refusal::bad_field("content", "The field content is no base64."))
}

fn required(query: &Query, name: &str) -> Result<String, Refusal> {
    let missing = || Refusal::bad_field(name, format!("The parameter {name} is missing."));
    query.optional(name)?.ok_or_else(missing)
}
