//! The rounds that the registry makes: lifetimes, memory, the machine's load, sessions that nobody needs in memory.

use std::time::Duration;

use actix::prelude::*;
use chrono::TimeDelta;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Pressure, Registry};
use crate::agent::gauge::Load;
use crate::clock::Timestamp;
use crate::event::By;
use crate::ids::SessionId;
use crate::session::{Ask, Command, Measured, Rest, Status, Summary};

/// How often everything is looked at.
const ROUND_EVERY: Duration = Duration::from_secs(30);

/// How often the load is looked at while it holds starts back.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// For how long a busy machine can hold a start back: one that is always busy must still work.
const MAX_CPU_DELAY: Duration = Duration::from_secs(30);

/// A session that nobody has asked for in this time, without an agent and without a device, leaves the memory.
const REST_AFTER: Duration = Duration::from_secs(600);

/// How long an attachment lives that no message refers to: a device that was offline over night still finds it.
const UNUSED_BLOBS_LIVE: TimeDelta = TimeDelta::days(1);

/// How often those are looked for, and once at start.
const FORGET_BLOBS_EVERY: Duration = Duration::from_secs(3_600);

/// What all agents together may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Above this, no further agent is started, in bytes.
    pub max_total_memory_bytes: u64,
    /// Above this, starts are held back for a while; 100 switches it off.
    pub max_cpu_percent: f64,
}

impl Default for Limits {
    /// What the server does when nothing is configured.
    fn default() -> Self {
        Self { max_total_memory_bytes: 2 << 30, max_cpu_percent: 80.0 }
    }
}

impl Registry {
    /// Looks at everything now and then for ever.
    pub(super) fn make_rounds(&mut self, context: &mut Context<Self>) {
        context.run_interval(ROUND_EVERY, |registry, context| {
            registry.tend_lifetimes(context);
            registry.measure(context);
            registry.rest_sessions();
            registry.take_up_unfinished(context);
        });
        context.run_interval(FORGET_BLOBS_EVERY, |registry, _| registry.forget_unused_blobs());
        self.forget_unused_blobs();
        self.measure(context);
    }

    /// Removes attachments that were uploaded and never sent. What a message refers to is never among them.
    fn forget_unused_blobs(&self) {
        let before = self.around.clock.now().plus(-UNUSED_BLOBS_LIVE);
        let forgetting = self.around.journal.forget_unused(before);
        drop(actix_rt::spawn(async move {
            match forgetting.await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed attachments that no message refers to"),
                Err(error) => tracing::warn!(%error, "attachments that nobody needs could not be removed"),
            }
        }));
    }

    /// Sessions whose time has come are told so, and loaded for it when they are not in memory.
    fn tend_lifetimes(&mut self, context: &mut Context<Self>) {
        let now = self.around.clock.now();
        let warn_before = self.around.policy.warn_before;
        let (sessions, _) = self.around.board.all();
        for summary in sessions.iter().filter(|summary| is_due(summary, now, warn_before)) {
            let Ok(handle) = self.find(summary.session_id, context) else { continue };
            // Nobody waits for the outcome: what became of it is in the journal, and the next round looks again.
            let (reply, _) = oneshot::channel();
            drop(actix_rt::spawn(handle.addr.send(Ask { by: By::server(), command: Command::Tend, reply })));
        }
    }

    /// Measures on a thread for blocking work, one measurement at a time.
    pub(super) fn measure(&mut self, context: &mut Context<Self>) {
        if self.is_measuring || self.stopping.is_some() {
            return;
        }
        self.is_measuring = true;
        let (sessions, _) = self.around.board.all();
        let agents: Vec<(SessionId, u32)> =
            sessions.iter().filter_map(|summary| Some((summary.session_id, summary.pid?))).collect();
        let gauge = self.gauge.clone();
        let measuring = tokio::task::spawn_blocking(move || gauge.measure(&agents)).into_actor(self);
        context.spawn(measuring.map(|load, registry, context| {
            registry.is_measuring = false;
            if let Ok(load) = load {
                registry.take_load(&load, context);
            }
        }));
    }

    fn take_load(&mut self, load: &Load, context: &mut Context<Self>) {
        for (session, bytes) in &load.memory {
            if let Some(running) = self.sessions.get(session) {
                // Full: it is busy, and measured again in the next round.
                let _ = running.handle.addr.try_send(Measured { bytes: *bytes });
            }
        }
        let total: u64 = load.memory.values().sum();
        let is_busy = load.cpu_percent.is_some_and(|percent| percent > self.limits.max_cpu_percent);
        let pressure = if total > self.limits.max_total_memory_bytes {
            Some(Pressure::Memory)
        } else if is_busy {
            let until = *self.busy_until.get_or_insert_with(|| Instant::now() + MAX_CPU_DELAY);
            Some(Pressure::Cpu { until })
        } else {
            None
        };
        if !is_busy {
            self.busy_until = None;
        }
        if pressure.is_some() {
            context.run_later(LOOK_AGAIN_AFTER, Self::measure);
        }
        self.around.slots.set_pressure(pressure);
    }

    /// Sessions that have work and no actor, because they could not be loaded or have panicked too often, are tried again.
    fn take_up_unfinished(&mut self, context: &mut Context<Self>) {
        let (sessions, _) = self.around.board.all();
        for summary in sessions.iter().filter(|summary| summary.status.is_unfinished()) {
            // A refusal means that it is left alone for now; the next round looks again.
            let _ = self.find(summary.session_id, context);
        }
        let dead: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, running)| running.is_dead)
            .map(|(session, _)| *session)
            .collect();
        for session in dead {
            self.forget(session);
        }
    }

    fn rest_sessions(&self) {
        let unwanted = self.sessions.values().filter(|running| running.last_wanted.elapsed() > REST_AFTER);
        for running in unwanted.filter(|running| running.handle.room.is_empty()) {
            // Full or closed: it does not rest, or has gone.
            let _ = running.handle.addr.try_send(Rest);
        }
    }
}

fn is_due(summary: &Summary, now: Timestamp, warn_before: chrono::TimeDelta) -> bool {
    if matches!(summary.status, Status::Closed | Status::Expired) {
        return false;
    }
    let warns = warn_before > chrono::TimeDelta::zero() && !summary.is_warned;
    now >= summary.expires_at || (warns && now >= summary.expires_at.plus(-warn_before))
}
