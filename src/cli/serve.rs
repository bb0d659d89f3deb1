//! `tandem serve`: puts the server together, runs it until it is told to stop, and takes it down in good order.

mod agent;
mod banner;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use clap::Args;
use tandem_actors::agent::gauge::ProcGauge;
use tandem_actors::clock::{Clock as _, SystemClock};
use tandem_actors::files::{MAX_VERSION_BYTES, Versions};
use tandem_actors::guard::Rules;
use tandem_actors::ids::UserId;
use tandem_actors::project::LockPolicy;
use tandem_actors::registry::Limits;
use tandem_actors::session::Policy;
use tandem_actors::system::{Parts, System};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::access::Access;
use crate::auth::{OriginPolicy, TokenCheck, read_token, token_for_first_start};
use crate::cli::link::Links;
use crate::config::{Config, Loaded};
use crate::git::{self, Ledger, Program};
use crate::server::{self, Server, Stopper};
use crate::service::Settings;
use crate::store::{Faults, SqliteJournal, TokenRow};
use crate::ws::frame;

use self::agent::Agent;

/// Arguments of `serve`; what it can be told is in the settings.
#[derive(Debug, Clone, Copy, Args)]
pub struct ServeArgs {}

/// Threads on which sessions live. Their work is short, and the disk and the agents have threads of their own.
const SESSION_THREADS: usize = 2;

/// Below the data folder; what is in it is needed by nobody after the server has ended.
const VERSIONS_FOLDER: &str = "versions";

/// Below the data folder: in which trees git operations are at work.
const GIT_FOLDER: &str = "git";

/// How the process ends when it cannot know whether its last writes are on the disk; `EX_SOFTWARE` of sysexits.h, which
/// a service manager answers with a new start.
const EXIT_IN_DOUBT: i32 = 70;

/// Runs the server until a signal ends it: the first asks it to stop in good order, the second ends it at once.
///
/// # Errors
/// When it cannot start; the error says what to do.
pub async fn run(loaded: Loaded, _args: ServeArgs) -> anyhow::Result<()> {
    let config = &loaded.config;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    // First of all: where the port is taken, nothing is opened, woken or written.
    let listener = server::listen(config.server.address()).with_context(|| {
        format!("cannot listen at {}: is another Tandem running there? Try --port", config.server.address())
    })?;
    let journal = Arc::new(SqliteJournal::open_with_faults(&config.data.dir, Faults::of_environment())?);
    let access = access(config, &journal).await?;
    let agent = Agent::find(&config.agent).await?;
    let versions = Versions::open(config.data.dir.join(VERSIONS_FOLDER), MAX_VERSION_BYTES)
        .context("the folder for versions of files cannot be emptied")?;
    let git_ledger = git_ledger(config).await?;
    let system = System::start(Parts {
        journal: journal.clone(),
        launcher: Arc::new(agent.launcher(journal.clone())?),
        clock: Arc::new(SystemClock::new()),
        encoder: frame::encode,
        policy: policy(config),
        guard: rules(config),
        max_agents: config.agent.max_concurrent,
        gauge: Arc::new(ProcGauge::default()),
        limits: limits(config),
        grace: Duration::from_secs(config.shutdown.grace_seconds),
        allowed_roots: config.projects.allowed_roots.clone(),
        own_folder: Some(config.data.dir.clone()),
        locks: LockPolicy {
            ttl: Duration::from_secs(config.locks.ttl_seconds),
            wait: Duration::from_secs(config.locks.wait_seconds),
        },
        versions,
        is_watching: true,
        threads: SESSION_THREADS,
    })
    .await
    .context("the list of sessions cannot be read")?;
    let settings = Settings { git_ledger: Some(git_ledger), ..settings(&loaded, &agent)? };
    let server = Server::new(listener, settings, system.hub().clone(), access)
        .context("cannot serve the address that was taken")?;
    let links = links(config, server.addr())?;
    print!("{}", banner::banner(server.addr(), &agent, config, links.as_ref()));
    let stopper = server.stopper();
    let serving = actix_web::rt::spawn(server.run());

    let name = tokio::select! {
        name = signals.next() => name,
        reason = journal.in_doubt() => give_up(&stopper, &reason).await,
    };
    tracing::info!(signal = name, "stopping in good order; once more to force it");
    let forced = async {
        signals.next().await;
    };
    let orderly = async {
        stopper.stop().await;
        system.stop().await;
    };
    tokio::select! {
        () = orderly => {}
        reason = journal.in_doubt() => give_up(&stopper, &reason).await,
        () = forced => {
            tracing::warn!("stopped by force: what was not finished is recovered at the next start");
            std::process::exit(130);
        }
    }
    serving.await.context("the server's task ended early")?.context("the server failed")?;
    journal.close();
    tracing::info!("stopped");
    Ok(())
}

/// Puts back what git operations of a server before this one have left, before any agent runs and any device comes.
async fn git_ledger(config: &Config) -> anyhow::Result<Ledger> {
    let ledger = Ledger::open(&config.data.dir.join(GIT_FOLDER))
        .context("the folder for git operations at work cannot be made")?;
    if let Some(program) = Program::find() {
        git::recover_left(&program, &ledger, &config.projects.allowed_roots).await;
    }
    Ok(ledger)
}

/// Ends the process: what its actors know may not be what the disk holds, so nothing of it is kept. Agents die with it.
async fn give_up(stopper: &Stopper, reason: &str) -> ! {
    tracing::error!(
        reason,
        "the journal is in doubt: this process ends, and the next start reads what is on the disk"
    );
    stopper.give_up().await;
    std::process::exit(EXIT_IN_DOUBT)
}

/// The links that open the page, for a person at a terminal and for nobody else: they hold the token.
fn links(config: &Config, address: SocketAddr) -> anyhow::Result<Option<Links>> {
    if !std::io::stdout().is_terminal() {
        return Ok(None);
    }
    Ok(Some(Links::new(address, &read_token(&config.data.dir)?)))
}

/// Who may come in: the token, made at first start, and the pages that may ask.
async fn access(config: &Config, journal: &SqliteJournal) -> anyhow::Result<Access> {
    let mut rows = journal.token_hashes().await.context("the tokens cannot be read")?;
    // The file's token always opens the server: a restored history may not know it, or the folder may have none yet.
    let token = token_for_first_start(&config.data.dir)?;
    if !rows.iter().any(|row| row.hash == token.hash()) {
        let row =
            TokenRow { hash: token.hash(), user_id: UserId::owner(), created_at: SystemClock::new().now() };
        journal.add_token(row.clone()).await.context("the token cannot be kept")?;
        rows.push(row);
    }
    let tokens = TokenCheck::new(rows.into_iter().map(|row| row.hash).collect());
    let origins = OriginPolicy::new(config.server.bind, config.server.allowed_origins.clone());
    Ok(Access {
        is_token_valid: Arc::new(move |token| tokens.is_valid(token)),
        is_origin_allowed: Arc::new(move |origin, host| origins.check(host, origin).is_ok()),
    })
}

fn policy(config: &Config) -> Policy {
    let seconds = |count: u64| TimeDelta::seconds(i64::try_from(count).unwrap_or(i64::MAX / 1_000));
    Policy {
        dedup_window: seconds(config.session.dedup_window_seconds),
        timeout: seconds(config.session.timeout_hours.saturating_mul(3_600)),
        warn_before: seconds(warning_seconds(config)),
        hang_after: Duration::from_secs(config.agent.hang_seconds),
        idle_after: Duration::from_secs(config.agent.idle_minutes.saturating_mul(60)),
        max_memory_bytes: config.agent.max_memory_mb << 20,
        deny_after: seconds(config.approvals.deny_after_minutes.saturating_mul(60)),
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        ttl: Duration::from_secs(config.locks.ttl_seconds),
        wait: Duration::from_secs(config.locks.agent_wait_seconds),
        enforcement: config.locks.enforcement,
        ..Rules::default()
    }
}

/// How long before it expires a session is warned; 0 when no warning is wanted.
fn warning_seconds(config: &Config) -> u64 {
    let session = &config.session;
    if session.warning_hours == 0 {
        return 0;
    }
    session.timeout_hours.saturating_sub(session.warning_hours).saturating_mul(3_600)
}

fn limits(config: &Config) -> Limits {
    #[expect(clippy::cast_precision_loss, reason = "a percentage is at most 100")]
    let max_cpu_percent = config.agent.cpu_limit_percent as f64;
    Limits { max_total_memory_bytes: config.agent.max_total_memory_gb << 30, max_cpu_percent }
}

fn settings(loaded: &Loaded, agent: &Agent) -> anyhow::Result<Settings> {
    let config = &loaded.config;
    Ok(Settings {
        max_connections: config.server.max_connections,
        heartbeat: Duration::from_secs(config.server.heartbeat_seconds),
        warn_before: Duration::from_secs(warning_seconds(config)),
        max_agents: config.agent.max_concurrent,
        max_memory_bytes: config.agent.max_total_memory_gb << 30,
        agent: agent.facts(),
        config: loaded.in_force()?,
        ..Settings::default()
    })
}

/// The signals by which people and service managers stop a program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
