//! `GET /metrics`: everything in the text format of OpenMetrics, which Prometheus and its kin read. Pure.
//!
//! No label ever holds what people can make more of: no session, no device, no path.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tandem_actors::metrics::{ByWord, Counter, Metrics, Reading, Worded};
use tandem_actors::session::Status;

use super::Overview;
use crate::traffic::RouteReading;

/// The media type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that a scrape sees.
#[derive(Debug)]
pub struct Scrape {
    /// How the server is.
    pub overview: Overview,
    /// What sessions and agents have counted.
    pub metrics: Metrics,
    /// What the wire has counted.
    pub wire: WireReading,
    /// The agent's version, where it is known.
    pub agent_version: Option<String>,
}

/// What went over the wire.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "as in `Traffic`")]
pub struct WireReading {
    pub routes: Vec<RouteReading>,
    pub frames_in: u64,
    pub bytes_out: u64,
    pub slow_devices: u64,
}

/// Writes the page.
///
/// # Errors
/// Writing into a string does not fail; the library's signature says that it might.
pub fn page(scrape: Scrape) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("tandem");
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.server(&mut page)?;
        self.sessions(&mut page)?;
        self.messages(&mut page)?;
        self.agents(&mut page)?;
        self.locks(&mut page)?;
        self.journal(&mut page)?;
        self.traffic(&mut page)
    }
}

impl Scrape {
    fn server(&self, page: &mut Page<'_>) -> fmt::Result {
        let overview = &self.overview;
        let agent_version = self.agent_version.as_deref().unwrap_or("unknown");
        let build = [("version", env!("CARGO_PKG_VERSION")), ("agent_version", agent_version)];
        page.info("build", "Versions of the server and of its agent", &build)?;
        page.seconds("uptime", "Time since the server was started", overview.uptime.as_secs_f64())?;
        if let Some(bytes) = overview.server_memory_bytes {
            page.bytes("server_memory", "Resident memory of the server", bytes)?;
        }
        let troubles = &overview.troubles;
        let states = [
            ("storage", troubles.storage.is_some()),
            ("agent", troubles.agent.is_some()),
            ("stopping", troubles.is_stopping),
        ];
        let states = states.map(|(part, is_trouble)| (part, u64::from(is_trouble)));
        page.gauges("trouble", "1 while this part keeps the server from being ready", "part", states)?;
        page.gauge("connections", "Open WebSockets", overview.connections)?;
        page.gauge("devices_online", "Devices with an open WebSocket", overview.devices_online)
    }

    fn sessions(&self, page: &mut Page<'_>) -> fmt::Result {
        let (sessions, metrics) = (&self.overview.sessions, &self.metrics);
        let with =
            |status: Status| sessions.iter().filter(|seen| seen.summary.status == status).count() as u64;
        let by_status = Status::ALL.map(|status| (status.word(), with(status)));
        page.gauges("sessions", "Sessions by what they are doing", "status", by_status)?;
        let queued: usize = sessions.iter().map(|seen| seen.summary.queued).sum();
        page.gauge("queued_messages", "Messages that wait for their turn, in all sessions", queued)?;
        let lag = sessions.iter().filter_map(|seen| seen.lag_events).max().unwrap_or(0);
        page.gauge("lag_events", "Events that the slowest device lacks of those that acknowledge", lag)?;
        page.counter("sessions_created", "Sessions begun", &metrics.sessions_created)?;
        page.counter("sessions_loaded", "Sessions brought into memory", &metrics.sessions_loaded)?;
        page.counter("session_panics", "Panics of a session, each a bug", &metrics.session_panics)?;
        let help = "Events written to bring sessions to rest that a stop of the server had cut off";
        page.counter("recovery_events", help, &metrics.recovery_events)
    }

    fn messages(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        page.counter("messages_accepted", "Messages taken in", &metrics.messages_accepted)?;
        page.counter(
            "messages_duplicate",
            "Messages sent again and known before",
            &metrics.messages_duplicate,
        )?;
        page.counters("messages_refused", "Messages refused", "code", &metrics.messages_refused)?;
        page.counters("turns", "Turns that ended", "outcome", &metrics.turns)?;
        let waiting: usize = self.overview.sessions.iter().map(|seen| seen.summary.approvals).sum();
        page.gauge("approvals_waiting", "Questions of agents that nobody has answered yet", waiting)?;
        page.counter("approvals_requested", "Questions of agents", &metrics.approvals_requested)?;
        page.counters("approvals_resolved", "What became of them", "decision", &metrics.approvals_resolved)
    }

    fn agents(&self, page: &mut Page<'_>) -> fmt::Result {
        let (slots, metrics) = (self.overview.slots, &self.metrics);
        let places = [("max", slots.max), ("taken", slots.taken), ("waiting", slots.waiting)];
        let places = places.map(|(state, count)| (state, count as u64));
        page.gauges("slots", "Places for agents, and sessions that wait for one", "state", places)?;
        page.count("slots_granted", "Places given out", slots.counts.granted)?;
        page.count("slots_evicted", "Resting agents asked to make room", slots.counts.evicted)?;
        let bytes = self.overview.agent_memory_bytes();
        page.bytes("agent_memory", "Resident memory of all agents and what they started", bytes)?;
        page.counter("agent_starts", "Agents that became ready", &metrics.agent_starts)?;
        page.counter(
            "agent_restarts",
            "Starts that replaced an agent which had failed",
            &metrics.agent_restarts,
        )?;
        let help = "Agents that ended before they were ready";
        page.counter("agent_start_failures", help, &metrics.agent_start_failures)?;
        page.counters("agent_stops", "Agents that were ready and ended", "reason", &metrics.agent_stops)
    }

    fn locks(&self, page: &mut Page<'_>) -> fmt::Result {
        let (overview, metrics) = (&self.overview, &self.metrics);
        let states = [("held", overview.locks_held as u64), ("waiting", overview.locks_waiting as u64)];
        page.gauges("locks", "Requests for locks that hold, and that wait", "state", states)?;
        page.counter("locks_acquired", "Requests for locks that were granted", &metrics.locks_acquired)?;
        let help = "Requests for locks that found somebody in front of them and waited";
        page.counter("locks_contended", help, &metrics.locks_waited_for)?;
        page.counters("locks_denied", "Requests for locks that got none", "reason", &metrics.locks_denied)?;
        page.counter("locks_expired", "Locks that were not renewed in time", &metrics.locks_expired)?;
        page.counter("locks_forced", "Locks that a person took away", &metrics.locks_forced)?;
        page.gauge("conflicts_open", "Conflicts that nobody has settled yet", overview.conflicts_open)?;
        page.counters("conflicts", "Conflicts found", "type", &metrics.conflicts_found)?;
        page.counters("conflicts_settled", "How they ended", "outcome", &metrics.conflicts_settled)
    }

    fn journal(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let help = "From handing events to the journal until they are on disk";
        page.histogram("append", help, Some(&Unit::Seconds), &metrics.append_seconds.read())?;
        page.histogram("append_events", "Events written together", None, &metrics.append_events.read())?;
        let failures =
            [("none", metrics.appends_not_written.get()), ("unknown", metrics.appends_unknown.get())];
        page.counts("append_failures", "Appends that failed, by what is on disk then", "effect", failures)?;
        let help = "From being on disk until a connection that was up to date takes the events";
        page.histogram("delivery", help, Some(&Unit::Seconds), &metrics.delivery_seconds.read())?;
        page.counter("catch_ups", "Connections that had to read from the journal", &metrics.catch_ups)?;
        let help = "Events that such a connection was behind";
        page.histogram("catch_up_events", help, None, &metrics.catch_up_events.read())
    }

    fn traffic(&self, page: &mut Page<'_>) -> fmt::Result {
        let wire = &self.wire;
        page.count("ws_frames_received", "Messages that came through WebSockets", wire.frames_in)?;
        page.count("ws_sent_bytes", "Bytes that went out through WebSockets", wire.bytes_out)?;
        page.count("slow_devices_cut_off", "Connections cut off because nobody read", wire.slow_devices)?;
        page.requests(&wire.routes)
    }
}

/// The page as it is written, one family after the other.
struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.family(name, help, MetricType::Info, |mut info| info.encode_info(&labels))
    }

    fn seconds(&mut self, name: &str, help: &str, seconds: f64) -> fmt::Result {
        let unit = Unit::Seconds;
        self.0.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?.encode_gauge(&seconds)
    }

    fn bytes(&mut self, name: &str, help: &str, bytes: u64) -> fmt::Result {
        let unit = Unit::Bytes;
        self.0.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?.encode_gauge(&bytes)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl TryInto<u64>) -> fmt::Result {
        let value = value.try_into().unwrap_or(u64::MAX);
        self.family(name, help, MetricType::Gauge, |mut gauge| gauge.encode_gauge(&value))
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, |mut family| {
            values
                .into_iter()
                .try_for_each(|(word, value)| family.encode_family(&[(label, word)])?.encode_gauge(&value))
        })
    }

    fn count(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        self.family(name, help, MetricType::Counter, |counter| encode_count(counter, count))
    }

    fn counter(&mut self, name: &str, help: &str, counter: &Counter) -> fmt::Result {
        self.count(name, help, counter.get())
    }

    fn counters<W: Worded>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: &ByWord<W>,
    ) -> fmt::Result {
        self.counts(name, help, label, counts.all())
    }

    fn counts(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, |mut family| {
            counts
                .into_iter()
                .try_for_each(|(word, count)| encode_count(family.encode_family(&[(label, word)])?, count))
        })
    }

    fn histogram(&mut self, name: &str, help: &str, unit: Option<&Unit>, reading: &Reading) -> fmt::Result {
        encode_histogram(self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?, reading)
    }

    fn requests(&mut self, routes: &[RouteReading]) -> fmt::Result {
        let help = "HTTP requests by route and status";
        self.family("http_requests", help, MetricType::Counter, |mut family| {
            routes.iter().try_for_each(|route| {
                route.statuses.iter().try_for_each(|(status, count)| {
                    let labels = [("route", route.route.clone()), ("status", status.to_string())];
                    encode_count(family.encode_family(&labels)?, *count)
                })
            })
        })?;
        let (help, unit) = ("Time until the answer to an HTTP request began", Unit::Seconds);
        let mut family =
            self.0.encode_descriptor("http_request_duration", help, Some(&unit), MetricType::Histogram)?;
        routes.iter().try_for_each(|route| {
            encode_histogram(family.encode_family(&[("route", route.route.as_str())])?, &route.seconds)
        })
    }
}

fn encode_count(mut counter: MetricEncoder<'_>, count: u64) -> fmt::Result {
    counter.encode_counter::<NoLabelSet, u64, u64>(&count, None)
}

fn encode_histogram(mut histogram: MetricEncoder<'_>, reading: &Reading) -> fmt::Result {
    histogram.encode_histogram::<NoLabelSet>(reading.sum, reading.count(), &reading.buckets, None)
}

#[cfg(test)]
mod tests;
