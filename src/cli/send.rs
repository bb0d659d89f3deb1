//! `tandem send`: one message, and its answer as it comes.

mod attach;
mod reply;

use std::io::{self, IsTerminal, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use tandem_actors::ids::SessionId;

use super::connection::{self, Role, ServerArgs, explain};
use super::render::clean;
use super::session_ref::SessionRef;
use crate::client::{Client, Incoming, IncomingStream, NewSession, StartFrom, Submission};
use crate::config::Loaded;

use reply::{End, Reply};

/// Arguments of `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The conversation (its id, or the beginning of it) and what to say; with --new only what to say. `-` reads it
    /// from standard input
    #[arg(value_names = ["SESSION", "TEXT"], num_args = 1..=2, required = true)]
    pub words: Vec<String>,

    /// Begin a new conversation that works in this folder
    #[arg(long, value_name = "PROJECT")]
    pub new: Option<PathBuf>,

    /// Take a picture, a PDF or a text file along; may be given several times
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,

    /// Which server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Where the message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Session(SessionRef),
    Project(PathBuf),
}

/// Sends the message and prints the answer until the turn has ended: 0 when it completed, 1 when not.
///
/// # Errors
/// When no server answers, or the message is refused.
pub async fn run(loaded: Loaded, args: SendArgs) -> anyhow::Result<ExitCode> {
    let (place, text) = place_and_text(&args)?;
    let text = if text == "-" { read_stdin()? } else { text };
    let files = attach::read(&args.attach)?;
    let (client, mut incoming) = connection::open(&loaded, &args.server, Role::Script).await?;
    let content = attach::content(&client, text, files).await?;
    let session = find_or_create(&client, place).await?;
    let subscribed = client.subscribe(session, StartFrom::Newest(0)).await.map_err(explain)?;
    let submission = Submission::new(content);
    let mut reply = Reply::new(session, submission.message_id);
    show_note(&reply.waits_behind(&subscribed.state));
    client.submit(session, submission).await.map_err(explain)?;
    let end = follow(&mut incoming, &mut reply).await?;
    client.close().await;
    Ok(match end {
        End::Completed => ExitCode::SUCCESS,
        End::Failed => ExitCode::FAILURE,
    })
}

fn place_and_text(args: &SendArgs) -> anyhow::Result<(Place, String)> {
    match (&args.new, args.words.as_slice()) {
        (Some(project), [text]) => Ok((Place::Project(project.clone()), text.clone())),
        (None, [session, text]) => Ok((Place::Session(session.parse()?), text.clone())),
        (Some(_), _) => {
            anyhow::bail!("With --new PROJECT there is no SESSION: tandem send --new PROJECT TEXT")
        }
        (None, _) => {
            anyhow::bail!("Say where and what: tandem send SESSION TEXT, or tandem send --new PROJECT TEXT")
        }
    }
}

fn read_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("could not read the message from standard input")?;
    Ok(text)
}

async fn find_or_create(client: &Client, place: Place) -> anyhow::Result<SessionId> {
    match place {
        Place::Session(session) => session.resolve(client).await,
        Place::Project(project) => {
            // The folder is one of the server's machine; on this one its name is made absolute if it is here too.
            let project_path = project.canonicalize().unwrap_or(project).display().to_string();
            let new = NewSession { project_path, ..NewSession::default() };
            let session = client.create_session(&new).await.map_err(explain)?;
            eprintln!("session {session}");
            Ok(session)
        }
    }
}

async fn follow(incoming: &mut IncomingStream, reply: &mut Reply) -> anyhow::Result<End> {
    while let Some(heard) = incoming.next().await {
        let step = match heard {
            Incoming::Event(event) => {
                let data = serde_json::from_str(event.data.get())?;
                reply.event(&event.kind, &data)
            }
            Incoming::Signal { kind, data, .. } if kind == "delta" => {
                reply.delta(&serde_json::from_str(data.get())?)
            }
            Incoming::Disconnected { reason, .. } => {
                reply::Step::note(format!("connection lost ({reason}); trying again"))
            }
            Incoming::Connected => reply::Step::note("connected again".to_owned()),
            Incoming::Reset(_) => anyhow::bail!(
                "The server's history was replaced meanwhile; look with `tandem attach` what became of the message."
            ),
            Incoming::Ended { rejection, .. } => return Err(explain(rejection.into())),
            Incoming::Closed { reason } => anyhow::bail!("The server closed the connection: {reason}"),
            _ => continue,
        };
        show_answer(&step.answer)?;
        show_note(&step.note);
        if let Some(end) = step.end {
            return Ok(end);
        }
    }
    anyhow::bail!("The connection ended before the answer; look with `tandem attach` what became of it.")
}

/// A terminal is not steered by an answer; a file or a pipe gets it as it is.
fn show_answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    let text = if out.is_terminal() { clean(text) } else { text.to_owned() };
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn show_note(note: &str) {
    if !note.is_empty() {
        eprintln!("{note}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(new: Option<&str>, words: &[&str]) -> anyhow::Result<(Place, String)> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        place_and_text(&SendArgs {
            words,
            new: new.map(PathBuf::from),
            attach: Vec::new(),
            server: ServerArgs::default(),
        })
    }

    #[test]
    fn a_message_goes_to_a_session_or_to_a_new_one() {
        let (place, text) = read(None, &["0197a2c4", "hi"]).unwrap();
        assert_eq!((place, text.as_str()), (Place::Session("0197a2c4".parse().unwrap()), "hi"));
        let (place, text) = read(Some("/p"), &["hi"]).unwrap();
        assert_eq!((place, text.as_str()), (Place::Project("/p".into()), "hi"));
    }

    #[test]
    fn too_few_or_too_many_words_say_how_it_goes() {
        for (new, words) in [(None, &["hi"][..]), (Some("/p"), &["0197a2c4", "hi"]), (None, &["hello", "hi"])]
        {
            let text = read(new, words).unwrap_err().to_string();
            assert!(text.contains("tandem"), "{text}");
        }
    }
}
