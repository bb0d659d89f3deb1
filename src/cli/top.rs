//! `tandem top`: the sessions of the running server, live in the terminal.

mod cells;
mod fetch;
mod order;
mod screen;
mod terminal;

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;
use tokio::time::interval;

use self::fetch::Source;
use self::order::Order;
use self::screen::{Frame, screen};
use self::terminal::{Key, Terminal};
use super::connection::ServerArgs;
use crate::config::Loaded;
use crate::overview::report::Report;

/// How often the table is made anew.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `top`.
#[derive(Debug, Clone, Args)]
pub struct TopArgs {
    /// Print one table and exit
    #[arg(long)]
    pub once: bool,

    /// Print everything as JSON and exit
    #[arg(long, conflicts_with = "once")]
    pub json: bool,

    /// Sort by this first
    #[arg(long, value_enum, default_value_t = Order::Activity, value_name = "COLUMN")]
    pub sort: Order,

    /// Which server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Shows the table until `q` is pressed; once where there is no terminal that could be drawn on.
///
/// # Errors
/// When no server answers; the error says what to do.
pub async fn run(loaded: Loaded, args: TopArgs) -> anyhow::Result<()> {
    let source = Source::new(&loaded, &args.server)?;
    let report = source.fetch().await?;
    if args.json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        io::stdout().write_all(text.as_bytes())?;
        return Ok(());
    }
    let is_dumb = !io::stdout().is_terminal()
        || !io::stdin().is_terminal()
        || env::var_os("TERM").is_none_or(|term| term == "dumb");
    if args.once || is_dumb {
        let frame = Frame { order: args.sort, ..Frame::plain() };
        io::stdout().write_all(screen(&report, &frame).join("\n").as_bytes())?;
        io::stdout().write_all(b"\n")?;
        return Ok(());
    }
    live(&source, report, args.sort).await
}

/// Draws until somebody has seen enough.
async fn live(source: &Source, first: Report, order: Order) -> anyhow::Result<()> {
    let (mut terminal, mut keys) = Terminal::take()?;
    let mut report = first;
    let mut frame =
        Frame { order, is_live: true, is_coloured: env::var_os("NO_COLOR").is_none(), ..Frame::plain() };
    let mut ticks = interval(REFRESH_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        let (width, height) = terminal.size();
        (frame.width, frame.height) = (Some(width), Some(height));
        frame.skipped = frame.skipped.min(report.sessions.len().saturating_sub(1));
        terminal.draw(&screen(&report, &frame))?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(Key::Quit) | None => return Ok(()),
                Some(key) => frame.press(key),
            },
            _ = ticks.tick() => match fetch_or_quit(source, &mut keys).await {
                Some(Ok(newer)) => (report, frame.problem) = (newer, None),
                Some(Err(error)) => frame.problem = Some(error.to_string()),
                None => return Ok(()),
            },
        }
    }
}

/// Asks the server; none when somebody wants to leave meanwhile.
async fn fetch_or_quit(source: &Source, keys: &mut mpsc::Receiver<Key>) -> Option<anyhow::Result<Report>> {
    let fetching = source.fetch();
    tokio::pin!(fetching);
    loop {
        tokio::select! {
            report = &mut fetching => return Some(report),
            key = keys.recv() => if matches!(key, Some(Key::Quit) | None) { return None },
        }
    }
}
