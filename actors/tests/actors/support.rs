//! A house to test in: a journal in memory, agents played by the test, a clock that can be set.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde_json::Value;
use serde_json::value::RawValue;
use tandem_actors::agent::gauge::{Gauge, Load};
use tandem_actors::agent::{
    AgentHandle, AgentInput, AgentOutput, Exit, ExitCause, Launch, Launcher, Stop, Sweep, TurnResult,
};
use tandem_actors::clock::{ManualClock, Timestamp};
use tandem_actors::content::Content;
use tandem_actors::event::{Approval, By, Event, SubmitMode};
use tandem_actors::files::Versions;
use tandem_actors::guard::{Attempt, Collisions, Diverged, ReadAgain, Rules, Ruling, Writing};
use tandem_actors::hub::Hub;
use tandem_actors::ids::{Epoch, MessageId, Seq, SessionId, UserId};
use tandem_actors::journal::{Journal, MemoryJournal, TranscriptLine};
use tandem_actors::project::{Feed, LockPolicy, ProjectEvent};
use tandem_actors::refusal::Refusal;
use tandem_actors::registry::{Create, Limits};
use tandem_actors::session::{Answer, Command, DeviceCard, Policy, Submit, View};
use tandem_actors::system::{Parts, System};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long a test waits for something that must come; far more than it ever takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that a test needs, torn down with [`House::close`].
pub struct House {
    pub system: System,
    pub hub: Hub,
    pub journal: MemoryJournal,
    pub agents: Agents,
    pub clock: ManualClock,
    pub loads: Loads,
    pub desk: Desk,
    pub watchman: Watchman,
    folder: tempfile::TempDir,
}

/// What is measured, as the test wants it.
#[derive(Clone, Default)]
pub struct Loads(pub Arc<Mutex<Load>>);

impl Gauge for Loads {
    fn measure(&self, _agents: &[(SessionId, u32)]) -> Load {
        self.0.lock().unwrap().clone()
    }
}

/// What the guard goes by, as the test wants it, and what it has told.
#[derive(Clone, Default)]
pub struct Watchman {
    pub ruling: Arc<Mutex<Option<Ruling>>>,
    pub attempts: Arc<Mutex<Vec<Attempt>>>,
    pub told: Arc<Mutex<Vec<ProjectEvent>>>,
    pub writing: Arc<Mutex<Vec<Writing>>>,
    pub diverged: Arc<Mutex<Vec<Diverged>>>,
}

impl Watchman {
    fn rules(&self) -> Rules {
        let me = Arc::new(self.clone());
        Rules { collisions: Some(me.clone()), feed: me, ..Rules::default() }
    }

    /// All that was told of a kind, as JSON.
    pub fn told(&self, kind: &str) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        let told = told.iter().map(|event| serde_json::to_value(event).unwrap());
        told.filter(|event| event["kind"] == kind).map(|event| event["data"].clone()).collect()
    }
}

impl Collisions for Watchman {
    fn before_write(&self, attempt: Attempt) -> BoxFuture<'static, Ruling> {
        self.attempts.lock().unwrap().push(attempt.clone());
        match self.ruling.lock().unwrap().clone() {
            Some(ruling) => Box::pin(std::future::ready(ruling)),
            None => ReadAgain.before_write(attempt),
        }
    }

    fn begins(&self, writing: Writing) {
        self.writing.lock().unwrap().push(writing);
    }

    fn diverged(&self, diverged: Diverged) -> BoxFuture<'static, ()> {
        self.diverged.lock().unwrap().push(diverged);
        Box::pin(std::future::ready(()))
    }

    fn write_over(&self, attempt: Attempt) -> BoxFuture<'static, ()> {
        self.attempts.lock().unwrap().push(attempt);
        Box::pin(std::future::ready(()))
    }
}

impl Feed for Watchman {
    fn tell(&self, _project: &Arc<str>, event: ProjectEvent) {
        self.told.lock().unwrap().push(event);
    }
}

/// Agents that were launched and wait to be played.
#[derive(Clone)]
pub struct Agents {
    launched: Arc<Mutex<mpsc::UnboundedReceiver<Played>>>,
    panics: Arc<AtomicUsize>,
    dawdles: Arc<AtomicBool>,
}

struct Stage {
    launched: mpsc::UnboundedSender<Played>,
    panics: Arc<AtomicUsize>,
    desk: Desk,
    dawdles: Arc<AtomicBool>,
}

/// What agents have left behind outside of the journal; outlives the house, as a disk does.
#[derive(Clone, Default)]
pub struct Desk {
    /// The file in which the agent keeps its conversation.
    pub transcript: Arc<Mutex<Vec<TranscriptLine>>>,
    /// For which sessions was swept, each time.
    pub sweeps: Arc<Mutex<Vec<Vec<SessionId>>>>,
}

/// One agent, played by the test.
pub struct Played {
    pub launch: Launch,
    pub input: mpsc::Receiver<AgentInput>,
    pub output: mpsc::Sender<Vec<AgentOutput>>,
    pub stop: mpsc::Receiver<Stop>,
}

impl Launcher for Stage {
    fn launch(&self, launch: Launch) -> AgentHandle {
        let is_planted =
            self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        assert!(!is_planted, "a planted panic in the session's actor");
        let (input, played_input) = mpsc::channel(64);
        let (played_output, output) = mpsc::channel(2);
        let (stop, mut asked) = mpsc::channel(1);
        let (tell_stop, played_stop) = mpsc::channel(4);
        let last_words = played_output.clone();
        let dawdles = self.dawdles.clone();
        tokio::task::spawn_local(async move {
            // Every agent here obeys; a test that wants to see the request looks at `stop`.
            while let Some(how) = asked.recv().await {
                tell_stop.try_send(how).ok();
                if how == Stop::Nudge || dawdles.load(Ordering::SeqCst) {
                    continue;
                }
                let exit =
                    Exit { code: Some(0), signal: None, last_words: String::new(), cause: ExitCause::Asked };
                last_words.send(vec![AgentOutput::Exited(exit)]).await.ok();
            }
        });
        let played = Played { launch, input: played_input, output: played_output, stop: played_stop };
        self.launched.send(played).ok();
        AgentHandle { input, output, stop }
    }

    fn sweep(&self, sessions: Vec<SessionId>) -> BoxFuture<'static, Sweep> {
        self.desk.sweeps.lock().unwrap().push(sessions);
        Box::pin(std::future::ready(Sweep::default()))
    }

    fn transcript(
        &self,
        _project_path: PathBuf,
        _conversation: Uuid,
    ) -> BoxFuture<'static, io::Result<Vec<TranscriptLine>>> {
        let lines = self.desk.transcript.lock().unwrap().clone();
        Box::pin(std::future::ready(Ok(lines)))
    }
}

impl Desk {
    /// The agent writes this down.
    pub fn write(&self, lines: &[String]) {
        let lines =
            lines.iter().map(|line| TranscriptLine { file: "/x.jsonl".into(), line: (**line).into() });
        self.transcript.lock().unwrap().extend(lines);
    }

    /// A desk on which only the first lines have arrived.
    pub fn cut_after(&self, lines: usize) -> Self {
        let desk = Self::default();
        let transcript = self.transcript.lock().unwrap();
        desk.transcript.lock().unwrap().extend(transcript.iter().take(lines).cloned());
        desk
    }
}

pub fn start_of_time() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

impl House {
    pub async fn open() -> Self {
        Self::open_on(MemoryJournal::new()).await
    }

    /// A house on a journal that knows something already: a restart of the server.
    pub async fn open_on(journal: MemoryJournal) -> Self {
        Self::open_with(journal, Desk::default(), 100).await
    }

    /// The same, with what agents have left behind.
    pub async fn open_at(journal: MemoryJournal, desk: Desk) -> Self {
        Self::open_with(journal, desk, 100).await
    }

    /// A house with rules of its own.
    pub async fn open_under(policy: Policy) -> Self {
        Self::build(MemoryJournal::new(), Desk::default(), 100, policy).await
    }

    /// The same, with so many places for agents.
    pub async fn open_with(journal: MemoryJournal, desk: Desk, slots: usize) -> Self {
        Self::build(journal, desk, slots, Policy::default()).await
    }

    async fn build(journal: MemoryJournal, desk: Desk, slots: usize, policy: Policy) -> Self {
        let loads = Loads::default();
        let watchman = Watchman::default();
        let panics = Arc::new(AtomicUsize::new(0));
        let dawdles = Arc::new(AtomicBool::new(false));
        let (launched, played) = mpsc::unbounded_channel();
        let clock = ManualClock::at(start_of_time());
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts {
            journal: Arc::new(journal.clone()),
            launcher: Arc::new(Stage {
                launched,
                desk: desk.clone(),
                panics: panics.clone(),
                dawdles: dawdles.clone(),
            }),
            clock: Arc::new(clock.clone()),
            encoder: |payload, out| {
                out.extend_from_slice(payload);
                out.push(b'\n');
            },
            policy,
            guard: watchman.rules(),
            max_agents: slots,
            gauge: Arc::new(loads.clone()),
            limits: Limits::default(),
            grace: Duration::from_secs(1),
            allowed_roots: vec![folder.path().to_owned(), "/".into()],
            own_folder: None,
            locks: LockPolicy::default(),
            versions: Versions::none(),
            is_watching: false,
            threads: 0,
        };
        let system = System::start(parts).await.unwrap();
        let hub = system.hub().clone();
        Self {
            system,
            hub,
            journal,
            agents: Agents { launched: Arc::new(Mutex::new(played)), panics, dawdles },
            clock,
            loads,
            desk,
            watchman,
            folder,
        }
    }

    pub async fn close(self) {
        tokio::time::timeout(PATIENCE, self.system.stop()).await.expect("the system stops");
    }

    /// The server is gone without a word; what it had on disk stays, and so does the project's folder.
    pub async fn crash(self) -> (MemoryJournal, tempfile::TempDir) {
        let Self { system, journal, folder, .. } = self;
        let kept = journal.copy();
        drop(system);
        (kept, folder)
    }

    /// The folder in which conversations work; canonical.
    pub fn project(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// The identity of the history.
    pub fn epoch(&self) -> Epoch {
        self.journal.epoch()
    }

    pub async fn session(&self) -> SessionId {
        let create = Create {
            by: by("desk"),
            project_path: self.folder.path().to_owned(),
            title: None,
            model: None,
            permission_mode: None,
            first_message: None,
        };
        self.hub.create(create).await.unwrap().session
    }

    pub async fn ask(&self, session: SessionId, device: &str, command: Command) -> Result<Answer, Refusal> {
        let asking = self.hub.ask(session, by(device), command);
        tokio::time::timeout(PATIENCE, asking).await.expect("every command is answered")
    }

    pub async fn submit(&self, session: SessionId, device: &str, text: &str) -> (MessageId, Seq, bool) {
        accepted(self.ask(session, device, Command::Submit(says(text))).await)
    }

    pub async fn view(&self, session: SessionId) -> Arc<View> {
        self.hub.look(session, by("desk")).await.unwrap()
    }

    /// Lets time pass, for clocks and for timers, in steps that every timer notices. Needs a paused clock.
    pub async fn pass(&self, span: TimeDelta) {
        let step = if span > TimeDelta::hours(2) { TimeDelta::minutes(5) } else { TimeDelta::seconds(30) };
        let mut left = span;
        while left > TimeDelta::zero() {
            let now = left.min(step);
            self.clock.advance(now);
            tokio::time::sleep(now.to_std().unwrap()).await;
            left -= now;
        }
    }

    /// Lets everything happen that can happen by itself.
    pub async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// Every event so far, as `kind` of each.
    pub fn kinds(&self, session: SessionId) -> Vec<String> {
        self.journal.records(session).iter().map(|record| record.kind.to_string()).collect()
    }

    /// Waits until the journal of a session satisfies a condition; fails with all kinds of events when it never does.
    pub async fn eventually(&self, session: SessionId, what: &str, is_true: impl Fn(&[Event]) -> bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let events: Vec<Event> =
                self.journal.records(session).iter().map(|record| record.event().unwrap()).collect();
            if is_true(&events) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "never {what}; events: {:?}", self.kinds(session));
            tokio::task::yield_now().await;
        }
    }

    pub async fn has_kind(&self, session: SessionId, kind: &str, times: usize) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.kinds(session).iter().filter(|one| *one == kind).count() < times {
            assert!(std::time::Instant::now() < deadline, "never {kind} ×{times}: {:?}", self.kinds(session));
            tokio::task::yield_now().await;
        }
    }

    /// The events of one kind, as JSON.
    pub async fn data_of(&self, session: SessionId, kind: &str) -> Vec<Value> {
        let records = self.journal.read(session, 0, usize::MAX, usize::MAX).await.unwrap();
        let of_kind = records.iter().filter(|record| &*record.kind == kind);
        of_kind.map(|record| serde_json::from_str(&record.data).unwrap()).collect()
    }
}

pub fn by(device: &str) -> By {
    By { device_id: device.parse().unwrap(), user_id: UserId::owner() }
}

pub fn card(device: &str) -> DeviceCard {
    DeviceCard { device_id: device.parse().unwrap(), device_name: None, kind: None }
}

pub fn says(text: &str) -> Submit {
    Submit {
        content: Content::text(text).unwrap(),
        message_id: None,
        mode: SubmitMode::Queue,
        device_seq: None,
    }
}

pub fn accepted(answer: Result<Answer, Refusal>) -> (MessageId, Seq, bool) {
    match answer {
        Ok(Answer::Accepted { message_id, seq, duplicate }) => (message_id, seq, duplicate),
        other => panic!("not accepted: {other:?}"),
    }
}

impl Agents {
    /// The next agent that is launched.
    pub async fn next(&self) -> Played {
        self.next_within(PATIENCE.as_secs()).await
    }

    /// The same, for one that is launched only after so many seconds of a virtual clock.
    #[expect(clippy::await_holding_lock, reason = "one test, one thread: nobody else waits for this lock")]
    pub async fn next_within(&self, seconds: u64) -> Played {
        let mut launched = self.launched.lock().unwrap();
        let next = tokio::time::timeout(Duration::from_secs(seconds), launched.recv());
        next.await.expect("an agent is launched").unwrap()
    }

    /// The next agent, ready for messages.
    pub async fn ready(&self) -> Played {
        let agent = self.next().await;
        agent.print(AgentOutput::Ready { pid: Some(7), version: Some("test".into()) }).await;
        agent
    }

    /// The next launches panic instead, inside the session's actor.
    pub fn panic_next(&self, launches: usize) {
        self.panics.store(launches, Ordering::SeqCst);
    }

    /// From now on, agents that are told to stop take their time: the test plays their exit.
    pub fn dawdle(&self, dawdles: bool) {
        self.dawdles.store(dawdles, Ordering::SeqCst);
    }

    pub fn none_was_launched(&self) -> bool {
        self.launched.lock().unwrap().try_recv().is_err()
    }
}

impl Played {
    pub async fn print(&self, output: AgentOutput) {
        self.output.send(vec![output]).await.expect("the session listens");
    }

    pub async fn hears(&mut self) -> AgentInput {
        tokio::time::timeout(PATIENCE, self.input.recv()).await.expect("the agent is told something").unwrap()
    }

    /// The same, for something that comes only after so many seconds of a virtual clock.
    pub async fn hears_within(&mut self, seconds: u64) -> AgentInput {
        let heard = tokio::time::timeout(Duration::from_secs(seconds), self.input.recv()).await;
        heard.expect("the agent is told something").unwrap()
    }

    /// Waits for a message and takes it up.
    pub async fn takes_message(&mut self) -> (MessageId, String) {
        match self.hears().await {
            AgentInput::Message { id, content } => {
                self.print(AgentOutput::Started(id)).await;
                (id, content.plain_text())
            }
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Ends the turn of a message with an answer.
    pub async fn answers(&self, message: MessageId, text: &str) {
        self.print(AgentOutput::Result(result(message, text))).await;
    }

    /// Takes the next message up and answers it.
    pub async fn serves(&mut self) -> String {
        let (message, text) = self.takes_message().await;
        self.answers(message, &text).await;
        text
    }

    pub async fn exits(&self, cause: ExitCause, code: i32, last_words: &str) {
        let exit = Exit { code: Some(code), signal: None, last_words: last_words.into(), cause };
        self.print(AgentOutput::Exited(exit)).await;
    }
}

pub fn raw(json: &str) -> Arc<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap().into()
}

pub fn result(message: MessageId, text: &str) -> TurnResult {
    TurnResult {
        line: raw(r#"{"type":"result","subtype":"success"}"#),
        answers: vec![message.uuid()],
        is_error: false,
        is_interrupted: false,
        text: Some(text.to_owned()),
        usage: Some(serde_json::json!({"input_tokens": 3, "output_tokens": 4})),
        total_cost_usd: None,
    }
}

pub fn approval(request: &str, tool: &str) -> Approval {
    Approval {
        request_id: request.parse().unwrap(),
        tool: tool.to_owned(),
        input: raw(r#"{"command":"ls"}"#),
        description: None,
        suggestions: Some(raw(r#"[{"type":"addRules"}]"#)),
        tool_use_id: None,
    }
}
