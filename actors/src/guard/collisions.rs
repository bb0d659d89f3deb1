//! A write over content that the session has not seen, and who decides what becomes of it.

use std::fmt;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::answer::unseen;
use crate::blobs::BlobHash;
use crate::ids::SessionId;

/// A write that would go over something which its session has not seen. The session holds the file's lock.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Whose.
    pub session: SessionId,
    /// In which project; its canonical path.
    pub project: Arc<str>,
    /// Which file; canonical, and not always inside of the project.
    pub path: PathBuf,
    /// The file as people are shown it.
    pub shown: String,
    /// What the session has seen; none if it never looked.
    pub seen: Option<BlobHash>,
    /// What is there; none if there is no file.
    pub there: Option<BlobHash>,
    /// The tool: `Write`, `Edit`, `MultiEdit` or `NotebookEdit`.
    pub tool: String,
    /// What the tool is called with.
    pub input: Arc<RawValue>,
}

impl Attempt {
    /// What the model is told where nobody can say what its write would go over.
    #[must_use]
    pub fn read_again(&self) -> String {
        unseen(&self.shown, self.seen.is_some(), self.there.is_some())
    }
}

/// Something that is undone by dropping it, which must not wait.
pub type UntilDone = Arc<dyn fmt::Debug + Send + Sync>;

/// A call that may write a file, from when it may until its end was told.
#[derive(Debug, Clone)]
pub struct Writing {
    /// Whose.
    pub session: SessionId,
    /// Which file; canonical.
    pub path: PathBuf,
    /// What was there.
    pub before: Option<BlobHash>,
    /// What is to be there then; none where nobody can say.
    pub meant: Option<Arc<str>>,
    /// Its sender is dropped when the call has ended.
    pub ended: watch::Receiver<()>,
}

/// After a write of its own, a session goes on from what is not there.
#[derive(Debug, Clone)]
pub struct Diverged {
    /// Which session.
    pub session: SessionId,
    /// In which project; its canonical path.
    pub project: Arc<str>,
    /// Which file; canonical.
    pub path: PathBuf,
    /// What was there before.
    pub before: Option<BlobHash>,
    /// What the tool was to make of it.
    pub meant: String,
}

impl Writing {
    /// Whether the call has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended.has_changed().is_ok()
    }
}

/// What becomes of an attempt.
#[derive(Debug, Clone)]
pub enum Ruling {
    /// It may write.
    Let,
    /// It writes, with this input: a JSON object.
    Instead {
        /// The input.
        input: Arc<RawValue>,
        /// What has to stay until the tool is done; dropped then, or with the turn in which it never was.
        until_done: Option<UntilDone>,
    },
    /// It does not; the model is told why.
    Deny(String),
}

/// A write that has been made, by a session that was given leave for it and has lost its lock since.
#[derive(Debug, Clone)]
pub struct Late {
    /// Whose.
    pub session: SessionId,
    /// In which project; its canonical path.
    pub project: Arc<str>,
    /// Which file; canonical.
    pub path: PathBuf,
    /// What was there when leave was given; none if there was no file.
    pub before: Option<BlobHash>,
    /// What is there now.
    pub now: BlobHash,
}

/// Decides what becomes of writes that collide.
pub trait Collisions: Send + Sync + 'static {
    /// Decides. The agent waits meanwhile; when its turn ends before, the answer is dropped.
    fn before_write(&self, attempt: Attempt) -> BoxFuture<'static, Ruling>;

    /// It is written all the same, because locks only warn: both versions are kept, and people are told. The agent waits
    /// until that is done.
    fn write_over(&self, _attempt: Attempt) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// A session has read this or written it: what comes next from it goes out from there. Called with files of at most 4 MiB,
    /// on threads that may not block.
    fn seen(
        &self,
        _session: SessionId,
        _project: &Arc<str>,
        _path: &Path,
        _hash: BlobHash,
        _content: &Bytes,
    ) {
    }

    /// A session has written without its lock. Whether that went over what another has written since leave was given for it; people are told.
    fn wrote_over(&self, _late: Late) -> bool {
        false
    }

    /// A call begins that may write.
    fn begins(&self, _writing: Writing) {}

    /// A call has written this, and everybody is about to be told.
    fn wrote(&self, _session: SessionId, _path: &Path, _hash: Option<BlobHash>) {}

    /// What is there is not what a call was to make of it. The agent waits until both versions are kept.
    fn diverged(&self, _diverged: Diverged) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// Keeps contents that a record is about to refer to, for people.
    fn keep(&self, _contents: Vec<Bytes>) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// A session has left memory: what it has seen is not needed any more.
    fn left(&self, _session: SessionId, _project: &Arc<str>) {}
}

/// Denies every one, and has the file read again.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadAgain;

impl Collisions for ReadAgain {
    fn before_write(&self, attempt: Attempt) -> BoxFuture<'static, Ruling> {
        Box::pin(ready(Ruling::Deny(attempt.read_again())))
    }
}
