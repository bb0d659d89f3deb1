//! Hints that pass: the growing answer, who is there, where they are.

use serde_json::{Value, json};

use crate::ids::{DeviceId, MessageId};

/// A passing hint: no number, never replayed, dropped when a connection is late.
#[derive(Debug, Clone)]
pub struct Signal {
    pub(super) kind: &'static str,
    pub(super) data: Value,
    pub(super) is_overtaken_by_events: bool,
    /// It says everything anew: an older one is of no use any more.
    pub(super) is_roster: bool,
}

impl Signal {
    /// A piece of the answer as it grows: `text` begins at character `offset` of content block `index` of the turn.
    #[must_use]
    pub fn delta(message: MessageId, index: u64, offset: usize, text: &str) -> Self {
        let data = json!({ "messageId": message, "index": index, "offset": offset, "text": text });
        Self { kind: "delta", data, is_overtaken_by_events: true, is_roster: false }
    }

    /// Who is there.
    #[must_use]
    pub fn presence(devices: &[Value]) -> Self {
        let data = json!({ "devices": devices });
        Self { kind: "presence", data, is_overtaken_by_events: false, is_roster: true }
    }

    /// Where a person is in a project; `data` names the device, the rest is the client's own.
    #[must_use]
    pub fn cursor_update(data: Value) -> Self {
        Self { kind: "cursor_update", data, is_overtaken_by_events: false, is_roster: false }
    }

    /// Where a person is in the client of a device; only clients know what `cursor` means.
    #[must_use]
    pub fn cursor(device: &DeviceId, cursor: &Value) -> Self {
        let data = json!({ "deviceId": device, "cursor": cursor });
        Self { kind: "cursor", data, is_overtaken_by_events: false, is_roster: false }
    }
}
