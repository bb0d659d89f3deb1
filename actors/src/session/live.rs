//! What a session knows that is true only while this process runs: its agent, and the answer as it grows.

use std::collections::BTreeSet;

use tokio::time::Instant;
use uuid::Uuid;

use super::ladder::Ladder;
use super::view::{AgentState, AgentView};
use crate::agent::Conversation;
use crate::event::{By, StopReason};
use crate::ids::MessageId;

/// The passing part of a session. Never journalled; gone with the process, and nothing is lost with it.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Where the agent stands.
    pub agent: Phase,
    /// Its process.
    pub pid: Option<u32>,
    /// Its version.
    pub version: Option<String>,
    /// The running turn was interrupted.
    pub interruption: Option<Interruption>,
    /// The interrupt came before the agent had taken the message up, and is sent when it has.
    pub interrupt_when_started: bool,
    /// Why the agent is being ended, if by us.
    pub stopping: Option<StopReason>,
    /// The answer as it grows.
    pub answer: Answering,
    /// How often agents failed without a healthy turn in between.
    pub failures: u32,
    /// Why no agent is started until a person does something.
    pub parked: Option<String>,
    /// Not to be started before.
    pub start_not_before: Option<Instant>,
    /// When the agent last said anything.
    pub last_heard: Option<Instant>,
    /// Tool calls that run.
    pub open_tools: BTreeSet<String>,
    /// How far it has gone with making the agent end its turn.
    pub ladder: Option<Ladder>,
    /// The agent is to be ended when its turn is over.
    pub end_after_turn: Option<StopReason>,
    /// Somebody wants a recap, and it has not been dispatched.
    pub wants_recap: bool,
    /// What the agent and everything that it started take.
    pub memory_bytes: Option<u64>,
    /// How the running or starting agent was told to find its conversation.
    pub conversation: Option<Conversation>,
    /// The message that this agent was last given and has not answered.
    pub written: Option<MessageId>,
    /// The agent says that it has answered this message before: its transcript must tell what.
    pub already_known: Option<MessageId>,
    /// The agent refused the conversation that it was given last time: try this instead.
    pub conversation_next: Option<Conversation>,
}

/// Why a turn is ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    /// Who did it; none when the server did.
    pub by: Option<By>,
    /// What people are told beside that it was interrupted.
    pub reason: Option<String>,
}

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// There is none.
    #[default]
    None,
    /// It is wanted, and no place is free for it.
    WaitingForSlot,
    /// Started, and has not said that it is ready.
    Starting,
    /// Takes messages.
    Ready,
    /// On its way out.
    Stopping,
}

/// The text that streams and is not in an `agent_message` yet.
#[derive(Debug, Clone, Default)]
pub struct Answering {
    /// All of it, of the current content block.
    pub text: String,
    /// Which content block of the turn, counted from 0.
    pub index: u64,
    /// How much of `text` devices were told, in bytes.
    pub told: usize,
}

impl Interruption {
    /// A person wants it.
    #[must_use]
    pub fn of_person(by: &By) -> Self {
        Self { by: Some(by.clone()), reason: None }
    }
}

impl Live {
    /// What devices see of the agent.
    #[must_use]
    pub fn view(&self) -> AgentView {
        let state = match self.agent {
            Phase::None | Phase::WaitingForSlot => AgentState::None,
            Phase::Starting => AgentState::Starting,
            Phase::Ready => AgentState::Ready,
            Phase::Stopping => AgentState::Stopping,
        };
        let problem = self.parked.clone();
        AgentView {
            state,
            pid: self.pid,
            memory_bytes: self.memory_bytes,
            version: self.version.clone(),
            problem,
        }
    }

    /// Whether there is a process, or one on its way.
    #[must_use]
    pub fn has_process(&self) -> bool {
        matches!(self.agent, Phase::Starting | Phase::Ready | Phase::Stopping)
    }

    /// Begins a turn.
    pub fn begin_turn(&mut self) {
        self.answer = Answering::default();
        self.interruption = None;
        self.interrupt_when_started = false;
        self.written = None;
        self.ladder = None;
        self.open_tools.clear();
    }

    /// Why the agent ends, if it is not by itself.
    #[must_use]
    pub fn why_it_ends(&self) -> Option<StopReason> {
        self.stopping.or_else(|| self.ladder.map(|_| StopReason::Hung))
    }

    /// Begins a turn again with another agent: an interrupt that came in between still counts.
    pub fn begin_turn_again(&mut self) {
        let (interruption, is_due) = (self.interruption.take(), self.interrupt_when_started);
        self.begin_turn();
        self.interruption = interruption;
        self.interrupt_when_started = is_due;
    }

    /// Takes note of a person's act: what was left alone is tried again.
    pub fn unpark(&mut self) {
        self.parked = None;
        self.start_not_before = None;
        self.failures = 0;
    }

    /// The agent is gone: only what survives it is kept.
    pub fn forget_agent(&mut self) {
        *self = Self {
            version: self.version.take(),
            conversation_next: self.conversation_next,
            failures: self.failures,
            parked: self.parked.take(),
            wants_recap: self.wants_recap,
            interruption: self.interruption.take(),
            interrupt_when_started: self.interrupt_when_started,
            ..Self::default()
        };
    }
}

impl Answering {
    /// Takes in a piece.
    pub fn grow(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// The block is complete and stands in an `agent_message`.
    pub fn finish_block(&mut self) {
        if !self.text.is_empty() {
            self.text.clear();
            self.told = 0;
            self.index += 1;
        }
    }

    /// What devices were not told yet: the offset of it in characters, and the text.
    pub fn take_untold(&mut self) -> Option<(usize, String)> {
        let untold = self.text.get(self.told..).filter(|text| !text.is_empty())?.to_owned();
        let offset = self.text[..self.told].chars().count();
        self.told = self.text.len();
        Some((offset, untold))
    }
}

/// How an agent finds a session's conversation: begun once, resumed ever after.
///
/// `has_spoken` says that an agent has taken up a message; `named` is the name that the agent itself used last
/// (a `/clear` changes it). Where neither is known, nothing was ever said and the id is still free.
#[must_use]
pub fn conversation_of(session: Uuid, has_spoken: bool, named: Option<Uuid>) -> Conversation {
    match named {
        Some(named) => Conversation::Resume(named),
        None if has_spoken => Conversation::Resume(session),
        None => Conversation::New(session),
    }
}

/// What to try when the agent would not take the conversation that it was given.
///
/// "Already in use" means that it exists: an agent wrote it down before anything was journalled, so it is resumed.
/// "Not found" means that nothing is there to be resumed, not even after its transcript was put back, so it is begun.
#[must_use]
pub fn conversation_instead(refused: Conversation) -> Conversation {
    match refused {
        Conversation::New(id) => Conversation::Resume(id),
        Conversation::Resume(id) => Conversation::New(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_begun_once_and_resumed_ever_after() {
        let session = Uuid::now_v7();
        let renamed = Uuid::now_v7();
        assert_eq!(conversation_of(session, false, None), Conversation::New(session));
        assert_eq!(conversation_of(session, true, None), Conversation::Resume(session));
        assert_eq!(conversation_of(session, true, Some(renamed)), Conversation::Resume(renamed));
        assert_eq!(conversation_instead(Conversation::New(session)), Conversation::Resume(session));
    }

    #[test]
    fn devices_are_told_each_character_once() {
        let mut answer = Answering::default();
        answer.grow("grü");
        assert_eq!(answer.take_untold(), Some((0, "grü".to_owned())));
        assert_eq!(answer.take_untold(), None);
        answer.grow("ße");
        assert_eq!(answer.take_untold(), Some((3, "ße".to_owned())));
        answer.finish_block();
        answer.grow("x");
        assert_eq!((answer.index, answer.take_untold()), (1, Some((0, "x".to_owned()))));
    }
}
