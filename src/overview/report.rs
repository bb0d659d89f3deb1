//! `GET /api/metrics/sessions`: counts and sums as JSON. The same types are read by `tandem top`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tandem_actors::clock::Timestamp;
use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::metrics::{Metrics, Reading};
use tandem_actors::session::Status;

use super::{Overview, Seen};

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct Report {
    pub version: String,
    pub at: Timestamp,
    pub uptime_seconds: u64,
    /// Why the server does not take work; empty when it does.
    pub troubles: Vec<String>,
    pub totals: Totals,
    pub slots: SlotTotals,
    pub latency: Latencies,
    /// The newest activity first; those with an agent before all others.
    pub sessions: Vec<SessionEntry>,
}

/// Of all sessions together, listed or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct Totals {
    pub sessions: usize,
    pub by_status: BTreeMap<String, usize>,
    pub queued: usize,
    pub approvals: usize,
    pub turns: u64,
    pub messages: u64,
    pub cost_usd: f64,
    pub agents: usize,
    pub agent_memory_bytes: u64,
    pub server_memory_bytes: Option<u64>,
    pub connections: usize,
    pub devices_online: usize,
}

/// The places for agents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct SlotTotals {
    pub max: usize,
    pub taken: usize,
    pub waiting: usize,
    /// Since the server was started.
    pub granted: u64,
    /// Since the server was started.
    pub evicted: u64,
}

/// How long things take, since the server was started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    /// From handing events to the journal until they are durable.
    pub append: Latency,
    /// From being durable until a connection takes them.
    pub delivery: Latency,
}

/// How long one thing takes; estimated from a histogram's buckets, null when it never took place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct Latency {
    pub count: u64,
    pub p50_seconds: Option<f64>,
    pub p99_seconds: Option<f64>,
    /// How many were at most so many seconds and more than those before; null: more than all others. What lies between two
    /// reports is how long things took in that time.
    #[serde(default)]
    pub buckets: Vec<(Option<f64>, u64)>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub struct SessionEntry {
    pub session_id: SessionId,
    pub project_path: String,
    pub title: Option<String>,
    pub status: Status,
    pub head: Seq,
    pub queued: usize,
    pub approvals: usize,
    /// Linked to it.
    pub devices: usize,
    /// Following it now.
    pub devices_online: usize,
    pub turns: u64,
    pub messages: u64,
    pub cost_usd: f64,
    pub pid: Option<u32>,
    /// Of the agent and everything that it started.
    pub memory_bytes: Option<u64>,
    /// What the slowest device lacks of those that acknowledge; null when none does.
    pub lag_events: Option<Seq>,
    pub last_activity_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Report {
    /// Adds everything up, and lists at most `limit` sessions.
    #[must_use]
    pub fn of(overview: &Overview, metrics: &Metrics, at: Timestamp, limit: usize) -> Self {
        let (with_agent, without): (Vec<&Seen>, Vec<&Seen>) =
            overview.sessions.iter().partition(|seen| seen.summary.pid.is_some());
        let usage = overview.slots;
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at,
            uptime_seconds: overview.uptime.as_secs(),
            troubles: overview.troubles.reasons(),
            totals: Totals::of(overview),
            slots: SlotTotals {
                max: usage.max,
                taken: usage.taken,
                waiting: usage.waiting,
                granted: usage.counts.granted,
                evicted: usage.counts.evicted,
            },
            latency: Latencies {
                append: Latency::of(&metrics.append_seconds.read()),
                delivery: Latency::of(&metrics.delivery_seconds.read()),
            },
            sessions: with_agent.into_iter().chain(without).take(limit).map(SessionEntry::of).collect(),
        }
    }
}

impl Totals {
    fn of(overview: &Overview) -> Self {
        let mut totals = Self {
            sessions: overview.sessions.len(),
            by_status: Status::ALL.iter().map(|status| (status.word().to_owned(), 0)).collect(),
            agent_memory_bytes: overview.agent_memory_bytes(),
            server_memory_bytes: overview.server_memory_bytes,
            connections: overview.connections,
            devices_online: overview.devices_online,
            ..Self::default()
        };
        for seen in &overview.sessions {
            let summary = &seen.summary;
            *totals.by_status.entry(summary.status.word().to_owned()).or_default() += 1;
            totals.queued += summary.queued;
            totals.approvals += summary.approvals;
            totals.turns += summary.turns;
            totals.messages += summary.messages;
            totals.cost_usd += summary.cost_usd;
            totals.agents += usize::from(summary.pid.is_some());
        }
        totals
    }
}

impl Latency {
    fn of(reading: &Reading) -> Self {
        Self {
            count: reading.count(),
            p50_seconds: reading.quantile(0.5),
            p99_seconds: reading.quantile(0.99),
            buckets: reading.buckets.iter().map(|(upper, count)| (finite(*upper), *count)).collect(),
        }
    }
}

/// JSON has no infinity.
fn finite(bound: f64) -> Option<f64> {
    bound.is_finite().then_some(bound)
}

impl SessionEntry {
    fn of(seen: &Seen) -> Self {
        let summary = &seen.summary;
        Self {
            session_id: summary.session_id,
            project_path: summary.project_path.clone(),
            title: summary.title.clone(),
            status: summary.status,
            head: summary.head,
            queued: summary.queued,
            approvals: summary.approvals,
            devices: summary.devices.len(),
            devices_online: seen.online,
            turns: summary.turns,
            messages: summary.messages,
            cost_usd: summary.cost_usd,
            pid: summary.pid,
            memory_bytes: seen.memory_bytes,
            lag_events: seen.lag_events,
            last_activity_at: summary.last_activity_at,
            expires_at: summary.expires_at,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tandem_actors::registry::Usage;
    use tandem_actors::session::Summary;

    use super::*;
    use crate::overview::Troubles;

    /// A session with an agent or without.
    pub(crate) fn seen(status: Status, pid: Option<u32>) -> Seen {
        let at = Timestamp::from_millis(1_790_000_000_000);
        let summary = Summary {
            session_id: SessionId::random(),
            project_path: "/home/ada/tandem".into(),
            title: None,
            status,
            head: 9,
            created_at: at,
            last_activity_at: at,
            expires_at: at,
            turns: 2,
            messages: 3,
            queued: 1,
            approvals: usize::from(status == Status::WaitingForApproval),
            notable: 0,
            cost_usd: 0.25,
            devices: Vec::new(),
            online: Vec::new(),
            pid,
            is_warned: false,
        };
        let memory_bytes = pid.map(|_| 100 << 20);
        Seen { summary: Arc::new(summary), memory_bytes, online: 0, lag_events: None }
    }

    pub(crate) fn overview(sessions: Vec<Seen>) -> Overview {
        Overview {
            sessions,
            slots: Usage { max: 10, taken: 1, waiting: 0, counts: Default::default() },
            connections: 2,
            devices_online: 1,
            server_memory_bytes: Some(20 << 20),
            locks_held: 2,
            locks_waiting: 1,
            conflicts_open: 3,
            uptime: Duration::from_secs(61),
            troubles: Troubles::default(),
        }
    }

    #[test]
    fn sums_are_of_all_sessions_and_the_list_begins_with_agents() {
        let sessions = vec![
            seen(Status::Idle, None),
            seen(Status::WaitingForApproval, Some(7)),
            seen(Status::Closed, None),
        ];
        let metrics = Metrics::default();
        metrics.append_seconds.observe(0.0002);
        let report = Report::of(&overview(sessions), &metrics, Timestamp::from_millis(0), 2);
        let totals = &report.totals;
        assert_eq!((totals.sessions, totals.queued, totals.approvals, totals.turns), (3, 3, 1, 6));
        assert_eq!((totals.agents, totals.agent_memory_bytes, totals.cost_usd), (1, 100 << 20, 0.75));
        assert_eq!(totals.by_status["idle"], 1);
        assert_eq!(totals.by_status["running"], 0, "a status that no session has is there all the same");
        assert_eq!(report.sessions.len(), 2);
        assert_eq!(report.sessions[0].pid, Some(7));
        assert_eq!(report.latency.append.count, 1);
        let buckets = &report.latency.append.buckets;
        assert_eq!(buckets[1], (Some(0.000_25), 1), "0.2 ms");
        assert_eq!(buckets.last(), Some(&(None, 0)), "above all bounds");
        let delivery = &report.latency.delivery;
        assert_eq!((delivery.count, delivery.p50_seconds), (0, None));
        assert!(delivery.buckets.iter().all(|(_, count)| *count == 0));
    }
}
