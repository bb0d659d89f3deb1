//! Tells a log that a crash has torn, which is every day's work, from one that was damaged behind the server's back.
//!
//! SQLite reads its log up to the first frame whose checksum is wrong and forgets the rest. After a crash that rest is the
//! one transaction that nobody was promised: the next one is only begun when it is synced. So when a frame of the same
//! log stands *behind* the end of a transaction that SQLite does not know, something that was acknowledged is unreadable.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// sqlite.org/fileformat2.html#walformat: the log's header, and one in front of each page.
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// Marks a log whose checksums are of big-endian words; one less, of little-endian ones.
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;

/// What is in front of a page in the log.
#[derive(Clone, Copy)]
struct Frame {
    ends_transaction: bool,
    /// The same in all frames of one log, and another in what is left of an older one.
    salt: [u8; 8],
}

/// Looks at what lies behind the frames that SQLite has read; a sentence if it should have read more.
///
/// # Errors
/// The log cannot be read. One that is not there is no error.
pub(super) fn look(log: &Path, frames_read: u64) -> io::Result<Option<String>> {
    let log = match File::open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        log => log?,
    };
    let mut header = [0; HEADER_BYTES];
    let length = log.metadata()?.len();
    if length < (HEADER_BYTES + FRAME_HEADER_BYTES) as u64 {
        return Ok(None);
    }
    log.read_exact_at(&mut header, 0)?;
    let page_bytes = u64::from(word(&header, 8)).clamp(512, 65536);
    let frame_at = |index: u64| -> io::Result<Option<Frame>> {
        let at = HEADER_BYTES as u64 + index * (FRAME_HEADER_BYTES as u64 + page_bytes);
        let mut bytes = [0; FRAME_HEADER_BYTES];
        if at + FRAME_HEADER_BYTES as u64 + page_bytes > length {
            return Ok(None);
        }
        log.read_exact_at(&mut bytes, at)?;
        let mut salt = [0; 8];
        salt.copy_from_slice(&bytes[8..16]);
        Ok(Some(Frame { ends_transaction: word(&bytes, 4) != 0, salt }))
    };
    let mut salt = [0; 8];
    salt.copy_from_slice(&header[16..24]);
    if !is_whole(&header) {
        // The header says nothing; the frames are then a log if they agree with one another.
        let Some(first) = frame_at(0)? else { return Ok(None) };
        salt = first.salt;
    }
    let mut index = frames_read;
    let mut has_lost_transaction = false;
    while let Some(frame) = frame_at(index)?.filter(|frame| frame.salt == salt) {
        if has_lost_transaction {
            let first_unread = frames_read + 1;
            return Ok(Some(format!("what its log holds from page {first_unread} on cannot be read")));
        }
        has_lost_transaction = frame.ends_transaction;
        index += 1;
    }
    Ok(None)
}

fn is_whole(header: &[u8; HEADER_BYTES]) -> bool {
    let is_big_endian = word(header, 0) == MAGIC_BIG_ENDIAN;
    let summand = |at: usize| if is_big_endian { word(header, at) } else { word(header, at).swap_bytes() };
    let (mut even, mut odd) = (0_u32, 0_u32);
    for at in (0..24).step_by(8) {
        even = even.wrapping_add(summand(at)).wrapping_add(odd);
        odd = odd.wrapping_add(summand(at + 4)).wrapping_add(even);
    }
    (even, odd) == (word(header, 24), word(header, 28))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use tandem_actors::journal::Journal as _;

    use super::super::testing::{Owner, history};
    use super::super::{OpenError, SqliteJournal};

    const PAGE: usize = 4096 + super::FRAME_HEADER_BYTES;

    /// What a killed server leaves: the database and a log with ten appends.
    async fn killed(folder: &std::path::Path) -> (Owner, Vec<u8>) {
        let home = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(home.path()).unwrap();
        let mut owner = Owner::of_new(&journal).await;
        for _ in 0..10 {
            owner.write(&journal, &["x"]).await.unwrap();
        }
        for name in ["tandem.db", "tandem.db-wal", "tandem.lock"] {
            std::fs::copy(home.path().join(name), folder.join(name)).unwrap();
        }
        (owner, std::fs::read(folder.join("tandem.db-wal")).unwrap())
    }

    #[tokio::test]
    async fn a_log_that_was_damaged_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (_, whole) = killed(folder.path()).await;
        let log = folder.path().join("tandem.db-wal");
        for at in [17, 25, super::HEADER_BYTES + PAGE + 500, super::HEADER_BYTES + 4 * PAGE + 4] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&log, &damaged).unwrap();
            let refusal = SqliteJournal::open(folder.path()).unwrap_err();
            assert!(matches!(refusal, OpenError::Damaged { .. }), "byte {at}: {refusal}");
            assert!(refusal.to_string().contains("cannot be read"), "byte {at}: {refusal}");
            assert!(std::fs::read(&log).unwrap() == damaged, "byte {at}: it was changed");
        }
        std::fs::write(&log, &whole).unwrap();
        SqliteJournal::open(folder.path()).unwrap();
    }

    #[tokio::test]
    async fn a_log_that_was_cut_off_is_read_up_to_its_last_whole_append() {
        let whole_events = async |bytes: usize| {
            let folder = tempfile::tempdir().unwrap();
            let (owner, whole) = killed(folder.path()).await;
            std::fs::write(folder.path().join("tandem.db-wal"), &whole[..whole.len().min(bytes)]).unwrap();
            let journal = SqliteJournal::open(folder.path()).unwrap();
            assert_eq!(journal.trouble(), None);
            history(&journal, owner.session).await.len()
        };
        let all = whole_events(usize::MAX).await;
        assert_eq!(all, 10);
        let log = killed(tempfile::tempdir().unwrap().path()).await.1.len();
        let torn = whole_events(log - 100).await;
        assert_eq!(torn, 9, "an append is there completely or not at all");
        assert_eq!(whole_events(0).await, 0);
    }
}
