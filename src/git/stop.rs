//! How git in turn ends with its server: nothing new begins, what runs has a moment to finish, and then it is put back.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long operations may take to put everything back once they are ended. What takes longer is put back by the next server.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Open,
    /// Nothing begins any more.
    Closing,
    /// What runs has to end.
    Ending,
}

/// Lets operations in as long as the server runs.
#[derive(Debug)]
pub(super) struct Gate(watch::Sender<Stage>);

/// An operation; the gate waits until it is dropped. Clones are the same operation.
#[derive(Debug, Clone)]
pub(super) struct Inside(watch::Receiver<Stage>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(Stage::Open))
    }
}

impl Gate {
    /// Lets one in; None once the server stops.
    pub(super) fn enter(&self) -> Option<Inside> {
        let inside = Inside(self.0.subscribe());
        (!inside.is(Stage::Closing)).then_some(inside)
    }

    /// Ends what has not finished within `grace`, and returns when everybody has left.
    pub(super) async fn close(&self, grace: Duration) {
        self.0.send_replace(Stage::Closing);
        if timeout(grace, self.0.closed()).await.is_ok() {
            return;
        }
        self.0.send_replace(Stage::Ending);
        if timeout(BACK_WITHIN, self.0.closed()).await.is_err() {
            tracing::warn!("a git operation does not end; the next start puts back what it leaves");
        }
    }
}

impl Inside {
    /// Returns once nothing may begin any more.
    pub(super) async fn is_closing(&self) {
        self.reaches(Stage::Closing).await;
    }

    /// Returns once it has to end.
    pub(super) async fn is_ending(&self) {
        self.reaches(Stage::Ending).await;
    }

    pub(super) fn has_to_end(&self) -> bool {
        self.is(Stage::Ending)
    }

    fn is(&self, stage: Stage) -> bool {
        *self.0.borrow() >= stage
    }

    async fn reaches(&self, stage: Stage) {
        let mut stages = self.0.clone();
        if stages.wait_for(|now| *now >= stage).await.is_err() {
            // The gate is gone, and nobody will say anything any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_runs_may_finish_and_is_ended_when_it_does_not() {
        let gate = Gate::default();
        let (quick, slow) = (gate.enter().unwrap(), gate.enter().unwrap());
        let mut closing = Box::pin(gate.close(Duration::from_secs(3)));
        assert!((&mut closing).now_or_never().is_none());
        assert!(gate.enter().is_none());
        quick.is_closing().await;
        assert!(!slow.has_to_end());
        drop(quick);
        let slow_one = async move {
            slow.is_ending().await;
            assert!(slow.has_to_end());
        };
        tokio::join!(closing, slow_one);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_for_ever() {
        let gate = Gate::default();
        let _stays = gate.enter().unwrap();
        gate.close(Duration::ZERO).await;
    }
}
