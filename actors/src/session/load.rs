//! Brings a session back from the journal: takes ownership, then folds its events.

use super::core::Core;
use super::decide::Policy;
use super::ledger::Ledger;
use super::state::State;
use crate::event::CannotDecode;
use crate::ids::SessionId;
use crate::journal::{Journal, JournalError};

/// How much is folded at a time; between two pages other sessions of the thread have their turn.
const PAGE_EVENTS: usize = 1_000;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why a session cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("session {session} could not be read")]
    Journal {
        session: SessionId,
        #[source]
        cause: JournalError,
    },
    #[error("session {session} holds something that this version cannot read")]
    Decode {
        session: SessionId,
        #[source]
        cause: CannotDecode,
    },
    #[error("the journal of session {session} ends at {found}, and {head} events were promised")]
    Short { session: SessionId, found: u64, head: u64 },
}

/// Takes ownership and folds everything. *Crash:* a claim without an append changes nothing that anyone sees.
pub(super) async fn load(
    journal: &dyn Journal,
    session: SessionId,
    policy: Policy,
) -> Result<Core, LoadError> {
    let journal_failed = |cause| LoadError::Journal { session, cause };
    let claim = journal.claim(session).await.map_err(journal_failed)?;
    let mut state = State::empty(session);
    let mut ledger = Ledger::default();
    while state.head < claim.head {
        let page =
            journal.read(session, state.head, PAGE_EVENTS, PAGE_BYTES).await.map_err(journal_failed)?;
        if page.is_empty() {
            return Err(LoadError::Short { session, found: state.head, head: claim.head });
        }
        for record in &page {
            let event = record.event().map_err(|cause| LoadError::Decode { session, cause })?;
            state.apply(&mut ledger, record, &event);
        }
        tokio::task::yield_now().await;
    }
    Ok(Core::new(state, ledger, claim.term, policy))
}
