//! What the simulator hears: lines on stdin, and SIGTERM.

use std::io::{self, BufRead as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use serde_json::Value;

/// How many lines wait; a full pipe then holds whoever writes them.
const WAITING_LINES: usize = 1024;

/// Something that happened outside.
#[derive(Debug)]
pub(super) enum Event {
    /// One message.
    Line(Value),
    /// A line that is no JSON, and how long it was.
    BadLine(usize),
    /// Nobody writes any more.
    Closed,
}

/// Starts to listen on stdin.
pub(super) fn listen() -> io::Result<Receiver<Event>> {
    let (events, received) = sync_channel(WAITING_LINES);
    thread::Builder::new().name("stdin".to_owned()).spawn(move || read(&events))?;
    Ok(received)
}

fn read(events: &SyncSender<Event>) {
    for line in io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { break };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let event = serde_json::from_slice(&line).map_or(Event::BadLine(line.len()), Event::Line);
        if events.send(event).is_err() {
            return;
        }
    }
    // Nobody listens when the simulator is about to end anyway.
    let _ = events.send(Event::Closed);
}

/// Takes SIGINT away from the system, which would end the process, and does nothing with it.
pub(super) fn ignore_sigint() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // The signal stays taken when what listens for it is gone.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?);
    Ok(())
}

/// Ends the process with 143 at SIGTERM, as the CLI does, even while nobody reads its output; unless `is_deaf`.
pub(super) fn end_at_sigterm(is_deaf: Arc<AtomicBool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signal = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?
    };
    thread::Builder::new().name("sigterm".to_owned()).spawn(move || {
        while runtime.block_on(signal.recv()).is_some() {
            if !is_deaf.load(Ordering::Relaxed) {
                std::process::exit(143);
            }
        }
    })?;
    Ok(())
}
