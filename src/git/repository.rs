//! Which repository a project lies in, and how it stands.

use std::path::{Path, PathBuf};

use tandem_actors::project::common_folder;

use super::call::Caller;
use super::status::Changes;
use super::trouble::{Reason, Trouble};

/// A repository with a working tree, as a project sees it. All paths are absolute, links resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    /// The folder of the project, which is the tree or lies in it.
    pub(super) project: PathBuf,
    /// Where the tree begins.
    pub(super) top: PathBuf,
    /// What belongs to this tree alone: its index, its HEAD.
    pub(super) own: PathBuf,
    /// What all trees of the repository share: branches, commits.
    pub(super) common: PathBuf,
    /// Under which folder its branches are locked, whichever of its trees this is.
    pub(super) locked_as: PathBuf,
}

/// Where the tree stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The commit; None where there is none yet.
    pub(super) head: Option<String>,
    /// The branch; None where HEAD is detached.
    pub(super) branch: Option<String>,
}

impl Repository {
    /// Asks git for the repository that a project lies in; `project` is canonical.
    pub(super) async fn find(caller: &Caller<'_>, project: &Path) -> Result<Self, Trouble> {
        let args =
            ["rev-parse", "--path-format=absolute", "--git-common-dir", "--git-dir", "--show-toplevel"];
        let ran = caller.look_in(project, &args).await?;
        if ran.code == Some(128) && !ran.stderr.contains("dubious ownership") {
            return Err(Trouble::NotARepository);
        }
        if !ran.is_ok() {
            return Err(Trouble::failed(&ran, project));
        }
        let answer = String::from_utf8_lossy(&ran.stdout).into_owned();
        let lines: Vec<PathBuf> = answer.lines().map(PathBuf::from).collect();
        let [common, own, top] = <[PathBuf; 3]>::try_from(lines).map_err(|_odd| Trouble::NotARepository)?;
        let real = tokio::task::spawn_blocking(move || {
            let real = |path: PathBuf| path.canonicalize().ok();
            let (common, own, top) = (real(common)?, real(own)?, real(top)?);
            let locked_as = common_folder(&top).unwrap_or_else(|| top.clone());
            Some((common, own, top, locked_as))
        });
        let (common, own, top, locked_as) = real.await.ok().flatten().ok_or(Trouble::NotARepository)?;
        Ok(Self { project: project.to_owned(), top, own, common, locked_as })
    }
}

impl Caller<'_> {
    /// Commit and branch.
    pub(super) async fn standing(&self) -> Result<Standing, Trouble> {
        let branch = self.look(&["symbolic-ref", "--quiet", "HEAD"]).await?;
        let branch = branch.line().and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
        let head = self.commit_of("HEAD").await?;
        Ok(Standing { head, branch })
    }

    /// The hash of the commit that a name stands for; None where there is none.
    pub(super) async fn commit_of(&self, name: &str) -> Result<Option<String>, Trouble> {
        let name = format!("{name}^{{commit}}");
        let ran = self.look(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).await?;
        Ok(ran.line().filter(|_| ran.is_ok()).map(str::to_owned))
    }

    /// A branch, tag or commit under the name by which git cannot take it for anything else, and its hash.
    pub(super) async fn named(&self, name: &str) -> Result<(String, String), Trouble> {
        let no_such = || {
            let sentence = format!("There is no branch, tag or commit `{name}` in this repository.");
            Trouble::refused(Reason::NoSuchName, sentence)
        };
        let commit = self.commit_of(name).await?.ok_or_else(no_such)?;
        let full = self.look(&["rev-parse", "--symbolic-full-name", name]).await?;
        let text = String::from_utf8_lossy(&full.stdout).into_owned();
        let full_name = text.lines().find(|line| line.starts_with("refs/") && full.is_ok());
        Ok((full_name.unwrap_or(&commit).to_owned(), commit))
    }

    /// What differs from the last commit.
    pub(super) async fn changes(&self) -> Result<Changes, Trouble> {
        let ran = self.look(&["status", "--porcelain=v2", "-z", "--untracked-files=normal"]).await?;
        if !ran.is_ok() {
            return Err(Trouble::failed(&ran, &self.repository()?.top));
        }
        Changes::parse(&ran.stdout)
            .map_err(|unreadable| Trouble::refused(Reason::Other, unreadable.to_string()))
    }

    /// Whether the first is in the history of the second.
    pub(super) async fn is_ancestor(&self, first: &str, second: &str) -> Result<bool, Trouble> {
        let ran = self.look(&["merge-base", "--is-ancestor", first, second]).await?;
        Ok(ran.is_ok())
    }
}
