//! The page at `/` and its assets, which are part of the program. Needs no token, knows no data.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::{Embed, EmbeddedFile};

use crate::error::ApiError;

#[derive(Embed)]
#[folder = "src/web/"]
struct Web;

/// Nothing but our own style and pictures; no script, no frame, nowhere to send anything.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&request, "index.html")
}

/// One of its assets, or a part of the client for programs at `/client.js`.
pub(super) async fn asset(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&request, request.match_info().query("asset"))
}

fn answer(request: &HttpRequest, name: &str) -> Result<HttpResponse, ApiError> {
    // In a development build they are read from the folder, and a name must not lead out of it.
    let file: Option<EmbeddedFile> = if is_plain(name) { Web::get(name) } else { None };
    let file = file.ok_or_else(ApiError::no_such_path)?;
    let hash: String = file.metadata.sha256_hash()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let known = request.headers().get(header::IF_NONE_MATCH);
    let is_known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if is_known {
        return Ok(response.finish());
    }
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = match kind.type_() {
        mime_guess::mime::TEXT => format!("{kind}; charset=utf-8"),
        _ => kind.to_string(),
    };
    Ok(response.content_type(kind).body(file.data.into_owned()))
}

/// Whether a path consists of names, one behind the other, none of which is hidden or leads elsewhere.
fn is_plain(path: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    path.split('/').all(|name| !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_lie_in_the_folder_and_nowhere_else() {
        for good in ["index.html", "client.js", "client/outbox.js", "a/b-c/d_e.svg"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "/client.js",
            "client/",
            "a//b",
            ".",
            "..",
            "../web.rs",
            "client/../../lib.rs",
            ".git/config",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
        for bad in ["client\\outbox.js", "C:client.js", "client%2Foutbox.js", "a b", "a\0", "ä"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    #[test]
    fn all_parts_of_the_client_are_in_the_program() {
        let parts: Vec<_> = Web::iter().filter(|name| name.starts_with("client/")).collect();
        assert!(Web::get("client.js").is_some() && parts.len() > 10, "{parts:?}");
        assert!(Web::iter().all(|name| is_plain(&name)));
    }
}
