//! The one thread from which all agents are started and on which all their I/O runs.
//!
//! On Linux a child that asked for a signal at its parent's death gets it when the *thread* ends that started it
//! (PR_SET_PDEATHSIG(2const)). So this thread lives as long as anybody needs an agent, and is no pool's.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread; it ends when this is dropped, with everything that still runs on it.
#[derive(Debug)]
pub(super) struct Host {
    runtime: Handle,
    /// Dropped with the host; nothing is ever sent.
    _end: oneshot::Sender<()>,
}

impl Host {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("tandem-agents".to_owned()).spawn(move || {
            // It ends with an error, always: that the sender is gone is the signal.
            let _ = runtime.block_on(ended);
        })?;
        Ok(Self { runtime: handle, _end: end })
    }

    /// Runs something on the thread.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}
