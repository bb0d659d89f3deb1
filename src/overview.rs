//! How the whole server is at one moment: what `/health`, `/metrics`, `/api/metrics/sessions` and `tandem top` show.

pub mod prometheus;
pub mod report;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use tandem_actors::ids::{Seq, SessionId};
use tandem_actors::registry::{Loaded, Usage};
use tandem_actors::room::Room;
use tandem_actors::session::Summary;

use crate::service::Service;

/// What strangers are told when the disk takes no writes; what exactly is wrong is in the log.
const STORAGE_TROUBLE: &str = "the server cannot write: its disk is full or fails; its log says more";

/// See the module.
#[derive(Debug)]
pub struct Overview {
    /// All sessions, the newest activity first.
    pub sessions: Vec<Seen>,
    /// The places for agents.
    pub slots: Usage,
    /// Open WebSockets.
    pub connections: usize,
    /// Devices with at least one of them.
    pub devices_online: usize,
    /// What the server itself takes, resident; none where that cannot be told.
    pub server_memory_bytes: Option<u64>,
    /// Requests for locks that hold.
    pub locks_held: usize,
    /// Requests for locks that wait.
    pub locks_waiting: usize,
    /// Conflicts that nobody has settled yet.
    pub conflicts_open: usize,
    /// Since it was started.
    pub uptime: Duration,
    /// Why the server cannot do its work, if so.
    pub troubles: Troubles,
}

/// One session.
#[derive(Debug, Clone)]
pub struct Seen {
    /// As the list shows it.
    pub summary: Arc<Summary>,
    /// What its agent and everything that it started take.
    pub memory_bytes: Option<u64>,
    /// Devices that follow it now.
    pub online: usize,
    /// How many events the slowest of them lacks; known of devices that acknowledge.
    pub lag_events: Option<Seq>,
}

/// What keeps the server from its work. Each is a clause for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    /// It takes nothing new.
    pub is_stopping: bool,
    /// The journal takes no writes.
    pub storage: Option<String>,
    /// No agent can be started.
    pub agent: Option<String>,
}

impl Overview {
    /// Looks at everything. Reads `/proc` on a thread for blocking work.
    pub async fn of(service: &Service) -> Self {
        let hub = &service.hub;
        let (summaries, _) = hub.board.all();
        // A registry that is gone has no session in memory.
        let loaded = hub.registry.send(Loaded).await.unwrap_or_default();
        let rooms: HashMap<SessionId, Arc<Room>> =
            loaded.into_iter().map(|handle| (handle.session, handle.room)).collect();
        let memory = memory_of_agents(service, &summaries).await;
        let see = |summary: Arc<Summary>| {
            let session = summary.session_id;
            let (online, lag_events) = rooms.get(&session).map_or((0, None), |room| presence(room));
            Seen { memory_bytes: memory.get(&session).copied(), online, lag_events, summary }
        };
        let (locks_held, locks_waiting) = hub.locks.keeper().counts();
        Self {
            sessions: summaries.into_iter().map(see).collect(),
            slots: hub.slots.usage(),
            connections: service.doors.connections(),
            devices_online: hub.directory.online(),
            server_memory_bytes: resident_bytes(),
            locks_held,
            locks_waiting,
            conflicts_open: hub.projects.list().iter().map(|project| project.open_conflicts).sum(),
            uptime: service.started.elapsed(),
            troubles: Troubles::of(service),
        }
    }

    /// What all agents take.
    #[must_use]
    pub fn agent_memory_bytes(&self) -> u64 {
        self.sessions.iter().filter_map(|seen| seen.memory_bytes).sum()
    }
}

impl Troubles {
    /// Looks for them.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        Self {
            is_stopping: service.doors.is_closing(),
            storage: service.hub.journal.trouble().map(|_logged| STORAGE_TROUBLE.to_owned()),
            agent: service.settings.agent.problem.clone().or_else(|| service.hub.metrics.agent_trouble()),
        }
    }

    /// All of them, as sentences without a full stop; empty when the server takes work.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let stopping = self.is_stopping.then(|| "the server is stopping".to_owned());
        let storage = self.storage.as_ref().map(|trouble| format!("storage: {trouble}"));
        let agent = self.agent.as_ref().map(|trouble| format!("agent: {trouble}"));
        [stopping, storage, agent].into_iter().flatten().collect()
    }
}

/// How many devices are in a room, and how many events the slowest of those lacks that acknowledge.
fn presence(room: &Room) -> (usize, Option<Seq>) {
    let mut online = room.roster();
    online.retain(|present| present.is_online);
    let head = room.tail().head();
    let acked = online.iter().map(|present| room.acked_seq(&present.device)).filter(|seq| *seq > 0);
    (online.len(), acked.map(|seq| head.saturating_sub(seq)).max())
}

/// What the tree of each agent takes.
pub(crate) async fn memory_of_agents(
    service: &Service,
    summaries: &[Arc<Summary>],
) -> HashMap<SessionId, u64> {
    let agents: Vec<(SessionId, u32)> =
        summaries.iter().filter_map(|summary| Some((summary.session_id, summary.pid?))).collect();
    if agents.is_empty() {
        return HashMap::new();
    }
    let gauge = service.hub.gauge.clone();
    // A measurement that panicked has measured nothing.
    web::block(move || gauge.memory(&agents)).await.unwrap_or_default()
}

/// What this process holds in memory; none where there is no `/proc`.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use tandem_actors::clock::Timestamp;
    use tandem_actors::event::{ChainHash, Event, Record};
    use tandem_actors::ids::{ConnectionId, Term};
    use tandem_actors::room::Parting;
    use tandem_actors::session::DeviceCard;

    use super::*;

    #[test]
    fn the_slowest_device_that_acknowledges_counts() {
        let session = SessionId::random();
        let room = Arc::new(Room::new(session, crate::ws::frame::encode));
        assert_eq!(presence(&room), (0, None));
        let mut last = (0, ChainHash::start(session));
        for _ in 0..5 {
            let event = Event::DeviceUnlinked { device_id: "phone".parse().unwrap(), reason: "left".into() };
            let record = Record::new(last, Term(1), Timestamp::from_millis(0), &event).unwrap();
            last = (record.seq, record.hash);
            room.tail().append(&[record]);
        }
        let stays = ["phone", "phone", "laptop", "script"].map(|device| {
            let card = DeviceCard { device_id: device.parse().unwrap(), device_name: None, kind: None };
            room.enter(ConnectionId::random(), &card, Parting::default())
        });
        assert_eq!(presence(&room), (3, None), "nobody has said how far it is");
        stays[0].ack(2);
        stays[1].ack(4);
        stays[2].ack(3);
        assert_eq!(presence(&room), (3, Some(2)), "the laptop lacks two, the phone's other window has more");
    }

    #[test]
    fn this_process_takes_memory() {
        assert!(resident_bytes().unwrap() > 1_000_000);
    }

    #[test]
    fn every_trouble_is_named() {
        assert!(Troubles::default().reasons().is_empty());
        let troubles = Troubles { is_stopping: true, storage: Some("full".into()), agent: None };
        assert_eq!(troubles.reasons(), ["the server is stopping", "storage: full"]);
    }
}
