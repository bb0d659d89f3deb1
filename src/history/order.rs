//! Whether the order of events is one in which they can have happened: what was answered before another thing was asked
//! stands before it.

use std::cmp::Reverse;

use tandem_actors::ids::Seq;

use super::fault::Wrong;
use super::op::Moment;
use super::placed::Placed;

/// Goes through the commands from the last to the first, and remembers which of those behind was answered first: whatever
/// was asked after that stands in the wrong place.
pub(super) fn check(mut placed: Vec<Placed>) -> Vec<Wrong> {
    placed.sort_by_key(|place| Reverse(place.seq));
    let mut wrong = Vec::new();
    let mut first_answered: Option<(Moment, Seq)> = None;
    for place in placed {
        let before = first_answered.filter(|(answered, seq)| *answered < place.begun && *seq > place.seq);
        wrong.extend(before.map(|(_, earlier)| Wrong::AgainstRealTime { earlier, later: place.seq }));
        let own = place.answered.map(|answered| (answered, place.seq));
        first_answered = first_answered.into_iter().chain(own).min();
    }
    wrong
}
