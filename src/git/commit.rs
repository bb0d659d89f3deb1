//! Keeps changes in a commit. Where that fails, the index is as before.

use tokio::task::spawn_blocking;

use super::call::Caller;
use super::index::Kept;
use super::mark::Mark;
use super::operation::What;
use super::program::Ran;
use super::trouble::{NO_IDENTITY, NOTHING, Reason, Trouble};

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
        self.need_identity().await?;
        let standing = self.standing().await?;
        let mark = Mark {
            operation: self.operation,
            name: "commit".to_owned(),
            branch: standing.branch,
            head: standing.head,
            target: None,
            changed: Vec::new(),
            index: Some(self.keep_index().await?),
        };
        self.note(&mark).await?;
        let trouble = match self.stage_and_commit(message, what, author).await {
            Ok(ran) => {
                self.forget(&mark).await;
                return Ok(ran);
            }
            Err(trouble) => trouble,
        };
        self.put_back(&mark, trouble.is_of_a_killed_git()).await?;
        self.forget(&mark).await;
        self.what_became_of_it(&mark, trouble).await
    }

    /// Git may have made the commit and then been held up, by a hook that runs behind it for instance.
    async fn what_became_of_it(&self, mark: &Mark, trouble: Trouble) -> Result<Ran, Trouble> {
        let now = self.standing().await?;
        if now.head == mark.head && now.branch == mark.branch {
            return Err(trouble);
        }
        let parents = self.look(&["rev-list", "--parents", "--max-count=1", "HEAD"]).await?;
        let mut parents = parents.line().unwrap_or_default().split(' ').skip(1);
        let is_made =
            now.branch == mark.branch && parents.next() == mark.head.as_deref() && parents.next().is_none();
        if is_made {
            let words = if let Trouble::Failed { words, .. } = trouble { words } else { trouble.to_string() };
            return Ok(Ran::done(words));
        }
        let sentence = "Git did not come to its end, and HEAD is not where it was: the commit may have been made. Look at it with `git log`.";
        let (reason, sentence, words) = (Reason::NotRestored, sentence.to_owned(), String::new());
        Err(Trouble::InDoubt { reason, sentence, words })
    }

    async fn keep_index(&self) -> Result<Kept, Trouble> {
        let own = self.repository()?.own.clone();
        match spawn_blocking(move || Kept::keep(&own)).await {
            Ok(Ok(kept)) => Ok(kept),
            Ok(Err(error)) => {
                let sentence = format!("The repository's index cannot be kept: {}.", error.kind());
                Err(Trouble::refused(Reason::Other, sentence))
            }
            Err(_stopped) => Err(Trouble::refused(Reason::Other, "The server is stopping.")),
        }
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
