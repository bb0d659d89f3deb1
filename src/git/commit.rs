//! Keeps changes in a commit. Where that fails, the index is as before.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::call::Caller;
use super::mark::Mark;
use super::operation::What;
use super::program::Ran;
use super::trouble::{NO_IDENTITY, NOTHING, Reason, Trouble};
use super::undo::forget;

/// Hooks that can say no to a commit.
const HOOKS: [&str; 3] = ["pre-commit", "prepare-commit-msg", "commit-msg"];

impl Caller<'_> {
    /// Keeps what was named.
    pub(super) async fn commit(
        &self,
        message: &str,
        what: &What,
        author: Option<&str>,
    ) -> Result<Ran, Trouble> {
        let repository = self.repository()?;
        self.need_identity().await?;
        let index = repository.own.join("index");
        let before = read(index.clone()).await?;
        let standing = self.standing().await?;
        let mark = Mark {
            operation: self.operation,
            name: "commit".to_owned(),
            branch: standing.branch,
            head: standing.head,
            target: None,
            changed: Vec::new(),
        };
        self.note(&mark).await?;
        let outcome = self.stage_and_commit(message, what, author).await;
        if let Err(trouble) = &outcome {
            self.put_back(&mark, trouble.is_of_a_killed_git()).await?;
            put_back(index, before).await?;
        }
        forget(repository.own.clone()).await;
        outcome
    }

    async fn stage_and_commit(
        &self,
        message: &str,
        what: &What,
        author: Option<&str>,
    ) -> Result<Ran, Trouble> {
        let repository = self.repository()?;
        let project = &repository.project;
        // Names are taken to the letter, whatever they begin with or hold.
        let places: Vec<String> = match what {
            What::Staged => Vec::new(),
            What::All => vec![".".to_owned()],
            What::Paths(paths) => paths.iter().map(|path| format!(":(literal){path}")).collect(),
        };
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        if !places.is_empty() {
            let args = [&["add", "--all", "--"], &places[..]].concat();
            let staged = self.change_in(project, &args, None).await?;
            if !staged.is_ok() {
                return Err(Trouble::failed(&staged, &repository.top));
            }
        }
        let args = [&["diff", "--cached", "--quiet", "--no-ext-diff", "--"], &places[..]].concat();
        if self.look_in(project, &args).await?.is_ok() {
            return Err(Trouble::refused(Reason::NothingToCommit, NOTHING));
        }
        let author = author.map(|author| format!("--author={author}"));
        let mut args = vec!["commit", "--file=-", "--cleanup=whitespace"];
        args.extend(author.as_deref());
        if !places.is_empty() {
            args.push("--only");
        }
        args.push("--");
        args.extend(places);
        let ran = self.change_in(project, &args, Some(message.as_bytes().to_vec())).await?;
        if ran.is_ok() {
            return Ok(ran);
        }
        match Trouble::failed(&ran, &repository.top) {
            Trouble::Failed { reason: Reason::Other, .. } if self.has_hook().await? => {
                let sentence = "A hook of the repository refused the commit; its own words say why. Nothing was committed.";
                Err(Trouble::failed_because(Reason::Hook, sentence, &ran, &repository.top))
            }
            trouble => Err(trouble),
        }
    }

    async fn need_identity(&self) -> Result<(), Trouble> {
        let known = self.look(&["var", "GIT_COMMITTER_IDENT"]).await?;
        if known.is_ok() { Ok(()) } else { Err(Trouble::refused(Reason::NoIdentity, NO_IDENTITY)) }
    }

    async fn has_hook(&self) -> Result<bool, Trouble> {
        let folder = self.look(&["rev-parse", "--git-path", "hooks"]).await?;
        let Some(folder) = folder.line() else { return Ok(false) };
        let folder = self.repository()?.top.join(folder);
        let looked = spawn_blocking(move || HOOKS.iter().any(|hook| folder.join(hook).exists())).await;
        Ok(looked.unwrap_or(false))
    }
}

/// The index as it lies there; None in a repository that has none yet.
async fn read(index: PathBuf) -> Result<Option<Vec<u8>>, Trouble> {
    let read = spawn_blocking(move || match fs::read(index) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    });
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let sentence = format!("The repository's index cannot be read: {}.", error.kind());
            Err(Trouble::refused(Reason::Other, sentence))
        }
        Err(_stopped) => Err(Trouble::refused(Reason::Other, "The server is stopping.")),
    }
}

async fn put_back(index: PathBuf, before: Option<Vec<u8>>) -> Result<(), Trouble> {
    let written = spawn_blocking(move || replace(&index, before.as_deref()));
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "an index cannot be put back as it was before a commit that failed");
            let sentence = "Nothing was committed, but what was to be committed is still staged: another git holds the index.";
            let sentence = sentence.to_owned();
            Err(Trouble::InDoubt { reason: Reason::NotRestored, sentence, words: String::new() })
        }
        Err(_stopped) => Ok(()),
    }
}

/// Replaces the index as git does: by way of its lock file, so that no git sees half of it.
fn replace(index: &Path, before: Option<&[u8]>) -> io::Result<()> {
    if fs::read(index).ok().as_deref() == before {
        return Ok(());
    }
    let lock = index.with_extension("lock");
    let mut file = fs::File::create_new(&lock)?;
    let outcome = match before {
        Some(bytes) => file.write_all(bytes).and_then(|()| fs::rename(&lock, index)),
        None => fs::remove_file(index).and_then(|()| fs::remove_file(&lock)),
    };
    if outcome.is_err() {
        // The first error is the one that counts.
        let _ = fs::remove_file(&lock);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_somebody_holds_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        fs::write(&index, "after").unwrap();
        fs::write(folder.path().join("index.lock"), "").unwrap();
        assert!(replace(&index, Some(b"before")).is_err());
        assert!(folder.path().join("index.lock").exists(), "the lock is not ours to remove");
        fs::remove_file(folder.path().join("index.lock")).unwrap();
        replace(&index, Some(b"before")).unwrap();
        assert_eq!(fs::read(&index).unwrap(), b"before");
        replace(&index, None).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
