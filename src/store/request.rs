//! What the writer is asked, and the answers that it holds back until the commit has decided.

use std::sync::Arc;

use tandem_actors::clock::Timestamp;
use tandem_actors::ids::{DeviceId, Seq, SessionId, UserId};
use tandem_actors::journal::{Append, Claim, CursorRow, DeviceRow, JournalError, NoticeRow, OldEvents};
use tokio::sync::oneshot;

use super::blobs::BlobWrite;

/// A token that opens the server; the token itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whom it stands for.
    pub user_id: UserId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One write. All that are in one group are committed together.
#[derive(Debug)]
pub(super) enum Request {
    Claim(SessionId, Answer<Claim>),
    ClaimChannel(Arc<str>, Answer<Claim>),
    Append(Append, Answer<()>),
    Forget(OldEvents, Answer<Seq>),
    SaveDevices(Vec<DeviceRow>, Answer<()>),
    SaveCursors(Vec<CursorRow>, Answer<()>),
    KeepNotice(NoticeRow, Answer<()>),
    ForgetNotices(DeviceId, u64, Answer<()>),
    AddToken(TokenRow, Answer<()>),
    Blob(BlobWrite, Answer<bool>),
    ReserveFences(u64, Answer<()>),
}

/// Where an answer arrives. An end without one means that the writer's thread died.
pub(super) type Answered<T> = oneshot::Receiver<Result<T, JournalError>>;

/// An answer that counts only when the group is on disk.
#[derive(Debug)]
pub(super) struct Answer<T> {
    channel: oneshot::Sender<Result<T, JournalError>>,
    held: Result<T, JournalError>,
}

impl<T> Answer<T> {
    /// Makes an answer that is a refusal until something else is held.
    pub(super) fn new() -> (Self, Answered<T>) {
        let (channel, answered) = oneshot::channel();
        let held = Err(JournalError::NotWritten { reason: "the write was not reached".to_owned() });
        (Self { channel, held }, answered)
    }

    /// Keeps this until the commit.
    pub(super) fn hold(&mut self, result: Result<T, JournalError>) {
        self.held = result;
    }

    fn release(self, commit: Result<(), JournalError>) {
        // Whoever asked may be gone; the write stands.
        let _ = self.channel.send(commit.and(self.held));
    }
}

impl Request {
    /// About how much memory and log it takes.
    pub(super) fn bytes(&self) -> usize {
        // A row's own numbers, hash and short texts.
        const ROW: usize = 100;
        match self {
            Self::Append(append, _) => {
                let records = append.records.iter().map(|record| record.data.len() + ROW);
                let lines = append.transcript.iter().map(|line| line.line.len() + ROW);
                append.summary.len() + ROW + records.sum::<usize>() + lines.sum::<usize>()
            }
            Self::Forget(old, _) => old.kept.len() * size_of::<Seq>() + ROW,
            Self::SaveDevices(devices, _) => devices.len() * ROW,
            Self::Blob(write, _) => write.bytes() + ROW,
            Self::SaveCursors(cursors, _) => cursors.len() * ROW,
            Self::KeepNotice(notice, _) => notice.message.len() + ROW,
            Self::ClaimChannel(project, _) => project.len() + ROW,
            Self::Claim(..) | Self::AddToken(..) | Self::ForgetNotices(..) | Self::ReserveFences(..) => ROW,
        }
    }

    /// Answers: with what is held if the commit was made, else with its error.
    pub(super) fn release(self, commit: Result<(), JournalError>) {
        match self {
            Self::Claim(_, answer) | Self::ClaimChannel(_, answer) => answer.release(commit),
            Self::Blob(_, answer) => answer.release(commit),
            Self::Forget(_, answer) => answer.release(commit),
            Self::Append(_, answer)
            | Self::SaveDevices(_, answer)
            | Self::SaveCursors(_, answer)
            | Self::KeepNotice(_, answer)
            | Self::ForgetNotices(_, _, answer)
            | Self::ReserveFences(_, answer)
            | Self::AddToken(_, answer) => {
                answer.release(commit);
            }
        }
    }
}
