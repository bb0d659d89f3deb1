//! Names of branches, remotes and commits, as far as it can be told without git that they are none: no option gets through. Pure.

use tandem_actors::refusal::Refusal;

/// Longer ones are no names; a file system would not take them either.
const MAX_NAME_BYTES: usize = 200;

/// Letters that git gives a meaning to, or that no branch may hold.
const FORBIDDEN: [char; 9] = [' ', '~', '^', ':', '?', '*', '[', '\\', '\x7f'];

/// A name of a branch or a remote, or a commit's hash.
///
/// What passes can be neither an option nor an expression (`HEAD~3`, `@{-1}`, `a:b`); whether it exists, and whether
/// it may be the name of a new branch, git says (`check-ref-format`).
pub(super) fn check(field: &str, name: &str) -> Result<(), Refusal> {
    let is_fine = !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('-')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && !name.chars().any(|letter| letter.is_control() || FORBIDDEN.contains(&letter));
    if is_fine { Ok(()) } else { Err(bad(field)) }
}

/// A name for a branch that may not exist yet.
pub(super) fn check_new(field: &str, name: &str) -> Result<(), Refusal> {
    check(field, name)?;
    let is_hash = name.len() >= 40 && name.bytes().all(|letter| letter.is_ascii_hexdigit());
    // Git takes both for something else than a branch.
    if name == "HEAD" || is_hash || name.starts_with("refs/") { Err(bad(field)) } else { Ok(()) }
}

/// An author as `Name <address>`.
pub(super) fn check_author(author: &str) -> Result<(), Refusal> {
    let is_text = |text: &str| {
        !text.trim().is_empty() && !text.contains(['<', '>']) && !text.chars().any(char::is_control)
    };
    let parts = author.strip_suffix('>').and_then(|author| author.split_once(" <"));
    let is_fine = author.len() <= MAX_NAME_BYTES
        && parts.is_some_and(|(name, address)| is_text(name) && is_text(address) && !address.contains(' '));
    if is_fine {
        return Ok(());
    }
    Err(Refusal::bad_field("author", "The field author is `Name <address>`, at most 200 bytes."))
}

/// Git does not take this name.
pub(super) fn bad(field: &str) -> Refusal {
    Refusal::bad_field(field, format!("The field {field} is no name that git takes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_options_nor_expressions_are_names() {
        for name in ["main", "feature/x", "origin/main", "v1.0", "HEAD", "e69de29", "ä"] {
            assert!(check("name", name).is_ok(), "{name}");
        }
        let long = "x".repeat(201);
        for name in [
            "",
            "-d",
            "--upload-pack=x",
            "a b",
            "HEAD~3",
            "a..b",
            "@{-1}",
            "a:b",
            "@",
            "x^",
            "a\nb",
            "a\\b",
            &long,
        ] {
            assert_eq!(check("onto", name).unwrap_err().details.unwrap()["field"], "onto", "{name:?}");
        }
    }

    #[test]
    fn a_new_branch_cannot_be_taken_for_something_else() {
        assert!(check_new("name", "deadbeef").is_ok());
        for name in ["HEAD", "refs/heads/x", &"a".repeat(40)] {
            assert!(check_new("name", name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_author_is_a_name_and_an_address() {
        assert!(check_author("Ada Lovelace <ada@example.org>").is_ok());
        for author in [
            "Ada",
            "<ada@example.org>",
            "Ada <a b>",
            "Ada <>",
            "A\nB <x>",
            "A <x> <y>",
            "Ada <ada@example.org> x",
        ] {
            assert!(check_author(author).is_err(), "{author}");
        }
    }
}
