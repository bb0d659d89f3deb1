//! Notices that were told already: a server that does not know whether one has come sends it again. Pure.

use std::collections::VecDeque;

use tandem_actors::ids::NoticeId;

/// More than a server keeps for one device (docs/protocol.md, notices).
const MAX_REMEMBERED: usize = 256;

/// The latest notices, by their names.
#[derive(Debug, Default)]
pub(super) struct Notices(VecDeque<NoticeId>);

impl Notices {
    /// Whether it comes for the first time; from here on it does not.
    pub(super) fn is_new(&mut self, id: NoticeId) -> bool {
        if self.0.contains(&id) {
            return false;
        }
        if self.0.len() == MAX_REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notice_is_new_once_and_memory_has_an_end() {
        let mut notices = Notices::default();
        let first = NoticeId::random();
        assert!(notices.is_new(first) && !notices.is_new(first));
        for _ in 0..MAX_REMEMBERED {
            assert!(notices.is_new(NoticeId::random()));
        }
        assert_eq!(notices.0.len(), MAX_REMEMBERED);
        assert!(notices.is_new(first), "forgotten by now");
    }
}
