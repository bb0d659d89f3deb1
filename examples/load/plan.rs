//! What the devices of a run are to do.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::json;
use tandem::history::Shared;
use tandem_actors::ids::SessionId;

/// Keys of the shared state. Few, so that devices write the same ones at the same time.
const KEYS: usize = 4;

/// A patch comes after so many messages: a quarter of all commands.
const MESSAGES_FOR_A_PATCH: usize = 3;

/// What a device does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    pub session: SessionId,
    /// Done one after the other, each when the one before is answered and its turn has ended.
    pub commands: VecDeque<Command>,
    /// How long it is silent before each of them.
    pub pause: Duration,
    /// The stream is over when so many turns have ended.
    pub turns: u64,
    /// Whether it drops its connection now and then.
    pub is_dropping: bool,
    /// Without any progress for so long the device gives up.
    pub patience: Duration,
}

/// What a device asks.
#[derive(Debug, Clone)]
pub enum Command {
    Say(String),
    Patch(Shared),
}

/// Messages of a device, and with `is_patching` a patch after each few of them.
pub fn commands(device: usize, messages: usize, is_patching: bool) -> VecDeque<Command> {
    let mut commands = VecDeque::new();
    for message in 1..=messages {
        commands.push_back(Command::Say(format!("message {message} of device {device}")));
        if is_patching && message % MESSAGES_FOR_A_PATCH == 0 {
            commands.push_back(Command::Patch(patch(device, message)));
        }
    }
    commands
}

/// Sets one key to what nobody else sets it to, and deletes another one now and then.
fn patch(device: usize, message: usize) -> Shared {
    let key = |number: usize| format!("load.key{}", number % KEYS);
    let mut patch = Shared::from([(key(device + message), json!({"device": device, "message": message}))]);
    if message.is_multiple_of(2) {
        patch.insert(key(device + message + 1), json!(null));
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_commands_are_patches_and_no_two_are_equal() {
        let commands: Vec<Command> = (0..10).flat_map(|device| commands(device, 30, true)).collect();
        let patches: Vec<&Shared> = commands
            .iter()
            .filter_map(|command| match command {
                Command::Patch(patch) => Some(patch),
                Command::Say(_) => None,
            })
            .collect();
        assert_eq!((commands.len(), patches.len()), (400, 100));
        for (place, patch) in patches.iter().enumerate() {
            assert!(!patches[..place].contains(patch), "an answered patch is known by what it says");
        }
    }
}
