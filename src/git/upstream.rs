//! Where a branch comes from and where it is pushed to: what was asked for, else what is configured, else the only remote or `origin`.

use super::call::Caller;
use super::trouble::{Reason, Trouble};

/// A branch of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upstream {
    pub(super) remote: String,
    /// Its name there.
    pub(super) branch: String,
    /// Whether the local branch follows it once it was pushed.
    pub(super) is_to_be_followed: bool,
}

/// What was asked for and what is configured.
#[derive(Debug, Clone, Copy, Default)]
struct Given<'a> {
    local: &'a str,
    remote: Option<&'a str>,
    branch: Option<&'a str>,
    /// The remote for pushes, where that is another one.
    pushed_to: Option<&'a str>,
    followed_remote: Option<&'a str>,
    followed_branch: Option<&'a str>,
    only_remote: Option<&'a str>,
}

impl Caller<'_> {
    /// What a branch takes in.
    pub(super) async fn source(
        &self,
        local: &str,
        remote: Option<&str>,
        branch: Option<&str>,
    ) -> Result<Upstream, Trouble> {
        self.upstream(local, remote, branch, None).await
    }

    /// What a branch is pushed to. One that follows another name is pushed there only if that is said.
    pub(super) async fn target(
        &self,
        local: &str,
        remote: Option<&str>,
        branch: Option<&str>,
    ) -> Result<Upstream, Trouble> {
        let pushed_to = match self.configured(&format!("branch.{local}.pushRemote")).await? {
            Some(remote) => Some(remote),
            None => self.configured("remote.pushDefault").await?,
        };
        let target = self.upstream(local, remote, branch, pushed_to.as_deref()).await?;
        if branch.is_none() && target.branch != local {
            let sentence = format!(
                "The branch `{local}` follows `{}` of `{}`, which has another name. Say with the field branch where it is to be pushed.",
                target.branch, target.remote
            );
            return Err(Trouble::refused(Reason::FollowsAnother, sentence));
        }
        Ok(target)
    }

    async fn upstream(
        &self,
        local: &str,
        remote: Option<&str>,
        branch: Option<&str>,
        pushed_to: Option<&str>,
    ) -> Result<Upstream, Trouble> {
        let listed = self.look(&["remote"]).await?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let remotes: Vec<&str> = listed.lines().collect();
        let followed_remote = self.configured(&format!("branch.{local}.remote")).await?;
        let followed_branch = self.configured(&format!("branch.{local}.merge")).await?;
        let only_remote = match remotes[..] {
            [only] => Some(only),
            _ => None,
        };
        let chosen = choose(Given {
            local,
            remote,
            branch,
            pushed_to,
            followed_remote: followed_remote.as_deref(),
            followed_branch: followed_branch.as_deref(),
            only_remote,
        });
        if remotes.contains(&&*chosen.remote) {
            return Ok(chosen);
        }
        // What is configured may be an address, with a password in it; what was asked for cannot.
        let sentence = if remote.is_some() || chosen.remote == "origin" {
            format!(
                "There is no remote `{}` in this repository. Add it with `git remote add`.",
                chosen.remote
            )
        } else {
            format!(
                "What is configured as the remote of `{local}` is none of the remotes of this repository."
            )
        };
        Err(Trouble::refused(Reason::NoSuchName, sentence))
    }

    async fn configured(&self, key: &str) -> Result<Option<String>, Trouble> {
        let ran = self.look(&["config", "--get", key]).await?;
        Ok(ran.line().filter(|_| ran.is_ok()).map(str::to_owned))
    }
}

/// Pure. What a branch follows already is never changed, and it begins to follow its own name alone.
fn choose(given: Given<'_>) -> Upstream {
    let Given { local, remote, branch, pushed_to, followed_remote, followed_branch, only_remote } = given;
    let chosen = remote.or(pushed_to).or(followed_remote).or(only_remote).unwrap_or("origin");
    let followed_there = followed_branch
        .and_then(|name| name.strip_prefix("refs/heads/"))
        .filter(|_| followed_remote == Some(chosen));
    let there = branch.or(followed_there).unwrap_or(local);
    let follows_something = followed_remote.is_some() || followed_branch.is_some();
    Upstream {
        remote: chosen.to_owned(),
        branch: there.to_owned(),
        is_to_be_followed: !follows_something && there == local && pushed_to.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(given: Given<'_>) -> (String, String, bool) {
        let Upstream { remote, branch, is_to_be_followed } = choose(given);
        (remote, branch, is_to_be_followed)
    }

    fn expected(remote: &str, branch: &str, is_to_be_followed: bool) -> (String, String, bool) {
        (remote.to_owned(), branch.to_owned(), is_to_be_followed)
    }

    #[test]
    fn what_is_configured_counts_where_nothing_is_asked_for() {
        let new = Given { local: "x", ..Given::default() };
        assert_eq!(chosen(new), expected("origin", "x", true));
        assert_eq!(chosen(Given { only_remote: Some("hub"), ..new }), expected("hub", "x", true));
        assert_eq!(chosen(Given { branch: Some("backup"), ..new }), expected("origin", "backup", false));
        let followed =
            Given { followed_remote: Some("origin"), followed_branch: Some("refs/heads/main"), ..new };
        assert_eq!(chosen(followed), expected("origin", "main", false));
        assert_eq!(chosen(Given { branch: Some("y"), ..followed }), expected("origin", "y", false));
        assert_eq!(chosen(Given { remote: Some("fork"), ..followed }), expected("fork", "x", false));
        assert_eq!(chosen(Given { pushed_to: Some("fork"), ..followed }), expected("fork", "x", false));
        assert_eq!(
            chosen(Given { pushed_to: Some("origin"), ..followed }),
            expected("origin", "main", false)
        );
        assert_eq!(chosen(Given { pushed_to: Some("fork"), ..new }), expected("fork", "x", false));
    }
}
