//! Whether writes are taken at the moment: one sentence, shared by the writer's thread and whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

/// Clones share the sentence.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    trouble: Arc<Mutex<Option<String>>>,
}

impl Health {
    /// Says what is wrong, or that nothing is.
    pub(super) fn set(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// What is wrong.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
