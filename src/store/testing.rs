//! What the tests of the journals share: an owner that chains events as a session does.

use serde_json::value::RawValue;
use tandem_actors::clock::Timestamp;
use tandem_actors::event::{ChainHash, Event, Record};
use tandem_actors::ids::{Seq, SessionId, Term};
use tandem_actors::journal::{Append, Journal, JournalError, TranscriptLine};

/// The owner of one session, who knows where the history stands.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) session: SessionId,
    pub(super) term: Term,
    pub(super) head: Seq,
    pub(super) hash: ChainHash,
}

impl Owner {
    pub(super) async fn of(journal: &impl Journal, session: SessionId) -> Self {
        let claim = journal.claim(session).await.unwrap();
        Self { session, term: claim.term, head: claim.head, hash: claim.hash }
    }

    pub(super) async fn of_new(journal: &impl Journal) -> Self {
        Self::of(journal, SessionId::random()).await
    }

    /// The owner of the channel of a project.
    pub(super) async fn of_channel(journal: &impl Journal, project: &str) -> Self {
        let claim = journal.claim_channel(project.into()).await.unwrap();
        let session = SessionId::of_channel(project);
        Self { session, term: claim.term, head: claim.head, hash: claim.hash }
    }

    /// An append of these texts behind the head; the owner stays where it is.
    pub(super) fn says(&self, texts: &[&str]) -> Append {
        let mut previous = (self.head, self.hash);
        let records = texts.iter().map(|text| {
            let message = serde_json::to_string(text).unwrap();
            let event = Event::AgentMessage { message: RawValue::from_string(message).unwrap().into() };
            let at = Timestamp::from_millis(1_790_000_000_007);
            let record = Record::new(previous, self.term, at, &event).unwrap();
            previous = (record.seq, record.hash);
            record
        });
        let records: Vec<_> = records.collect();
        Append {
            session: self.session,
            term: self.term,
            summary: format!(r#"{{"events":{}}}"#, self.head + records.len() as u64).into(),
            records,
            transcript: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// An append of the event by which a session begins.
    pub(super) fn creates(&self) -> Append {
        let created = Event::SessionCreated {
            project_path: "/project".to_owned(),
            title: None,
            model: None,
            permission_mode: None,
            forked_from: None,
        };
        let at = Timestamp::from_millis(1_790_000_000_007);
        let record = Record::new((self.head, self.hash), self.term, at, &created).unwrap();
        Append { records: vec![record], ..self.says(&[]) }
    }

    /// Appends these texts, and moves on if they were written.
    pub(super) async fn write(&mut self, journal: &impl Journal, texts: &[&str]) -> Result<(), JournalError> {
        let append = self.says(texts);
        let last = append.records.last().map(|record| (record.seq, record.hash));
        journal.append(append).await?;
        if let Some((head, hash)) = last {
            (self.head, self.hash) = (head, hash);
        }
        Ok(())
    }
}

pub(super) fn line(text: &str) -> TranscriptLine {
    TranscriptLine { file: "a.jsonl".into(), line: text.into() }
}

/// Everything of a session, its chain checked from the start.
pub(super) async fn history(journal: &impl Journal, session: SessionId) -> Vec<Record> {
    let records = journal.read(session, 0, usize::MAX, usize::MAX).await.unwrap();
    let mut previous = ChainHash::start(session);
    for (seq, record) in (1..).zip(&records) {
        assert_eq!(record.seq, seq, "a gap in {session}");
        assert!(record.is_chained_to(previous), "event {seq} of {session}");
        previous = record.hash;
    }
    records
}
