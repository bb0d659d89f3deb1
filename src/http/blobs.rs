//! `/api/blobs/{sha256}`: attachments, brought before a message refers to them, and given back.

use actix_web::body::SizedStream;
use actix_web::http::header::{self, EntityTag, Header as _, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::json;
use tandem_actors::blobs::{BlobHash, BlobRow, Reading, Unusable};
use tandem_actors::hub::no_such_blob;
use tandem_actors::refusal::{Code, Refusal};

use super::body::RawBody;
use super::{caller, params};
use crate::error::ApiError;
use crate::service::Service;

/// Keeps one. Its name is what it must hash to, so a repeated upload, or one that was cut off, does no harm.
pub(super) async fn upload(
    request: HttpRequest,
    body: RawBody,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let hash = params::blob(&request).ok_or_else(|| {
        let message = "An attachment is named by the SHA-256 of its bytes: 64 hex digits in lower case.";
        Refusal::bad_field("sha256", message)
    })?;
    let by = caller::by_header(&request)?;
    let row = service.hub.upload(by, hash, body.0.into()).await?;
    let answer = json!({ "sha256": hash, "mediaType": row.kind.media_type(), "bytes": row.bytes });
    Ok(HttpResponse::Ok().json(answer))
}

/// Gives one to a device that may have it. What a stranger has written is shown as what it is and never run.
pub(super) async fn download(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let by = caller::by_header(&request)?;
    let hash = params::blob(&request).ok_or_else(no_such_blob)?;
    let (row, mut reading) = service.hub.download(&by, hash).await?;
    let tag = EntityTag::new_strong(hash.to_string());
    let is_held = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(held)) => held.iter().any(|held| held.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if is_held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag.to_string()))
        .insert_header((header::CACHE_CONTROL, "private, max-age=31536000, immutable"))
        .insert_header((header::VARY, caller::DEVICE_HEADER))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((header::CONTENT_TYPE, content_type(&row)));
    if !row.kind.is_picture() {
        response.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    }
    if is_held {
        return Ok(response.finish());
    }
    // Most attachments are one part: what is wrong with them is still said with a status.
    let first = next_part(hash, &mut reading).await.map_err(|error| cannot_be_read(&error))?;
    let rest = parts(hash, reading);
    let all = stream::iter(first.map(Ok)).chain(rest);
    Ok(response.body(SizedStream::new(row.bytes, Box::pin(all))))
}

fn content_type(row: &BlobRow) -> &'static str {
    match row.kind.media_type() {
        "text/plain" => "text/plain; charset=utf-8",
        other => other,
    }
}

/// The bytes. A blob that turns out damaged is cut off before its end, which every client takes for a failure.
fn parts(hash: BlobHash, reading: Reading) -> impl Stream<Item = Result<web::Bytes, Unusable>> {
    stream::try_unfold(reading, move |mut reading| async move {
        let part = next_part(hash, &mut reading).await?;
        Ok(part.map(|part| (part, reading)))
    })
}

async fn next_part(hash: BlobHash, reading: &mut Reading) -> Result<Option<web::Bytes>, Unusable> {
    reading.next().await.inspect_err(|error| {
        tracing::error!(%hash, %error, "an attachment cannot be given to a device");
    })
}

fn cannot_be_read(error: &Unusable) -> Refusal {
    match error {
        Unusable::Missing => no_such_blob(),
        Unusable::Damaged | Unusable::Unreadable(_) => {
            let message =
                "This attachment cannot be read from the server's disk; `tandem doctor --check` says more.";
            Refusal::new(Code::StorageUnavailable, message)
        }
    }
}
