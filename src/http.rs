//! The HTTP API of docs/protocol.md §5, one file a resource.
//!
//! Handlers read the request, ask the actor system, and write the answer; what may be done is decided there.

mod active;
mod approvals;
mod blobs;
mod body;
mod caller;
mod chat;
mod config;
mod conflicts;
mod devices;
mod events;
mod files;
mod git;
mod health;
mod locks;
mod metrics;
mod notify;
mod page;
mod params;
mod projects;
mod queue;
mod recap;
mod sessions;
mod shared_state;

use actix_web::middleware::from_fn;
use actix_web::web::{delete, get, patch, post, put};
use actix_web::{HttpResponse, Resource, web};
use tandem_actors::blobs::MAX_BLOB_BYTES;

use crate::access;
use crate::error::ApiError;
use crate::ws;

use body::MaxBody;

/// What carries content may carry attachments: 10 MiB are 13.4 MiB in base64, and the rest is for the words. A tool's
/// input may be a whole file.
const MAX_CONTENT_BYTES: usize = 14 * 1024 * 1024;

/// A patch may replace everything that is shared, and names the keys beside it.
const MAX_SHARED_BODY_BYTES: usize = 512 * 1024;

/// Adds all routes to an app that has a [`crate::service::Service`] in its data.
pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.service(at("/ws").route(get().to(ws::upgrade)))
        .service(at("/health").route(get().to(health::health)))
        .service(at("/health/live").route(get().to(health::live)))
        .service(at("/health/ready").route(get().to(health::ready)))
        .service(at("/metrics").wrap(from_fn(access::check)).route(get().to(metrics::page)))
        .service(api())
        .service(at("/").route(get().to(page::index)))
        .service(at("/{asset:.+}").route(get().to(page::asset)))
        .default_service(web::to(no_such_path));
}

fn api() -> impl actix_web::dev::HttpServiceFactory {
    web::scope("/api")
        .wrap(from_fn(access::check))
        .service(at("/chat").app_data(MaxBody(MAX_CONTENT_BYTES)).route(post().to(chat::chat)))
        .service(at("/chat/interrupt").route(post().to(chat::interrupt)))
        .service(at("/sessions").route(get().to(sessions::list)).route(post().to(sessions::create)))
        .service(at("/sessions/active").route(get().to(active::list)))
        .service(at("/sessions/keep-alive").route(post().to(active::keep_alive)))
        .service(at("/sessions/interactive/{session}/status").route(get().to(active::status)))
        .service(at("/sessions/interactive/{session}").route(delete().to(sessions::close)))
        .service(
            at("/sessions/{session}")
                .route(get().to(sessions::look))
                .route(patch().to(sessions::change))
                .route(delete().to(sessions::close)),
        )
        .service(at("/sessions/{session}/events").route(get().to(events::list)))
        .service(at("/sessions/{session}/queue").route(get().to(queue::list)))
        .service(
            at("/sessions/{session}/queue/{message}")
                .app_data(MaxBody(MAX_CONTENT_BYTES))
                .route(patch().to(queue::change))
                .route(delete().to(queue::cancel)),
        )
        .service(at("/sessions/{session}/approvals").route(get().to(approvals::list)))
        .service(
            at("/sessions/{session}/approvals/{request}")
                .app_data(MaxBody(MAX_CONTENT_BYTES))
                .route(post().to(approvals::answer)),
        )
        .service(
            at("/sessions/{session}/state")
                .app_data(MaxBody(MAX_SHARED_BODY_BYTES))
                .route(get().to(shared_state::look))
                .route(patch().to(shared_state::change)),
        )
        .service(at("/sessions/{session}/devices").route(get().to(devices::of_session)))
        .service(
            at("/sessions/{session}/devices/{device}")
                .route(put().to(devices::link))
                .route(delete().to(devices::unlink)),
        )
        .service(
            at("/blobs/{hash}")
                .app_data(MaxBody(MAX_BLOB_BYTES))
                .route(get().to(blobs::download))
                .route(put().to(blobs::upload)),
        )
        .service(
            at("/locks")
                .route(get().to(locks::list))
                .route(post().to(locks::acquire))
                .route(delete().to(locks::release)),
        )
        .service(at("/conflicts").route(get().to(conflicts::list)))
        .service(
            at("/conflicts/{conflict}/resolve")
                .app_data(MaxBody(MAX_CONTENT_BYTES))
                .route(post().to(conflicts::resolve)),
        )
        .service(at("/projects").route(get().to(projects::list)).route(patch().to(projects::change)))
        .service(at("/projects/folders").route(get().to(projects::folders)))
        .service(
            at("/projects/file")
                .app_data(MaxBody(MAX_CONTENT_BYTES))
                .route(get().to(files::read))
                .route(put().to(files::write)),
        )
        .service(at("/projects/git").route(post().to(git::run)))
        .service(at("/devices").route(get().to(devices::all)))
        .service(at("/notify").route(post().to(notify::notify)))
        .service(at("/config").route(get().to(config::list)))
        .service(at("/metrics/sessions").route(get().to(metrics::sessions)))
        .default_service(web::to(no_such_path))
}

async fn no_such_path() -> Result<HttpResponse, ApiError> {
    Err(ApiError::no_such_path())
}

async fn wrong_method() -> Result<HttpResponse, ApiError> {
    Err(ApiError::wrong_method())
}

/// One path; methods that it does not take are answered 405.
fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}
