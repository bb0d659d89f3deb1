//! `tandem attach`: follows a conversation and types into it.

mod typed;
mod view;

use std::collections::HashSet;
use std::io::{self, BufRead as _, IsTerminal, Write as _};
use std::time::Duration;

use clap::Args;
use tandem_actors::content::Content;
use tandem_actors::ids::{MessageId, Seq, SessionId};
use tandem_actors::session::Verdict;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::connection::{self, Role, ServerArgs, explain};
use super::render::Style;
use super::session_ref::SessionRef;
use crate::client::{
    Activity, Client, ClientError, Incoming, IncomingStream, NoticeTo, Notified, StartFrom, Submission,
};
use crate::config::Loaded;

use typed::{HELP, Typed};
use view::View;

/// Lines that were typed and not taken yet; a pasted page must not pile up in memory.
const MAX_TYPED_LINES: usize = 64;

/// Outcomes that wait to be shown; more of them wait where they are.
const MAX_OUTCOMES: usize = 16;

/// How long somebody who has typed a line is taken to be at the next one: a terminal hands over whole lines only.
const TYPING_FOR: Duration = Duration::from_secs(3);

/// Arguments of `attach`.
#[derive(Debug, Clone, Args)]
pub struct AttachArgs {
    /// The conversation, as `tandem sessions` shows it; the beginning of its id is enough
    pub session: SessionRef,

    /// How many of the newest events to show first
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub tail: u64,

    /// Which server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Everything that runs while somebody is attached.
struct Attached {
    client: Client,
    session: SessionId,
    view: View,
    outcomes: mpsc::Sender<Outcome>,
    /// Messages typed here whose turns have not ended.
    unanswered: HashSet<MessageId>,
    /// The last event that other devices were told to be shown here.
    acked: Seq,
    is_typing_until: Option<Instant>,
    has_input_ended: bool,
}

/// What became of something that was typed.
enum Outcome {
    Done,
    Notified(Notified),
    NotSent(MessageId, ClientError),
    Refused(ClientError),
}

/// Follows the conversation until `/quit`, or until the input has ended and everything typed is answered.
///
/// # Errors
/// When no server answers, or the connection is closed for good.
pub async fn run(loaded: Loaded, args: AttachArgs) -> anyhow::Result<()> {
    let (client, mut incoming) = connection::open(&loaded, &args.server, Role::Terminal).await?;
    let session = args.session.resolve(&client).await?;
    let style = if io::stdout().is_terminal() { Style::Coloured } else { Style::Plain };
    let subscribed = client.subscribe(session, StartFrom::Newest(args.tail)).await.map_err(explain)?;
    let (outcomes, mut told) = mpsc::channel(MAX_OUTCOMES);
    let view = View::new(style, client.device());
    let unanswered = HashSet::new();
    let mut attached = Attached {
        client,
        session,
        view,
        outcomes,
        unanswered,
        acked: 0,
        is_typing_until: None,
        has_input_ended: false,
    };
    show(&attached.view.begin(subscribed))?;
    attached.says(Activity::Viewing).await;
    let mut lines = typed_lines();
    attached.work(&mut incoming, &mut told, &mut lines).await?;
    attached.client.close().await;
    Ok(())
}

impl Attached {
    async fn work(
        &mut self,
        incoming: &mut IncomingStream,
        told: &mut mpsc::Receiver<Outcome>,
        lines: &mut mpsc::Receiver<String>,
    ) -> anyhow::Result<()> {
        while !(self.has_input_ended && self.unanswered.is_empty()) {
            let text = tokio::select! {
                heard = incoming.next() => match heard {
                    Some(Incoming::Closed { reason }) => anyhow::bail!("The server closed the connection: {reason}"),
                    Some(heard) => self.heard(heard)?,
                    None => return Ok(()),
                },
                outcome = told.recv() => outcome.map_or_else(String::new, |outcome| self.told(outcome)),
                () = wait_until(self.is_typing_until) => {
                    self.is_typing_until = None;
                    self.says(Activity::Viewing).await;
                    String::new()
                }
                line = lines.recv(), if !self.has_input_ended => match line {
                    Some(line) => match typed::parse(&line) {
                        Ok(Typed::Quit) => return Ok(()),
                        Ok(typed) => {
                            self.is_typing_until = Some(Instant::now() + TYPING_FOR);
                            self.says(Activity::Typing).await;
                            self.typed(typed)
                        }
                        Err(mistake) => self.view.warning(&mistake),
                    },
                    None => {
                        self.has_input_ended = true;
                        String::new()
                    }
                },
            };
            show(&text)?;
            self.ack().await;
        }
        Ok(())
    }

    /// Tells the others what the person does here.
    async fn says(&self, activity: Activity) {
        // A connection that is closed says so by itself.
        let _ = self.client.activity(self.session, activity, None).await;
    }

    /// Tells the others how far this page has got.
    async fn ack(&mut self) {
        let shown = self.view.last();
        if shown != self.acked {
            self.acked = shown;
            // As above.
            let _ = self.client.ack(self.session, shown).await;
        }
    }

    fn heard(&mut self, heard: Incoming) -> anyhow::Result<String> {
        let (text, over) = self.view.heard(heard)?;
        if let Some(over) = over {
            self.unanswered.remove(&over);
        }
        Ok(text)
    }

    fn told(&mut self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Done => String::new(),
            Outcome::Notified(Notified { delivered: 0, .. }) => {
                self.view.note("nobody else is here to be told; what is said without /notify waits for them")
            }
            Outcome::Notified(Notified { delivered: 1, .. }) => self.view.note("told one other device"),
            Outcome::Notified(Notified { delivered, .. }) => {
                self.view.note(&format!("told {delivered} other devices"))
            }
            Outcome::NotSent(message, error) => {
                self.unanswered.remove(&message);
                self.view.warning(&explain(error).to_string())
            }
            Outcome::Refused(error) => self.view.warning(&explain(error).to_string()),
        }
    }

    /// Does what was typed; what the server makes of it comes later, so that nothing here waits for it.
    fn typed(&mut self, typed: Typed) -> String {
        match typed {
            Typed::Say(text) => match Content::text(text) {
                Ok(content) => self.submit(Submission::new(content)),
                Err(_nothing_in_it) => {}
            },
            Typed::Approve { request, for_session } => match self.view.approval(request) {
                Ok(request) => {
                    let verdict = Verdict::Allow { updated_input: None, for_session };
                    self.spawn(move |client, session| async move {
                        client.approve(session, request, verdict).await
                    });
                }
                Err(mistake) => return self.view.warning(mistake),
            },
            Typed::Deny(request, message) => match self.view.approval(request) {
                Ok(request) => {
                    let verdict = Verdict::Deny { message };
                    self.spawn(move |client, session| async move {
                        client.approve(session, request, verdict).await
                    });
                }
                Err(mistake) => return self.view.warning(mistake),
            },
            Typed::Interrupt => {
                self.spawn(|client, session| async move { client.interrupt(session, false).await });
            }
            Typed::Cancel(message) => {
                self.spawn(move |client, session| async move { client.cancel(session, message).await });
            }
            Typed::Lead(device) => {
                let device = device.unwrap_or_else(|| self.client.device().clone());
                self.spawn(move |client, session| async move { client.handoff(session, device).await });
            }
            Typed::Notify(text) => {
                let (client, session, outcomes) = (self.client.clone(), self.session, self.outcomes.clone());
                tokio::spawn(async move {
                    let to = NoticeTo::Session { session_id: session };
                    let outcome = client.notify(to, Vec::new(), text).await;
                    // Nobody listens any more when the person has quit.
                    let _ = outcomes.send(outcome.map_or_else(Outcome::Refused, Outcome::Notified)).await;
                });
            }
            Typed::Queue => return self.view.queue(),
            Typed::Help => return HELP.to_owned(),
            Typed::Quit => {}
        }
        String::new()
    }

    fn submit(&mut self, submission: Submission) {
        let message = submission.message_id;
        self.unanswered.insert(message);
        let (client, session, outcomes) = (self.client.clone(), self.session, self.outcomes.clone());
        tokio::spawn(async move {
            let outcome = match client.submit(session, submission).await {
                Ok(_) => Outcome::Done,
                Err(error) => Outcome::NotSent(message, error),
            };
            // Nobody listens any more when the person has quit.
            let _ = outcomes.send(outcome).await;
        });
    }

    fn spawn<F>(&self, command: impl FnOnce(Client, SessionId) -> F)
    where
        F: Future<Output = Result<(), ClientError>> + Send + 'static,
    {
        let outcomes = self.outcomes.clone();
        let commanding = command(self.client.clone(), self.session);
        tokio::spawn(async move {
            let outcome = commanding.await.map_or_else(Outcome::Refused, |()| Outcome::Done);
            // As above.
            let _ = outcomes.send(outcome).await;
        });
    }
}

/// The lines of standard input. They are read on a thread of their own, which ends with the process: a read from a
/// terminal cannot be taken back, and tokio's would hold up the end.
fn typed_lines() -> mpsc::Receiver<String> {
    let (typed, lines) = mpsc::channel(MAX_TYPED_LINES);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if typed.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn show(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
