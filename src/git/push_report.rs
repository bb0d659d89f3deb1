//! Reads `git push --porcelain`: whether it got through, and if not, whether another try makes sense. Pure.

/// What became of the one branch that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PushReport {
    /// The remote has it.
    Done,
    /// The remote has moved meanwhile, or is being moved at this moment.
    Moved,
    /// The remote does not want it.
    Declined(String),
    /// Nothing is said of the branch: it cannot be known from this whether the remote has it.
    Unknown,
}

/// How git words it that somebody else was faster. The last four are those of a remote where two come at once.
const MOVED: [&str; 8] = [
    "(fetch first)",
    "(non-fast-forward)",
    "(stale info)",
    "(needs force)",
    "cannot lock ref",
    "failed to update ref",
    "failed to lock",
    "incorrect old value",
];

impl PushReport {
    /// Reads what the answer says of one branch of the remote, `FLAG\tFROM:TO\tSUMMARY`; tags may be in it too.
    pub(super) fn parse(answer: &str, branch: &str) -> Self {
        let to = format!(":refs/heads/{branch}");
        let of_branch = |line: &str| {
            let mut fields = line.splitn(3, '\t');
            let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
            (flag.len() == 1 && refs.ends_with(&to)).then(|| (flag.to_owned(), summary.to_owned()))
        };
        match answer.lines().find_map(of_branch) {
            None => Self::Unknown,
            Some((flag, summary)) if flag == "!" => {
                if MOVED.iter().any(|words| summary.contains(words)) {
                    Self::Moved
                } else if summary.contains("[remote failure]") {
                    Self::Unknown
                } else {
                    Self::Declined(summary)
                }
            }
            Some(_) => Self::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(line: &str) -> PushReport {
        let tag = "*\trefs/tags/v1:refs/tags/v1\t[new tag]";
        PushReport::parse(&format!("To /some/where\n{tag}\n{line}\nDone\n"), "main")
    }

    #[test]
    fn a_branch_that_arrived_is_done() {
        for line in [
            " \trefs/heads/main:refs/heads/main\t1a2b3c4..5d6e7f8",
            "*\trefs/heads/new:refs/heads/main\t[new branch]",
            "=\trefs/heads/main:refs/heads/main\t[up to date]",
        ] {
            assert_eq!(report(line), PushReport::Done, "{line}");
        }
    }

    #[test]
    fn only_a_remote_that_moved_is_worth_another_try() {
        let refused = |why: &str| report(&format!("!\trefs/heads/main:refs/heads/main\t{why}"));
        for why in [
            "[rejected] (fetch first)",
            "[rejected] (non-fast-forward)",
            "[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)",
            "[remote rejected] (failed to update ref)",
            "[remote rejected] (incorrect old value provided)",
        ] {
            assert_eq!(refused(why), PushReport::Moved, "{why}");
        }
        for why in [
            "[remote rejected] (pre-receive hook declined)",
            "[remote rejected] (branch is currently checked out)",
        ] {
            assert_eq!(refused(why), PushReport::Declined(why.to_owned()), "{why}");
        }
        assert_eq!(refused("[remote failure] (remote failed to report status)"), PushReport::Unknown);
    }

    #[test]
    fn silence_is_no_success() {
        assert_eq!(PushReport::parse("", "main"), PushReport::Unknown);
        assert_eq!(PushReport::parse("fatal: the remote end hung up\n", "main"), PushReport::Unknown);
    }
}
