//! The notices that wait for devices: in order, bounded, each with how far it is on its way. Pure.
//!
//! ```text
//!  Writing ──on disk──▶ Waits ──offered to connections──▶ Offered ──the device has it──▶ forgotten
//!                         ▲                                 │  ▲ │
//!                         └─────── the connections ended ───┘  └─┘ to a new connection, whatever became of the others
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::ids::DeviceId;
use crate::journal::NoticeRow;
use crate::notice::Notice;

/// How many wait for one device; the oldest goes for the newest. More nobody reads who comes back.
const MAX_WAITING: usize = 100;

/// For how long one waits: what nobody has looked at in a week is no news.
const MAX_AGE: TimeDelta = TimeDelta::days(7);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    last_number: u64,
    last_round: u64,
    devices: BTreeMap<DeviceId, BTreeMap<u64, Kept>>,
}

#[derive(Debug)]
struct Kept {
    notice: Arc<Notice>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Writing,
    Waits,
    /// In which round: only its own end takes it back.
    Offered(u64),
}

/// What was offered together.
pub(super) struct Round<T> {
    /// For [`Waiting::take_back`].
    pub(super) number: u64,
    /// The numbers of the notices, in order, and what came of offering each.
    pub(super) taken: Vec<(u64, T)>,
}

impl Waiting {
    /// Starts with what the journal remembers.
    pub(super) fn new(rows: Vec<NoticeRow>) -> Self {
        let mut waiting = Self::default();
        for row in rows {
            let NoticeRow { number, id, to, from, message, at } = row;
            waiting.last_number = waiting.last_number.max(number);
            let notice = Arc::new(Notice { notice_id: id, from, message, at });
            waiting.devices.entry(to).or_default().insert(number, Kept { notice, stage: Stage::Waits });
        }
        waiting
    }

    /// Gives a notice its place; it goes to nobody until it is on disk.
    pub(super) fn reserve(&mut self, to: &DeviceId, notice: &Arc<Notice>) -> NoticeRow {
        self.last_number += 1;
        let number = self.last_number;
        let kept = Kept { notice: notice.clone(), stage: Stage::Writing };
        self.devices.entry(to.clone()).or_default().insert(number, kept);
        NoticeRow {
            number,
            id: notice.notice_id,
            to: to.clone(),
            from: notice.from.clone(),
            message: notice.message.clone(),
            at: notice.at,
        }
    }

    /// A notice is on disk: it waits.
    pub(super) fn written(&mut self, to: &DeviceId, number: u64) {
        if let Some(kept) = self.of(to).get_mut(&number) {
            kept.stage = Stage::Waits;
        }
    }

    /// A notice could not be written: it does not wait.
    pub(super) fn not_written(&mut self, to: &DeviceId, number: u64) {
        self.of(to).remove(&number);
    }

    /// Offers what waits for a device, in order, for as long as `offer` takes it.
    ///
    /// Nothing, while what was offered before is on its way: what comes behind it comes when that has arrived.
    pub(super) fn offer<T>(
        &mut self,
        device: &DeviceId,
        offer: impl FnMut(&Arc<Notice>) -> Option<T>,
    ) -> Round<T> {
        if self.has_offered(device) {
            return Round { number: self.last_round, taken: Vec::new() };
        }
        self.offer_again(device, offer)
    }

    /// The same, with what is on its way already.
    pub(super) fn offer_again<T>(
        &mut self,
        device: &DeviceId,
        mut offer: impl FnMut(&Arc<Notice>) -> Option<T>,
    ) -> Round<T> {
        self.last_round += 1;
        let mut round = Round { number: self.last_round, taken: Vec::new() };
        for (number, kept) in self.of(device) {
            if kept.stage == Stage::Writing {
                break;
            }
            let Some(taken) = offer(&kept.notice) else { break };
            kept.stage = Stage::Offered(round.number);
            round.taken.push((*number, taken));
        }
        round
    }

    /// Whether a notice is with its device, or on its way over an open connection, be it behind others.
    pub(super) fn is_under_way(&self, device: &DeviceId, number: u64) -> bool {
        let is_there = self.devices.get(device).is_some_and(|all| all.contains_key(&number));
        !is_there || self.has_offered(device)
    }

    fn has_offered(&self, device: &DeviceId) -> bool {
        let all = self.devices.get(device).into_iter().flatten();
        all.into_iter().any(|(_, kept)| matches!(kept.stage, Stage::Offered(_)))
    }

    /// The device has everything up to a number.
    pub(super) fn arrived(&mut self, device: &DeviceId, up_to: u64) {
        self.of(device).retain(|number, kept| *number > up_to || kept.stage == Stage::Writing);
    }

    /// What was offered in a round and has not arrived waits again.
    pub(super) fn take_back(&mut self, device: &DeviceId, round: u64) {
        for kept in self.of(device).values_mut().filter(|kept| kept.stage == Stage::Offered(round)) {
            kept.stage = Stage::Waits;
        }
    }

    /// Lets go of what is too old or too much, and returns up to which number, by device.
    pub(super) fn prune(&mut self, now: Timestamp) -> Vec<(DeviceId, u64)> {
        let oldest = now.plus(-MAX_AGE);
        let mut pruned = Vec::new();
        for (device, all) in &mut self.devices {
            let mut last = None;
            while let Some(first) = all.first_entry() {
                let is_old = first.get().notice.at < oldest;
                let is_settled = first.get().stage != Stage::Writing;
                let number = *first.key();
                if !is_settled || (!is_old && all.len() <= MAX_WAITING) {
                    break;
                }
                all.remove(&number);
                last = Some(number);
            }
            pruned.extend(last.map(|last| (device.clone(), last)));
        }
        self.devices.retain(|_, all| !all.is_empty());
        pruned
    }

    fn of(&mut self, device: &DeviceId) -> &mut BTreeMap<u64, Kept> {
        self.devices.entry(device.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::By;
    use crate::ids::UserId;
    use crate::notice::{Addressee, Notify};

    fn phone() -> DeviceId {
        "phone".parse().unwrap()
    }

    fn notice(message: &str, at_millis: i64) -> Arc<Notice> {
        let from = By { device_id: "laptop".parse().unwrap(), user_id: UserId::owner() };
        let notify = Notify::new(Addressee::Device(phone()), Vec::new(), message).unwrap();
        Arc::new(notify.notice(from, Timestamp::from_millis(at_millis)))
    }

    fn keep(waiting: &mut Waiting, message: &str) -> NoticeRow {
        let row = waiting.reserve(&phone(), &notice(message, 0));
        waiting.written(&phone(), row.number);
        row
    }

    /// What a connection with room for so many takes.
    fn offered(waiting: &mut Waiting, room: usize) -> (Vec<u64>, Vec<String>) {
        let mut room = 0..room;
        let round = waiting.offer(&phone(), |notice| room.next().map(|_| notice.message.to_string()));
        round.taken.into_iter().unzip()
    }

    /// What a new connection takes, and the round.
    fn offered_again(waiting: &mut Waiting) -> (u64, Vec<String>) {
        let round = waiting.offer_again(&phone(), |notice| Some(notice.message.to_string()));
        (round.number, round.taken.into_iter().map(|(_, text)| text).collect())
    }

    #[test]
    fn notices_are_offered_in_order_and_once() {
        let mut waiting = Waiting::default();
        keep(&mut waiting, "one");
        keep(&mut waiting, "two");
        assert_eq!(offered(&mut waiting, 9).1, ["one", "two"]);
        assert!(offered(&mut waiting, 9).1.is_empty(), "they are on their way");
        waiting.arrived(&phone(), 2);
        assert!(offered(&mut waiting, 9).1.is_empty());
        keep(&mut waiting, "three");
        assert_eq!(offered(&mut waiting, 9), (vec![3], vec!["three".to_owned()]));
    }

    #[test]
    fn what_did_not_arrive_is_offered_again() {
        let mut waiting = Waiting::default();
        for text in ["one", "two", "three"] {
            keep(&mut waiting, text);
        }
        assert_eq!(offered(&mut waiting, 2).1, ["one", "two"]);
        waiting.arrived(&phone(), 1);
        waiting.take_back(&phone(), 1);
        assert_eq!(offered(&mut waiting, 9).1, ["two", "three"]);
    }

    #[test]
    fn the_end_of_a_connection_takes_nothing_back_from_a_newer_one() {
        let mut waiting = Waiting::default();
        keep(&mut waiting, "one");
        assert_eq!(offered_again(&mut waiting), (1, vec!["one".to_owned()]));
        keep(&mut waiting, "two");
        assert!(waiting.is_under_way(&phone(), 2), "behind the first");
        assert_eq!(offered_again(&mut waiting), (2, vec!["one".to_owned(), "two".to_owned()]));
        waiting.take_back(&phone(), 1);
        assert!(offered(&mut waiting, 9).1.is_empty(), "they are on their way");
        waiting.take_back(&phone(), 2);
        assert!(!waiting.is_under_way(&phone(), 2));
        assert_eq!(offered(&mut waiting, 9).1, ["one", "two"]);
        waiting.arrived(&phone(), 2);
        assert!(waiting.is_under_way(&phone(), 2), "it is there");
    }

    #[test]
    fn nothing_overtakes_a_notice_that_is_being_written() {
        let mut waiting = Waiting::default();
        let first = waiting.reserve(&phone(), &notice("one", 0));
        keep(&mut waiting, "two");
        assert!(offered(&mut waiting, 9).1.is_empty());
        waiting.not_written(&phone(), first.number);
        assert_eq!(offered(&mut waiting, 9).1, ["two"]);
    }

    #[test]
    fn the_oldest_goes_for_the_hundred_and_first() {
        let mut waiting = Waiting::default();
        for number in 1..=MAX_WAITING {
            keep(&mut waiting, &number.to_string());
        }
        assert!(waiting.prune(Timestamp::from_millis(0)).is_empty());
        keep(&mut waiting, "one more");
        assert_eq!(waiting.prune(Timestamp::from_millis(0)), [(phone(), 1)]);
        let texts = offered(&mut waiting, 200).1;
        assert_eq!((texts.len(), &*texts[0], &*texts[99]), (MAX_WAITING, "2", "one more"));
    }

    #[test]
    fn after_a_week_a_notice_is_no_news() {
        let rows = |waiting: &mut Waiting| [keep(waiting, "one"), keep(waiting, "two")];
        let mut waiting = Waiting::default();
        let kept = rows(&mut waiting);
        let mut waiting = Waiting::new(kept.to_vec());
        let week = Timestamp::from_millis(0).plus(MAX_AGE);
        assert!(waiting.prune(week).is_empty());
        assert_eq!(waiting.prune(week.plus(TimeDelta::milliseconds(1))), [(phone(), 2)]);
        assert!(offered(&mut waiting, 9).1.is_empty());
        assert_eq!(keep(&mut waiting, "three").number, 3, "a number is never used twice");
    }
}
