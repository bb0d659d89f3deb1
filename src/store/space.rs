//! Room on the disk: warned of before it is gone, made when it is, and taken into use again when it is back.
//!
//! ```text
//! enough ──below WARN_BELOW──▶ warning ──a write finds the disk full──▶ full: the ballast is deleted;
//!    ▲                            │                                     what begins work is refused,
//!    └──────── above ─────────────┴◀─ above LEAVE_FULL_ABOVE: ballast ──  what ends it is written
//! ```

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use tandem_actors::event::Record;

use super::ballast::{BALLAST_BYTES, Ballast};
use super::faults::Faults;
use super::folder::Folder;
use super::health::Health;

/// Below this, operators are warned. Ten busy agents write some 100 kB a second into the journal and as much into their
/// own transcripts: about twenty minutes are left then.
const WARN_BELOW_BYTES: u64 = 256 << 20;

/// With so much free again, the disk is no longer taken for full: room for a new ballast and as much again, so that the
/// next message does not fill it.
const LEAVE_FULL_ABOVE_BYTES: u64 = 2 * BALLAST_BYTES;

/// With less than this at start, the ballast is given up at once: SQLite needs some 100 kB to open its log.
const START_NEEDS_BYTES: u64 = 4 << 20;

/// How often an idle or busy writer looks: one system call.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often while the disk is full: a person who has made room is waiting.
const LOOK_EVERY_WHILE_FULL: Duration = Duration::from_secs(1);

/// What begins work: refused on a full disk, while what is under way may still be written to its end.
const BEGINNINGS: &[&str] = &["session_created", "message_accepted"];

/// The space of a data folder, as the writer sees it.
#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    ballast: Ballast,
    faults: Faults,
    health: Health,
    is_full: bool,
    is_ballast_refused: bool,
    looked: Instant,
}

impl Space {
    /// Looks for the first time, and makes the ballast when there is room. Before the database is opened.
    pub(super) fn of(folder: &Folder, faults: Faults, health: Health) -> Self {
        let ballast = Ballast::of(folder);
        let path = folder.path().to_owned();
        let mut space = Self {
            folder: path,
            ballast,
            faults,
            health,
            is_full: false,
            is_ballast_refused: false,
            looked: Instant::now(),
        };
        if space.free_bytes().is_some_and(|free| free < START_NEEDS_BYTES) && space.ballast.drop_it() {
            tracing::warn!("the disk is almost full: the ballast is given up for this start");
        }
        space.look();
        space
    }

    /// How long the writer may sleep before the next look.
    pub(super) fn until_next_look(&self) -> Duration {
        let every = if self.is_full { LOOK_EVERY_WHILE_FULL } else { LOOK_EVERY };
        every.saturating_sub(self.looked.elapsed())
    }

    /// Measures, and moves between the states of the drawing above.
    pub(super) fn look(&mut self) {
        self.looked = Instant::now();
        let free = self.free_bytes();
        // Where the system does not say, or counts what this user may not have, the ballast is the measure.
        let has_room = free.is_none_or(|free| free >= LEAVE_FULL_ABOVE_BYTES) && self.has_ballast();
        if self.is_full && has_room {
            self.is_full = false;
            tracing::info!(free, "there is space on the disk again; everything is taken");
        }
        if let Some(free) = free {
            self.warn(free);
        }
    }

    /// A write found the disk full: makes what room can be made, and says whether that was any.
    pub(super) fn ran_out(&mut self) -> bool {
        let has_made_room = self.ballast.drop_it();
        if !self.is_full {
            tracing::error!(has_made_room, "the disk is full: nothing new is begun until there is space");
        }
        self.is_full = true;
        self.looked = Instant::now();
        has_made_room
    }

    /// Whether to refuse these records: the disk is full, and they begin work. Looks again before it says so.
    pub(super) fn refuses(&mut self, records: &[Record]) -> bool {
        records.iter().any(|record| BEGINNINGS.contains(&&*record.kind)) && self.refuses_new()
    }

    /// Whether to refuse what nobody has begun yet. Looks again before it says so.
    pub(super) fn refuses_new(&mut self) -> bool {
        if self.is_full {
            self.look();
        }
        self.is_full
    }

    /// What to tell while the disk is full.
    pub(super) fn trouble(&self) -> Option<String> {
        self.is_full.then(|| "the disk is full; nothing new is begun until there is space".to_owned())
    }

    /// Makes the ballast if need be, and says once if that cannot be done.
    fn has_ballast(&mut self) -> bool {
        let made = self.ballast.make();
        if let Err(error) = &made
            && !self.is_ballast_refused
        {
            tracing::warn!(%error, "the ballast cannot be made; a full disk will leave no way out");
        }
        self.is_ballast_refused = made.is_err();
        made.is_ok()
    }

    fn warn(&self, free: u64) {
        let warning = (free < WARN_BELOW_BYTES).then(|| {
            format!(
                "only {} MiB are free on the disk of the data folder; make room before it is full",
                free >> 20
            )
        });
        let was_warned = self.health.warning().is_some();
        if warning.is_some() && !was_warned {
            tracing::warn!(free_mib = free >> 20, "the disk of the data folder is getting full");
        }
        self.health.warn(warning);
    }

    /// What this user may still write; `None` when the system does not say.
    fn free_bytes(&self) -> Option<u64> {
        if self.faults.is_disk_full() {
            return Some(0);
        }
        match statvfs(&self.folder) {
            #[cfg_attr(target_os = "linux", expect(clippy::useless_conversion, reason = "u32 on macOS"))]
            Ok(disk) => Some(u64::from(disk.blocks_available()) * u64::from(disk.fragment_size())),
            Err(error) => {
                tracing::debug!(%error, "the free space cannot be measured");
                None
            }
        }
    }
}
