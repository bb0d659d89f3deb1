//! Repositories in a folder of their own: a bare remote, clones of it, and git in turn over them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tandem::git::{Done, FindProject, Git, Ledger, Operation, Parts, Program, Strategy, What};
use tandem_actors::clock::SystemClock;
use tandem_actors::files::{Files, MAX_VERSION_BYTES, Parts as FileParts, Versions};
use tandem_actors::journal::MemoryJournal;
use tandem_actors::locks::{Holder, Keeper, Mode, Request, Resource};
use tandem_actors::project::{Feed, ProjectEvent};
use tandem_actors::refusal::Refusal;
use tandem_actors::registry::check_project;

/// Repositories, and git in turn over them.
pub(crate) struct Forge {
    _folder: tempfile::TempDir,
    grove: Grove,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) told: Arc<Told>,
    pub(crate) git: Git,
    pub(crate) files: Arc<Files>,
    parts: Parts,
}

/// Repositories below a folder: a bare remote, and trees in `work`.
pub(crate) struct Grove {
    root: PathBuf,
}

/// What people were told of the projects.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<serde_json::Value>>);

/// A working tree.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(crate) path: PathBuf,
    home: PathBuf,
}

/// All that a tree consists of, to the byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AsItIs {
    files: BTreeMap<PathBuf, Vec<u8>>,
    head: String,
    branches: String,
    index: String,
    status: String,
}

impl Feed for Told {
    fn tell(&self, _project: &Arc<str>, event: ProjectEvent) {
        self.0.lock().unwrap().push(serde_json::to_value(event).unwrap());
    }
}

impl Told {
    /// The data of all events of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<serde_json::Value> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|event| event["kind"] == kind).map(|event| event["data"].clone()).collect()
    }
}

impl Forge {
    /// A bare remote without a commit, somebody who commits, and a server that waits for locks for this long.
    pub(crate) async fn with_wait(wait: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let grove = Self::below(folder.path());
        let root = grove.root();
        let told = Arc::new(Told::default());
        let clock = Arc::new(SystemClock::new());
        let journal = Arc::new(MemoryJournal::new());
        let keeper = Keeper::open(clock.clone(), journal.clone(), told.clone()).await.unwrap();
        let files = Files::new(FileParts {
            keeper: keeper.clone(),
            feed: told.clone(),
            blobs: journal,
            versions: Versions::open(root.join("versions"), MAX_VERSION_BYTES).unwrap(),
            clock: clock.clone(),
            allowed_roots: vec![root.join("work")],
            own_folder: None,
            waits: Vec::new(),
            lock_wait: wait,
        });
        let program = Program::new(git_path(), environment(&root));
        let parts = Parts {
            program: Some(program),
            keeper: keeper.clone(),
            feed: told.clone(),
            files: files.clone(),
            clock,
            find_project: finder(root.join("work")),
            is_open: Arc::new(|_, _| true),
            wait,
            ledger: Some(Ledger::open(&root.join("ledger")).unwrap()),
        };
        Self { _folder: folder, grove, keeper, told, git: Git::new(parts.clone()), files, parts }
    }

    /// Git in turn by way of a script, which finds the real git in `$GIT` and goes on to it.
    pub(crate) fn through(&self, script: &str) -> Git {
        let path = self.root().join("through");
        write_script(&path, &format!("GIT='{}'\n{script}\nexec \"$GIT\" \"$@\"", git_path().display()));
        let program = Some(Program::new(path, environment(&self.root())));
        Git::new(Parts { program, ..self.parts.clone() })
    }

    pub(crate) async fn new() -> Self {
        Self::with_wait(Duration::from_secs(20)).await
    }

    /// Repositories alone, below a folder that somebody else looks after: its `.gitconfig` is written too.
    pub(crate) fn below(folder: &Path) -> Grove {
        let root = folder.canonicalize().unwrap();
        std::fs::create_dir(root.join("work")).unwrap();
        std::fs::write(root.join(".gitconfig"), CONFIGURATION).unwrap();
        let grove = Grove { root };
        grove.tree_at("").run(&["init", "--quiet", "--bare", "remote.git"]);
        grove
    }

    pub(crate) async fn ask(&self, tree: &Tree, operation: Operation) -> Result<Done, Refusal> {
        self.ask_as("laptop", tree, operation).await
    }

    pub(crate) async fn ask_as(
        &self,
        device: &str,
        tree: &Tree,
        operation: Operation,
    ) -> Result<Done, Refusal> {
        self.git.run(tree.path.to_string_lossy().into_owned(), device.parse().unwrap(), operation).await
    }
}

impl std::ops::Deref for Forge {
    type Target = Grove;

    fn deref(&self) -> &Grove {
        &self.grove
    }
}

impl Grove {
    /// Outside of the folders that the server may work in.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// Below the folder that the server may work in; it need not exist.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.root().join("work").join(name)
    }

    pub(crate) fn remote(&self) -> Tree {
        self.outside("remote.git")
    }

    /// A clone of the remote.
    pub(crate) fn clone_as(&self, name: &str) -> Tree {
        let path = self.work(name);
        self.tree_at("").run(&["clone", "--quiet", "remote.git", path.to_str().unwrap()]);
        self.tree(name)
    }

    /// A tree that is there, or will be, where the server may not work.
    pub(crate) fn outside(&self, name: &str) -> Tree {
        self.tree_at(name)
    }

    /// A tree that is there, or will be.
    pub(crate) fn tree(&self, name: &str) -> Tree {
        self.tree_at(&format!("work/{name}"))
    }

    fn tree_at(&self, place: &str) -> Tree {
        Tree { path: self.root().join(place), home: self.root() }
    }

    /// A clone with one commit, which the remote has too.
    pub(crate) fn seeded(&self, name: &str) -> Tree {
        let tree = self.clone_as(name);
        tree.write("shared.txt", "one\ntwo\nthree\n");
        tree.write("other.txt", "other\n");
        tree.commit("first");
        tree.run(&["push", "--quiet", "origin", "main"]);
        tree
    }
}

impl AsItIs {
    pub(crate) fn index(&self) -> &str {
        &self.index
    }

    pub(crate) fn status(&self) -> &str {
        &self.status
    }
}

impl Tree {
    /// Runs git as a person would; it must succeed.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?} in {}: {words}", self.path.display());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn try_run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(git_path());
        command.args(args).current_dir(&self.path).env_clear().envs(environment(&self.home));
        command.env("GIT_EDITOR", "true").output().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).unwrap()
    }

    /// Commits everything, as a person would.
    pub(crate) fn commit(&self, message: &str) {
        self.run(&["add", "--all"]);
        self.run(&["commit", "--quiet", "--message", message]);
    }

    /// Writes one file and commits it.
    pub(crate) fn change(&self, name: &str, text: &str) {
        self.write(name, text);
        self.commit(&format!("change {name}"));
    }

    /// Puts a script where git looks for hooks.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let git_folder = self.run(&["rev-parse", "--absolute-git-dir"]);
        let path = Path::new(&git_folder).join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_script(&path, script);
    }

    pub(crate) fn head(&self) -> String {
        self.run(&["rev-parse", "HEAD"])
    }

    pub(crate) fn as_it_is(&self) -> AsItIs {
        let mut files = BTreeMap::new();
        let mut open = vec![self.path.clone()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.ends_with(".git") {
                    continue;
                } else if entry.is_dir() {
                    open.push(entry);
                } else {
                    let bytes = std::fs::read(&entry).unwrap();
                    files.insert(entry, bytes);
                }
            }
        }
        AsItIs {
            files,
            head: self.run(&["symbolic-ref", "HEAD"]),
            branches: self.run(&["for-each-ref", "refs/heads", "refs/tags", "refs/worktree"]),
            index: self.run(&["ls-files", "--stage"]),
            status: self.run(&["status", "--porcelain=v2"]),
        }
    }

    /// That nothing of Tandem's and of git's own is left in the git folder.
    pub(crate) fn is_tidy(&self) -> bool {
        let git_folder = PathBuf::from(self.run(&["rev-parse", "--absolute-git-dir"]));
        [
            "tandem-operation.json",
            "tandem-operation.index",
            "index.lock",
            "rebase-merge",
            "rebase-apply",
            "MERGE_HEAD",
        ]
        .iter()
        .all(|name| !git_folder.join(name).exists())
    }
}

const CONFIGURATION: &str = "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n[commit]\ngpgSign = false\n[pull]\nrebase = true\n";

pub(crate) fn commit(message: &str, what: What) -> Operation {
    Operation::Commit { message: message.to_owned(), what, author: None }
}

/// Of everything.
pub(crate) fn commit_all(message: &str) -> Operation {
    commit(message, What::All)
}

pub(crate) fn push(strategy: Strategy) -> Operation {
    Operation::Push { remote: None, branch: None, strategy }
}

pub(crate) fn pull(strategy: Strategy) -> Operation {
    Operation::Pull { remote: None, branch: None, strategy }
}

pub(crate) fn branch(name: &str, is_entered: bool) -> Operation {
    Operation::Branch { name: name.to_owned(), from: None, is_entered, is_deleted: false }
}

/// `details.reason`.
pub(crate) fn reason(refusal: &Refusal) -> String {
    let details = refusal.details.clone().unwrap_or_default();
    details["reason"].as_str().unwrap_or_default().to_owned()
}

/// A child writes it: were it open for writing here, another test's child could inherit it, and it would not run.
fn write_script(path: &Path, script: &str) {
    let script = format!("#!/bin/sh\n{script}\n");
    let status = Command::new("sh")
        .args(["-c", "printf '%s' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .arg(script)
        .status();
    assert!(status.unwrap().success());
}

/// For a lock, not to be waited for.
pub(crate) fn request(holder: &Holder, resource: Resource) -> Request {
    Request {
        holder: holder.clone(),
        project: "/project".into(),
        wants: vec![(resource, Mode::Exclusive)],
        ttl: Duration::from_secs(60),
        wait: Duration::ZERO,
        is_kept: false,
    }
}

fn finder(root: PathBuf) -> FindProject {
    Arc::new(move |path| {
        let roots = vec![root.clone()];
        Box::pin(async move { Ok(check_project(path.into(), roots).await?.to_string_lossy().into()) })
    })
}

fn git_path() -> PathBuf {
    tandem::agent_probe::resolve("git", std::env::var_os("PATH").as_deref()).expect("there is a git")
}

fn environment(home: &Path) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    vec![("HOME".into(), home.into()), ("PATH".into(), path)]
}
