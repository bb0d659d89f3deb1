//! Brings the channel of a project back from the journal: takes ownership, and reads the events that its state is made of.

use std::sync::Arc;

use super::state::{Index, State};
use crate::event::CannotDecode;
use crate::ids::{Seq, SessionId, Term};
use crate::journal::{Journal, JournalError};

/// How much is folded at a time where there is no index; between two pages others of the thread have their turn.
const PAGE_EVENTS: usize = 1_000;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why a channel cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("the channel could not be read")]
    Journal(#[from] JournalError),
    #[error("the channel holds something that this version cannot read")]
    Decode(#[from] CannotDecode),
    #[error("the journal of the channel lacks event {seq}")]
    Missing { seq: Seq },
}

/// Takes ownership, and puts the state together. *Crash:* a claim without an append changes nothing that anyone sees.
pub(super) async fn load(
    journal: &dyn Journal,
    project: Arc<str>,
    index: &Index,
) -> Result<(State, Term), LoadError> {
    let channel = SessionId::of_channel(&project);
    let claim = journal.claim_channel(project).await?;
    let mut state = State::of(channel, index);
    for seq in index.seqs() {
        let page = journal.read(channel, seq - 1, 1, PAGE_BYTES).await?;
        let record = page.first().filter(|record| record.seq == seq).ok_or(LoadError::Missing { seq })?;
        state.bring_back(seq, &record.project_event()?);
    }
    while state.head < claim.head {
        let page = journal.read(channel, state.head, PAGE_EVENTS, PAGE_BYTES).await?;
        if page.is_empty() {
            return Err(LoadError::Missing { seq: state.head + 1 });
        }
        for record in &page {
            state.apply(record, &record.project_event()?);
        }
        tokio::task::yield_now().await;
    }
    state.hash = claim.hash;
    Ok((state, claim.term))
}
