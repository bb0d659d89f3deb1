//! A server on a port of its own, over an actor system without sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor as _;
use futures_util::FutureExt as _;
use tandem::access::Access;
use tandem::server::{Server, Stopper, listen};
use tandem::service::Settings;
use tandem_actors::agent::gauge::{NoGauge, ProcGauge};
use tandem_actors::agent::process::{Environment, ProcessConfig, ProcessLauncher};
use tandem_actors::clock::{Clock, SystemClock};
use tandem_actors::files::{Files, Versions};
use tandem_actors::guard::{Guard, Rules};
use tandem_actors::hub::Hub;
use tandem_actors::journal::MemoryJournal;
use tandem_actors::locks::{Fence, Keeper};
use tandem_actors::metrics::Metrics;
use tandem_actors::project::{Enforcement, LockDesk, LockPolicy, ProjectParts, Projects};
use tandem_actors::registry::{Board, Cursors, Directory, Limits, Notices, Registry, Setup, Slots};
use tandem_actors::session::{Policy, Surroundings};

/// The token that the server takes.
pub(crate) const TOKEN: &str = "secret-token";

/// A running server; `stop` it at the end of the test.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    pub(crate) board: Arc<Board>,
    pub(crate) journal: MemoryJournal,
    stopper: Stopper,
    running: actix_rt::task::JoinHandle<std::io::Result<()>>,
}

impl Wire {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings =
            Settings { workers: 1, shutdown_within: Duration::from_secs(1), ..Settings::default() };
        change(&mut settings);
        let journal = MemoryJournal::new();
        let hub = hub(&journal);
        let board = hub.board.clone();
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let server = Server::new(listener, settings, hub, access()).unwrap();
        Self {
            address: server.addr(),
            board,
            journal,
            stopper: server.stopper(),
            running: actix_rt::spawn(server.run()),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request with the right token.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new().request(method.parse().unwrap(), self.url(path)).bearer_auth(TOKEN)
    }

    /// How many connections the server counts.
    pub(crate) async fn connections(&self) -> u64 {
        let health = reqwest::get(self.url("/health")).await.unwrap();
        let health: serde_json::Value = health.json().await.unwrap();
        health["connections"].as_u64().unwrap()
    }

    /// Waits until the server counts so many connections.
    pub(crate) async fn has_connections(&self, expected: u64) {
        let mut last = u64::MAX;
        let reached = async {
            while last != expected {
                last = self.connections().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(5), reached).await;
        assert!(in_time.is_ok(), "{last} connections and not {expected}");
    }

    pub(crate) async fn stop(self) {
        self.stopper.stop().await;
        self.running.await.unwrap().unwrap();
    }
}

fn hub(journal: &MemoryJournal) -> Hub {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let board = Arc::new(Board::default());
    let directory = Arc::new(Directory::new(clock.clone(), Vec::new()));
    let cursors = Arc::new(Cursors::default());
    let notices = Notices::load(Arc::new(journal.clone()), clock.clone(), board.clone(), directory.clone());
    let notices = notices.now_or_never().unwrap().unwrap();
    let slots = Slots::new(10);
    let metrics = Metrics::default();
    let mut simulator = ProcessConfig::new(env!("CARGO_BIN_EXE_tandem"), Environment::inherited(&[]));
    simulator.args_prefix = vec!["simulator".into()];
    let projects = Projects::start(ProjectParts {
        journal: Arc::new(journal.clone()),
        clock: clock.clone(),
        encoder: tandem::ws::frame::encode,
        board: board.clone(),
        metrics: metrics.clone(),
        allowed_roots: vec![std::env::temp_dir()],
        enforcement: Enforcement::On,
        arbiter: actix_rt::Arbiter::current(),
        channels: Vec::new(),
    });
    let keeper = Keeper::new(clock.clone(), Arc::new(journal.clone()), projects.clone(), Fence(0));
    let files = Files::new(tandem_actors::files::Parts {
        keeper: keeper.clone(),
        feed: projects.clone(),
        blobs: Arc::new(journal.clone()),
        versions: Versions::none(),
        clock: clock.clone(),
        allowed_roots: vec![std::env::temp_dir()],
        own_folder: None,
        waits: Vec::new(),
        lock_wait: Duration::ZERO,
    });
    let locks = Arc::new(LockDesk::new(keeper.clone(), projects.clone(), LockPolicy::default()));
    let enforcements = projects.enforcements().clone();
    let guard = Arc::new(Guard::new(keeper, Rules::default(), enforcements, board.clone(), clock.clone()));
    let around = Surroundings {
        journal: Arc::new(journal.clone()),
        launcher: Arc::new(ProcessLauncher::start(simulator, Arc::new(journal.clone())).unwrap()),
        clock: clock.clone(),
        board: board.clone(),
        policy: Policy::default(),
        slots: slots.clone(),
        guard,
        metrics: metrics.clone(),
        grace: Duration::from_secs(1),
    };
    let setup = Setup {
        around,
        gauge: Arc::new(NoGauge),
        limits: Limits { max_total_memory_bytes: u64::MAX, max_cpu_percent: 100.0 },
        directory: directory.clone(),
        cursors: cursors.clone(),
        encoder: tandem::ws::frame::encode,
        allowed_roots: vec![std::env::temp_dir()],
        arbiters: Vec::new(),
    };
    let registry = Registry::new(setup).start();
    let (journal, gauge) = (Arc::new(journal.clone()), Arc::new(ProcGauge::default()));
    Hub {
        registry,
        board,
        directory,
        cursors,
        notices,
        journal,
        clock,
        slots,
        metrics,
        gauge,
        projects,
        locks,
        files,
    }
}

fn access() -> Access {
    Access {
        is_token_valid: Arc::new(|token| token == TOKEN),
        is_origin_allowed: Arc::new(|origin, _host| {
            origin.is_none_or(|origin| origin == "http://app.example")
        }),
    }
}
