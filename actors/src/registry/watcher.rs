//! The list of sessions as one device sees it: with what is unread for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Poll, Waker};

use serde::Serialize;

use super::changes::Place;
use super::{Board, Cursors};
use crate::ids::DeviceId;
use crate::session::Summary;

/// A session in the list of one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// What is the same for everybody.
    #[serde(flatten)]
    pub summary: Arc<Summary>,
    /// How many things for a person the device has not acknowledged; none when it is not linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
}

/// Follows the list for one connection of a device, at its own pace, until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    board: Arc<Board>,
    cursors: Arc<Cursors>,
    device: DeviceId,
    /// Among the changes of the list.
    place: Place,
    /// Among the changes of what is unread.
    unread: Place,
}

impl Watcher {
    /// Starts to follow; with the list as it is.
    #[must_use]
    pub fn start(board: Arc<Board>, cursors: Arc<Cursors>, device: DeviceId) -> (Self, Vec<Listed>) {
        let unread = cursors.follow(&device);
        let (sessions, after) = board.all();
        let place = board.follow(after);
        let watcher = Self { board, cursors, device, place, unread };
        let list = sessions.into_iter().map(|summary| watcher.cursors.listed(summary, &watcher.device));
        let list = list.collect();
        (watcher, list)
    }

    /// What changed since the last time, each session once; the waker is called when there is more.
    pub fn poll_changes(&mut self, waker: &Waker) -> Poll<Vec<Listed>> {
        let changed = self.board.poll_changes(&mut self.place, waker);
        let read = self.cursors.poll_changes(&self.device, &mut self.unread, waker);
        if changed.is_pending() && read.is_pending() {
            return Poll::Pending;
        }
        let mut sessions = if let Poll::Ready(changed) = changed { changed } else { Vec::new() };
        let known: BTreeSet<_> = sessions.iter().map(|summary| summary.session_id).collect();
        if let Poll::Ready(read) = read {
            let others = read.into_iter().filter(|session| !known.contains(session));
            sessions.extend(others.filter_map(|session| self.board.get(session)));
        }
        let listed = sessions.into_iter().map(|summary| self.cursors.listed(summary, &self.device));
        Poll::Ready(listed.collect())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.board.leave(&self.place);
        self.cursors.leave(&self.device, &self.unread);
    }
}

impl Cursors {
    /// A session in the list of a device.
    #[must_use]
    pub fn listed(&self, summary: Arc<Summary>, device: &DeviceId) -> Listed {
        Listed { unread: self.unread(&summary, device), summary }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;
    use crate::registry::testing::summary;

    #[test]
    fn an_acknowledgement_shows_on_the_devices_own_connections_and_nowhere_else() {
        let (board, cursors) = (Arc::new(Board::default()), Arc::new(Cursors::default()));
        let [phone, laptop]: [DeviceId; 2] = ["phone", "laptop"].map(|device| device.parse().unwrap());
        let listed = Summary { devices: vec![phone.clone(), laptop.clone()], notable: 2, ..summary() };
        let session = listed.session_id;
        board.post(listed.clone());
        let watch = |device: &DeviceId| Watcher::start(board.clone(), cursors.clone(), device.clone());
        let (mut of_phone, list) = watch(&phone);
        assert_eq!(list[0].unread, Some(2));
        let (mut of_laptop, _) = watch(&laptop);
        cursors.ack(session, &phone, 1, 0);
        assert!(of_phone.poll_changes(Waker::noop()).is_pending(), "nothing else is unread");
        cursors.ack(session, &phone, 9, 2);
        let Poll::Ready(changed) = of_phone.poll_changes(Waker::noop()) else { panic!("no change") };
        assert_eq!((changed.len(), changed[0].unread), (1, Some(0)));
        assert!(of_laptop.poll_changes(Waker::noop()).is_pending());
        cursors.ack(session, &laptop, 9, 2);
        board.post(listed);
        let Poll::Ready(changed) = of_laptop.poll_changes(Waker::noop()) else { panic!("no change") };
        assert_eq!(changed.len(), 1, "a session that changed twice is sent once");
    }

    #[test]
    fn a_watcher_leaves_nothing_behind() {
        struct Nobody;
        impl Wake for Nobody {
            fn wake(self: Arc<Self>) {}
        }
        let (board, cursors) = (Arc::new(Board::default()), Arc::new(Cursors::default()));
        let phone: DeviceId = "phone".parse().unwrap();
        let (mut watcher, _) = Watcher::start(board.clone(), cursors.clone(), phone);
        let tasks = [(); 2].map(|()| Arc::new(Nobody));
        for task in &tasks {
            // Its connection may be driven by another task than before.
            assert!(watcher.poll_changes(&task.clone().into()).is_pending());
        }
        drop(watcher);
        assert_eq!(tasks.each_ref().map(Arc::strong_count), [1, 1]);
        drop((board, cursors));
    }

    #[test]
    fn who_is_online_stays_until_the_room_says_otherwise() {
        let board = Board::default();
        let listed = summary();
        let session = listed.session_id;
        board.set_online(session, vec!["phone".parse().unwrap()]);
        assert!(board.get(session).is_none(), "nothing is listed by being online");
        board.post(listed.clone());
        board.set_online(session, vec!["phone".parse().unwrap()]);
        board.post(listed);
        assert_eq!(board.get(session).unwrap().online.len(), 1);
        let (_, after) = board.all();
        board.set_online(session, vec!["phone".parse().unwrap()]);
        assert_eq!(board.all().1, after, "nothing has changed");
    }
}
