//! Brings a session back from the journal: takes ownership, folds its events, and, when it was not at rest, fetches what
//! its agent has left.

use super::core::Core;
use super::decide::Policy;
use super::ledger::Ledger;
use super::salvage::{Remains, Witness};
use super::state::State;
use crate::agent::Launcher;
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
///
/// The remains are those of an agent that was running when the session was last written; they are taken when nothing of
/// that agent lives any more.
pub(super) async fn load(
    journal: &dyn Journal,
    launcher: &dyn Launcher,
    session: SessionId,
    policy: Policy,
) -> Result<(Core, Option<Remains>), LoadError> {
    let journal_failed = |cause| LoadError::Journal { session, cause };
    let claim = journal.claim(session).await.map_err(journal_failed)?;
    let mut state = State::empty(session);
    let mut ledger = Ledger::default();
    let mut witness = Witness::default();
    while state.head < claim.head {
        let page =
            journal.read(session, state.head, PAGE_EVENTS, PAGE_BYTES).await.map_err(journal_failed)?;
        if page.is_empty() {
            return Err(LoadError::Short { session, found: state.head, head: claim.head });
        }
        for record in &page {
            let event = record.event().map_err(|cause| LoadError::Decode { session, cause })?;
            state.apply(&mut ledger, record, &event);
            witness.see(&event);
        }
        tokio::task::yield_now().await;
    }
    let was_at_rest = state.turn.is_none() && !state.has_agent;
    let remains = match was_at_rest {
        true => None,
        false => fetch(journal, launcher, &state, witness).await.map_err(journal_failed)?,
    };
    Ok((Core::new(state, ledger, claim.term, policy), remains))
}

/// Ends what still runs of the session, so that nothing is written behind our back, and reads what was written.
///
/// `None` when that is not to be had: the turn then counts as lost, and its sender may send it again.
async fn fetch(
    journal: &dyn Journal,
    launcher: &dyn Launcher,
    state: &State,
    witness: Witness,
) -> Result<Option<Remains>, JournalError> {
    let session = state.session;
    let sweep = launcher.sweep(vec![session]).await;
    if sweep.left > 0 {
        tracing::error!(%session, left = sweep.left, "an earlier agent of this session cannot be ended");
        return Ok(None);
    }
    let conversation = state.conversation.unwrap_or(session.uuid());
    let project_path = state.settings.project_path.clone().into();
    match launcher.transcript(project_path, conversation).await {
        Ok(written) => {
            let kept = journal.transcript(session).await?;
            Ok(Some(Remains { witness, kept, written }))
        }
        Err(error) => {
            tracing::warn!(%session, %error, "the agent's transcript cannot be read; what it wrote last is not recovered");
            Ok(None)
        }
    }
}
