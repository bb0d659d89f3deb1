//! What is counted of the wire: HTTP requests by route and status, and what goes through WebSockets.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;
use tandem_actors::metrics::{Counter, Histogram, Reading};

use crate::service::Service;

/// Bounds for requests, in seconds: from a lookup to a chat that waits for its turn.
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

/// The route of what has none, so that nobody can make up more of them.
const NO_ROUTE: &str = "none";

/// All counts of one server's wire.
#[derive(Debug, Default)]
pub struct Traffic {
    routes: Mutex<BTreeMap<String, Route>>,
    /// Messages that came in through WebSockets.
    pub frames_in: Counter,
    /// Bytes that went out through WebSockets, frame headers included.
    pub bytes_out: Counter,
    /// Connections that were cut off because their device did not read.
    pub slow_devices: Counter,
}

#[derive(Debug)]
struct Route {
    statuses: BTreeMap<u16, u64>,
    seconds: Histogram,
}

/// One route at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteReading {
    /// As it was registered, `{placeholders}` included.
    pub route: String,
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, u64>,
    /// How long it took until the answer began.
    pub seconds: Reading,
}

impl Traffic {
    /// Counts a request. One lock and one look into a small map; requests are rare beside frames.
    pub fn answered(&self, route: Option<&str>, status: u16, began: Instant) {
        let route = route.unwrap_or(NO_ROUTE);
        let mut routes = self.routes();
        if !routes.contains_key(route) {
            let new = Route { statuses: BTreeMap::new(), seconds: Histogram::new(REQUEST_SECONDS) };
            routes.insert(route.to_owned(), new);
        }
        if let Some(known) = routes.get_mut(route) {
            *known.statuses.entry(status).or_default() += 1;
            known.seconds.observe(began.elapsed().as_secs_f64());
        }
    }

    /// All routes that were asked for, by name.
    #[must_use]
    pub fn read_routes(&self) -> Vec<RouteReading> {
        let read = |(name, route): (&String, &Route)| RouteReading {
            route: name.clone(),
            statuses: route.statuses.clone(),
            seconds: route.seconds.read(),
        };
        self.routes().iter().map(read).collect()
    }

    fn routes(&self) -> MutexGuard<'_, BTreeMap<String, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts every request with the status of its answer.
pub(crate) async fn count<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let began = Instant::now();
    let service = request.app_data::<web::Data<Service>>().cloned();
    let route = request.match_pattern();
    let answer = next.call(request).await;
    let status = match &answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    if let Some(service) = service {
        service.traffic.answered(route.as_deref(), status.as_u16(), began);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let traffic = Traffic::default();
        for (route, status) in [(Some("/a"), 200), (Some("/a"), 404), (None, 404), (Some("/a"), 200)] {
            traffic.answered(route, status, Instant::now());
        }
        let routes = traffic.read_routes();
        assert_eq!(routes.iter().map(|route| route.route.as_str()).collect::<Vec<_>>(), ["/a", "none"]);
        assert_eq!(routes[0].statuses, BTreeMap::from([(200, 2), (404, 1)]));
        assert_eq!(routes[0].seconds.count(), 3);
    }
}
