//! Who has read and written which content of which file, so that a change by nobody that is known is noticed. In memory:
//! whoever knows a file ends with the server.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::blobs::BlobHash;
use crate::ids::SessionId;
use crate::locks::Holder;
use crate::project::ConflictId;

/// Files that are remembered: more than agents read in a day. The one that nobody touched for longest is forgotten first.
const MAX_FILES: usize = 65_536;

/// See the module.
#[derive(Debug, Default)]
pub struct Known {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    files: HashMap<PathBuf, File>,
    by_use: BTreeMap<u64, PathBuf>,
    uses: u64,
}

#[derive(Debug, Default)]
struct File {
    last_use: u64,
    last: Option<Last>,
    /// How often that was told.
    times_told: u64,
    readers: BTreeMap<SessionId, Reader>,
}

/// The last content that was told of.
#[derive(Debug)]
struct Last {
    hash: Option<BlobHash>,
    by: Option<Holder>,
}

#[derive(Debug)]
struct Reader {
    hash: Option<BlobHash>,
    stale: Option<Stale>,
}

#[derive(Debug, Clone, Copy)]
struct Stale {
    conflict: ConflictId,
    is_denied: bool,
}

/// What is new about a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strange {
    /// Whether nobody has told of this content.
    pub(super) is_new: bool,
    /// The sessions that had read something else, and what.
    pub(super) readers: Vec<(SessionId, Option<BlobHash>)>,
}

impl Known {
    /// A session has read this. Returns the conflict that is settled by it: the session knows now what is there, of all
    /// files that the conflict is about.
    pub(super) fn saw(&self, session: SessionId, path: &Path, hash: Option<BlobHash>) -> Option<ConflictId> {
        let mut shelf = self.shelf();
        let file = shelf.file(path);
        let old = file.readers.insert(session, Reader { hash, stale: None });
        let stale = old.and_then(|reader| reader.stale)?;
        if !stale.is_denied {
            return shelf.is_over(session, stale.conflict).then_some(stale.conflict);
        }
        // What it wanted to write is still not there.
        if let Some(reader) = file.readers.get_mut(&session) {
            reader.stale = Some(stale);
        }
        None
    }

    /// Somebody has written this, or is about to. Returns the conflict that is settled by it.
    pub(super) fn wrote(&self, by: &Holder, path: &Path, hash: Option<BlobHash>) -> Option<ConflictId> {
        let mut shelf = self.shelf();
        let file = shelf.file(path);
        file.is_told(hash, Some(by.clone()));
        let Holder::SessionId(session) = by else { return None };
        let old = file.readers.insert(*session, Reader { hash, stale: None });
        let stale = old.and_then(|reader| reader.stale)?;
        shelf.is_over(*session, stale.conflict).then_some(stale.conflict)
    }

    /// Somebody has written this, as they have told. What sessions know is another matter.
    pub(super) fn made(&self, by: &Holder, path: &Path, hash: Option<BlobHash>) {
        self.shelf().file(path).is_told(hash, Some(by.clone()));
    }

    /// A session goes on from this, which is not what is there.
    pub(super) fn believes(
        &self,
        session: SessionId,
        path: &Path,
        hash: Option<BlobHash>,
        conflict: ConflictId,
    ) {
        let stale = Some(Stale { conflict, is_denied: false });
        self.shelf().file(path).readers.insert(session, Reader { hash, stale });
    }

    /// The same, if nobody has told of the file since it was looked at.
    pub(super) fn made_since(
        &self,
        by: &Holder,
        path: &Path,
        hash: Option<BlobHash>,
        times_told: u64,
    ) -> bool {
        let mut shelf = self.shelf();
        let is_current = shelf.times_told(path) == times_told;
        if is_current {
            shelf.file(path).is_told(hash, Some(by.clone()));
        }
        is_current
    }

    /// Whether it was told already that a file has this content.
    pub(super) fn is_told(&self, path: &Path, hash: Option<BlobHash>) -> bool {
        let shelf = self.shelf();
        let last = shelf.files.get(path).and_then(|file| file.last.as_ref());
        last.is_some_and(|last| last.hash == hash)
    }

    /// What was to be written was not: the content before counts again.
    pub(super) fn is_still(&self, path: &Path, hash: Option<BlobHash>, by: Option<Holder>) {
        self.shelf().file(path).is_told(hash, by);
    }

    /// A session may not write what it wanted.
    pub(super) fn denied(&self, session: SessionId, path: &Path, conflict: ConflictId) {
        let mut shelf = self.shelf();
        let reader = shelf.file(path).readers.entry(session).or_insert(Reader { hash: None, stale: None });
        reader.stale = Some(Stale { conflict, is_denied: true });
    }

    /// The open conflict that a session has about a file.
    pub(super) fn open_conflict(&self, session: SessionId, path: &Path) -> Option<ConflictId> {
        let shelf = self.shelf();
        shelf.files.get(path)?.readers.get(&session)?.stale.map(|stale| stale.conflict)
    }

    /// Whether a session may not write what it wanted, which this conflict is about.
    pub(super) fn is_denied(&self, session: SessionId, path: &Path, conflict: ConflictId) -> bool {
        let shelf = self.shelf();
        let reader = shelf.files.get(path).and_then(|file| file.readers.get(&session));
        reader
            .and_then(|reader| reader.stale)
            .is_some_and(|stale| stale.is_denied && stale.conflict == conflict)
    }

    /// A conflict is over, for all sessions and files.
    pub(super) fn is_settled(&self, conflict: ConflictId) {
        for file in self.shelf().files.values_mut() {
            for reader in file.readers.values_mut() {
                reader.stale = reader.stale.filter(|stale| stale.conflict != conflict);
            }
        }
    }

    /// How often it was told what is in a file: whoever looks at it asks before, and says so with what was found.
    pub(super) fn times_told(&self, path: &Path) -> u64 {
        self.shelf().times_told(path)
    }

    /// A file has this content on disk. Whoever had read something else is named, once. None: somebody has told of it
    /// since the look at the disk was begun, so that what was found may be gone.
    pub(super) fn strange(&self, path: &Path, hash: Option<BlobHash>, times_told: u64) -> Option<Strange> {
        let mut shelf = self.shelf();
        if shelf.times_told(path) != times_told {
            return None;
        }
        let Some(file) = shelf.files.get(path) else {
            return Some(Strange { is_new: true, readers: Vec::new() });
        };
        if file.last.as_ref().is_some_and(|last| last.hash == hash) {
            return Some(Strange::default());
        }
        let is_behind = |reader: &Reader| reader.hash != hash && reader.stale.is_none();
        let readers: Vec<_> = file.readers.iter().filter(|(_, reader)| is_behind(reader)).collect();
        let readers = readers.into_iter().map(|(session, reader)| (*session, reader.hash)).collect();
        let is_new = file.last.is_some() || file.readers.values().any(|reader| reader.hash != hash);
        shelf.file(path).is_told(hash, None);
        Some(Strange { is_new, readers })
    }

    /// A session that had read something else is part of this conflict.
    pub(super) fn is_behind(&self, session: SessionId, path: &Path, conflict: ConflictId) {
        let mut shelf = self.shelf();
        if let Some(reader) = shelf.file(path).readers.get_mut(&session) {
            reader.stale = Some(Stale { conflict, is_denied: false });
        }
    }

    /// Who has made this content; none for a program that nobody knows, or if nobody has told.
    pub(super) fn maker(&self, path: &Path, hash: Option<BlobHash>) -> Option<Holder> {
        let shelf = self.shelf();
        let last = shelf.files.get(path)?.last.as_ref()?;
        last.by.clone().filter(|_| last.hash == hash)
    }

    /// The content that was last told of, and who made it; none if nobody did who is known.
    pub(super) fn last(&self, path: &Path) -> Option<(Option<BlobHash>, Holder)> {
        let shelf = self.shelf();
        let last = shelf.files.get(path)?.last.as_ref()?;
        last.by.clone().map(|by| (last.hash, by))
    }

    /// Whether any session has read the file, or written it.
    pub(crate) fn has_readers(&self, path: &Path) -> bool {
        self.shelf().files.get(path).is_some_and(|file| !file.readers.is_empty())
    }

    /// The files below a folder that sessions know: after a gap, these are looked at again.
    pub(crate) fn below(&self, folder: &Path) -> Vec<PathBuf> {
        let shelf = self.shelf();
        shelf.files.keys().filter(|path| path.starts_with(folder)).cloned().collect()
    }

    /// A session needs nothing any more. Returns the conflicts that are nobody's now: what it had read is of no matter,
    /// but what it was denied is still not there.
    pub fn gone(&self, session: SessionId) -> Vec<ConflictId> {
        let mut settled = Vec::new();
        for file in self.shelf().files.values_mut() {
            let stale = file.readers.remove(&session).and_then(|reader| reader.stale);
            settled.extend(stale.filter(|stale| !stale.is_denied).map(|stale| stale.conflict));
        }
        settled.sort();
        settled.dedup();
        settled
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File {
    fn is_told(&mut self, hash: Option<BlobHash>, by: Option<Holder>) {
        self.last = Some(Last { hash, by });
        self.times_told += 1;
    }
}

impl Shelf {
    fn times_told(&self, path: &Path) -> u64 {
        self.files.get(path).map_or(0, |file| file.times_told)
    }

    /// Whether a session knows all files again that a conflict of it is about.
    fn is_over(&self, session: SessionId, conflict: ConflictId) -> bool {
        let stale = |file: &File| file.readers.get(&session).and_then(|reader| reader.stale);
        self.files.values().filter_map(stale).all(|stale| stale.conflict != conflict)
    }

    fn file(&mut self, path: &Path) -> &mut File {
        self.uses += 1;
        let uses = self.uses;
        if let Some(file) = self.files.get(path) {
            self.by_use.remove(&file.last_use);
        } else if self.files.len() >= MAX_FILES
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.files.remove(&oldest);
        }
        self.by_use.insert(uses, path.to_owned());
        let file = self.files.entry(path.to_owned()).or_default();
        file.last_use = uses;
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/p/a.txt";

    fn path() -> &'static Path {
        Path::new(PATH)
    }

    fn hash(text: &str) -> Option<BlobHash> {
        Some(BlobHash::of(text.as_bytes()))
    }

    fn found(known: &Known, hash: Option<BlobHash>) -> Strange {
        known.strange(path(), hash, known.times_told(path())).unwrap()
    }

    #[test]
    fn what_was_found_before_somebody_told_of_the_file_is_nothing_new() {
        let known = Known::default();
        let by = Holder::SessionId(SessionId::random());
        known.wrote(&by, path(), hash("one"));
        let times_told = known.times_told(path());
        known.wrote(&by, path(), hash("two"));
        assert_eq!(known.strange(path(), hash("one"), times_told), None);
        assert!(!known.made_since(&by, path(), hash("one"), times_told));
        assert!(known.is_told(path(), hash("two")));
        assert!(known.made_since(&by, path(), hash("three"), known.times_told(path())));
    }

    #[test]
    fn who_had_read_something_else_is_named_once() {
        let known = Known::default();
        let (reader, writer) = (SessionId::random(), SessionId::random());
        known.saw(reader, path(), hash("old"));
        known.wrote(&Holder::SessionId(writer), path(), hash("new"));
        assert_eq!(found(&known, hash("new")), Strange::default(), "the writer has told of it");
        let strange = found(&known, hash("strange"));
        assert!(strange.is_new);
        assert_eq!(strange.readers.len(), 2, "the writer had known another content too");
        assert_eq!(found(&known, hash("strange")), Strange::default());
        let conflict = ConflictId::random();
        known.is_behind(reader, path(), conflict);
        let again = found(&known, hash("stranger"));
        assert_eq!(again.readers, [(writer, hash("new"))], "it is part of a conflict already");
        assert_eq!(known.saw(reader, path(), hash("stranger")), Some(conflict));
    }

    #[test]
    fn what_was_denied_is_open_until_it_is_written() {
        let known = Known::default();
        let (session, conflict) = (SessionId::random(), ConflictId::random());
        known.denied(session, path(), conflict);
        assert_eq!(known.saw(session, path(), hash("new")), None);
        assert_eq!(known.open_conflict(session, path()), Some(conflict));
        assert_eq!(known.wrote(&Holder::SessionId(session), path(), hash("both")), Some(conflict));
        assert_eq!(known.open_conflict(session, path()), None);
    }

    #[test]
    fn a_conflict_about_several_files_is_over_with_the_last_of_them_or_with_its_session() {
        let known = Known::default();
        let (session, conflict) = (SessionId::random(), ConflictId::random());
        let other = Path::new("/p/b.txt");
        for path in [path(), other] {
            known.saw(session, path, hash("old"));
            known.is_behind(session, path, conflict);
        }
        assert_eq!(known.saw(session, path(), hash("new")), None);
        assert_eq!(known.saw(session, other, hash("new")), Some(conflict));
        known.is_behind(session, other, conflict);
        known.denied(session, path(), ConflictId::random());
        assert_eq!(known.gone(session), [conflict], "what was denied is for a person");
    }

    #[test]
    fn what_was_only_read_is_no_change() {
        let known = Known::default();
        let session = SessionId::random();
        known.saw(session, path(), hash("old"));
        assert_eq!(found(&known, hash("old")), Strange::default());
        known.gone(session);
        assert!(!known.has_readers(path()));
    }

    #[test]
    fn memory_has_an_end() {
        let known = Known::default();
        let session = SessionId::random();
        for file in 0..=MAX_FILES {
            known.saw(session, Path::new(&format!("/p/{file}")), None);
        }
        assert!(!known.has_readers(Path::new("/p/0")));
        assert!(known.has_readers(Path::new("/p/1")));
        assert_eq!(known.below(Path::new("/p")).len(), MAX_FILES);
    }
}
