//! What a server that died has left in its trees is put back by the next one, before anybody works there.

use std::path::{Path, PathBuf};

use tandem_actors::registry::check_project;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::call::Caller;
use super::ledger::Ledger;
use super::mark::Mark;
use super::program::Program;
use super::repository::Repository;
use super::trouble::Trouble;

/// Puts back all that is in the ledger. What cannot be put back now stays there, and is seen to by the next operation.
///
/// To be called before agents run and devices are served: nobody has a lock yet.
pub async fn recover_left(program: &Program, ledger: &Ledger, allowed_roots: &[PathBuf]) {
    let reading = ledger.clone();
    let left = spawn_blocking(move || reading.left()).await.unwrap_or_default();
    for (operation, top) in left {
        match recover(program, ledger, operation, &top, allowed_roots).await {
            Ok(()) => {
                let ledger = ledger.clone();
                let _ = spawn_blocking(move || ledger.end(operation)).await;
            }
            Err(trouble) => {
                tracing::warn!(%trouble, folder = %top.display(), "what a git operation has left cannot be put back now");
            }
        }
    }
}

async fn recover(
    program: &Program,
    ledger: &Ledger,
    operation: Uuid,
    top: &Path,
    allowed_roots: &[PathBuf],
) -> Result<(), Trouble> {
    let looked = top.to_owned();
    if !spawn_blocking(move || looked.exists()).await.unwrap_or(true) {
        return Ok(());
    }
    let caller = Caller::new(program, Uuid::now_v7()).on_record(Some(ledger));
    let top = check_project(top.to_owned(), allowed_roots.to_vec()).await?;
    let repository = Repository::find(&caller, &top).await?;
    for folder in [&repository.own, &repository.common] {
        check_project(folder.clone(), allowed_roots.to_vec()).await?;
    }
    let own = repository.own.clone();
    let mark = spawn_blocking(move || Mark::read(&own)).await.ok().flatten();
    // Without a mark of it the operation had not begun, or was over.
    if mark.is_none_or(|mark| mark.operation != operation) {
        return Ok(());
    }
    caller.inside(&repository).recover().await
}
