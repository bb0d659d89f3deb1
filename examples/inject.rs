//! The actor system by itself: no HTTP, no socket, no disk and no process. Messages of two devices are handed to a session,
//! an agent that is written down here answers them, and both devices see the same events.
//!
//! ```text
//! cargo run --example inject
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tandem_actors::agent::gauge::NoGauge;
use tandem_actors::agent::{
    AgentHandle, AgentInput, AgentOutput, Exit, ExitCause, INPUT_LINES, Launch, Launcher, OUTPUT_BATCHES,
    Stop, TurnResult,
};
use tandem_actors::clock::SystemClock;
use tandem_actors::content::Content;
use tandem_actors::event::{By, SubmitMode};
use tandem_actors::files::Versions;
use tandem_actors::guard::Rules;
use tandem_actors::hub::Hub;
use tandem_actors::ids::{MessageId, SessionId, UserId};
use tandem_actors::journal::MemoryJournal;
use tandem_actors::project::LockPolicy;
use tandem_actors::registry::Create;
use tandem_actors::registry::Limits;
use tandem_actors::session::{Answer, Command, Policy, Submit};
use tandem_actors::system::{Parts, System};
use tokio::sync::mpsc;

/// Answers every message with its own words, in capitals.
struct Shouter;

impl Launcher for Shouter {
    fn launch(&self, _launch: Launch) -> AgentHandle {
        let (input, mut told) = mpsc::channel(INPUT_LINES);
        let (say, output) = mpsc::channel(OUTPUT_BATCHES);
        let (stop, mut asked_to_stop) = mpsc::channel::<Stop>(1);
        actix::spawn(async move {
            let ready = AgentOutput::Ready { pid: None, version: Some("shouter".into()) };
            let mut next = vec![ready];
            // A session that listens no more has dropped this agent, which is its end.
            while say.send(std::mem::take(&mut next)).await.is_ok() {
                tokio::select! {
                    input = told.recv() => match input {
                        Some(AgentInput::Message { id, content }) => next = turn(id, &content),
                        // It never asks, so there is nothing else to be told.
                        Some(_) => {}
                        None => return,
                    },
                    _ = asked_to_stop.recv() => {
                        let exit = Exit { code: Some(0), signal: None, last_words: String::new(), cause: ExitCause::Asked };
                        // As above.
                        let _ = say.send(vec![AgentOutput::Exited(exit)]).await;
                        return;
                    }
                }
            }
        });
        AgentHandle { input, output, stop }
    }
}

/// Everything that an agent says in one turn.
fn turn(message: MessageId, content: &Content) -> Vec<AgentOutput> {
    let answer = content.plain_text().to_uppercase();
    let line =
        raw(&json!({"type": "assistant", "message": {"content": [{"type": "text", "text": &answer}]}}));
    let result = TurnResult {
        line: raw(&json!({"type": "result"})),
        answers: vec![message.uuid()],
        is_error: false,
        is_interrupted: false,
        text: Some(answer),
        usage: None,
        total_cost_usd: None,
    };
    vec![AgentOutput::Started(message), AgentOutput::Message(line), AgentOutput::Result(result)]
}

#[actix::main]
async fn main() -> Result<()> {
    let system = System::start(Parts {
        journal: Arc::new(MemoryJournal::new()),
        launcher: Arc::new(Shouter),
        clock: Arc::new(SystemClock::new()),
        // How events are wrapped for devices: the server makes WebSocket frames of them, here they are lines.
        encoder: |payload, out| {
            out.extend_from_slice(payload);
            out.push(b'\n');
        },
        policy: Policy::default(),
        guard: Rules::default(),
        max_agents: 10,
        gauge: Arc::new(NoGauge),
        limits: Limits::default(),
        grace: Duration::from_secs(1),
        allowed_roots: vec![std::env::current_dir()?],
        own_folder: None,
        locks: LockPolicy::default(),
        versions: Versions::none(),
        is_watching: false,
        threads: 1,
    })
    .await?;
    let hub = system.hub().clone();
    let create = Create {
        by: by("laptop")?,
        project_path: std::env::current_dir()?,
        title: Some("injected".into()),
        model: None,
        permission_mode: None,
        first_message: None,
    };
    let handle = hub.create(create).await?;

    let texts = ["good morning", "and what is the weather like"];
    for (device, text) in ["laptop", "phone"].into_iter().zip(texts) {
        submit(&hub, handle.session, device, text).await?;
    }

    // Whoever wants to know what came of it follows the events by a cursor, from any point on.
    let mut follow = hub.follow(&handle, 0);
    let mut turns = 0;
    while turns < texts.len() {
        let frames = follow.next().await.context("a stream of events never ends")??;
        let text = String::from_utf8_lossy(&frames);
        print!("{text}");
        turns += text.matches(r#""kind":"turn_ended""#).count();
    }
    drop(follow);
    system.stop().await;
    Ok(())
}

async fn submit(hub: &Hub, session: SessionId, device: &str, text: &str) -> Result<()> {
    let submit = Submit {
        content: Content::text(text)?,
        message_id: Some(MessageId::random()),
        mode: SubmitMode::Queue,
        device_seq: None,
    };
    // This returns when the message is in the journal; the agent has not even seen it then.
    let answer = hub.ask(session, by(device)?, Command::Submit(submit)).await?;
    let Answer::Accepted { seq, .. } = answer else { anyhow::bail!("not accepted: {answer:?}") };
    println!("{device}: accepted as event {seq}");
    Ok(())
}

fn by(device: &str) -> Result<By> {
    Ok(By { device_id: device.parse().context("no device id")?, user_id: UserId::owner() })
}

fn raw(value: &serde_json::Value) -> Arc<RawValue> {
    to_raw_value(value).map_or_else(|_| RawValue::NULL.to_owned().into(), Arc::from)
}
