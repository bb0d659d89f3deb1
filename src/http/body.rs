//! The JSON body of a request.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use tandem_actors::refusal::{Code, Refusal};

use crate::error::ApiError;
use crate::fields::Fields;

/// How long the body of a resource may be; kept in its `app_data`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxBody(pub(super) usize);

/// Commands are short, unless they carry content.
const DEFAULT_MAX_BODY: MaxBody = MaxBody(64 * 1024);

/// The body as it is.
#[derive(Debug)]
pub(super) struct RawBody(pub(super) Vec<u8>);

/// The fields of the body under their camelCase names; none when there is no body.
#[derive(Debug)]
pub(super) struct Body(pub(super) Fields);

impl FromRequest for Body {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = RawBody::from_request(request, payload);
        Box::pin(async move {
            let RawBody(bytes) = bytes.await?;
            if bytes.is_empty() {
                return Ok(Self(Fields::default()));
            }
            Ok(Self(Fields::parse(&bytes)?.with_snake_case_twins()))
        })
    }
}

impl FromRequest for RawBody {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let MaxBody(max_bytes) = *request.app_data::<MaxBody>().unwrap_or(&DEFAULT_MAX_BODY);
        let declared = request.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let payload = payload.take();
        Box::pin(async move {
            if declared.is_some_and(|length| length > max_bytes) {
                return Err(too_large(max_bytes));
            }
            Ok(Self(read(payload, max_bytes).await?))
        })
    }
}

async fn read(mut payload: Payload, max_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_broken| {
            Refusal::new(Code::BadRequest, "The body of the request could not be read to its end.")
        })?;
        if bytes.len() + chunk.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(max_bytes: usize) -> ApiError {
    let message = format!("The body is larger than {} KiB.", max_bytes / 1024);
    Refusal::new(Code::TooLarge, message).into()
}
