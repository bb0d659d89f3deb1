//! The page at `/` and its assets, which are part of the program. Needs no token, knows no data.

mod packed;
mod shell;

use actix_web::http::header::{
    self, AcceptEncoding, ContentType, Encoding, EntityTag, Header as _, IfNoneMatch,
};
use actix_web::mime::{self, Mime};
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::Embed;

use crate::error::ApiError;

use self::packed::Packed;

#[derive(Embed)]
#[folder = "src/web/"]
#[exclude = "*.d.ts"]
#[exclude = "vendor/update"]
struct Web;

/// Our own files, pictures that the page has in memory, and nobody to talk to but this server; no other page shows this
/// one in a frame. Inline scripts and styles are none of ours, so what comes in with an answer cannot run.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     connect-src 'self'; manifest-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// What the page never asks for, so that a script that got in could not either.
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), \
     midi=(), payment=(), usb=()";

/// It lives beside the page, and brings its own policy.
const SERVICE_WORKER: &str = "sw.js";

/// The page. Its views are fragments of this one address.
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&request, "index.html")
}

/// One of its assets, or a part of the client for programs at `/client.js`.
pub(super) async fn asset(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&request, request.match_info().query("asset"))
}

fn answer(request: &HttpRequest, name: &str) -> Result<HttpResponse, ApiError> {
    let packed = look_up(name).ok_or_else(ApiError::no_such_path)?;
    let kind = kind_of(name).ok_or_else(ApiError::no_such_path)?;
    let squeezed = packed.squeezed.clone().filter(|_| takes_gzip(request));
    // The same file in two forms has two tags: a cache must not take one for the other.
    let tag = if squeezed.is_some() { format!("{}-gzip", packed.hash) } else { packed.hash.clone() };
    let tag = EntityTag::new_strong(tag);
    let is_known = is_known(request, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if has_policy(name, &kind) {
        response
            .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .insert_header((header::PERMISSIONS_POLICY, PERMISSIONS_POLICY))
            .insert_header((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"));
    }
    if is_known {
        return Ok(response.finish());
    }
    response.insert_header(ContentType(kind));
    Ok(match squeezed {
        Some(bytes) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(bytes),
        None => response.body(packed.bytes),
    })
}

fn look_up(name: &str) -> Option<Packed> {
    if name == shell::NAME {
        return Some(shell::script());
    }
    // In a development build files are read from the folder, and a name must not lead out of it.
    let file = if is_plain(name) { Web::get(name) } else { None };
    file.map(|file| packed::of(name, file))
}

/// `None` for what no page consists of, such as the types of a library and the script that brings its next release.
fn kind_of(name: &str) -> Option<Mime> {
    if name.ends_with("/LICENSE") {
        return Some(mime::TEXT_PLAIN_UTF_8);
    }
    let kind = mime_guess::from_path(name).first()?;
    // Modules of all names have one type (RFC 9239).
    let kind = if kind.subtype() == mime::JAVASCRIPT { mime::TEXT_JAVASCRIPT } else { kind };
    match kind.type_() {
        mime::TEXT => format!("{kind}; charset=utf-8").parse().ok(),
        mime::IMAGE | mime::FONT | mime::APPLICATION => Some(kind),
        _ => None,
    }
}

/// Whether a browser shows or runs it by itself. Everything else is under the policy of the page that asked for it, and
/// would only carry these headers along: with the many small files of the first view they weigh as much as a library.
fn has_policy(name: &str, kind: &Mime) -> bool {
    name == SERVICE_WORKER || kind.subtype() == mime::HTML || kind.subtype() == mime::SVG
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let forms = [Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(request).ok();
    request.headers().contains_key(header::ACCEPT_ENCODING)
        && accepted.and_then(|accepted| accepted.negotiate(forms.iter())) == Some(Encoding::gzip())
}

/// Whether the client has this form already. A proxy that packs by itself makes the tag a weak one on its way.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
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

    #[test]
    fn kinds_are_those_that_browsers_insist_on() {
        for (name, kind) in [
            ("index.html", "text/html; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("sw.js", "text/javascript; charset=utf-8"),
            ("vendor/preact.mjs", "text/javascript; charset=utf-8"),
            ("manifest.webmanifest", "application/manifest+json"),
            ("icon.svg", "image/svg+xml"),
            ("icons/192.png", "image/png"),
            ("a.woff2", "font/woff2"),
            ("vendor/htm/LICENSE", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(kind_of(name).map(|kind| kind.to_string()).as_deref(), Some(kind), "{name}");
        }
        for none in ["vendor/update", "vendor/htm.d.ts"] {
            assert_eq!(kind_of(none), None, "{none}");
        }
    }
}
