//! Files that a killed git had written already, while index and HEAD still say what was there before.
//!
//! Such a file is known by its content: that of the commit that git was going to. What holds anything else was written
//! by somebody else, or only in part, and is left for a person to see.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::task::spawn_blocking;

use super::call::Caller;
use super::mark::Mark;
use super::trouble::Trouble;

/// A file that is not the same in two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Differing {
    path: String,
    /// Whether the first commit has it.
    is_there_before: bool,
    /// Its content in the second.
    after: Option<String>,
}

/// Puts them back. What was written after `not_after` is somebody's.
pub(super) async fn put_back(
    caller: &Caller<'_>,
    mark: &Mark,
    not_after: Option<SystemTime>,
) -> Result<(), Trouble> {
    let (Some(head), Some(target)) = (&mark.head, &mark.target) else { return Ok(()) };
    if caller.commit_of("HEAD").await?.as_ref() != Some(head) {
        // The step got through to its end.
        return Ok(());
    }
    let now = caller.changes_one_by_one().await?;
    let merged = caller.look(&["merge-tree", "--write-tree", head, target]).await?;
    let merged = merged.line().filter(|_| merged.is_ok()).map(str::to_owned);
    let mut restored = Vec::new();
    for tree in [Some(target.clone()), merged].into_iter().flatten() {
        let between = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", head, &tree];
        let between = caller.look(&between).await?;
        for differing in parse(&String::from_utf8_lossy(&between.stdout)) {
            let is_suspect = now.contains(&differing.path) && mark.was_clean(&differing.path);
            if is_suspect && is_of_git(caller, &differing, not_after).await? {
                if differing.is_there_before {
                    restored.push(differing.path);
                } else {
                    remove(caller.repository()?.top.clone(), differing.path).await;
                }
            }
        }
    }
    if restored.is_empty() {
        return Ok(());
    }
    tracing::warn!(files = restored.len(), "files that a killed git had written are put back");
    let paths = restored.join("\0").into_bytes();
    caller.undo(&["checkout-index", "--force", "-z", "--stdin"], Some(paths)).await?;
    Ok(())
}

impl Caller<'_> {
    async fn changes_one_by_one(&self) -> Result<Vec<String>, Trouble> {
        let ran =
            self.look(&["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"]).await?;
        let changes = super::status::Changes::parse(&ran.stdout).unwrap_or_default();
        Ok(changes.files.into_iter().map(|change| change.path).collect())
    }
}

/// Whether nothing but git has written what lies there: the content that it was going to write, nothing yet, or no
/// file any more.
async fn is_of_git(
    caller: &Caller<'_>,
    differing: &Differing,
    not_after: Option<SystemTime>,
) -> Result<bool, Trouble> {
    let path = caller.repository()?.top.join(&differing.path);
    let length = spawn_blocking(move || match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {
            let is_younger = |limit| metadata.modified().is_ok_and(|written| written > limit);
            (!not_after.is_some_and(is_younger)).then_some(metadata.len())
        }
        Ok(_) => None,
        // Git removes a file before it writes it anew.
        Err(_) => Some(0),
    });
    match length.await.ok().flatten() {
        None => Ok(false),
        Some(0) => Ok(true),
        Some(_) => {
            let hash = caller.look(&["hash-object", "--", &differing.path]).await?;
            Ok(hash.line().is_some_and(|hash| differing.after.as_deref() == Some(hash)))
        }
    }
}

async fn remove(top: PathBuf, path: String) {
    let removed = spawn_blocking(move || {
        fs::remove_file(top.join(&path))?;
        // Folders that git has made for it; those that hold anything else stay.
        let mut folder = Path::new(&path).parent();
        while let Some(name) = folder.filter(|name| !name.as_os_str().is_empty()) {
            if fs::remove_dir(top.join(name)).is_err() {
                break;
            }
            folder = name.parent();
        }
        Ok::<(), std::io::Error>(())
    });
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(%error, "a file that a killed git had written cannot be removed");
    }
}

/// `:MODE MODE HASH HASH STATUS`, then the path, each ended by NUL.
fn parse(answer: &str) -> Vec<Differing> {
    let mut entries = answer.split('\0');
    let mut all = Vec::new();
    while let (Some(entry), Some(path)) = (entries.next(), entries.next()) {
        let fields: Vec<&str> = entry.trim_start_matches(':').split(' ').collect();
        let [mode_before, mode_after, _, after, _] = fields[..] else { break };
        let is_there = |mode: &str| mode != "000000";
        let after = is_there(mode_after).then(|| after.to_owned());
        all.push(Differing { path: path.to_owned(), is_there_before: is_there(mode_before), after });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_read() {
        let answer =
            ":100644 100644 aa bb M\0a b.txt\0:000000 100644 00 cc A\0-new\0:100644 000000 dd 00 D\0gone\0";
        let expected = [("a b.txt", true, Some("bb")), ("-new", false, Some("cc")), ("gone", true, None)];
        let found = parse(answer);
        let found: Vec<_> =
            found.iter().map(|one| (one.path.as_str(), one.is_there_before, one.after.as_deref())).collect();
        assert_eq!(found, expected);
        assert!(parse("").is_empty());
    }
}
