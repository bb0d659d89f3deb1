//! An operation on a repository as a client sends it: `operation`, and what belongs to it.

use tandem_actors::refusal::Refusal;

use super::Fields;
use crate::git::{Operation, Strategy, What};

/// The operations.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Commit,
    Pull,
    Push,
    Rebase,
    Merge,
    Branch,
}

const KINDS: [(&str, Kind); 6] = [
    ("commit", Kind::Commit),
    ("pull", Kind::Pull),
    ("push", Kind::Push),
    ("rebase", Kind::Rebase),
    ("merge", Kind::Merge),
    ("branch", Kind::Branch),
];

const PUSH_STRATEGIES: [(&str, Strategy); 2] = [("rebase", Strategy::Rebase), ("merge", Strategy::Merge)];

const PULL_STRATEGIES: [(&str, Strategy); 3] =
    [("rebase", Strategy::Rebase), ("merge", Strategy::Merge), ("ff", Strategy::FastForward)];

impl Fields {
    /// What git is to do.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn git_operation(&self) -> Result<Operation, Refusal> {
        let operation = match self.required_word("operation", &KINDS)? {
            Kind::Commit => Operation::Commit {
                message: self.required("message")?,
                what: self.what()?,
                author: self.optional("author")?,
            },
            Kind::Pull => Operation::Pull {
                remote: self.optional("remote")?,
                branch: self.optional("branch")?,
                strategy: self.word("strategy", &PULL_STRATEGIES, Strategy::Rebase)?,
            },
            Kind::Push => Operation::Push {
                remote: self.optional("remote")?,
                branch: self.optional("branch")?,
                strategy: self.word("strategy", &PUSH_STRATEGIES, Strategy::Rebase)?,
            },
            Kind::Rebase => Operation::Rebase { onto: self.required("onto")? },
            Kind::Merge => Operation::Merge { branch: self.required("branch")? },
            Kind::Branch => Operation::Branch {
                name: self.required("name")?,
                from: self.optional("from")?,
                is_entered: self.optional("checkout")?.unwrap_or(false),
                is_deleted: self.optional("delete")?.unwrap_or(false),
            },
        };
        operation.check()?;
        Ok(operation)
    }

    fn what(&self) -> Result<What, Refusal> {
        let paths: Option<Vec<String>> = self.optional("paths")?;
        let is_all = self.optional("all")?.unwrap_or(false);
        match (paths, is_all) {
            (Some(_), true) => {
                Err(Refusal::bad_field("all", "A commit takes all, or the paths that are named."))
            }
            (Some(paths), false) => Ok(What::Paths(paths)),
            (None, true) => Ok(What::All),
            (None, false) => Ok(What::Staged),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn operation(value: &Value) -> Result<Operation, Refusal> {
        Fields::parse(value.to_string().as_bytes()).unwrap().git_operation()
    }

    #[test]
    fn each_operation_is_read_with_what_is_usual() {
        let what = |value: Value| match operation(&value).unwrap() {
            Operation::Commit { what, .. } => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(what(json!({"operation": "commit", "message": "-m"})), What::Staged);
        assert_eq!(what(json!({"operation": "commit", "message": "m", "all": true})), What::All);
        let paths = what(json!({"operation": "commit", "message": "m", "paths": ["a b"]}));
        assert_eq!(paths, What::Paths(vec!["a b".to_owned()]));
        let pull = Operation::Pull { remote: None, branch: None, strategy: Strategy::FastForward };
        assert_eq!(operation(&json!({"operation": "pull", "strategy": "ff"})), Ok(pull));
        let push = Operation::Push { remote: None, branch: None, strategy: Strategy::Rebase };
        assert_eq!(operation(&json!({"operation": "push"})), Ok(push));
        let branch = Operation::Branch { name: "x".into(), from: None, is_entered: true, is_deleted: false };
        assert_eq!(operation(&json!({"operation": "branch", "name": "x", "checkout": true})), Ok(branch));
    }

    #[test]
    fn a_refusal_names_the_field_that_is_wrong() {
        for (value, field) in [
            (json!({}), "operation"),
            (json!({"operation": "stash"}), "operation"),
            (json!({"operation": "commit"}), "message"),
            (json!({"operation": "commit", "message": "m", "paths": ["../x"]}), "paths"),
            (json!({"operation": "commit", "message": "m", "paths": ["x"], "all": true}), "all"),
            (json!({"operation": "commit", "message": "m", "author": "Ada"}), "author"),
            (json!({"operation": "push", "strategy": "ff"}), "strategy"),
            (json!({"operation": "rebase"}), "onto"),
            (json!({"operation": "merge", "branch": "-x"}), "branch"),
            (json!({"operation": "branch", "name": "x", "delete": true, "checkout": true}), "delete"),
        ] {
            assert_eq!(operation(&value).unwrap_err().details.unwrap()["field"], field, "{value}");
        }
    }
}
