//! What a session remembers for ever of its messages and questions, so that whatever is sent again is known.

use std::collections::HashMap;

use crate::event::{By, Event, Record, Resolution};
use crate::ids::{DeviceId, MessageId, RequestId, Seq};

/// Every accepted message and every resolved approval. Grows with the conversation, about 150 bytes a message.
///
/// Kept apart from the [`super::State`] so that a state is cheap to set aside before an append;
/// what an append that failed had added is taken out by [`Ledger::forget_after`].
#[derive(Debug, Default)]
pub struct Ledger {
    accepted: HashMap<MessageId, Accepted>,
    numbered: HashMap<DeviceId, Numbered>,
    resolved: HashMap<RequestId, Resolved>,
    notable: Vec<Seq>,
}

/// A message that was accepted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Where its `message_accepted` stands.
    pub seq: Seq,
    /// SHA-256 of what it said at first.
    pub digest: [u8; 32],
}

/// A question that was settled once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where its `approval_resolved` stands.
    pub seq: Seq,
    /// How.
    pub decision: Resolution,
    /// By whom; none when no person did.
    pub by: Option<By>,
}

/// The messages of one device that it numbered itself; the first has number 1.
#[derive(Debug, Default)]
struct Numbered {
    messages: Vec<(MessageId, Seq)>,
}

impl Ledger {
    /// Takes note of an event.
    pub fn apply(&mut self, record: &Record, event: &Event) {
        if is_for_a_person(event) {
            self.notable.push(record.seq);
        }
        match event {
            Event::MessageAccepted { message_id, device_id, content, device_seq, .. } => {
                let accepted = Accepted { seq: record.seq, digest: content.digest() };
                self.accepted.insert(*message_id, accepted);
                if device_seq.is_some() {
                    self.numbered
                        .entry(device_id.clone())
                        .or_default()
                        .messages
                        .push((*message_id, record.seq));
                }
            }
            Event::ApprovalResolved { request_id, decision, by, .. } => {
                let resolved = Resolved { seq: record.seq, decision: *decision, by: by.clone() };
                self.resolved.insert(request_id.clone(), resolved);
            }
            _ => {}
        }
    }

    /// Forgets what came behind `head`.
    pub fn forget_after(&mut self, head: Seq) {
        self.accepted.retain(|_, accepted| accepted.seq <= head);
        self.resolved.retain(|_, resolved| resolved.seq <= head);
        self.notable.retain(|seq| *seq <= head);
        for numbered in self.numbered.values_mut() {
            numbered.messages.retain(|(_, seq)| *seq <= head);
        }
    }

    /// Where the things stand that a person wants to know of, oldest first.
    #[must_use]
    pub fn notable(&self) -> &[Seq] {
        &self.notable
    }

    /// What is known of a message.
    #[must_use]
    pub fn message(&self, message: MessageId) -> Option<Accepted> {
        self.accepted.get(&message).copied()
    }

    /// The number that a device's next message must have.
    #[must_use]
    pub fn next_number(&self, device: &DeviceId) -> u64 {
        self.numbered.get(device).map_or(1, |numbered| numbered.messages.len() as u64 + 1)
    }

    /// The message to which a device gave this number.
    #[must_use]
    pub fn numbered(&self, device: &DeviceId, number: u64) -> Option<MessageId> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.numbered.get(device)?.messages.get(place).map(|(message, _)| *message)
    }

    /// What became of an approval that does not wait any more.
    #[must_use]
    pub fn resolved(&self, request: &RequestId) -> Option<&Resolved> {
        self.resolved.get(request)
    }
}

/// What counts as unread until a device has acknowledged it: the agent is done, or asks.
fn is_for_a_person(event: &Event) -> bool {
    matches!(event, Event::TurnEnded { .. } | Event::ApprovalRequested(_))
}
