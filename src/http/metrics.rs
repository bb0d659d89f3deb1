//! `/metrics` for Prometheus, `/api/metrics/sessions` for everybody else.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use tandem_actors::refusal::{Code, Refusal};

use super::params::Query;
use crate::error::ApiError;
use crate::overview::Overview;
use crate::overview::prometheus::{self, Scrape, WireReading};
use crate::overview::report::Report;
use crate::service::Service;

/// Sessions that are listed unless the query says how many, and at most.
const DEFAULT_LISTED: usize = 100;
const MAX_LISTED: usize = 1_000;

/// Everything that is counted, for a scraper.
pub(super) async fn page(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let traffic = &service.traffic;
    let scrape = Scrape {
        overview: Overview::of(&service).await,
        metrics: service.hub.metrics.clone(),
        wire: WireReading {
            routes: traffic.read_routes(),
            frames_in: traffic.frames_in.get(),
            bytes_out: traffic.bytes_out.get(),
            slow_devices: traffic.slow_devices.get(),
        },
        agent_version: service.settings.agent.version.clone(),
    };
    let page = prometheus::page(scrape).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Refusal::new(Code::StorageUnavailable, "The metrics could not be written. Try again.")
    })?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, prometheus::CONTENT_TYPE)).body(page))
}

/// Counts and sums as JSON; `limit` says how many sessions are listed.
pub(super) async fn sessions(
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let limit = Query::of(&request)?.limit(DEFAULT_LISTED, MAX_LISTED)?;
    let overview = Overview::of(&service).await;
    let report = Report::of(&overview, &service.hub.metrics, service.hub.clock.now(), limit);
    Ok(HttpResponse::Ok().json(report))
}
