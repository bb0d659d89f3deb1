//! How the journal is: sentences shared by the writer's thread and whoever asks.

use tokio::sync::watch;

/// Clones share the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<String>,
    warning: Option<String>,
    lost: Option<String>,
}

impl Health {
    /// Says why writes are refused, or that they are not.
    pub(super) fn set(&self, trouble: Option<String>) {
        self.state.send_modify(|state| state.trouble = trouble);
    }

    /// Why writes are refused.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state.borrow().trouble.clone()
    }

    /// Says what will become trouble, or that nothing will.
    pub(super) fn warn(&self, warning: Option<String>) {
        self.state.send_modify(|state| state.warning = warning);
    }

    /// What will become trouble.
    pub(super) fn warning(&self) -> Option<String> {
        self.state.borrow().warning.clone()
    }

    /// Says that nothing will be written any more, and why: only a new start helps.
    pub(super) fn lose(&self, reason: &str) {
        self.state.send_modify(|state| {
            state.trouble = Some(reason.to_owned());
            state.lost.get_or_insert_with(|| reason.to_owned());
        });
    }

    /// Resolves with the reason once nothing will be written any more.
    pub(super) fn lost(&self) -> impl Future<Output = String> + use<> {
        let mut state = self.state.subscribe();
        async move {
            match state.wait_for(|state| state.lost.is_some()).await {
                Ok(state) => state.lost.clone().unwrap_or_default(),
                // The journal was closed in good order.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_loss_is_told_to_whoever_waits_and_whoever_asks_later() {
        let health = Health::default();
        let mut early = Box::pin(health.lost());
        assert_eq!((&mut early).now_or_never(), None);
        health.lose("the disk is gone");
        health.lose("and more");
        assert_eq!(early.now_or_never().unwrap(), "the disk is gone");
        assert_eq!(health.lost().now_or_never().unwrap(), "the disk is gone");
        assert_eq!(health.trouble().unwrap(), "and more");
    }
}
