//! Where files and branches really are, and what is in a file. Looks at the disk: for threads that may block.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::git::GitUse;
use crate::blobs::BlobHash;
use crate::locks::Resource;

/// How many links are followed, as on Linux (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Up to this size a file is read as a whole, so that its content can be kept as the base of a merge; 4 MiB are more than
/// an agent writes. Of a larger one only the hash is taken.
const MAX_KEPT_BYTES: u64 = 4 * 1024 * 1024;

/// Of a larger file it is not noted that it was read: what agents write over is smaller, and hashing takes a quarter of a
/// second for this much.
const MAX_NOTED_BYTES: u64 = 64 * 1024 * 1024;

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum There {
    /// There is no file.
    Nothing,
    /// There is one.
    Content {
        hash: BlobHash,
        /// Only if it is not too large.
        bytes: Option<Bytes>,
    },
    /// It is no file, or may not be read: the tool will fail.
    Unreadable,
}

impl There {
    pub(super) fn hash(&self) -> Option<BlobHash> {
        match self {
            Self::Content { hash, .. } => Some(*hash),
            Self::Nothing | Self::Unreadable => None,
        }
    }

    /// The content, where it was read as a whole.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Content { bytes, .. } => bytes.clone(),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

/// Resolves all links of an absolute path; of what does not exist, those on the way to it.
pub(super) fn canonical(path: &Path) -> PathBuf {
    resolve(path, MAX_LINKS)
}

fn resolve(path: &Path, links: usize) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    if let (Ok(target), Some(parent)) = (fs::read_link(path), path.parent())
        && links > 0
    {
        // A link to something that does not exist: writing through it makes its target.
        return resolve(&parent.join(target), links - 1);
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => resolve(parent, links).join(name),
        _ => path.to_owned(),
    }
}

/// Looks what is in a file.
pub(super) fn look(path: &Path) -> There {
    match read(path) {
        Ok((hash, bytes)) => There::Content { hash, bytes },
        Err(error) if error.kind() == io::ErrorKind::NotFound => There::Nothing,
        Err(_) => There::Unreadable,
    }
}

/// As [`look`], for a file that is only read: of a very large one nothing is noted, so that reading its end takes no longer
/// than it takes the agent.
pub(super) fn look_at_read(path: &Path) -> There {
    match fs::metadata(path) {
        Ok(about) if about.len() > MAX_NOTED_BYTES => There::Unreadable,
        _ => look(path),
    }
}

fn read(path: &Path) -> io::Result<(BlobHash, Option<Bytes>)> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        // Opening a pipe would wait for whoever writes it.
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if about.len() <= MAX_KEPT_BYTES {
        let bytes = fs::read(path)?;
        return Ok((BlobHash::of(&bytes), Some(bytes.into())));
    }
    let (mut file, mut hasher, mut piece) = (fs::File::open(path)?, Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((BlobHash::from_bytes(hasher.finalize().into()), None)),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// The branches that git commands change; none where there is no repository.
pub(super) fn branches(uses: &[GitUse]) -> Vec<Resource> {
    let mut found = Vec::new();
    for GitUse { folder, names } in uses {
        let Some(repository) = Repository::of(folder) else { continue };
        let named = names.iter().filter(|name| repository.has(name)).map(String::as_str);
        for branch in named.chain([repository.current().as_str()]) {
            let resource = Resource::branch(&repository.place, branch);
            if !found.contains(&resource) {
                found.push(resource);
            }
        }
    }
    found
}

/// A repository as git lays it out on disk (gitrepository-layout(5)); git itself takes some milliseconds to tell the same.
struct Repository {
    /// Under which its branches are locked, the same for all working trees: the folder with `.git` in it, a bare repository
    /// itself.
    place: PathBuf,
    /// Of this working tree.
    git: PathBuf,
    /// Of all working trees together.
    common: PathBuf,
}

impl Repository {
    /// Looks in a folder and upwards.
    fn of(folder: &Path) -> Option<Self> {
        canonical(folder).ancestors().find_map(|folder| {
            let inside = folder.join(".git");
            if inside.is_dir() {
                return Some(Self { place: folder.to_owned(), git: inside.clone(), common: inside });
            }
            if let Some(elsewhere) = first_line(&inside) {
                let git = folder.join(elsewhere.strip_prefix("gitdir:")?.trim()).canonicalize().ok()?;
                let Some(common) = first_line(&git.join("commondir")) else {
                    // A submodule is a repository of its own.
                    return Some(Self { place: folder.to_owned(), common: git.clone(), git });
                };
                let common = git.join(common).canonicalize().ok()?;
                return Some(Self { place: around(&common), git, common });
            }
            let is_bare = ["HEAD", "objects", "refs"].iter().all(|name| folder.join(name).exists());
            let itself = || folder.to_owned();
            is_bare.then(|| Self { place: around(folder), git: itself(), common: itself() })
        })
    }

    /// The branch that is checked out, also in the middle of a rebase; `HEAD` where there is none.
    fn current(&self) -> String {
        let files = ["rebase-merge/head-name", "rebase-apply/head-name", "HEAD"];
        let lines = files.iter().filter_map(|file| first_line(&self.git.join(file)));
        let mut branches = lines.filter_map(|line| {
            let name = line.strip_prefix("ref:").unwrap_or(&line).trim();
            Some(name.strip_prefix("refs/heads/")?.to_owned())
        });
        branches.next().unwrap_or_else(|| "HEAD".to_owned())
    }

    fn has(&self, branch: &str) -> bool {
        let name = Path::new("refs/heads").join(branch);
        let is_inside = !name.components().any(|part| part == std::path::Component::ParentDir);
        if !is_inside || branch.is_empty() {
            return false;
        }
        let is_packed = || {
            let packed = fs::read_to_string(self.common.join("packed-refs")).unwrap_or_default();
            packed.lines().any(|line| line.split_once(" refs/heads/").is_some_and(|(_, name)| name == branch))
        };
        self.common.join(name).is_file() || is_packed()
    }
}

/// The folder that `.git` lies in.
fn around(git: &Path) -> PathBuf {
    let is_inside = git.file_name().is_some_and(|name| name == ".git");
    git.parent().filter(|_| is_inside).unwrap_or(git).to_owned()
}

fn first_line(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.lines().next()?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    #[test]
    fn links_are_resolved_also_where_there_is_no_file_yet() {
        let (_folder, path) = folder();
        fs::create_dir(path.join("real")).unwrap();
        fs::write(path.join("real/a"), "").unwrap();
        symlink("real", path.join("link")).unwrap();
        symlink("real/new", path.join("dangling")).unwrap();
        symlink("ring", path.join("ring")).unwrap();
        assert_eq!(canonical(&path.join("link/a")), path.join("real/a"));
        assert_eq!(canonical(&path.join("link/deep/new")), path.join("real/deep/new"));
        assert_eq!(canonical(&path.join("dangling")), path.join("real/new"));
        assert_eq!(canonical(&path.join("ring")), path.join("ring"));
    }

    #[test]
    fn content_is_hashed_whatever_its_size() {
        let (_folder, path) = folder();
        let (small, large) = (path.join("small"), path.join("large"));
        fs::write(&small, "hello").unwrap();
        let content = vec![7; usize::try_from(MAX_KEPT_BYTES).unwrap() + 1];
        fs::write(&large, &content).unwrap();
        let kept = Some(Bytes::from_static(b"hello"));
        assert_eq!(look(&small), There::Content { hash: BlobHash::of(b"hello"), bytes: kept });
        assert_eq!(look(&large), There::Content { hash: BlobHash::of(&content), bytes: None });
        assert_eq!(look(&path.join("missing")), There::Nothing);
        assert_eq!(look(&path), There::Unreadable);
    }

    fn git(folder: &Path, arguments: &[&str]) {
        let identity =
            ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
        let done = Command::new("git").current_dir(folder).args(identity).args(arguments).output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {done:?}");
    }

    fn branches_in(folder: &Path, names: &[&str]) -> Vec<String> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        branches(&[GitUse { folder: folder.to_owned(), names }]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn branches_are_those_of_the_repository_wherever_it_is_looked_at() {
        let (_folder, path) = folder();
        let (app, tree) = (path.join("app"), path.join("tree"));
        fs::create_dir_all(app.join("src")).unwrap();
        git(&app, &["init", "-q"]);
        let shown = |branch: &str| format!("branch {branch} of {}", app.display());
        assert_eq!(branches_in(&app, &[]), [shown("main")], "before the first commit");
        git(&app, &["commit", "-q", "--allow-empty", "-m", "x"]);
        git(&app, &["branch", "old"]);
        git(&app, &["branch", "packed/one"]);
        git(&app, &["pack-refs", "--all"]);
        git(&app, &["branch", "loose"]);
        git(&app, &["worktree", "add", "-q", "-b", "topic", "../tree"]);
        assert_eq!(branches_in(&app.join("src"), &["old"]), [shown("old"), shown("main")]);
        assert_eq!(branches_in(&app.join("not/there"), &[]), [shown("main")]);
        assert_eq!(branches_in(&app.join(".git"), &[]), [shown("main")]);
        assert_eq!(
            branches_in(&tree, &["packed/one", "loose", "HEAD~1", "../heads/old", ""]),
            [shown("packed/one"), shown("loose"), shown("topic")]
        );
        git(&tree, &["checkout", "-q", "--detach"]);
        assert_eq!(branches_in(&tree, &[]), [shown("HEAD")]);
        assert_eq!(branches_in(&path, &["main"]), [""; 0]);
        git(&path, &["clone", "-q", "--bare", "app", "bare"]);
        let bare = path.join("bare");
        assert_eq!(branches_in(&bare.join("refs"), &[]), [format!("branch main of {}", bare.display())]);
        let part = app.join("part");
        git(&app, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../bare", "part"]);
        assert_eq!(branches_in(&part, &[]), [format!("branch main of {}", part.display())]);
    }
}
