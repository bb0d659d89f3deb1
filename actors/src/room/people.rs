//! Who is in a room, and what they do. Pure: what time it is, is said from outside.
//!
//! ```text
//!            enter                     clean end, or silent for a grace when it ends
//! (unknown) ───────▶ online ──────────────────────────────────────────────▶ offline
//!                     │   ▲ enter: nobody notices                              ▲
//!                     ▼   │                                                    │
//!              lost, still shown ──────── the grace is over ───────────────────┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::parting::Ending;
use crate::ids::{ConnectionId, DeviceId, UserId};
use crate::session::DeviceCard;

/// How long a device is shown after its connection's last sign of life: longer than a phone takes to change networks,
/// and half of what a person waits before they wonder.
pub const PRESENCE_GRACE: Duration = Duration::from_secs(15);

/// For how long somebody types who says so once. Clients repeat it while it goes on; one that died does not.
const TYPING_HOLDS: Duration = Duration::from_secs(10);

/// How many devices are remembered after they have left. More than a person has; a room that strangers run through
/// must not grow.
const MAX_DEPARTED: usize = 64;

/// What a person does on a device, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Activity {
    Viewing,
    Typing,
    Idle,
    Away,
}

/// What is known of one device in a room.
#[derive(Debug, Clone)]
pub struct Present {
    /// Which.
    pub device: DeviceId,
    /// What its owner calls it.
    pub name: Option<String>,
    /// `phone`, `laptop`, `browser`, `terminal`, `script`, …
    pub kind: Option<String>,
    /// Whose it is.
    pub user: UserId,
    /// Whether it is there, or was a moment ago and may be back.
    pub is_online: bool,
    /// What the person does; none when it is offline.
    pub activity: Option<Activity>,
    /// Where the person is in the client, by its last word; only clients know what that means.
    pub cursor: Option<Arc<Value>>,
    /// When the person last did something: a command, viewing or typing.
    pub last_active: Instant,
    /// Since when it counts as gone; none while it is online.
    pub offline_since: Option<Instant>,
}

/// A connection that comes in.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    pub(super) connection: ConnectionId,
    pub(super) card: &'a DeviceCard,
    pub(super) user: UserId,
}

/// What became different for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Change {
    /// Something that devices are shown.
    pub(super) is_visible: bool,
    /// And that is who is online.
    pub(super) is_of_online: bool,
}

/// Everybody who is there or has left lately.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<DeviceId, Person>);

#[derive(Debug)]
struct Person {
    name: Option<String>,
    kind: Option<String>,
    user: UserId,
    connections: BTreeMap<ConnectionId, Option<Word>>,
    /// What was said on a connection that was lost; counts while no open one has said anything.
    last_word: Option<Word>,
    cursor: Option<Arc<Value>>,
    last_active: Instant,
    presence: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Connected,
    LostUntil(Instant),
    OfflineSince(Instant),
}

/// What a device has said that it does, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    activity: Activity,
    at: Instant,
}

impl Change {
    const NONE: Self = Self { is_visible: false, is_of_online: false };
    const ONLINE: Self = Self { is_visible: true, is_of_online: true };

    fn visible(is_visible: bool) -> Self {
        Self { is_visible, is_of_online: false }
    }

    fn and(self, other: Self) -> Self {
        Self {
            is_visible: self.is_visible || other.is_visible,
            is_of_online: self.is_of_online || other.is_of_online,
        }
    }
}

impl People {
    /// A connection comes in. A device that was lost a moment ago goes on as if nothing had been.
    pub(super) fn enter(&mut self, visitor: Visitor<'_>, now: Instant) -> Change {
        let Visitor { connection, card, user } = visitor;
        let person = self.0.entry(card.device_id.clone()).or_insert_with(|| Person {
            name: None,
            kind: None,
            user,
            connections: BTreeMap::new(),
            last_word: None,
            cursor: None,
            last_active: now,
            presence: Presence::OfflineSince(now),
        });
        let is_renamed = person.rename(card);
        person.connections.insert(connection, None);
        let was_online = person.is_online(now);
        person.presence = Presence::Connected;
        if was_online {
            return Change::visible(is_renamed);
        }
        person.last_word = None;
        person.last_active = now;
        Change::ONLINE
    }

    /// A connection goes.
    pub(super) fn leave(
        &mut self,
        device: &DeviceId,
        connection: ConnectionId,
        ending: Ending,
        now: Instant,
    ) -> Change {
        let Some(person) = self.0.get_mut(device) else { return Change::NONE };
        let before = person.activity();
        let Some(word) = person.connections.remove(&connection) else { return Change::NONE };
        if matches!(ending, Ending::Lost { .. }) {
            person.last_word = later(person.last_word, word);
        }
        if !person.connections.is_empty() {
            return Change::visible(person.activity() != before);
        }
        match ending {
            Ending::Lost { since } if since + PRESENCE_GRACE > now => {
                person.presence = Presence::LostUntil(since + PRESENCE_GRACE);
                Change::NONE
            }
            Ending::Lost { .. } | Ending::Clean => {
                person.go(now);
                self.forget_departed();
                Change::ONLINE
            }
        }
    }

    /// The person does something else, or says again that they do the same.
    pub(super) fn set_activity(
        &mut self,
        device: &DeviceId,
        connection: ConnectionId,
        activity: Activity,
        now: Instant,
    ) -> Change {
        let Some(person) = self.0.get_mut(device) else { return Change::NONE };
        let before = person.activity();
        let Some(word) = person.connections.get_mut(&connection) else { return Change::NONE };
        *word = Some(Word { activity, at: now });
        if matches!(activity, Activity::Viewing | Activity::Typing) {
            person.last_active = now;
        }
        Change::visible(person.activity() != before)
    }

    /// The person is somewhere else in the client. Everybody is told by a signal of its own.
    pub(super) fn set_cursor(&mut self, device: &DeviceId, cursor: &Arc<Value>) {
        if let Some(person) = self.0.get_mut(device) {
            person.cursor = Some(cursor.clone());
        }
    }

    /// The person has done something.
    pub(super) fn touch(&mut self, device: &DeviceId, now: Instant) {
        if let Some(person) = self.0.get_mut(device) {
            person.last_active = now;
        }
    }

    /// Does what is due by now: graces that are over, typing that was not repeated.
    pub(super) fn advance(&mut self, now: Instant) -> Change {
        let mut change = Change::NONE;
        for person in self.0.values_mut() {
            let before = person.activity();
            person.stop_typing(now);
            change = change.and(Change::visible(person.activity() != before));
            if matches!(person.presence, Presence::LostUntil(until) if until <= now) {
                person.go(now);
                change = Change::ONLINE;
            }
        }
        if change.is_of_online {
            self.forget_departed();
        }
        change
    }

    /// When [`People::advance`] has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(Person::next_deadline).min()
    }

    /// Everybody, in the order of their ids.
    pub(super) fn roster(&self) -> Vec<Present> {
        self.0.iter().map(|(device, person)| person.present(device)).collect()
    }

    /// One of them.
    pub(super) fn of(&self, device: &DeviceId) -> Option<Present> {
        self.0.get(device).map(|person| person.present(device))
    }

    /// Who is online, in the order of their ids.
    pub(super) fn online(&self) -> Vec<DeviceId> {
        let online = self.0.iter().filter(|(_, person)| !person.is_gone());
        online.map(|(device, _)| device.clone()).collect()
    }

    /// How many there are, those included who have left lately.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is online.
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(Person::is_gone)
    }

    fn forget_departed(&mut self) {
        let mut departed: Vec<(Instant, DeviceId)> = Vec::new();
        for (device, person) in &self.0 {
            if let Presence::OfflineSince(since) = person.presence {
                departed.push((since, device.clone()));
            }
        }
        departed.sort_unstable();
        let too_many = departed.len().saturating_sub(MAX_DEPARTED);
        for (_, device) in departed.iter().take(too_many) {
            self.0.remove(device);
        }
    }
}

impl Person {
    fn rename(&mut self, card: &DeviceCard) -> bool {
        let (name, kind) = (self.name.clone(), self.kind.clone());
        self.name = card.device_name.clone().or_else(|| name.clone());
        self.kind = card.kind.clone().or_else(|| kind.clone());
        self.name != name || self.kind != kind
    }

    fn is_online(&self, now: Instant) -> bool {
        match self.presence {
            Presence::Connected => true,
            Presence::LostUntil(until) => now < until,
            Presence::OfflineSince(_) => false,
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.presence, Presence::OfflineSince(_))
    }

    /// The latest word counts, whichever connection it came over.
    fn activity(&self) -> Activity {
        let said = self.connections.values().copied().fold(None, later);
        said.or(self.last_word).map_or(Activity::Viewing, |word| word.activity)
    }

    fn go(&mut self, now: Instant) {
        self.presence = Presence::OfflineSince(now);
        self.last_word = None;
    }

    fn words(&mut self) -> impl Iterator<Item = &mut Word> {
        self.connections.values_mut().flatten().chain(&mut self.last_word)
    }

    fn stop_typing(&mut self, now: Instant) {
        for word in self.words().filter(|word| word.stops_typing_at().is_some_and(|at| at <= now)) {
            word.activity = Activity::Viewing;
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let words = self.connections.values().flatten().chain(&self.last_word);
        let typing = words.filter_map(Word::stops_typing_at);
        let gone = match self.presence {
            Presence::LostUntil(until) => Some(until),
            Presence::Connected | Presence::OfflineSince(_) => None,
        };
        typing.chain(gone).min()
    }

    fn present(&self, device: &DeviceId) -> Present {
        let offline_since = match self.presence {
            Presence::OfflineSince(since) => Some(since),
            Presence::Connected | Presence::LostUntil(_) => None,
        };
        Present {
            device: device.clone(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            user: self.user.clone(),
            is_online: offline_since.is_none(),
            activity: offline_since.is_none().then(|| self.activity()),
            cursor: self.cursor.clone(),
            last_active: self.last_active,
            offline_since,
        }
    }
}

impl Word {
    fn stops_typing_at(&self) -> Option<Instant> {
        (self.activity == Activity::Typing).then(|| self.at + TYPING_HOLDS)
    }
}

fn later(one: Option<Word>, other: Option<Word>) -> Option<Word> {
    [one, other].into_iter().flatten().max_by_key(|word| word.at)
}

#[cfg(test)]
mod tests;
