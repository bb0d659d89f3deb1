//! Which repositories a shell line changes through git, and where it looks for them. Pure.
//!
//! When in doubt it does: a subcommand that is not known to only read counts as one that writes, so an alias of git is
//! seen too. What is inside of scripts, and an alias of the shell, is not.

use std::path::{Path, PathBuf};

use super::shell::{Script, Step, Then, Word, read};

/// What one command does to a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUse {
    /// Where git looks for the repository; need not exist.
    pub folder: PathBuf,
    /// What may be names of branches that it changes, beside the one that is checked out.
    pub names: Vec<String>,
}

/// How many shells within shells are looked into; nobody writes more than two.
const MAX_SHELLS: usize = 4;

/// How many folders a command may be in that stands behind several `cd` of which not each need have happened.
const MAX_FOLDERS: usize = 8;

/// Subcommands that change no branch that is there and nothing that is checked out.
const READERS: &[&str] = &[
    "annotate",
    "archive",
    "blame",
    "bugreport",
    "bundle",
    "cat-file",
    "check-attr",
    "check-ignore",
    "check-ref-format",
    "cherry",
    "clone",
    "column",
    "config",
    "count-objects",
    "credential",
    "describe",
    "diagnose",
    "diff",
    "diff-files",
    "diff-index",
    "diff-tree",
    "difftool",
    "for-each-ref",
    "format-patch",
    "fsck",
    "gc",
    "grep",
    "gui",
    "hash-object",
    "help",
    "init",
    "instaweb",
    "log",
    "ls-files",
    "ls-remote",
    "ls-tree",
    "maintenance",
    "merge-base",
    "merge-tree",
    "name-rev",
    "notes",
    "pack-refs",
    "prune",
    "range-diff",
    "reflog",
    "remote",
    "repack",
    "request-pull",
    "rev-list",
    "rev-parse",
    "send-email",
    "shortlog",
    "show",
    "show-branch",
    "show-ref",
    "status",
    "tag",
    "var",
    "verify-commit",
    "verify-tag",
    "version",
    "whatchanged",
];

/// Subcommands that are known to write: they count behind a program whose name is not certain.
const WRITERS: &[&str] = &[
    "add",
    "am",
    "apply",
    "bisect",
    "branch",
    "checkout",
    "cherry-pick",
    "clean",
    "commit",
    "merge",
    "mv",
    "pull",
    "push",
    "rebase",
    "reset",
    "restore",
    "revert",
    "rm",
    "stash",
    "switch",
    "update-ref",
];

/// Options of git itself whose value is the next word.
const OPTIONS_WITH_VALUE: &[&str] =
    &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--super-prefix", "--config-env"];

/// Programs that read a script, from an argument or from a document.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "fish", "eval", "su", "watch", "script"];

/// Programs behind which the word `git` is no command.
const TALKERS: &[&str] = &[
    "apk", "apt", "apt-get", "brew", "cat", "cd", "dnf", "echo", "egrep", "grep", "hash", "head", "help",
    "less", "ls", "man", "mkdir", "npm", "pacman", "pgrep", "pip", "pkill", "printf", "ps", "rg", "tail",
    "test", "type", "whereis", "which", "yum",
];

/// Reads a shell line that is run in `cwd`.
pub(super) fn git_uses(line: &str, cwd: &Path) -> Vec<GitUse> {
    let mut walk = Walk { cwd, found: Vec::new() };
    // Most lines have nothing to do with git.
    let bare: String = line.chars().filter(|letter| !['\'', '"', '\\', '\n'].contains(letter)).collect();
    if bare.contains("git") || bare.contains("GIT") {
        let script = read(line);
        walk.script(&script, vec![cwd.to_owned()], 0);
        if !script.is_whole {
            walk.doubt();
        }
    }
    walk.found
}

struct Walk<'a> {
    cwd: &'a Path,
    found: Vec<GitUse>,
}

/// Where commands are run: one folder, or several when it is not certain.
type Folders = Vec<PathBuf>;

impl Walk<'_> {
    fn script(&mut self, script: &Script, folders: Folders, depth: usize) {
        let mut scopes = vec![folders];
        let mut compounds = 0_usize;
        let mut has_shell = false;
        for step in &script.steps {
            match step {
                Step::Enter => scopes.push(scopes.last().cloned().unwrap_or_default()),
                Step::Leave => {
                    scopes.pop();
                }
                Step::Run(words, then) => {
                    has_shell |= words.iter().any(|word| SHELLS.contains(&program(word)));
                    let folders = scopes.last_mut().expect("every scope that is left was entered");
                    let is_certain = compounds == 0 && *then == Then::Next;
                    let words = without_keywords(words, &mut compounds);
                    self.command(words, folders, is_certain && compounds == 0, depth);
                }
            }
        }
        if has_shell {
            for document in &script.documents {
                self.nested(document, &scopes[0].clone(), depth);
            }
        }
    }

    fn nested(&mut self, text: &str, folders: &Folders, depth: usize) {
        if !text.contains("git") {
            return;
        }
        let script = read(text);
        if depth >= MAX_SHELLS || !script.is_whole {
            self.doubt();
        }
        if depth < MAX_SHELLS {
            self.script(&script, folders.clone(), depth + 1);
        }
    }

    fn command(&mut self, words: &[Word], folders: &mut Folders, is_certain: bool, depth: usize) {
        let assignments = words.iter().take_while(|word| is_assignment(&word.text)).count();
        let (assignments, words) = words.split_at(assignments);
        let Some((first, arguments)) = words.split_first() else { return };
        match program(first) {
            "cd" | "pushd" | "chdir" => go(folders, arguments, is_certain),
            "popd" => folders.push(self.cwd.to_owned()),
            // What is exported is where every git behind it looks.
            "export" | "declare" | "typeset" => {
                for folder in git_folders(arguments) {
                    enter(folders, &folder);
                }
            }
            "git" => self.git(arguments, assignments, folders),
            name if TALKERS.contains(&name) => {}
            name if name.strip_prefix("git-").is_some_and(|subcommand| !READERS.contains(&subcommand)) => {
                self.found_in(folders, &[]);
            }
            // `$GIT commit`, `$(which git) push`.
            _ if !first.is_certain && has_writer(arguments) => self.git(arguments, assignments, folders),
            _ => self.wrapped(words, folders, depth),
        }
    }

    /// What another program may run: `sudo git …`, `xargs git …`, `sh -c '…'`, `find -exec git …`.
    fn wrapped(&mut self, words: &[Word], folders: &Folders, depth: usize) {
        let mut folders = folders.clone();
        let is_env = words.first().is_some_and(|first| program(first) == "env");
        for (place, word) in words.iter().enumerate() {
            let name = program(word);
            if place > 0 && name == "git" {
                // `env GIT_DIR=… git`: what stands before it.
                self.git(&words[place + 1..], &words[..place], &folders);
                return;
            }
            if is_env
                && ["-C", "--chdir"].contains(&word.text.as_str())
                && let Some(to) = words.get(place + 1).filter(|to| to.is_certain)
            {
                enter(&mut folders, &to.text);
            }
            if SHELLS.contains(&name) {
                let arguments = words[place + 1..].iter().map(|argument| argument.text.as_str());
                if name == "eval" {
                    // One line in several words.
                    self.nested(&arguments.collect::<Vec<_>>().join(" "), &folders, depth);
                } else {
                    arguments.for_each(|argument| self.nested(argument, &folders, depth));
                }
                return;
            }
        }
    }

    fn git(&mut self, arguments: &[Word], assignments: &[Word], folders: &Folders) {
        let mut folders = folders.clone();
        let value = |word: &Word| word.text.split_once('=').map(|(_, value)| value.to_owned());
        for folder in git_folders(assignments) {
            enter(&mut folders, &folder);
        }
        let mut rest = arguments;
        while let Some((option, behind)) = rest.split_first().filter(|(word, _)| word.text.starts_with('-')) {
            rest = behind;
            let is_folder = |name: &str| name == "-C" || name == "--git-dir";
            if OPTIONS_WITH_VALUE.contains(&option.text.as_str()) {
                if let Some((value, behind)) = rest.split_first() {
                    rest = behind;
                    if is_folder(&option.text) && value.is_certain {
                        enter(&mut folders, &value.text);
                    }
                }
            } else if option.text.starts_with("--git-dir=") && option.is_certain {
                enter(&mut folders, value(option).as_deref().unwrap_or("."));
            }
        }
        let Some((subcommand, arguments)) = rest.split_first() else { return };
        if !subcommand.is_certain || writes(&subcommand.text, arguments) {
            self.found_in(&folders, &names(&subcommand.text, arguments));
        }
    }

    fn found_in(&mut self, folders: &Folders, names: &[String]) {
        for folder in folders {
            let found = GitUse { folder: folder.clone(), names: names.to_vec() };
            if !self.found.contains(&found) {
                self.found.push(found);
            }
        }
    }

    fn doubt(&mut self) {
        self.found_in(&vec![self.cwd.to_owned()], &[]);
    }
}

/// The name of the program that a word starts: `/usr/bin/git` and `git.exe` are `git`.
fn program(word: &Word) -> &str {
    let name = word.text.rsplit(['/', '\\']).next().unwrap_or_default();
    name.strip_suffix(".exe").unwrap_or(name)
}

/// Takes off what begins or ends a compound command, and counts how many are open.
fn without_keywords<'a>(mut words: &'a [Word], compounds: &mut usize) -> &'a [Word] {
    while let Some((first, rest)) = words.split_first() {
        match first.text.as_str() {
            // What stands behind these is data.
            "for" | "select" | "case" => {
                *compounds += 1;
                return &[];
            }
            "if" | "while" | "until" => *compounds += 1,
            "fi" | "done" | "esac" => *compounds = compounds.saturating_sub(1),
            "then" | "else" | "elif" | "do" | "!" | "time" | "{" | "}" | "function" => {}
            _ => return words,
        }
        words = rest;
    }
    words
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let mut letters = name.trim_end_matches('+').chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

/// Goes elsewhere, or perhaps elsewhere. Where that is unknown, the folders stay as they are.
fn go(folders: &mut Folders, arguments: &[Word], is_certain: bool) {
    if arguments.iter().any(|word| word.text == "-") {
        // Back to wherever it was before: anywhere that was named, or here.
        return;
    }
    let home = Word { text: "~".to_owned(), is_certain: true };
    let to = arguments.iter().find(|word| !word.text.starts_with('-')).unwrap_or(&home);
    if !to.is_certain {
        return;
    }
    let before = folders.clone();
    enter(folders, &to.text);
    if !is_certain {
        let missing = before.into_iter().filter(|folder| !folders.contains(folder)).collect::<Vec<_>>();
        folders.extend(missing);
        folders.truncate(MAX_FOLDERS);
    }
}

fn enter(folders: &mut Folders, to: &str) {
    let at_home = match to.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let rest = Path::new(rest.trim_start_matches('/'));
            std::env::var_os("HOME")
                .map(|home| PathBuf::from(home).components().chain(rest.components()).collect())
        }
        _ => None,
    };
    for folder in folders.iter_mut() {
        *folder = at_home.clone().unwrap_or_else(|| folder.join(to));
    }
    folders.dedup();
}

/// Where `GIT_DIR` says that a repository is.
fn git_folders(assignments: &[Word]) -> impl Iterator<Item = String> {
    let certain = assignments.iter().filter(|word| word.is_certain);
    certain.filter_map(|word| word.text.strip_prefix("GIT_DIR=")).map(str::to_owned)
}

fn has_writer(arguments: &[Word]) -> bool {
    arguments.iter().any(|word| WRITERS.contains(&word.text.as_str()))
}

/// Whether a subcommand changes a branch, the index or what is checked out.
fn writes(subcommand: &str, arguments: &[Word]) -> bool {
    let first = arguments.iter().map(|word| word.text.as_str()).find(|word| !word.starts_with('-'));
    match subcommand {
        "stash" => !matches!(first, Some("list" | "show")),
        "branch" => arguments.iter().any(|word| changes_branches(&word.text)),
        "submodule" => !matches!(first, None | Some("status" | "summary")),
        "worktree" => !matches!(first, None | Some("list" | "lock" | "unlock" | "prune" | "repair")),
        // Into a branch of this repository, behind the name of the other one.
        "fetch" => arguments.iter().skip(1).any(|word| word.text.contains(':') && !word.text.contains("://")),
        _ => !READERS.contains(&subcommand),
    }
}

/// Whether an option of `git branch` deletes, moves, overwrites or describes a branch.
fn changes_branches(option: &str) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        let long = long.split_once('=').map_or(long, |(name, _)| name);
        return ["delete", "move", "copy", "force", "edit-description", "set-upstream-to", "unset-upstream"]
            .iter()
            .any(|known| !long.is_empty() && known.starts_with(long));
    }
    option.strip_prefix('-').is_some_and(|letters| letters.contains(['d', 'D', 'm', 'M', 'c', 'C', 'f', 'u']))
}

/// What may be names of branches that a subcommand changes.
fn names(subcommand: &str, arguments: &[Word]) -> Vec<String> {
    let words = arguments.iter().take_while(|word| word.text != "--").filter(|word| word.is_certain);
    let words = words.map(|word| word.text.as_str()).filter(|word| !word.starts_with('-'));
    match subcommand {
        "checkout" | "switch" | "branch" | "update-ref" | "worktree" => words.map(branch_of).collect(),
        // The first word is the remote one, or the branch onto which another one is put.
        "rebase" => words.skip(1).map(branch_of).collect(),
        "push" | "fetch" => words.skip(1).flat_map(|word| word.split(':')).map(branch_of).collect(),
        _ => Vec::new(),
    }
}

/// `+main` and `refs/heads/main` are about `main`.
fn branch_of(word: &str) -> String {
    let name = word.trim_start_matches('+');
    name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
