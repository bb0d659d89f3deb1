//! A write over content that the session has not seen, and who decides what becomes of it.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

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

/// What becomes of an attempt.
#[derive(Debug, Clone)]
pub enum Ruling {
    /// It may write.
    Let,
    /// It writes, with this input: a JSON object.
    Instead(Arc<RawValue>),
    /// It does not; the model is told why.
    Deny(String),
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

    /// A session has left memory: what it has seen is not needed any more.
    fn left(&self, _session: SessionId) {}
}

/// Denies every one, and has the file read again.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadAgain;

impl Collisions for ReadAgain {
    fn before_write(&self, attempt: Attempt) -> BoxFuture<'static, Ruling> {
        let reason = unseen(&attempt.shown, attempt.seen.is_some(), attempt.there.is_some());
        Box::pin(ready(Ruling::Deny(reason)))
    }
}
