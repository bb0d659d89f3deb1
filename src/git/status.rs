//! Reads `git status --porcelain=v2 -z`: which files differ from the last commit, and which do not merge. Pure.

/// The files of a tree that are not as the last commit has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) files: Vec<Change>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// From the top of the tree.
    pub(super) path: String,
    pub(super) kind: Kind,
}

/// What is up with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Git knows it, and it is changed in the tree or in the index alone.
    Tracked { in_tree: bool },
    /// Two histories do not agree on it.
    Unmerged(Clash),
    /// Git does not know it; a folder ends with `/`.
    Untracked,
}

/// In which way they do not agree. In a rebase, "us" is what is rebased onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    BothChanged,
    BothAdded,
    BothDeleted,
    DeletedByUs,
    DeletedByThem,
    AddedByUs,
    AddedByThem,
}

/// The answer was not what the format says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("git status cannot be read at entry {0:?}")]
pub(super) struct Unreadable(String);

impl Changes {
    /// Reads the whole answer.
    pub(super) fn parse(answer: &[u8]) -> Result<Self, Unreadable> {
        let text = String::from_utf8_lossy(answer);
        let mut entries = text.split('\0').filter(|entry| !entry.is_empty());
        let mut files = Vec::new();
        while let Some(entry) = entries.next() {
            let bad = || Unreadable(entry.to_owned());
            let change = match entry.split_once(' ').ok_or_else(bad)? {
                ("#" | "!", _) => continue,
                ("?", path) => Change { path: path.to_owned(), kind: Kind::Untracked },
                ("1", rest) => tracked(rest, 6).ok_or_else(bad)?,
                ("2", rest) => {
                    // The name it had before is an entry of its own.
                    entries.next().ok_or_else(bad)?;
                    tracked(rest, 7).ok_or_else(bad)?
                }
                ("u", rest) => unmerged(rest).ok_or_else(bad)?,
                _ => return Err(bad()),
            };
            files.push(change);
        }
        Ok(Self { files })
    }

    /// Those that git knows.
    pub(super) fn tracked(&self) -> impl Iterator<Item = &str> {
        self.paths(|kind| kind != Kind::Untracked)
    }

    /// Those whose content is to be found in the tree alone.
    pub(super) fn in_tree(&self) -> impl Iterator<Item = &str> {
        self.paths(|kind| matches!(kind, Kind::Tracked { in_tree: true }))
    }

    /// Those that do not merge.
    pub(super) fn unmerged(&self) -> impl Iterator<Item = (&str, Clash)> {
        self.files.iter().filter_map(|change| match change.kind {
            Kind::Unmerged(clash) => Some((change.path.as_str(), clash)),
            Kind::Tracked { .. } | Kind::Untracked => None,
        })
    }

    fn paths(&self, is_wanted: impl Fn(Kind) -> bool) -> impl Iterator<Item = &str> {
        self.files.iter().filter(move |change| is_wanted(change.kind)).map(|change| change.path.as_str())
    }
}

impl Clash {
    /// As a person reads it behind the name of the file.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::BothChanged => "changed on both sides",
            Self::BothAdded => "added on both sides",
            Self::BothDeleted => "deleted on both sides",
            Self::DeletedByUs => "deleted on our side, changed on theirs",
            Self::DeletedByThem => "changed on our side, deleted on theirs",
            Self::AddedByUs => "added on our side alone",
            Self::AddedByThem => "added on their side alone",
        }
    }
}

/// `XY` and so many fields more, then the path, which may hold spaces.
fn tracked(entry: &str, fields_between: usize) -> Option<Change> {
    let mut fields = entry.splitn(fields_between + 2, ' ');
    let xy = fields.next()?;
    let path = fields.nth(fields_between)?;
    let [_index, tree] = <[u8; 2]>::try_from(xy.as_bytes()).ok()?;
    let kind = Kind::Tracked { in_tree: tree != b'.' };
    Some(Change { path: path.to_owned(), kind })
}

fn unmerged(entry: &str) -> Option<Change> {
    let mut fields = entry.splitn(10, ' ');
    let clash = match fields.next()? {
        "UU" => Clash::BothChanged,
        "AA" => Clash::BothAdded,
        "DD" => Clash::BothDeleted,
        "DU" => Clash::DeletedByUs,
        "UD" => Clash::DeletedByThem,
        "AU" => Clash::AddedByUs,
        "UA" => Clash::AddedByThem,
        _ => return None,
    };
    let path = fields.nth(8)?;
    Some(Change { path: path.to_owned(), kind: Kind::Unmerged(clash) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    #[test]
    fn every_kind_of_entry_is_read() {
        let answer = format!(
            "1 M. N... 100644 100644 100644 {OID} {OID} a b.txt\0\
             1 .M N... 100644 100644 100644 {OID} {OID} -x\0\
             2 R. N... 100644 100644 100644 {OID} {OID} R100 new name\0old name\0\
             u DU N... 100644 100644 100644 100644 {OID} {OID} {OID} c d.txt\0\
             ? new/\0! ignored\0"
        );
        let changes = Changes::parse(answer.as_bytes()).unwrap();
        assert_eq!(changes.tracked().collect::<Vec<_>>(), ["a b.txt", "-x", "new name", "c d.txt"]);
        assert_eq!(changes.in_tree().collect::<Vec<_>>(), ["-x"]);
        assert_eq!(changes.unmerged().collect::<Vec<_>>(), [("c d.txt", Clash::DeletedByUs)]);
        assert_eq!(changes.files.last().unwrap().path, "new/");
        assert_eq!(Changes::parse(b"").unwrap(), Changes::default());
    }

    #[test]
    fn what_is_no_status_is_not_read_as_no_change() {
        for bad in ["x", "1 M. N...", "2 R. N... 1 1 1 a b R100 new\0", "u XX a b c d e f g h path", "3 a b"]
        {
            assert!(Changes::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
