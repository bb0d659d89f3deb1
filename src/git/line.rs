//! The line in front of each repository: one operation at a time, first come first served.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tandem_actors::locks::Holder;
use tokio::sync::oneshot;

/// Operations that wait for one repository. At some seconds each, the last of 64 waits minutes; nobody wants to wait
/// longer than that.
const MAX_WAITING: usize = 64;

/// All lines; clones share them.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<PathBuf, Line>>>);

/// The first one has its turn, the others wait.
#[derive(Default)]
struct Line {
    next_number: u64,
    inside: VecDeque<Inside>,
}

struct Inside {
    number: u64,
    holder: Holder,
    waiter: Option<oneshot::Sender<()>>,
}

/// A place in a line; dropping it leaves the line, or ends the turn.
pub(super) struct Place {
    lines: Lines,
    repository: PathBuf,
    number: u64,
    turn: Option<oneshot::Receiver<()>>,
    /// How many were in front at first.
    pub(super) position: usize,
    /// Who was just in front at first.
    pub(super) behind: Option<Holder>,
}

impl Lines {
    /// Stands at the end of a repository's line; None when that is as long as it may be.
    pub(super) fn enter(&self, repository: &Path, holder: Holder) -> Option<Place> {
        let mut lines = self.lines();
        let line = lines.entry(repository.to_owned()).or_default();
        let position = line.inside.len();
        if position > MAX_WAITING {
            return None;
        }
        let behind = line.inside.back().map(|last| last.holder.clone());
        let (waiter, turn) = match position {
            0 => (None, None),
            _ => {
                let (waiter, turn) = oneshot::channel();
                (Some(waiter), Some(turn))
            }
        };
        line.next_number += 1;
        let number = line.next_number;
        line.inside.push_back(Inside { number, holder, waiter });
        Some(Place { lines: self.clone(), repository: repository.to_owned(), number, turn, position, behind })
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<PathBuf, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until everybody in front has left. That ends: each of them has a deadline.
    pub(super) async fn turn(&mut self) {
        if let Some(turn) = &mut self.turn {
            // Only a line that is gone would drop the other end, and it holds this place.
            let _ = turn.await;
            self.turn = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.lines.lines();
        let Some(line) = lines.get_mut(&self.repository) else { return };
        line.inside.retain(|inside| inside.number != self.number);
        match line.inside.front_mut() {
            Some(first) => {
                // Whoever is told and has left meanwhile leaves by this same way.
                let _ = first.waiter.take().map(|waiter| waiter.send(()));
            }
            None => {
                lines.remove(&self.repository);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn device(name: &str) -> Holder {
        Holder::DeviceId(name.parse().unwrap())
    }

    fn has_its_turn(place: &mut Place) -> bool {
        place.turn().now_or_never().is_some()
    }

    #[test]
    fn who_came_first_is_served_first_and_who_leaves_is_passed_over() {
        let (lines, repository) = (Lines::default(), Path::new("/r/.git"));
        let mut places: Vec<Place> =
            ["a", "b", "c", "d"].map(|name| lines.enter(repository, device(name)).unwrap()).into();
        assert_eq!(places.iter().map(|place| place.position).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(places[2].behind, Some(device("b")));
        assert!(has_its_turn(&mut places[0]) && !has_its_turn(&mut places[1]));
        drop(places.remove(1));
        assert!(!has_its_turn(&mut places[1]), "the first is still at it");
        drop(places.remove(0));
        assert!(has_its_turn(&mut places[0]) && !has_its_turn(&mut places[1]));
        drop(places.remove(0));
        assert!(has_its_turn(&mut places[0]));
        drop(places);
        assert!(lines.lines().is_empty());
    }

    #[test]
    fn repositories_do_not_wait_for_each_other() {
        let lines = Lines::default();
        let mut one = lines.enter(Path::new("/one"), device("a")).unwrap();
        let mut other = lines.enter(Path::new("/other"), device("b")).unwrap();
        assert!(has_its_turn(&mut one) && has_its_turn(&mut other));
    }

    #[test]
    fn a_line_has_an_end() {
        let (lines, repository) = (Lines::default(), Path::new("/r"));
        let enter = || lines.enter(repository, device("a"));
        let mut places: Vec<Option<Place>> = (0..=MAX_WAITING).map(|_| enter()).collect();
        assert!(places.iter().all(Option::is_some) && enter().is_none());
        places.pop();
        assert!(enter().is_some());
    }
}
