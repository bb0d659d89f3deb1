//! What was told in a project and is not written yet: in order, bounded, and what matters most is never dropped. Pure.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::clock::Timestamp;
use crate::project::{Happening, ProjectEvent};

/// How much waits to be written: at 20,000 events a second, more than three seconds of a disk that stands still.
/// Beyond it the oldest word of a lock or a file goes, and it is counted how many.
pub(crate) const MAX_UNWRITTEN: usize = 65_536;

/// Events of one append; as for a session, a flood shares its syncs and what comes behind it waits milliseconds.
const MAX_BATCH_EVENTS: usize = 2_048;

/// Bytes of one append, of what may be long.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Words that pass: of locks and of files.
    passing: VecDeque<(u64, Told)>,
    /// Everything else.
    lasting: VecDeque<(u64, Told)>,
    next: u64,
    dropped: u64,
}

/// Something that was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) at: Timestamp,
    pub(super) event: ProjectEvent,
    /// Who waits until it is on disk; dropped when it will not be.
    pub(super) written: Option<oneshot::Sender<()>>,
}

impl Queue {
    /// Takes something in, behind everything else.
    pub(super) fn push(&mut self, told: Told) {
        let is_full = self.passing.len() + self.lasting.len() >= MAX_UNWRITTEN;
        let makes_room = is_full && self.passing.pop_front().is_some();
        self.dropped += u64::from(makes_room);
        self.next += 1;
        match is_passing(&told.event) {
            true if is_full && !makes_room => self.dropped += 1,
            true => self.passing.push_back((self.next, told)),
            false => self.lasting.push_back((self.next, told)),
        }
    }

    /// Takes out what one append holds, in the order of telling; first of all how much is missing.
    pub(super) fn take(&mut self, now: Timestamp) -> Vec<Told> {
        let mut batch = Vec::new();
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let event = Happening::FactsDropped { count: dropped }.into();
            batch.push(Told { at: now, event, written: None });
        }
        let mut bytes = 0;
        while batch.len() < MAX_BATCH_EVENTS
            && bytes < MAX_BATCH_BYTES
            && let Some(told) = self.pop()
        {
            bytes += weight(&told.event);
            batch.push(told);
        }
        batch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.passing.is_empty() && self.lasting.is_empty() && self.dropped == 0
    }

    fn pop(&mut self) -> Option<Told> {
        let number = |queue: &VecDeque<(u64, Told)>| queue.front().map_or(u64::MAX, |(number, _)| *number);
        let first = match number(&self.passing) < number(&self.lasting) {
            true => self.passing.pop_front(),
            false => self.lasting.pop_front(),
        };
        first.map(|(_, told)| told)
    }
}

/// Whether people can do without it when there is too much: how locks and files are can be looked up.
fn is_passing(event: &ProjectEvent) -> bool {
    matches!(event, ProjectEvent::Lock(_) | ProjectEvent::Other(Happening::FileChanged { .. }))
}

/// About how long it is, where it can be long.
fn weight(event: &ProjectEvent) -> usize {
    /// The names and numbers of any event.
    const SHORT: usize = 256;
    match event {
        ProjectEvent::Other(Happening::ConflictDetected(conflict)) => {
            SHORT + conflict.hunks.as_ref().map_or(0, String::len)
        }
        _ => SHORT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;
    use crate::project::{ChangeType, Role};

    fn changed(path: &str) -> Told {
        let event = Happening::FileChanged {
            file_path: path.to_owned(),
            change_type: ChangeType::Modified,
            hash: None,
            holder: None,
        };
        Told { at: Timestamp::from_millis(0), event: event.into(), written: None }
    }

    fn connected() -> Told {
        let event = Happening::SessionConnected { session_id: SessionId::random(), role: Role::Primary };
        Told { at: Timestamp::from_millis(0), event: event.into(), written: None }
    }

    fn shown(told: &Told) -> String {
        match &told.event {
            ProjectEvent::Other(Happening::FileChanged { file_path, .. }) => file_path.clone(),
            ProjectEvent::Other(Happening::FactsDropped { count }) => format!("{count} dropped"),
            ProjectEvent::Other(_) => "connected".to_owned(),
            ProjectEvent::Lock(_) => "lock".to_owned(),
        }
    }

    fn take_all(queue: &mut Queue) -> Vec<String> {
        let mut all = Vec::new();
        while !queue.is_empty() {
            all.extend(queue.take(Timestamp::from_millis(0)).iter().map(shown));
        }
        all
    }

    #[test]
    fn everything_comes_out_in_the_order_of_telling() {
        let mut queue = Queue::default();
        for told in [changed("a"), connected(), changed("b"), connected(), connected(), changed("c")] {
            queue.push(told);
        }
        assert_eq!(take_all(&mut queue), ["a", "connected", "b", "connected", "connected", "c"]);
    }

    #[test]
    fn the_oldest_passing_word_goes_first_and_is_counted() {
        let mut queue = Queue::default();
        queue.push(connected());
        for number in 0..MAX_UNWRITTEN + 2 {
            queue.push(changed(&number.to_string()));
        }
        queue.push(connected());
        let all = take_all(&mut queue);
        assert_eq!(all.len(), MAX_UNWRITTEN + 1);
        assert_eq!(&all[..3], ["4 dropped", "connected", "4"]);
        assert_eq!(all.last().unwrap(), "connected");
    }

    #[test]
    fn what_lasts_is_never_dropped() {
        let mut queue = Queue::default();
        for _ in 0..MAX_UNWRITTEN + 10 {
            queue.push(connected());
        }
        queue.push(changed("too many"));
        let all = take_all(&mut queue);
        assert_eq!(all.iter().filter(|one| *one == "connected").count(), MAX_UNWRITTEN + 10);
        assert_eq!(all[0], "1 dropped");
        assert!(!all.contains(&"too many".to_owned()));
    }

    #[test]
    fn a_batch_is_bounded() {
        let mut queue = Queue::default();
        for number in 0..MAX_BATCH_EVENTS + 1 {
            queue.push(changed(&number.to_string()));
        }
        assert_eq!(queue.take(Timestamp::from_millis(0)).len(), MAX_BATCH_EVENTS);
        assert_eq!(queue.take(Timestamp::from_millis(0)).len(), 1);
    }
}
