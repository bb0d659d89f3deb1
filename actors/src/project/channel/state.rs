//! What the events of a project's channel add up to: its conflicts, and who is connected. Pure.
//!
//! A channel may hold millions of events, nearly all of them about locks, which end with the server. So its journal keeps,
//! beside the events, an [`Index`] of the few that the state is made of, and loading reads those alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{ChainHash, Record};
use crate::ids::{Seq, SessionId};
use crate::project::{Conflict, ConflictId, Enforcement, Happening, ProjectEvent, Role};

/// Settled conflicts that are shown: what was settled last is what people ask about. Older ones stay in the journal.
const MAX_SETTLED: usize = 100;

/// Events of a channel that are kept: with 300 bytes each some 30 MB, and months of the work of people and agents. A device
/// that was away for longer sees how things are, and what happened since.
pub(crate) const MAX_EVENTS: Seq = 100_000;

/// So many more are let come together, so that removing them is no write for each write.
const MAX_EVENTS_TOO_MANY: Seq = 4_096;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The last event that is in it.
    pub(crate) head: Seq,
    /// The chain there.
    pub(crate) hash: ChainHash,
    /// The first event that is kept; of those before it only the ones of [`Index::seqs`] are.
    pub(crate) first: Seq,
    open: BTreeMap<ConflictId, Entry>,
    /// The oldest first.
    settled: VecDeque<Entry>,
    members: BTreeMap<SessionId, Role>,
    enforcement: Option<Enforcement>,
}

#[derive(Debug, Clone)]
struct Entry {
    found: Seq,
    settled: Seq,
    conflict: Arc<Conflict>,
}

/// Where in the journal the events are that the state is made of; kept as the summary of the channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Index {
    /// As of which event.
    pub(crate) head: Seq,
    /// The first event that is kept; 0 where none was ever let go.
    pub(crate) first: Seq,
    /// Conflicts that are open, and where they were found.
    pub(crate) open: Vec<(ConflictId, Seq)>,
    /// Those that were settled last: where they were found, and where settled.
    pub(crate) settled: Vec<(Seq, Seq)>,
    /// Who was connected.
    pub(crate) members: BTreeMap<SessionId, Role>,
    /// How agents are to be held to the locks, where people have chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enforcement: Option<Enforcement>,
}

impl State {
    /// The state before the first event.
    pub(crate) fn empty(channel: SessionId) -> Self {
        Self {
            head: 0,
            hash: ChainHash::start(channel),
            first: 1,
            open: BTreeMap::new(),
            settled: VecDeque::new(),
            members: BTreeMap::new(),
            enforcement: None,
        }
    }

    /// The state as of an index, before the events of [`Index::seqs`] are brought back.
    pub(crate) fn of(channel: SessionId, index: &Index) -> Self {
        let (head, members, enforcement) = (index.head, index.members.clone(), index.enforcement);
        Self { head, first: index.first.max(1), members, enforcement, ..Self::empty(channel) }
    }

    /// Takes in the next event.
    pub(crate) fn apply(&mut self, record: &Record, event: &ProjectEvent) {
        if record.seq != self.head + 1 {
            // Without an index this is where it is seen what was let go.
            self.first = record.seq;
        }
        self.head = record.seq;
        self.hash = record.hash;
        self.bring_back(record.seq, event);
        match event {
            ProjectEvent::Other(
                Happening::SessionConnected { session_id, role }
                | Happening::RoleChanged { session_id, role },
            ) => {
                self.members.insert(*session_id, *role);
            }
            ProjectEvent::Other(Happening::SessionDisconnected { session_id }) => {
                self.members.remove(session_id);
            }
            ProjectEvent::Other(Happening::EnforcementChanged { enforcement, .. }) => {
                self.enforcement = Some(*enforcement);
            }
            _ => {}
        }
    }

    /// Takes in an event that the index names; in their order.
    pub(crate) fn bring_back(&mut self, seq: Seq, event: &ProjectEvent) {
        match event {
            ProjectEvent::Other(Happening::ConflictDetected(conflict)) => {
                let conflict: Arc<Conflict> = Arc::new((**conflict).clone());
                let entry = Entry { found: seq, settled: seq, conflict };
                // Of what nothing is left to decide, there is only the record.
                match entry.conflict.resolution {
                    None => {
                        // It may have been settled before, and be there again.
                        let id = entry.conflict.conflict_id;
                        self.settled.retain(|settled| settled.conflict.conflict_id != id);
                        self.open.insert(id, entry);
                    }
                    Some(_) => self.settled(entry),
                }
            }
            ProjectEvent::Other(Happening::ConflictResolved { conflict_id, resolution, by }) => {
                let Some(entry) = self.open.remove(conflict_id) else { return };
                let conflict = Conflict {
                    resolution: Some(*resolution),
                    resolved_by: by.clone(),
                    ..Conflict::clone(&entry.conflict)
                };
                self.settled(Entry { settled: seq, conflict: conflict.into(), ..entry });
            }
            _ => {}
        }
    }

    fn settled(&mut self, entry: Entry) {
        self.settled.push_back(entry);
        if self.settled.len() > MAX_SETTLED {
            self.settled.pop_front();
        }
    }

    /// Lets go of the oldest events when there are more than `kept`, and some.
    pub(crate) fn let_go(&mut self, kept: Seq) {
        if self.head + 1 - self.first > kept + MAX_EVENTS_TOO_MANY.min(kept) {
            self.first = self.head + 1 - kept;
        }
    }

    /// What is kept beside the events.
    pub(crate) fn index(&self) -> Index {
        Index {
            head: self.head,
            first: if self.first > 1 { self.first } else { 0 },
            open: self.open.iter().map(|(id, entry)| (*id, entry.found)).collect(),
            settled: self.settled.iter().map(|entry| (entry.found, entry.settled)).collect(),
            members: self.members.clone(),
            enforcement: self.enforcement,
        }
    }

    /// All conflicts that are known: those that are open, the oldest first, then those that were settled, the latest first.
    pub(crate) fn conflicts(&self) -> Vec<Arc<Conflict>> {
        let mut open: Vec<&Entry> = self.open.values().collect();
        open.sort_by_key(|entry| entry.found);
        open.into_iter().chain(self.settled.iter().rev()).map(|entry| entry.conflict.clone()).collect()
    }

    /// A conflict that is open, or was settled lately.
    pub(crate) fn conflict(&self, id: ConflictId) -> Option<&Arc<Conflict>> {
        let settled = || self.settled.iter().find(|entry| entry.conflict.conflict_id == id);
        self.open.get(&id).or_else(settled).map(|entry| &entry.conflict)
    }

    /// How many conflicts are open.
    pub(crate) fn open_conflicts(&self) -> usize {
        self.open.len()
    }

    /// How agents are to be held to the locks, where people have chosen.
    pub(crate) fn enforcement(&self) -> Option<Enforcement> {
        self.enforcement
    }

    /// Open conflicts that are over with the server that found them.
    pub(crate) fn over_with_the_server(&self) -> impl Iterator<Item = ConflictId> {
        let is_over = |entry: &&Entry| entry.conflict.is_of_what_was_known();
        self.open.values().filter(is_over).map(|entry| entry.conflict.conflict_id)
    }

    /// Who is connected.
    pub(crate) fn members(&self) -> impl Iterator<Item = SessionId> {
        self.members.keys().copied()
    }
}

/// The first event of a channel of which all that follow are kept, by its summary.
#[must_use]
pub fn first_kept(summary: &str) -> Seq {
    let index: Index = serde_json::from_str(summary).unwrap_or_default();
    index.first.max(1)
}

impl Index {
    /// Whether a conflict can be in it: settled ones are known by their place alone.
    pub(crate) fn may_have(&self, conflict: ConflictId) -> bool {
        self.is_open(conflict) || !self.settled.is_empty()
    }

    /// Whether a conflict is open.
    pub(crate) fn is_open(&self, conflict: ConflictId) -> bool {
        self.open.iter().any(|(open, _)| *open == conflict)
    }

    /// The events that are to be brought back, in their order.
    pub(crate) fn seqs(&self) -> Vec<Seq> {
        let open = self.open.iter().map(|(_, found)| *found);
        let settled = self.settled.iter().flat_map(|(found, settled)| [*found, *settled]);
        let mut seqs: Vec<Seq> = open.chain(settled).collect();
        seqs.sort_unstable();
        // What was found and settled at once is one event.
        seqs.dedup();
        seqs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::event::By;
    use crate::ids::{Term, UserId};
    use crate::project::{ConflictKind, Resolution, Side};

    const PROJECT: &str = "/srv/app";

    fn side(what: &str) -> Side {
        Side { holder: None, what: what.to_owned(), hash: None, at: Timestamp::from_millis(1) }
    }

    fn detected(number: u128) -> ProjectEvent {
        Happening::ConflictDetected(Box::new(Conflict {
            conflict_id: ConflictId(uuid::Uuid::from_u128(number)),
            kind: ConflictKind::FileEdit,
            project_path: PROJECT.into(),
            subject: format!("{number}.txt"),
            found_at: Timestamp::from_millis(1),
            ours: side("one"),
            theirs: side("two"),
            base: None,
            hunks: None,
            resolution: None,
            resolved_by: None,
        }))
        .into()
    }

    fn resolved(number: u128) -> ProjectEvent {
        let conflict_id = ConflictId(uuid::Uuid::from_u128(number));
        Happening::ConflictResolved { conflict_id, resolution: Resolution::Ours, by: None }.into()
    }

    fn member(number: u128, is_there: bool) -> ProjectEvent {
        let session_id = SessionId::from(uuid::Uuid::from_u128(number));
        match is_there {
            true => Happening::SessionConnected { session_id, role: Role::Secondary }.into(),
            false => Happening::SessionDisconnected { session_id }.into(),
        }
    }

    fn settled_at_once(number: u128) -> ProjectEvent {
        let ProjectEvent::Other(Happening::ConflictDetected(conflict)) = detected(number) else {
            panic!("none")
        };
        let conflict = Conflict { resolution: Some(Resolution::Ours), ..*conflict };
        Happening::ConflictDetected(Box::new(conflict)).into()
    }

    fn chosen(number: u128) -> ProjectEvent {
        let enforcement = if number.is_multiple_of(2) { Enforcement::Warn } else { Enforcement::Off };
        let by = By { device_id: "phone".parse().unwrap(), user_id: UserId::owner() };
        Happening::EnforcementChanged { enforcement, by }.into()
    }

    fn play(events: &[ProjectEvent]) -> (State, Vec<Record>) {
        let mut state = State::empty(SessionId::of_channel(PROJECT));
        let mut records = Vec::new();
        for event in events {
            let at = Timestamp::from_millis(0);
            let record = Record::of_project((state.head, state.hash), Term(1), at, event).unwrap();
            state.apply(&record, event);
            records.push(record);
        }
        (state, records)
    }

    /// As loading does it: from the index of an earlier moment, and what came behind it.
    fn load(index: &Index, records: &[Record]) -> State {
        let mut state = State::of(SessionId::of_channel(PROJECT), index);
        let at = |seq: Seq| &records[usize::try_from(seq).unwrap() - 1];
        for seq in index.seqs() {
            state.bring_back(seq, &at(seq).project_event().unwrap());
        }
        for record in records.iter().filter(|record| record.seq > index.head) {
            state.apply(record, &record.project_event().unwrap());
        }
        state
    }

    fn event() -> impl Strategy<Value = ProjectEvent> {
        (0..6_u8, 0..6_u128).prop_map(|(kind, number)| match kind {
            0 => detected(number),
            1 => resolved(number),
            2 => member(number, true),
            3 => member(number, false),
            4 => settled_at_once(number),
            _ => chosen(number),
        })
    }

    proptest! {
        #[test]
        fn what_is_loaded_by_an_index_is_what_was_there(
            events in prop::collection::vec(event(), 1..60),
            cut in 0..60_usize,
        ) {
            let cut = cut.min(events.len());
            let (before, _) = play(&events[..cut]);
            let (whole, records) = play(&events);
            let index = before.index();
            let index: Index = serde_json::from_str(&serde_json::to_string(&index).unwrap()).unwrap();
            let loaded = load(&index, &records);
            prop_assert_eq!(loaded.index(), whole.index());
            prop_assert_eq!(loaded.conflicts(), whole.conflicts());
        }
    }

    #[test]
    fn settled_conflicts_are_shown_the_latest_first_and_go_when_there_are_many() {
        let events: Vec<_> = (0..150).flat_map(|number| [detected(number), resolved(number)]).collect();
        let (state, _) = play(&events);
        let conflicts = state.conflicts();
        assert_eq!(conflicts.len(), MAX_SETTLED);
        assert_eq!(conflicts[0].subject, "149.txt");
        assert_eq!(conflicts[0].resolution, Some(Resolution::Ours));
        assert_eq!(state.open_conflicts(), 0);
    }

    #[test]
    fn what_is_settled_when_it_is_found_is_never_open() {
        let (state, _) = play(&[settled_at_once(1)]);
        assert_eq!((state.open_conflicts(), state.conflicts().len()), (0, 1));
    }

    #[test]
    fn a_conflict_that_is_there_again_is_one_that_is_open() {
        let (state, _) = play(&[detected(1), detected(1), resolved(1), detected(2), detected(1)]);
        let subjects: Vec<String> = state.conflicts().iter().map(|one| one.subject.clone()).collect();
        assert_eq!(subjects, ["2.txt", "1.txt"], "the oldest first");
        assert_eq!(state.open_conflicts(), 2);
    }

    #[test]
    fn the_oldest_events_go_many_at_a_time_and_what_is_loaded_without_an_index_knows() {
        let events: Vec<_> = (0..30).map(|number| member(number, true)).collect();
        let (mut state, records) = play(&events);
        state.let_go(15);
        assert_eq!(state.first, 1, "not for so few");
        state.let_go(14);
        assert_eq!((state.first, state.index().first), (17, 17));
        assert_eq!(first_kept(&serde_json::to_string(&state.index()).unwrap()), 17);
        let mut loaded = State::of(SessionId::of_channel(PROJECT), &Index::default());
        for record in records.iter().filter(|record| record.seq == 3 || record.seq >= 17) {
            loaded.apply(record, &record.project_event().unwrap());
        }
        assert_eq!((loaded.first, loaded.head), (17, 30));
        assert_eq!(load(&state.index(), &records).first, 17);
        assert_eq!(first_kept("not an index"), 1);
    }

    #[test]
    fn a_conflict_is_settled_once() {
        let (state, _) = play(&[detected(1), resolved(1), resolved(1), resolved(2)]);
        assert_eq!(state.index().settled, [(1, 2)]);
    }
}
